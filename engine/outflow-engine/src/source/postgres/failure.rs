//! What went wrong with a PostgreSQL server: who has to act, and whether later helps. The server's words are told, for
//! they name tables, columns and places in the query; they never hold a password.

use sqlx::Error as Cause;
use sqlx::postgres::PgDatabaseError;

use crate::error::Error;

/// The error of a connection that did not come about.
pub fn connecting(cause: &Cause, place: &str) -> Error {
    match cause {
        Cause::Database(_) => answering(cause, place),
        Cause::Tls(reason) => untrusted(&reason.to_string(), place),
        Cause::Io(reason) if is_certificate(&reason.to_string()) => untrusted(&reason.to_string(), place),
        Cause::Io(reason) => Error::transient(format!("cannot connect to {place}: {reason}")),
        other => Error::external(format!("cannot connect to {place}: {other}")),
    }
}

/// The error of a statement, or of the rows it gives.
pub fn answering(cause: &Cause, place: &str) -> Error {
    match cause {
        Cause::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => told(error, place),
            None => Error::external(format!("{place}: {error}")),
        },
        Cause::Io(reason) => Error::transient(format!("the connection to {place} broke: {reason}")),
        other => Error::external(format!("{place}: {other}")),
    }
}

fn is_certificate(reason: &str) -> bool {
    reason.contains("certificate") || reason.contains("Certificate")
}

fn untrusted(reason: &str, place: &str) -> Error {
    Error::external(format!("no protected connection to {place}: {reason}")).hint(
        "name the authority's certificates in `tls: {ca: …}`; a server on this machine may do with `tls: {mode: disable}`",
    )
}

fn told(error: &PgDatabaseError, place: &str) -> Error {
    let message = format!("{place}: {} ({})", error.message(), error.code());
    let told = match error.code() {
        // Not allowed to connect or to read.
        code if code.starts_with("28") || code == "42501" => Error::external(message),
        "57014" => Error::transient(message).hint("`statement_timeout` says how long the server may work"),
        // Replicas give up queries that keep them from following; the server shuts down; too many clients, no memory.
        code if code.starts_with("40")
            || code.starts_with("57P")
            || code.starts_with("53")
            || code.starts_with("08") =>
        {
            Error::transient(message)
        }
        "25006" => Error::user(message).hint("a source only reads: write a `SELECT` without functions that write"),
        code if ["0A", "22", "3D", "42"].iter().any(|class| code.starts_with(class)) => Error::user(message),
        _ => Error::external(message),
    };
    match error.hint() {
        Some(hint) if told.hint_text().is_none() => told.hint(hint),
        _ => told,
    }
}

/// The error of a column that is not what it was when the plan was made.
pub fn changed(what: &str, place: &str) -> Error {
    Error::transient(format!("{place}: {what} since the run began; nothing was published"))
        .hint("the next run plans with the columns as they are then")
}
