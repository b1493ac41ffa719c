//! What a layout is to the engine: it names the outputs as SQL expressions, the files, and what follows them.
//! A layout computes, the engine acts: no row, clock, disk or network is visible here.

use std::sync::Arc;

use outflow_formats::digest::Digest;
use outflow_formats::format::{Compression, Format};

/// Broken-down logical time in the pipeline's time zone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub epoch_ms: i64,
    /// Civil date and time in `zone`.
    pub year: i32,
    /// 1–12.
    pub month: u8,
    /// 1–31.
    pub day: u8,
    /// 0–23.
    pub hour: u8,
    /// 0–59.
    pub minute: u8,
    /// 0–59.
    pub second: u8,
    /// Offset from UTC in minutes.
    pub offset_minutes: i16,
    /// IANA name of the zone.
    pub zone: String,
}

/// Where the files of a run go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// `file` or `s3`.
    pub scheme: String,
    /// Bucket, host, or folder as written.
    pub container: String,
    /// Path below it as written, without leading or trailing slash.
    pub prefix: String,
}

impl Target {
    /// URL of a file below the target; never holds credentials.
    pub fn url(&self, path: &str) -> String {
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        format!("{}://{}/{prefix}{path}", self.scheme, self.container)
    }
}

/// What a layout may know of a run. Times are logical: equal on every retry.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunInfo {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Id of the run that planned the delivery (UUID v7).
    pub run_id: String,
    /// The logical instant of the run.
    pub scheduled: Stamp,
    /// Start of the window, included.
    pub window_start: Stamp,
    /// End of the window, excluded.
    pub window_end: Stamp,
    /// Where the files go.
    pub target: Target,
}

/// Start of the names of columns that are the engine's own: no layout sees them, no file gets them.
pub const HIDDEN_PREFIX: &str = "_outflow_";

/// A column of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Arrow type, as text: `Utf8`, `Int64`, `List(Utf8)`, …
    pub data_type: String,
    /// Whether it may hold null.
    pub nullable: bool,
}

/// An input or contract: named columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its name; the rows of the pipeline are `input`.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// Native plan of one output: SQL expressions over the input's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Name of the dataset. Example: `data_feed`.
    pub dataset: String,
    /// Kind, free for the layout. Example: `data`.
    pub kind: String,
    /// The input read.
    pub input: String,
    /// A full SELECT over the inputs in place of `input`.
    pub query: Option<String>,
    /// One output row an element.
    pub expand: Option<Expand>,
    /// Rows kept.
    pub filter: Option<String>,
    /// Rules that every row of the input must keep, before any output takes its share; equal ones of several outputs
    /// count once. A row that breaks one goes to the dead-letter file.
    pub input_rules: Vec<Rule>,
    /// Rules that the rows kept by `filter` must keep; a row that breaks one goes to the dead-letter file.
    pub rules: Vec<Rule>,
    /// Columns written, in order. Two may have one name where the format allows it (CSV).
    pub fields: Vec<Field>,
    /// Appends every input column not named in `fields`, in input order.
    pub pass_through: bool,
    /// Values that split rows into files, in order.
    pub partition_by: Vec<PartitionKey>,
    /// Order of rows; empty = as they come.
    pub order_by: Vec<String>,
    /// Format of the files.
    pub format: Format,
    /// Container around each file.
    pub compression: Compression,
    /// When a file is closed and the next part begun.
    pub roll: Roll,
    /// Numbers without gaps that names may hold.
    pub counters: Vec<Counter>,
    /// Whether a run without rows writes a file with its header only.
    pub write_when_empty: bool,
    /// Whether names need the facts of the written file.
    pub name_after: bool,
}

/// When a file is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// Most rows of a file.
    pub max_rows: Option<u64>,
    /// Most bytes of a file before its container; a single larger row still is a file.
    pub max_bytes: Option<u64>,
}

/// A number that the ledger keeps and only the commit of a delivery advances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name, one number for all that share it.
    pub name: String,
    /// What counts.
    pub scope: CounterScope,
    /// The first value.
    pub first: u64,
}

/// What advances a counter by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterScope {
    /// A delivery that writes anything.
    Run,
    /// A delivery that writes a file of the output; each dataset has its own number.
    Output,
    /// Each file of the output; each dataset has its own number.
    File,
}

/// One output row per element of a list expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expand {
    /// SQL expression of a list.
    pub elements: String,
    /// The element's name, as a column visible to `fields`.
    pub as_name: String,
}

/// A condition that each row must meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// SQL condition; not true = rejected.
    pub condition: String,
    /// Stable code. Example: `simon/operation`.
    pub code: String,
    /// Why the row is rejected.
    pub message: String,
}

/// A written column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name in the file.
    pub name: String,
    /// SQL scalar expression over the input.
    pub expr: String,
    /// The value is JSON text: raw in JSON formats, plain text elsewhere.
    pub json: bool,
}

/// A value that splits rows into files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionKey {
    /// Its name.
    pub name: String,
    /// SQL scalar expression; its text is the value.
    pub value: String,
}

/// What is known of a file before and after it is written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileIntent {
    /// Dataset of its output.
    pub dataset: String,
    /// Partition values in order of the keys.
    pub partition: Vec<(String, String)>,
    /// 1-based within (run, dataset, partition).
    pub part: u32,
    /// 32 lower-case hex characters, equal on retry.
    pub nonce: String,
    /// Counters of the output.
    pub counters: Vec<(String, u64)>,
}

/// Facts of a written file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Records, header not counted.
    pub rows: u64,
    /// Bytes as delivered.
    pub bytes: u64,
    /// Digest of the bytes as delivered. SHA-256 where the layout [needs it](Layout::needs_sha256).
    pub digest: Digest,
    /// Names of the columns, in order; all files of an output share them.
    pub header: Arc<[String]>,
}

/// A file's name and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileName {
    /// Path below the target. Zip files of one run with the same path and different entries become one archive.
    pub path: String,
    /// Name of the entry inside an archive.
    pub archive_entry: Option<String>,
    /// Media type.
    pub content_type: Option<String>,
    /// Metadata of the object.
    pub metadata: Vec<(String, String)>,
}

/// A written and named file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What was intended.
    pub intent: FileIntent,
    /// Its name.
    pub name: FileName,
    /// Its facts.
    pub facts: FileFacts,
    /// Its URL.
    pub url: String,
}

/// A small file made by the layout, published after the files it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Path below the target.
    pub path: String,
    /// Media type.
    pub content_type: String,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Severity of a [`Diagnostic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The pipeline cannot run.
    Error,
    /// It can, perhaps not as meant.
    Warning,
    /// For information.
    Note,
}

/// What a layout has to say of its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable code of the layout. Example: `simon/flow-token`.
    pub code: String,
    /// JSON pointer into the layout's options.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Why a layout gave no answer.
#[derive(Clone, Debug)]
pub enum LayoutError {
    /// The options are wrong.
    Options(Vec<Diagnostic>),
    /// The layout refused, with its reason.
    Refused(String),
    /// The plugin broke a rule of its host: `plugin/timeout`, `plugin/memory`, `plugin/panic`, `plugin/trap`, ….
    Plugin {
        /// Stable code.
        code: &'static str,
        /// What happened.
        message: String,
    },
}

impl std::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Options(found) => {
                for (index, diagnostic) in found.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    let at =
                        if diagnostic.path.is_empty() { String::new() } else { format!(" at `{}`", diagnostic.path) };
                    write!(f, "{separator}{}{at}: {}", diagnostic.code, diagnostic.message)?;
                }
                Ok(())
            }
            Self::Refused(reason) => f.write_str(reason),
            Self::Plugin { code, message } => write!(f, "{code}: {message}"),
        }
    }
}

impl std::error::Error for LayoutError {}

/// Identity of a layout.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Name in `layout:`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One line for people.
    pub summary: String,
    /// JSON Schema (2020-12) of its options.
    pub config_schema: serde_json::Value,
    /// Columns it must find in its inputs.
    pub requires: Vec<Dataset>,
    /// SHA-256 of the component; of the engine's version for `files`.
    pub digest: String,
}

/// A layout with its options, ready to plan one run.
/// Calls are pure: equal arguments give equal answers.
#[async_trait::async_trait]
pub trait Layout: Send {
    /// The native plan over the given inputs.
    async fn outputs(&mut self, inputs: &[Dataset]) -> Result<Vec<Output>, LayoutError>;

    /// Names for files, in the order given; `facts` beside an intent once the file is written.
    async fn name_files(&mut self, files: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>, LayoutError>;

    /// What follows these data files.
    async fn files_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError>;

    /// What follows the whole run.
    async fn run_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError>;

    /// Whether what it writes may tell the digest of files, which is SHA-256 then.
    fn needs_sha256(&self) -> bool {
        true
    }

    /// What was logged since the last time this was asked.
    fn take_log(&mut self) -> Vec<LogLine> {
        Vec::new()
    }

    /// Bytes of memory of its own, where that is known.
    fn memory_bytes(&self) -> Option<usize> {
        None
    }
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: LogLevel,
    /// What it says.
    pub message: String,
}

impl LogLine {
    /// Whether the people who run the pipeline should see it.
    pub fn is_serious(&self) -> bool {
        matches!(self.level, LogLevel::Warn | LogLevel::Error)
    }
}

/// Importance of a [`LogLine`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For the author of the layout.
    Debug,
    /// For information.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
}
