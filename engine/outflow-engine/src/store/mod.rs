//! Where files come from and go to: clients of object stores, and the sinks that publish sealed files.
//! A sink knows bytes and names only; which file goes when is decided in `delivery`.

mod access;
mod bucket;
mod failure;
mod folder;
mod ftps;
pub mod probe;
mod read_back;
mod sftp;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use outflow_formats::digest::Algorithm;
use outflow_layout::layout::Target;
use outflow_spec::sink::SinkSpec;

pub use access::s3;
pub use bucket::{Bucket, Service};
pub use failure::describe;
pub use folder::Folder;
pub use ftps::Ftps;
pub use read_back::ReadBack;
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

    /// What files for it are sealed with, at the least: SHA-256 where it can check that too.
    fn digest(&self) -> Algorithm {
        Algorithm::Sha256
    }

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

    /// Makes the names of files that are there outlast a power cut, whoever put them there. The ledger is not told of
    /// a file before. That one is gone meanwhile is fine.
    async fn persist(&self, _files: &[&SealedFile]) -> Result<()> {
        Ok(())
    }

    /// Removes what an interrupted `put` left under `staging`, next to the final name.
    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()>;

    /// Takes a published file away, if the target shows what was sealed: its bytes or, where these cannot be had
    /// cheaply, its size. Says what was found: `Same` is gone now, `Absent` was gone before (whoever collected it),
    /// `Different` is left as it is.
    async fn remove(&self, file: &SealedFile) -> Result<Proof>;

    /// Whether `put` refuses a name in use for certain, whoever else writes there at the same moment; as far as the
    /// kind of target goes. What one target really does is for `probe` to find out.
    fn creates_if_absent(&self) -> bool {
        true
    }

    /// What `compare` relies on, for people.
    fn verified_by(&self) -> &'static str {
        "all bytes, read back"
    }

    /// When the target says that a file was written; none where it does not tell, or only by this machine's clock.
    async fn modified(&self, _file: &SealedFile) -> Result<Option<Timestamp>> {
        Ok(None)
    }

    /// What people want to know of the connection, such as the server's key: what it is, and its value.
    fn facts(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Builds the sink of a pipeline. `base` is the folder that relative paths start from. Connects to nothing.
pub fn open_sink(spec: &SinkSpec, base: &Path) -> Result<Arc<dyn Sink>> {
    Ok(match spec {
        SinkSpec::Azure(sink) => {
            let place = (sink.account.as_str(), sink.container.as_str(), sink.path.as_str());
            let client = access::clouds::azure(sink)?;
            Arc::new(Bucket::of(Service::AZURE, client, place, sink.endpoint.as_deref())?)
        }
        SinkSpec::Ftps(sink) => Arc::new(Ftps::new(sink, base)?),
        SinkSpec::Gcs(sink) => {
            let place = ("", sink.bucket.as_str(), sink.path.as_str());
            let client = access::clouds::gcs(sink)?;
            Arc::new(Bucket::of(Service::GCS, client.clone(), place, sink.endpoint.as_deref())?.aborting(client))
        }
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
            let bucket = Bucket::new(client.clone(), &sink.bucket, &sink.path, sink.endpoint.as_deref())?;
            Arc::new(bucket.aborting(client))
        }
        SinkSpec::Sftp(sink) => Arc::new(Sftp::new(sink, base)?),
    })
}

/// The target of a sink as layouts see it.
pub fn target(spec: &SinkSpec) -> Target {
    let target = |scheme: &str, container: &str, prefix: &str| Target {
        scheme: scheme.to_owned(),
        container: container.to_owned(),
        prefix: prefix.to_owned(),
    };
    match spec {
        SinkSpec::Azure(sink) => target("az", &sink.container, &sink.path),
        SinkSpec::Ftps(sink) => target("ftps", &sink.host, &sink.path),
        SinkSpec::Gcs(sink) => target("gs", &sink.bucket, &sink.path),
        SinkSpec::Local(sink) => target("file", sink.path.trim_end_matches('/'), ""),
        SinkSpec::S3(sink) => target("s3", &sink.bucket, &sink.path),
        SinkSpec::Sftp(sink) => target("sftp", &sink.host, &sink.path),
    }
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
