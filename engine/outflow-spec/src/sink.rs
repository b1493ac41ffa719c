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
    /// A container of Azure Blob Storage.
    Azure(AzureSink),
    /// A folder of an FTP server, over TLS.
    Ftps(FtpsSink),
    /// A bucket of Google Cloud Storage.
    Gcs(GcsSink),
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

/// A bucket of Google Cloud Storage. A small object is written on the condition that its name is free.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GcsSink {
    /// Name of the bucket, without scheme or slash. Example: `acme-feeds`.
    #[schemars(length(min = 1))]
    pub bucket: String,
    /// Prefix of every name, without leading or trailing slash. Example: `exports/simon`.
    #[serde(default)]
    pub path: String,
    /// Key of a service account, the JSON text of its file. Unset: the application default credentials, or the
    /// machine's own in Google's cloud. Example: `${file:/run/secrets/gcs.json}`.
    #[serde(default)]
    pub service_account_key: Option<Secret>,
    /// URL of another service than Google's. Example: `http://127.0.0.1:9023`.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// A container of Azure Blob Storage. A small blob is written on the condition that its name is free. Names of
/// metadata are letters, digits and underscores there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureSink {
    /// Name of the storage account. Example: `acmefeeds`.
    #[schemars(length(min = 1))]
    pub account: String,
    /// Name of the container, without scheme or slash. Example: `exports`.
    #[schemars(length(min = 1))]
    pub container: String,
    /// Prefix of every name, without leading or trailing slash. Example: `simon/daily`.
    #[serde(default)]
    pub path: String,
    /// Key of the account. With neither key, token nor client: the machine's own identity in Azure.
    /// Example: `${env:AZURE_STORAGE_KEY}`.
    #[serde(default)]
    pub access_key: Option<Secret>,
    /// Shared access signature of the container. Example: `${env:AZURE_SAS_TOKEN}`.
    #[serde(default)]
    pub sas_token: Option<Secret>,
    /// An application's access, in place of a key.
    #[serde(default)]
    pub client: Option<AzureClient>,
    /// URL of another service than Azure's, with the account where it is part of the path.
    /// Example: `http://127.0.0.1:10000/devstoreaccount1`.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// An application that Microsoft Entra knows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureClient {
    /// Tenant. Example: `0f9a3c1e-7f5e-4d68-9f7b-2d6a1f1c9b11`.
    #[schemars(length(min = 1))]
    pub tenant_id: String,
    /// Application. Example: `5d3ee8d1-44b0-4d0e-8f5e-6e0c2a7f4a10`.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// Its secret. Example: `${env:AZURE_CLIENT_SECRET}`.
    pub client_secret: Secret,
}

/// A folder of an FTP server, over TLS: nothing is said in clear, and the server proves who it is. FTP has no way to
/// refuse a rename onto a name in use, so the folder should belong to outflow alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FtpsSink {
    /// Name of the server, which its certificate must carry. Example: `ftp.acme.example`.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Port. Default `21`, and `990` for implicit TLS.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// User. Example: `feeds`.
    #[schemars(length(min = 1))]
    pub user: String,
    /// Password. Example: `${env:FTPS_PASSWORD}`.
    pub password: Secret,
    /// Folder, from the one that the user starts in, or from the root with a leading slash. It is made if it is not
    /// there. Example: `in/actito`.
    #[serde(default)]
    pub path: String,
    /// When TLS begins: `explicit` asks for it on the ordinary port, `implicit` speaks nothing else. Default `explicit`.
    #[serde(default)]
    pub tls: FtpsMode,
    /// Newest version of TLS to use. Default `tls12`: many servers want each data connection to resume the session of
    /// the control connection, and a session of `tls13` can be resumed but a few times.
    #[serde(default)]
    pub newest_tls: TlsVersion,
    /// File with the certificates, as PEM, that vouch for the server in place of this machine's. Example: `acme-ca.pem`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub ca_file: Option<String>,
    /// SHA-256 of the server's own certificate, in hexadecimal: it and no other is trusted, whatever name it carries.
    /// Example: `3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555`.
    #[serde(default)]
    #[schemars(regex(pattern = SHA256_PATTERN))]
    pub certificate_sha256: Option<String>,
}

/// What a SHA-256 looks like; colons may stand between the bytes.
pub const SHA256_PATTERN: &str = "^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$";

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FtpsMode {
    /// Asked for with `AUTH TLS`, before anything else is said.
    #[default]
    Explicit,
    /// From the first byte.
    Implicit,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}
