//! The ledger's SQLite file: opening, checking, migrating it, and what its failures mean.
//! The statements themselves are in `slots`, `files` and `runs`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row, SqlSafeStr, Sqlite, SqlitePool, Transaction};

use super::make_private;
use super::state::SlotState;
use crate::error::{Error, Result};

/// The ledger of a state folder.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) pool: SqlitePool,
    /// The state folder.
    pub(super) folder: PathBuf,
    path: PathBuf,
}

impl Ledger {
    /// Opens `<state>/ledger.sqlite`, making it if need be, and checks that it is whole.
    /// Whoever means to write holds the folder's [`super::StateLock`].
    pub async fn open(state: &Path) -> Result<Self> {
        make_private(state)?;
        let ledger = Self::connect(state).await?;
        ledger.check().await?;
        ledger.migrate().await?;
        Ok(ledger)
    }

    /// Opens the ledger, if there is one, to look things up; it is not read through for damage.
    pub async fn open_existing(state: &Path) -> Result<Option<Self>> {
        if !state.join("ledger.sqlite").exists() {
            return Ok(None);
        }
        let ledger = Self::connect(state).await?;
        ledger.migrate().await?;
        Ok(Some(ledger))
    }

    async fn connect(state: &Path) -> Result<Self> {
        let path = state.join("ledger.sqlite");
        touch_private(&path, state)
            .map_err(|error| Error::external(format!("cannot open the ledger `{}`: {error}", path.display())))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
        let pool = pool.map_err(|error| failure(&path, "opening", error))?;
        Ok(Self { pool, folder: state.to_owned(), path })
    }

    /// Ends all use of the file and folds its log into it.
    pub async fn close(self) {
        self.pool.close().await;
    }

    async fn check(&self) -> Result<()> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failure("checking", error))?;
        if found == "ok" { Ok(()) } else { Err(corrupt(&self.path, &found)) }
    }

    async fn migrate(&self) -> Result<()> {
        let scripts = [
            ("ledger", include_str!("../../migrations/0001_ledger.sql")),
            ("counters", include_str!("../../migrations/0002_counters.sql")),
            ("remembered", include_str!("../../migrations/0003_remembered.sql")),
            ("windows", include_str!("../../migrations/0004_windows.sql")),
        ];
        let migrations = scripts.into_iter().zip(1..).map(|((name, script), version)| {
            Migration::new(version, name.into(), MigrationType::Simple, script.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect()).run(&self.pool).await.map_err(|error| match error {
            MigrateError::Execute(error) => self.failure("opening", error),
            error => Error::external(format!("cannot bring the ledger `{}` up to date: {error}", self.path.display()))
                .hint("it may have been written by a newer outflow; use that version"),
        })
    }

    pub(super) async fn begin(&self, doing: &str) -> Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failure(doing, error))
    }

    pub(super) async fn commit_tx(&self, doing: &str, tx: Transaction<'_, Sqlite>) -> Result<()> {
        tx.commit().await.map_err(|error| self.failure(doing, error))
    }

    pub(super) fn column<'r, T>(&self, row: &'r SqliteRow, name: &'static str) -> Result<T>
    where
        T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
    {
        row.try_get(name).map_err(|error| self.failure("reading", error))
    }

    pub(super) fn state(&self, name: &str) -> Result<SlotState> {
        SlotState::from_name(name).ok_or_else(|| corrupt(&self.path, &format!("unknown state `{name}`")))
    }

    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| corrupt(&self.path, &error.to_string()))
    }

    pub(super) fn failure(&self, doing: &str, error: sqlx::Error) -> Error {
        failure(&self.path, doing, error)
    }
}

/// Makes the file before SQLite does, so that it is private from its first moment, and its name survives a power cut.
fn touch_private(path: &Path, state: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    File::open(state)?.sync_all()
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("cannot write JSON for the ledger: {error}")))
}

pub(super) fn integer(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::internal(format!("{value} is too large for the ledger")))
}

pub(super) fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

fn corrupt(path: &Path, found: &str) -> Error {
    Error::external(format!("the ledger `{}` is damaged: {found}", path.display())).hint(
        "nothing is published with a damaged ledger, for it says what was already delivered; restore it from a backup",
    )
}

fn failure(path: &Path, doing: &str, error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|database| database.code()).and_then(|code| code.parse::<u32>().ok());
    let place = path.display();
    // The low byte is SQLite's primary result code.
    match code.map(|code| code & 0xff) {
        Some(11 | 26) => corrupt(path, &error.to_string()),
        Some(5 | 6) => Error::locked(format!("{doing}: the ledger `{place}` is in use by another process")),
        Some(13) => {
            Error::transient(format!("{doing}: the disk of the ledger `{place}` is full")).hint("free some space")
        }
        Some(8 | 14 | 23) => Error::external(format!("{doing}: the ledger `{place}` cannot be written: {error}"))
            .hint("check the owner and permissions of the state folder"),
        _ => Error::external(format!("{doing}: the ledger `{place}` failed: {error}")),
    }
}
