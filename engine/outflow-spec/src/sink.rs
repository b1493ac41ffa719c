//! Sinks as written in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::Secret;

mod sftp;

pub use sftp::{SftpBackend, SftpSink};

/// A sink; its one key names the component.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkSpec {
    /// A folder on this machine.
    Local(LocalSink),
    /// A bucket of an S3-compatible service.
    S3(S3Sink),
    /// A folder of an SFTP server.
    Sftp(SftpSink),
}

/// A folder on this machine. A file appears there whole, under a name nobody had before, or not at all.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalSink {
    /// The folder, relative to the pipeline file. Example: `out`.
    #[schemars(length(min = 1))]
    pub path: String,
}

/// A bucket of an S3-compatible service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Sink {
    /// Name of the bucket, without scheme or slash. Example: `acme-feeds`.
    #[schemars(length(min = 1))]
    pub bucket: String,
    /// Prefix of every key, without leading or trailing slash. Example: `exports/simon`.
    #[serde(default)]
    pub path: String,
    /// Region. Default `us-east-1`.
    #[serde(default)]
    pub region: Option<String>,
    /// URL of another S3 service than AWS. Example: `http://127.0.0.1:9000`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Access key. Unset: the usual AWS places. Example: `${env:AWS_ACCESS_KEY_ID}`.
    #[serde(default)]
    pub access_key_id: Option<Secret>,
    /// Secret key. Example: `${env:AWS_SECRET_ACCESS_KEY}`.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// Session token of temporary credentials.
    #[serde(default)]
    pub session_token: Option<Secret>,
}
