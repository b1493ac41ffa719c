//! Rules of delivery as written in a pipeline file: what happens to files around their publication. Who applies them
//! is the engine's business.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::duration::Duration;
use crate::secret::Secret;

/// Rules of delivery.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliverySpec {
    /// How many rows may go to the dead-letter file before the run fails, nothing published.
    /// Unset: any number. Example: `0`.
    #[serde(default)]
    pub max_rejects: Option<u64>,
    /// Whether one small file is written to the target, read, written over in vain and deleted before anything is read
    /// from the source; where that fails nothing is extracted. Default `false`. Example: `true`.
    #[serde(default)]
    pub preflight: bool,
    /// Whether every byte of a file is read back from the target before a control file follows. Otherwise what the
    /// target itself notes is believed where it notes enough: the size and the SHA-256 kept with an object, the size
    /// of a file that an FTP server has just taken. Default `false`. Example: `true`.
    #[serde(default)]
    pub read_back: bool,
    /// What a run without rows delivers. Default `layout`.
    #[serde(default)]
    pub on_empty: OnEmpty,
    /// How long delivered files stay. After each run, files that this pipeline published longer ago are taken away
    /// from the target: only those, only while they hold the very bytes that were delivered, and a control file before
    /// the data it speaks of. A file that its reader has already taken is no error. Unset: files stay. Example: `5d`.
    #[serde(default)]
    pub retention: Option<Duration>,
    /// Writes a checksum beside each data file: `orders.csv` gets `orders.csv.sha256`, one line that
    /// `sha256sum --check` reads. It is published after the data files and before the control files of the layout.
    /// Layouts that allow nothing beside their files refuse it.
    #[serde(default)]
    pub checksums: Option<ChecksumKind>,
    /// Encrypts data files.
    #[serde(default)]
    pub encrypt: Option<EncryptSpec>,
    /// Leaves a client whose access is broken alone for a while.
    #[serde(default)]
    pub breaker: Option<BreakerSpec>,
}

/// What a run without rows delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnEmpty {
    /// What the layout says: `actito` writes a file with nothing but its header, for its readers wait for one each
    /// day; `simon` and `sailthru` write nothing; the `files` layout writes nothing unless it says `write_when_empty`.
    #[default]
    Layout,
    /// Nothing, whatever the layout says.
    Skip,
    /// A file with nothing but its header for each output that is not split by values of its rows.
    HeaderOnly,
    /// Nothing, and the run fails: for feeds that never are empty unless something is broken before them.
    Fail,
}

/// Digests that checksum files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumKind {
    /// SHA-256.
    Sha256,
}

/// A way to encrypt; its one key names it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncryptSpec {
    /// OpenPGP, as `gpg --decrypt` reads it.
    Pgp(PgpSpec),
}

/// Encrypts every data file with OpenPGP, after its compression. Sizes and digests in companions, checksums and reports
/// are those of the encrypted file, which is what lies at the target; rows are those inside. Companions of the layout
/// stay readable.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PgpSpec {
    /// Public keys of those who may read the files: each a file, relative to the pipeline file, or the armored key
    /// itself. Example: `[keys/acme.asc]` or `["${env:ACME_PUBLIC_KEY}"]`.
    #[schemars(length(min = 1))]
    pub keys: Vec<String>,
    /// Writes text (`-----BEGIN PGP MESSAGE-----`) in place of bytes. Default `false`.
    #[serde(default)]
    pub armor: bool,
    /// What is put behind the file's name. Default `pgp`.
    #[serde(default)]
    pub extension: PgpExtension,
    /// Signs the files too.
    #[serde(default)]
    pub sign: Option<PgpSignSpec>,
}

/// What is put behind the name of an encrypted file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PgpExtension {
    /// `.pgp`
    #[default]
    Pgp,
    /// `.gpg`
    Gpg,
    /// `.asc`, for armored files.
    Asc,
    /// Nothing: the layout's name tells it already.
    None,
}

/// The key that signs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PgpSignSpec {
    /// The private key, armored. Example: `${file:keys/outflow.secret.asc}`.
    pub key: Secret,
    /// Its passphrase, where it has one. Example: `${env:PGP_PASSPHRASE}`.
    #[serde(default)]
    pub passphrase: Option<Secret>,
}

/// When a client is left alone. What counts are failures that only the client can mend (`client_service_error`): access
/// refused, wrong credentials, a bucket that is gone. It is tried again when the pipeline or what fills it changes, when
/// the time is over, or with `run --force`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakerSpec {
    /// How many such failures in a row. Default 5.
    #[serde(default = "five")]
    #[schemars(range(min = 1))]
    pub failures: u32,
    /// How long after the last of them the client is tried again. Default `1h`.
    #[serde(default = "an_hour")]
    pub retry_after: Duration,
}

fn five() -> u32 {
    5
}

fn an_hour() -> Duration {
    Duration { seconds: 3600 }
}
