//! The engine's one error: what happened, who has to act, whether trying again can help, and hints.

use std::fmt;

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// The author of the pipeline.
    User,
    /// Whoever runs the source or the target.
    External,
    /// The makers of outflow, or of a plugin.
    Internal,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// Later it may work.
    Later,
    /// Another process works on the same state.
    Locked,
}

/// Whose failure it is, in the words of the vendors whose exports skip a client that cannot be served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The network, a service in trouble, the pipeline or the program: the next run makes up for it.
    #[default]
    GeneralError,
    /// What the client keeps at the target: access was refused, credentials are wrong, the bucket is gone, another
    /// host answers. Only the client can mend it, and nobody else's delivery has to wait.
    ClientServiceError,
}

impl Class {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::GeneralError => "general_error",
            Self::ClientServiceError => "client_service_error",
        }
    }
}

/// Anything that stops a run.
#[derive(Debug)]
pub struct Error {
    message: String,
    domain: Domain,
    retry: Retry,
    running: bool,
    class: Class,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Result with the engine's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The pipeline, its options or its data are wrong.
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Domain::User, Retry::Never, message)
    }

    /// The source or the target failed, and will again.
    pub fn external(message: impl Into<String>) -> Self {
        Self::new(Domain::External, Retry::Never, message)
    }

    /// The source or the target failed, and may work later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Domain::External, Retry::Later, message)
    }

    /// A fault of the program or of a plugin.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Domain::Internal, Retry::Never, message)
    }

    /// Another process holds the state.
    pub fn locked(message: impl Into<String>) -> Self {
        Self::new(Domain::External, Retry::Locked, message)
    }

    fn new(domain: Domain, retry: Retry, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            domain,
            retry,
            running: false,
            class: Class::GeneralError,
            hint: None,
            source: None,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Marks an error that came up after rows began to flow.
    #[must_use]
    pub fn while_running(mut self) -> Self {
        self.running = true;
        self
    }

    /// Marks an error as one that only the client can mend: see [`Class::ClientServiceError`].
    #[must_use]
    pub fn fault_of_client(mut self) -> Self {
        self.class = Class::ClientServiceError;
        self
    }

    /// Whose failure it is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Whether the pipeline or its options are at fault, found before a row was read.
    pub fn is_config(&self) -> bool {
        self.domain == Domain::User && !self.running
    }

    /// Who has to act.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// What to do, if known.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

impl From<outflow_layout::layout::LayoutError> for Error {
    fn from(error: outflow_layout::layout::LayoutError) -> Self {
        use outflow_layout::layout::LayoutError;
        match error {
            LayoutError::Options(diagnostics) => {
                let lines = diagnostics
                    .iter()
                    .map(|finding| format!("{}: {} (at `{}`)", finding.code, finding.message, finding.path));
                let error = Self::user(format!("the layout refuses: {}", lines.collect::<Vec<_>>().join("; ")));
                match diagnostics.into_iter().find_map(|finding| finding.help) {
                    Some(help) => error.hint(help),
                    None => error,
                }
            }
            LayoutError::Refused(reason) => Self::user(format!("the layout refuses: {reason}")),
            LayoutError::Plugin { code, message } => Self::internal(format!("{code}: {message}")),
        }
    }
}
