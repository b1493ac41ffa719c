//! Findings: what is wrong in a pipeline file, where, and what to do about it. They are made only by the
//! named constructors in the modules below, one for each code. They do not print themselves: see `render`.

use crate::codes::{CodeDoc, Severity};
use crate::text::Span;

mod delivery;
mod names;
mod plugins;
mod references;
mod schedule;
mod schema;
mod secrets;
mod yaml;

/// One thing wrong in a pipeline file.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its code, with the long explanation.
    pub code: &'static CodeDoc,
    /// What is wrong, one line.
    pub message: String,
    /// What stands under the caret.
    pub label: String,
    /// Where.
    pub span: Span,
    /// Other places that explain it, each with a label.
    pub secondary: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
    /// An edit that repairs it, if there is a safe one.
    pub fix: Option<Fix>,
}

/// An edit of the file: put this text in place of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// What comes instead.
    pub replacement: String,
}

impl Finding {
    fn new(code: &'static CodeDoc, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { code, message: message.into(), label: label.into(), span, secondary: Vec::new(), help: None, fix: None }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }

    /// Whether it stops a run.
    pub fn is_error(&self) -> bool {
        self.code.severity == Severity::Error
    }

    /// Whether it says that a comment silences nothing.
    pub(crate) fn is_unused_ignore(&self) -> bool {
        self.code.code == "OF901"
    }

    /// Whether another finding says the same thing of the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        self.code.code == other.code.code && self.span == other.span && self.message == other.message
    }

    /// The same finding with this advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn with_secondary(mut self, span: Span, label: impl Into<String>) -> Self {
        self.secondary.push((span, label.into()));
        self
    }

    fn with_fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        // Text with any other character might mean something to YAML; JSON's quotes are YAML's too.
        let replacement = replacement.into();
        let is_plain = replacement.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
        let written = if is_plain { replacement } else { serde_json::Value::String(replacement).to_string() };
        self.fix = Some(Fix { span, replacement: written });
        self
    }

    /// Adds "did you mean" where one of the known names is close, else the list of them.
    fn with_similar<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str> + Clone, place: Span) -> Self {
        match similar(name, known.clone()) {
            Some(name) => self.with_help(format!("a similar name exists: `{name}`")).with_fix(place, name),
            None => match listed(known) {
                list if list.is_empty() => self,
                list => self.with_help(format!("possible: {list}")),
            },
        }
    }
}

/// The known name that somebody probably meant.
pub(crate) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let other = candidate.to_lowercase();
            // Short names with two letters swapped score low, though nobody would miss them.
            let near = lower.len() > 2 && strsim::osa_distance(&lower, &other) <= 1;
            (if near { 1.0 } else { strsim::jaro_winkler(&lower, &other) }, candidate)
        })
        .filter(|(score, _)| *score >= 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Names in backticks, with commas.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
