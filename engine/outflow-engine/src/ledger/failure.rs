//! What failures of the ledger's database mean: damage, another writer, a full disk, a server that went away.

use super::database::Kind;
use crate::error::Error;

pub(super) fn corrupt(name: &str, found: &str) -> Error {
    Error::external(format!("the ledger `{name}` is damaged: {found}")).hint(
        "nothing is published with a damaged ledger, for it says what was already delivered; restore it from a backup",
    )
}

pub(super) fn failure(kind: Kind, name: &str, doing: &str, error: sqlx::Error) -> Error {
    match kind {
        Kind::Sqlite => sqlite(name, doing, error),
        Kind::Postgres => postgres(name, doing, error),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|database| database.code()).map(|code| code.into_owned())
}

fn sqlite(name: &str, doing: &str, error: sqlx::Error) -> Error {
    // The low byte is SQLite's primary result code.
    match code(&error).and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
        Some(11 | 26) => corrupt(name, &error.to_string()),
        Some(5 | 6) => Error::locked(format!("{doing}: the ledger `{name}` is in use by another process")),
        Some(13) => {
            Error::transient(format!("{doing}: the disk of the ledger `{name}` is full")).hint("free some space")
        }
        Some(8 | 14 | 23) => Error::external(format!("{doing}: the ledger `{name}` cannot be written: {error}"))
            .hint("check the owner and permissions of the state folder"),
        _ => Error::external(format!("{doing}: the ledger `{name}` failed: {error}")),
    }
}

fn postgres(name: &str, doing: &str, error: sqlx::Error) -> Error {
    let code = code(&error).unwrap_or_default();
    let gone = matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed
    );
    // Classes of SQLSTATE: connection, resources, operator intervention; and what a transaction meets by chance.
    if gone
        || matches!(code.get(..2), Some("08" | "53" | "57"))
        || matches!(&*code, "25P03" | "40001" | "40P01" | "55P03")
    {
        return Error::transient(format!("{doing}: the ledger `{name}` cannot be reached: {error}"))
            .hint("check that the PostgreSQL server is up; nothing is lost, the next run goes on");
    }
    match &*code {
        "28P01" | "28000" => Error::external(format!("{doing}: the ledger `{name}` refuses the login: {error}"))
            .hint("check user and password in the `url` of the ledger"),
        "3D000" => Error::external(format!("{doing}: the ledger `{name}` does not exist: {error}"))
            .hint("make the database first; outflow makes the tables"),
        "42501" => Error::external(format!("{doing}: the ledger `{name}` may not be written: {error}"))
            .hint("the user of the ledger needs the right to make tables in its schema"),
        _ => Error::external(format!("{doing}: the ledger `{name}` failed: {error}")),
    }
}
