//! The ledger's database: SQLite in the state folder, or PostgreSQL where several workers share one. Both get the
//! same statements, which are in `slots`, `files`, `runs` and their neighbours; what differs between the two is here.
//! A transaction that writes is the only one that does: `BEGIN IMMEDIATE` there, a table lock here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use outflow_formats::digest::Digest;
use outflow_spec::ledger::LedgerSpec;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Any, AnyPool, Row, SqlSafeStr, Transaction};

use super::failure::{corrupt, failure};
use super::lease::Lease;
use super::state::SlotState;
use super::{make_private, place};
use crate::error::{Error, Result, Retry};

/// Scripts that bring a ledger up to date: version, name, and the script for SQLite and for PostgreSQL.
const SCRIPTS: [(i64, &str, &str, &str); 6] = [
    (
        1,
        "ledger",
        include_str!("../../migrations/0001_ledger.sql"),
        include_str!("../../migrations/postgres/0001_ledger.sql"),
    ),
    (
        2,
        "counters",
        include_str!("../../migrations/0002_counters.sql"),
        include_str!("../../migrations/postgres/0002_counters.sql"),
    ),
    (
        3,
        "remembered",
        include_str!("../../migrations/0003_remembered.sql"),
        include_str!("../../migrations/postgres/0003_remembered.sql"),
    ),
    (
        4,
        "windows",
        include_str!("../../migrations/0004_windows.sql"),
        include_str!("../../migrations/postgres/0004_windows.sql"),
    ),
    (
        5,
        "leases",
        include_str!("../../migrations/0005_leases.sql"),
        include_str!("../../migrations/postgres/0005_leases.sql"),
    ),
    (
        6,
        "digests",
        include_str!("../../migrations/0006_digests.sql"),
        include_str!("../../migrations/postgres/0006_digests.sql"),
    ),
];

/// How long a server may be away before a write fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Begins a transaction that writes, and keeps every other one waiting until it ends. A process that freezes in
    /// one is thrown out by the server.
    fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => {
                "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL lock_timeout = '30s'; \
                 LOCK TABLE attempt IN SHARE ROW EXCLUSIVE MODE"
            }
        }
    }

    /// The database's own clock, in milliseconds since 1970.
    pub(super) fn clock(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }
}

/// The ledger of a state folder, or one that several share.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) pool: AnyPool,
    pub(super) kind: Kind,
    /// The state folder.
    pub(super) folder: PathBuf,
    /// What messages call it; without a password.
    pub(super) name: Arc<str>,
    /// The right to write, once it is taken. Every write is fenced by it.
    pub(super) lease: Option<Arc<Lease>>,
    /// Values that came from outside, each with what stands for it in the ledger.
    pub(super) hidden: Arc<[(String, String)]>,
}

impl Ledger {
    /// Opens the ledger that `spec` names, else `<state>/ledger.sqlite`, making it if need be, and checks that it is
    /// whole. Whoever means to write holds the folder's [`super::StateLock`].
    pub async fn open(spec: Option<&LedgerSpec>, state: &Path) -> Result<Self> {
        make_private(state)?;
        let ledger = Self::connect(spec, state).await?;
        ledger.check().await?;
        ledger.migrate().await?;
        Ok(ledger)
    }

    /// Opens the ledger, if there is one, to look things up; it is not read through for damage.
    pub async fn open_existing(spec: Option<&LedgerSpec>, state: &Path) -> Result<Option<Self>> {
        if spec.is_none() && !place::file(state).exists() {
            return Ok(None);
        }
        let ledger = Self::connect(spec, state).await?;
        ledger.migrate().await?;
        Ok(Some(ledger))
    }

    async fn connect(spec: Option<&LedgerSpec>, state: &Path) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (kind, url, name) = match spec {
            None => {
                let (url, name) = place::sqlite(state)?;
                (Kind::Sqlite, url, name)
            }
            Some(LedgerSpec::Postgres(ledger)) => {
                let (url, name) = place::postgres(ledger)?;
                (Kind::Postgres, url, name)
            }
        };
        let options: AnyConnectOptions =
            url.reveal().parse().map_err(|error| failure(kind, &name, "opening", error))?;
        // One connection writes SQLite; the second one to PostgreSQL renews the lease beside a long transaction.
        let connections = if kind == Kind::Sqlite { 1 } else { 3 };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await
            .map_err(|error| failure(kind, &name, "opening", error))?;
        let ledger =
            Self { pool, kind, folder: state.to_owned(), name: name.into(), lease: None, hidden: Arc::default() };
        if kind == Kind::Sqlite {
            for setting in ["PRAGMA busy_timeout = 10000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"] {
                let set = sqlx::query(setting).execute(&ledger.pool).await;
                set.map_err(|error| ledger.failure("opening", error))?;
            }
        }
        Ok(ledger)
    }

    /// Values that no reason or report in the ledger may show, each with what stands for it.
    #[must_use]
    pub fn hiding(mut self, hidden: &[(String, String)]) -> Self {
        self.hidden = hidden.into();
        self
    }

    pub(super) fn shown(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, (value, shown)| text.replace(value, shown))
    }

    /// Gives the lease back, if one is held, ends all use of the database, and folds SQLite's log into its file.
    pub async fn close(self) {
        self.release().await;
        self.pool.close().await;
    }

    async fn check(&self) -> Result<()> {
        if self.kind == Kind::Postgres {
            return Ok(());
        }
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failure("checking", error))?;
        if found == "ok" { Ok(()) } else { Err(corrupt(&self.name, &found)) }
    }

    async fn migrate(&self) -> Result<()> {
        let migrations = SCRIPTS.iter().map(|(version, name, sqlite, postgres)| {
            let script = if self.kind == Kind::Sqlite { *sqlite } else { *postgres };
            Migration::new(*version, (*name).into(), MigrationType::Simple, script.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect()).run(&self.pool).await.map_err(|error| match error {
            MigrateError::Execute(error) => self.failure("opening", error),
            error => Error::external(format!("cannot bring the ledger `{}` up to date: {error}", self.name))
                .hint("it may have been written by a newer outflow; use that version"),
        })
    }

    /// Begins a transaction that writes. It fails when the lease has gone to another worker.
    pub(super) async fn begin(&self, doing: &str) -> Result<Transaction<'static, Any>> {
        let begun = self.pool.begin_with(self.kind.begin()).await;
        let mut tx = begun.map_err(|error| self.failure(doing, error))?;
        if let Some(lease) = &self.lease {
            self.fence(&mut tx, lease).await?;
        }
        Ok(tx)
    }

    pub(super) async fn commit_tx(&self, doing: &str, tx: Transaction<'_, Any>) -> Result<()> {
        tx.commit().await.map_err(|error| self.failure(doing, error))
    }

    pub(super) fn column<'r, T>(&self, row: &'r AnyRow, name: &'static str) -> Result<T>
    where
        T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
    {
        row.try_get(name).map_err(|error| self.failure("reading", error))
    }

    pub(super) fn state(&self, name: &str) -> Result<SlotState> {
        SlotState::from_name(name).ok_or_else(|| corrupt(&self.name, &format!("unknown state `{name}`")))
    }

    pub(super) fn digest(&self, text: &str) -> Result<Digest> {
        text.parse().map_err(|wrong: String| corrupt(&self.name, &wrong))
    }

    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| corrupt(&self.name, &error.to_string()))
    }

    /// What failed. A server throws out whoever sleeps in a transaction: once the lease is lost, that is why.
    pub(super) fn failure(&self, doing: &str, error: sqlx::Error) -> Error {
        self.is_lost().unwrap_or_else(|| failure(self.kind, &self.name, doing, error))
    }

    /// Whether a write that failed is to be made again: the server went away, and comes back after a moment.
    pub(super) async fn may_repeat(&self, error: &Error, begun: Instant) -> bool {
        let again = self.kind == Kind::Postgres && error.retry() == Retry::Later && begun.elapsed() < PATIENCE;
        if again {
            tokio::time::sleep(PATIENCE / 50).await;
        }
        again
    }
}

/// Makes a write again whose connection broke. It may have taken effect before it did, so each write that is wrapped
/// in this looks whether that is so.
macro_rules! persist {
    ($ledger:expr, $write:expr) => {{
        let begun = std::time::Instant::now();
        loop {
            match $write.await {
                Err(error) if $ledger.may_repeat(&error, begun).await => {}
                done => break done,
            }
        }
    }};
}
pub(super) use persist;

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(format!("cannot write JSON for the ledger: {error}")))
}

pub(super) fn integer(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::internal(format!("{value} is too large for the ledger")))
}

pub(super) fn now() -> String {
    stamp(jiff::Timestamp::now())
}

pub(super) fn stamp(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}
