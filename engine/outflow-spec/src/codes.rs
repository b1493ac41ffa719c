//! The registry of finding codes: what each means, at length, with an example that has it and one that
//! does not. Examples are the blocks of a pipeline that matter; the other blocks are left out.

mod delivery;
mod names;
mod plugins;
mod references;
mod schedule;
mod schema;
mod secrets;
mod yaml;

pub use delivery::*;
pub use names::*;
pub use plugins::*;
pub use references::*;
pub use schedule::*;
pub use schema::*;
pub use secrets::*;
pub use yaml::*;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; the pipeline runs.
    Warning,
    /// The pipeline does not run.
    Error,
}

impl Severity {
    /// Its name in output.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Who can see that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaisedBy {
    /// Reading the YAML. Other tools stop at such files too, or read them differently.
    Yaml,
    /// The JSON Schema: every validator finds it.
    Schema,
    /// A rule of this linter.
    Rule,
    /// A rule that may need the columns of the source.
    Columns,
    /// A later step: the SQL planner, a layout plugin.
    Engine,
}

/// A code and its documentation.
#[derive(Debug)]
pub struct CodeDoc {
    /// The code, `OF` and three digits.
    pub code: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Who can see it.
    pub raised_by: RaisedBy,
    /// Why it matters and what to do.
    pub explanation: &'static str,
    /// Blocks that have it.
    pub bad: &'static str,
    /// The same blocks, repaired.
    pub good: &'static str,
}

impl CodeDoc {
    /// Whether the JSON Schema alone refuses such a file.
    pub fn is_schema_level(&self) -> bool {
        self.raised_by == RaisedBy::Schema
    }

    /// Whether a comment may silence it: what stops the file from being read as a pipeline cannot be silenced.
    pub fn can_be_ignored(&self) -> bool {
        !matches!(self.family(), "OF0" | "OF1" | "OF5" | "OF9")
            && !matches!(self.code, "OF201" | "OF202" | "OF203" | "OF212" | "OF213")
    }

    /// Its family: `OF` and the first digit.
    pub fn family(&self) -> &'static str {
        &self.code[..3]
    }
}

/// The documentation of a code; letters in either case.
pub fn explain(code: &str) -> Option<&'static CodeDoc> {
    CODES.iter().copied().find(|doc| doc.code.eq_ignore_ascii_case(code))
}

/// Every code, in order.
pub static CODES: &[&CodeDoc] = &[
    &OF001, &OF002, &OF003, &OF004, &OF005, &OF006, &OF007, &OF008, &OF009, &OF010, &OF011, &OF101, &OF102, &OF103,
    &OF104, &OF105, &OF106, &OF107, &OF108, &OF109, &OF110, &OF111, &OF112, &OF113, &OF114, &OF115, &OF116, &OF117,
    &OF118, &OF119, &OF201, &OF202, &OF203, &OF204, &OF205, &OF206, &OF207, &OF208, &OF209, &OF210, &OF211, &OF212,
    &OF213, &OF301, &OF302, &OF303, &OF304, &OF305, &OF306, &OF307, &OF308, &OF401, &OF402, &OF403, &OF404, &OF405,
    &OF406, &OF407, &OF408, &OF501, &OF502, &OF503, &OF504, &OF601, &OF701, &OF702, &OF703, &OF901, &OF902, &OF903,
];
