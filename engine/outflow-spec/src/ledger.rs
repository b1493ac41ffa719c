//! Where deliveries are remembered, as written in the project file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::Secret;

/// A ledger that several workers share. Unset: a SQLite file in the state folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerSpec {
    /// A PostgreSQL database. Example: `postgres: {url: "${env:LEDGER_URL}"}`.
    Postgres(PostgresLedger),
}

/// A PostgreSQL database. Its user needs the right to make tables; workers on other machines may use it too.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresLedger {
    /// URL with user and password. Example: `${env:LEDGER_URL}`, being
    /// `postgres://outflow:…@db.example:5432/outflow?sslmode=verify-full`.
    pub url: Secret,
}
