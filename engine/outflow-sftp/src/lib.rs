//! Files to an SFTP server and back: connect to a server that proves who it is, write many pieces at once, sync,
//! rename without overwriting, read back. Two SSH libraries do it behind one trait. What is published when, under which
//! names and how often to try is not known here; neither is anything of pipelines.
#![forbid(unsafe_code)]

mod error;
mod host_key;
mod libssh2;
mod pace;
mod russh;
mod source;
mod wire;

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;

pub use error::{Error, Kind, Result};
pub use host_key::HostKeys;

/// Which library speaks SSH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `russh`, in Rust, with this crate's own SFTP on top. It is the sink's default: on one quiet machine it sent a
    /// file of 1 GB 1.36 times as fast as OpenSSH's `sftp`, and 1,000 files of 100 KB 2.67 times
    /// (`examples/sftp_rate.rs`, watched by XXH3).
    Russh,
    /// `libssh2`, in C: 0.58 and 1.18 times.
    Libssh2,
}

/// A way to prove who we are. Deliberately without `Debug`.
#[derive(Clone)]
pub enum Credential {
    /// A private key, as the text of its file.
    Key {
        /// The text.
        text: String,
        /// What it is encrypted with, if it is.
        passphrase: Option<String>,
    },
    /// Every key of the agent that listens at this socket.
    Agent(PathBuf),
    /// A password; also the answer to a server that asks for one interactively.
    Password(String),
}

/// A server and how to get in.
#[derive(Clone)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// Tried in this order, after the server has proven who it is.
    pub credentials: Vec<Credential>,
    /// Which keys the server may show.
    pub host_keys: HostKeys,
    /// Longest from the first packet to a session that takes files.
    pub connect: Duration,
    /// Longest a request may wait while next to nothing moves.
    pub patience: Duration,
    /// Which library speaks.
    pub backend: Backend,
}

/// What is under a path. Links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What sort of thing.
    pub sort: Sort,
    /// Bytes.
    pub bytes: u64,
    /// When it was written, in seconds since 1970.
    pub modified: Option<u32>,
}

/// The sorts of things under paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link or anything else, or the server does not tell.
    Other,
}

impl Sort {
    fn of_mode(mode: Option<u32>) -> Self {
        match mode.map(|mode| mode & 0o170_000) {
            Some(0o100_000) => Self::File,
            Some(0o040_000) => Self::Folder,
            _ => Self::Other,
        }
    }
}

/// Sees the bytes of a file in order as they pass, on whatever thread.
pub type Watch = Box<dyn FnMut(&[u8]) + Send>;

/// A session with a server. Any number of calls may run at once; memory is bounded for all of them together.
#[async_trait]
pub trait Session: Send + Sync {
    /// What is under a path, if anything.
    async fn look(&self, path: &str) -> Result<Option<Found>>;

    /// Makes a folder, whose parent must be there.
    async fn make_folder(&self, path: &str) -> Result<()>;

    /// Writes all of a local file to a new file, in place of one that lies there, and has the server sync it if it can.
    /// Returns how many bytes were sent once the server has confirmed every one; `told` hears of them as they are
    /// confirmed, `watch` sees them before.
    async fn write(&self, path: &str, file: File, told: UnboundedSender<u64>, watch: Watch) -> Result<u64>;

    /// Reads a file back; how many bytes it has.
    async fn read_back(&self, path: &str, watch: Watch) -> Result<u64>;

    /// Renames a file by the request that servers should refuse when the new name exists.
    async fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file.
    async fn remove(&self, path: &str) -> Result<()>;

    /// Whether the connection is gone, so that only a new session can go on.
    fn is_lost(&self) -> bool;
}

/// Connects, checks the server's key, logs in.
pub async fn connect(server: &Server) -> Result<Box<dyn Session>> {
    let silent = || {
        let time = server.connect.as_secs_f64();
        Error::new(Kind::Unreachable, format!("`{}:{}` gave no session in {time} s", server.host, server.port))
    };
    let session = async {
        Ok(match server.backend {
            Backend::Russh => Box::new(russh::connect(server).await?) as Box<dyn Session>,
            Backend::Libssh2 => Box::new(libssh2::connect(server).await?),
        })
    };
    tokio::time::timeout(server.connect, session).await.unwrap_or_else(|_| Err(silent()))
}

/// A connected socket. Shutting it down wakes whoever waits for the other end, whatever library that is in.
struct Line(std::net::TcpStream);

impl Line {
    async fn dial(server: &Server) -> Result<Self> {
        let (host, port) = (server.host.as_str(), server.port);
        let failed =
            |error: std::io::Error| Error::new(Kind::Unreachable, format!("connecting to `{host}:{port}`: {error}"));
        let stream = tokio::net::TcpStream::connect((host, port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        Ok(Self(stream.into_std().map_err(failed)?))
    }

    /// The same socket once more, for who reads and writes.
    fn stream(&self) -> Result<std::net::TcpStream> {
        self.0.try_clone().map_err(|error| Error::new(Kind::Unreachable, format!("no socket: {error}")))
    }

    fn cut(&self) {
        // It may be closed already.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.cut();
    }
}
