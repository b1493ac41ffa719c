//! The crate's one error. It says what is wrong and where; whose fault it is and whether to retry is the caller's to
//! decide, helped by [`Error::is_io`].

use std::fmt;

/// Anything that stops reading or writing a file.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    io: bool,
}

/// Result with the crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The data or the options are wrong.
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, io: false }
    }

    /// Reading or writing bytes failed. Malformed compressed data and text arrive this way too, but are the data's
    /// fault and not [`Error::is_io`].
    pub(crate) fn io(doing: &str, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let io = !matches!(source.kind(), InvalidData | InvalidInput | UnexpectedEof);
        Self { message: doing.to_owned(), source: Some(Box::new(source)), io }
    }

    /// A library refused the data.
    pub(crate) fn because(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: doing.into(), source: Some(source.into()), io: false }
    }

    /// Whether the operating system or the network failed, rather than the data being wrong.
    pub fn is_io(&self) -> bool {
        self.io
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(formatter, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
