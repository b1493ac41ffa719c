//! Why a command stopped, and the exit code that says so.

use std::process::ExitCode;

use outflow_engine::error::{Class, Domain, Error, Retry};
use outflow_engine::report::SCHEMA;

use crate::output;
use crate::redaction::Redaction;

/// The exit code that says that another process works on the same.
pub const LOCKED: u8 = 6;

/// What stops a command.
pub enum Failure {
    /// The pipeline file has errors; they were printed already.
    Findings,
    /// The engine's error, and what must not show of it.
    Engine(Error, Redaction),
    /// Anything else: a file that cannot be read, a wrong argument.
    Usage(anyhow::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error, Redaction::default())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Usage(error)
    }
}

impl Failure {
    /// Prints the failure and gives its exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Findings => {}
            Self::Engine(error, redaction) => output::tell(&redaction.hide(&in_full(error))),
            Self::Usage(error) => output::tell(&format!("error: {error:#}\n")),
        }
        ExitCode::from(self.code())
    }

    /// Whose failure it is, and what went wrong.
    pub fn cause(&self) -> (Class, String) {
        match self {
            Self::Findings => (Class::GeneralError, "the pipeline file has errors".to_owned()),
            Self::Engine(error, redaction) => (error.class(), redaction.hide(&error.to_string())),
            Self::Usage(error) => (Class::GeneralError, format!("{error:#}")),
        }
    }

    /// The report of a run that ended so.
    pub fn told(&self, pipeline: &str) -> serde_json::Value {
        let (class, error) = self.cause();
        let (hint, domain, retry) = match self {
            Self::Findings => (Some("`outflow lint` shows them".to_owned()), Domain::User, Retry::Never),
            Self::Engine(error, redaction) => {
                (error.hint_text().map(|hint| redaction.hide(hint)), error.domain(), error.retry())
            }
            Self::Usage(_) => (None, Domain::User, Retry::Never),
        };
        serde_json::json!({
            "schema": SCHEMA, "pipeline": pipeline, "status": "failed",
            "error": error, "hint": hint, "domain": domain, "retry": retry, "class": class,
        })
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Findings | Self::Usage(_) => 2,
            Self::Engine(error, _) => match (error.retry(), error.domain()) {
                (Retry::Locked, _) => LOCKED,
                (Retry::Later, _) => 4,
                (Retry::Never, Domain::User) if error.is_config() => 2,
                (Retry::Never, _) => 3,
            },
        }
    }
}

/// An error, its causes and its hint.
fn in_full(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text += &format!("  cause: {cause}\n");
        source = cause.source();
    }
    if let Some(hint) = error.hint_text() {
        text += &format!("hint: {hint}\n");
    }
    text
}
