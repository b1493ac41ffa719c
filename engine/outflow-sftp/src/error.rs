//! What can go wrong with a server, by what it means for whoever called.

use std::fmt;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the caller gave cannot be used, such as an unreadable private key.
    Setup,
    /// The local file cannot be read.
    Source,
    /// The server cannot be reached, or does not speak SSH with us.
    Unreachable,
    /// The server's key is not one it may show. Nothing secret was sent.
    HostKey,
    /// The server refused the login.
    Login,
    /// The connection was lost or fell silent; whether the last request was carried out is not known.
    Lost,
    /// Nothing is under the path, or its folder is missing.
    Missing,
    /// The server says that we may not.
    Denied,
    /// The server refused without saying why: the name exists, it is too long, anything.
    Failed,
    /// The server refused bytes of a file, or to put them on its disk: no space, most often, or a quota.
    Unwritten,
    /// The server cannot do this at all.
    Unsupported,
}

/// A failure.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    text: String,
}

/// Result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// A status of the SFTP protocol that is not success.
    pub(crate) fn status(code: u32, text: &str) -> Self {
        let (kind, name) = match code {
            2 | 10 => (Kind::Missing, "no such file"),
            3 | 12 => (Kind::Denied, "permission denied"),
            8 => (Kind::Unsupported, "not supported"),
            14 => (Kind::Unwritten, "no space left"),
            15 => (Kind::Unwritten, "quota exceeded"),
            _ => (Kind::Failed, "failure"),
        };
        match text.trim() {
            "" => Self::new(kind, name),
            said if said.eq_ignore_ascii_case(name) => Self::new(kind, name),
            said => {
                Self::new(kind, format!("{name} ({})", said.chars().filter(|c| !c.is_control()).collect::<String>()))
            }
        }
    }

    /// The same failure, of bytes that were to be written.
    pub(crate) fn of_writing(self) -> Self {
        match self.kind {
            Kind::Failed => Self::new(Kind::Unwritten, self.text),
            _ => self,
        }
    }

    /// What it means.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
