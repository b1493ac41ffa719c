//! Why a command stopped, and the exit code that says so.

use std::process::ExitCode;

use outflow_engine::error::{Domain, Error, Retry};

/// What stops a command.
#[derive(Debug)]
pub enum Failure {
    /// Findings were printed already.
    Findings(u8),
    /// The engine's error; `started` tells whether rows were read.
    Engine(Error),
    /// Anything else: a file that cannot be read, a wrong argument.
    Usage(anyhow::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
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
            Self::Findings(_) => {}
            Self::Engine(error) => print_error(error),
            #[expect(clippy::print_stderr, reason = "the binary prints")]
            Self::Usage(error) => eprintln!("error: {error:#}"),
        }
        ExitCode::from(self.code())
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Findings(code) => *code,
            Self::Usage(_) => 2,
            Self::Engine(error) => match (error.retry(), error.domain()) {
                (Retry::Locked, _) => 6,
                (Retry::Later, _) => 4,
                (Retry::Never, Domain::User) if error.is_config() => 2,
                (Retry::Never, _) => 3,
            },
        }
    }
}

/// Prints an error, its causes and its hint.
#[expect(clippy::print_stderr, reason = "the binary prints")]
pub fn print_error(error: &Error) {
    eprintln!("error: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        eprintln!("  cause: {cause}");
        source = cause.source();
    }
    if let Some(hint) = error.hint_text() {
        eprintln!("hint: {hint}");
    }
}
