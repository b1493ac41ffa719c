//! The SFTP sink as written in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::Secret;

/// A folder of an SFTP server. A file is written beside its place under a name of its own, synced where the server can,
/// measured, and renamed by the request that refuses to overwrite; nobody sees half of it. The server proves who it is
/// before anything secret is sent.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SftpSink {
    /// Name or address of the server. Example: `sftp.acme.example`.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Port. Default 22.
    #[serde(default = "port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// User to log in as. Example: `feeds`.
    #[schemars(length(min = 1))]
    pub user: String,
    /// Password; also what a server gets that asks for one interactively. Example: `${env:SFTP_PASSWORD}`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Private key, the text of its file. It is offered before the password.
    /// Example: `${file:/run/secrets/id_ed25519}`.
    #[serde(default)]
    pub private_key: Option<Secret>,
    /// What the private key is encrypted with. Example: `${env:SFTP_PASSPHRASE}`.
    #[serde(default)]
    pub passphrase: Option<Secret>,
    /// Socket of an SSH agent whose keys are offered. Example: `${env:SSH_AUTH_SOCK}`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub agent: Option<String>,
    /// File with the keys of servers, as OpenSSH writes it; hashed names and `@revoked` are understood. This or
    /// `host_keys` must be there. Example: `${env:HOME}/.ssh/known_hosts`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub known_hosts: Option<String>,
    /// Keys that the server may show, as fingerprints or as public keys (`ssh-ed25519 AAAA…`). Two are of use while
    /// its owner changes keys. Example: `["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"]`.
    #[serde(default)]
    pub host_keys: Vec<String>,
    /// Folder of the files, from where the login starts or, with a leading slash, from the root. It is made when it is
    /// missing. Example: `in/actito`.
    #[serde(default)]
    pub path: String,
    /// Library that speaks SSH. Default `russh`: written in Rust, and the faster of the two with large files and long distances.
    #[serde(default)]
    pub backend: SftpBackend,
    /// Longest that connecting and logging in may take together, in seconds. Default 30.
    #[serde(default = "connect_seconds")]
    #[schemars(range(min = 1))]
    pub connect_seconds: u32,
    /// A transfer may last as long as bytes move; after this many seconds of silence it is given up (and after twice as
    /// many at the latest). Default 60.
    #[serde(default = "idle_seconds")]
    #[schemars(range(min = 1))]
    pub idle_seconds: u32,
    /// Files sent at the same time. Default 16.
    #[serde(default = "files_at_once")]
    #[schemars(range(min = 1, max = 256))]
    pub files_at_once: u16,
    /// Connections that they share. Default 1; with `ssh2`, which sends one file a connection, 4.
    #[serde(default)]
    #[schemars(range(min = 1, max = 32))]
    pub connections: Option<u16>,
}

/// A library that speaks SSH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SftpBackend {
    /// The `russh` library: memory-safe, many files in flight over one connection.
    #[default]
    Russh,
    /// The `libssh2` library: for servers that `russh` does not get along with.
    Ssh2,
}

fn port() -> u16 {
    22
}

fn connect_seconds() -> u32 {
    30
}

fn idle_seconds() -> u32 {
    60
}

fn files_at_once() -> u16 {
    16
}
