//! Where files come from and go to: clients of object stores, and the sinks that publish sealed files.
//! A sink knows bytes and names only; which file goes when is decided in `delivery`.

mod access;
mod bucket;
pub(crate) mod digest;
mod failure;
mod folder;
mod sftp;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use outflow_layout::layout::Target;
use outflow_spec::sink::SinkSpec;

pub use access::s3;
pub use bucket::Bucket;
pub use failure::describe;
pub use folder::Folder;
pub use sftp::Sftp;

use crate::error::{Error, Result};
use crate::ledger::SealedFile;
use crate::progress::Progress;

/// How far the spool file and the target may be trusted to hold the sealed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// This process wrote and sealed it.
    Spool,
    /// It may have been changed since: hash before use. What the target itself notes of the bytes is believed.
    Nothing,
    /// As `Nothing`, and the target's bytes are always read.
    Bytes,
}

/// What a target shows under a final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    Absent,
    /// The sealed bytes.
    Same,
    /// Something else, with how it differs.
    Different(String),
}

/// What became of an attempt to publish a file. None of these says what the target holds: `compare` does.
#[derive(Debug)]
pub enum Put {
    /// The target confirmed it.
    Stored,
    /// The target says the name is in use. That may be by our own lost attempt, or not at all (S3's 409).
    Taken,
    /// No clear answer; it may or may not have landed.
    Unknown(Error),
    /// The spool file is gone or is not what was sealed; nothing was published.
    Damaged(String),
}

/// A target that shows a file whole under its final name or not at all.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The target as layouts see it.
    fn target(&self) -> &Target;

    /// What tells this target from every other in the ledger. Holds no credentials.
    fn identity(&self) -> &str;

    /// Files worth sending at the same time.
    fn files_at_once(&self) -> usize {
        4
    }

    /// Finds a missing bucket, wrong credentials or an unusable folder with one cheap read.
    async fn check(&self) -> Result<()>;

    /// Reads back what is under the file's final name.
    async fn compare(&self, file: &SealedFile, trust: Trust) -> Result<Proof>;

    /// Publishes the file under its final name, which the caller found absent. The spool file is as it was sealed;
    /// a sink that reads it all anyway makes sure.
    /// `staging` is a name nobody else uses, for sinks that need one.
    async fn put(&self, file: &SealedFile, staging: &str, progress: &dyn Progress) -> Result<Put>;

    /// Removes what an interrupted `put` left under `staging`, next to the final name.
    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()>;
}

/// Builds the sink of a pipeline. `base` is the folder that relative paths start from. Connects to nothing.
pub fn open_sink(spec: &SinkSpec, base: &Path) -> Result<Arc<dyn Sink>> {
    Ok(match spec {
        SinkSpec::Local(sink) => Arc::new(Folder::new(&base.join(&sink.path), &sink.path)?),
        SinkSpec::S3(sink) => {
            let access = outflow_spec::store::S3Access {
                region: sink.region.clone(),
                endpoint: sink.endpoint.clone(),
                access_key_id: sink.access_key_id.clone(),
                secret_access_key: sink.secret_access_key.clone(),
                session_token: sink.session_token.clone(),
            };
            let client = access::s3_writer(&sink.bucket, &access)?;
            Arc::new(Bucket::new(client, &sink.bucket, &sink.path, sink.endpoint.as_deref())?)
        }
        SinkSpec::Sftp(sink) => Arc::new(Sftp::new(sink, base)?),
    })
}

/// Refuses a final path that could leave the target: layouts already do, and a name is checked again where it is used.
pub fn check_path(path: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::user(format!("file name {path:?} {why}"))
            .hint("a path below the target has segments of letters, digits, `-`, `_`, `.`, `=`, and `/` between them"))
    };
    if path.len() > 1024 {
        return refuse("is longer than 1024 bytes");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return refuse("holds a control character or backslash");
    }
    for segment in path.split('/') {
        match segment {
            "" => return refuse("is empty, or has an empty segment"),
            "." | ".." => return refuse("has a `.` or `..` segment"),
            _ if segment.len() > 255 => return refuse("has a segment longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}
