//! The `postgres` source as written in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::duration::Duration;
use crate::secret::Secret;

/// Rows of a PostgreSQL table or query, read in one read-only transaction that sees one state of the database.
///
/// Values are what `psql` shows, in the time zone UTC, with these exceptions: `boolean` is `true` or `false`, numbers
/// of `real` and `double precision` are never written with an exponent, and arrays and composite types are JSON.
/// Integers, floats and booleans are numbers and truth values to transforms; all other types are text, so that
/// `numeric` keeps every digit and dates keep `infinity` and `BC`: `CAST` them where a transform computes with them.
///
/// Without `incremental`, a delivery is the state of the database: a run that finds the very state that was delivered
/// last has nothing to do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSource {
    /// Where the database is, and who connects: `postgres://user:password@host:5432/database`. It holds a secret, so
    /// it comes from outside. Example: `${env:DATABASE_URL}`.
    #[serde(default)]
    pub url: Option<Secret>,
    /// In place of `url`: name or address of the server, or the folder of its Unix socket. Example: `db.acme.example`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub host: Option<String>,
    /// Port of the server. Default `5432`.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Name of the database. Example: `shop`.
    #[serde(default)]
    pub database: Option<String>,
    /// Who connects; reading is all that this role needs to be allowed. Example: `outflow_reader`.
    #[serde(default)]
    pub user: Option<String>,
    /// Password of the user. Example: `${env:PGPASSWORD}`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// A table or view, as it is written in the catalogue, after its schema where that is not on the search path.
    /// Example: `public.contacts`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub table: Option<String>,
    /// In place of `table`: a query, one `SELECT`. Example: `SELECT id, email FROM contacts WHERE consent`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub query: Option<String>,
    /// Columns that are read, in order; the others never leave the server. Unset: all. Example: `[id, email]`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub columns: Option<Vec<String>>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: PostgresTls,
    /// What the server shows of this connection. Default `outflow`.
    #[serde(default)]
    pub application_name: Option<String>,
    /// How long the server may work on the query; then the run fails and nothing is delivered. Default `1h`.
    /// Example: `10m`.
    #[serde(default)]
    pub statement_timeout: Option<Duration>,
}

/// How the connection to PostgreSQL is protected.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresTls {
    /// What is asked of the server. Default `verify_full`; a Unix socket needs none.
    #[serde(default)]
    pub mode: Option<PostgresTlsMode>,
    /// PEM file with certificates that are trusted beside the system's, relative to the pipeline file.
    /// Example: `certificates/internal-ca.pem`.
    #[serde(default)]
    pub ca: Option<String>,
    /// PEM file with the certificate that proves who connects, for servers that ask for one.
    #[serde(default)]
    pub certificate: Option<String>,
    /// PEM file with the key of that certificate.
    #[serde(default)]
    pub key: Option<String>,
}

/// What is asked of a PostgreSQL server before it gets a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PostgresTlsMode {
    /// TLS with a certificate of a trusted authority for this very host.
    VerifyFull,
    /// TLS with a certificate of a trusted authority, for whatever host.
    VerifyCa,
    /// No TLS: everything can be read and changed on its way. For servers on this machine.
    Disable,
}
