//! A connection to PostgreSQL with one transaction, read-only, that sees one state of the database: connect, learn the
//! columns of a query, copy its rows, prove that none was hidden. What becomes of rows is decided elsewhere.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use outflow_spec::source::PostgresSource;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement};
use tokio::time::timeout;

use super::columns::Column;
use super::{connect, failure};
use crate::error::{Error, Result};

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(20);
/// How much longer than the server's own limit a silence may be.
const GRACE: Duration = Duration::from_secs(30);
/// The server's own limit where the author sets none.
const LIMIT: Duration = Duration::from_secs(3600);

/// What a session is set to: values are shown as `psql` shows them by default, whatever the server's own settings.
const SETTINGS: &str = "SET LOCAL bytea_output = hex; SET LOCAL intervalstyle = postgres; \
                        SET LOCAL datestyle = 'ISO, MDY'; SET LOCAL timezone = 'UTC'; \
                        SET LOCAL extra_float_digits = 1; SET LOCAL xmloption = content; \
                        SET LOCAL idle_in_transaction_session_timeout = 0";

/// Tables of this transaction that were made or written anew by another one which its snapshot does not see: to this
/// transaction they look empty.
const REPLACED: &str = "SELECT l.relation::regclass::text FROM pg_catalog.pg_locks l \
                        LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation \
                        WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' \
                        AND pg_catalog.pg_get_indexdef(l.relation) IS NULL \
                        AND (c.oid IS NULL OR (c.relfilenode <> 0 \
                        AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid))) LIMIT 1";

/// Up to when the database is known, in a snapshot.
const STATE: &str = "SELECT pg_catalog.pg_current_snapshot()::text, \
                     pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text, \
                     (1000000 * extract(epoch FROM CASE WHEN pg_catalog.pg_is_in_recovery() \
                     THEN coalesce(pg_catalog.pg_last_xact_replay_timestamp(), '-infinity') \
                     ELSE pg_catalog.transaction_timestamp() END))::text";

/// A transaction and what it sees.
pub struct Session {
    connection: PgConnection,
    /// The snapshot, as the server writes it.
    pub snapshot: String,
    /// Transactions before this one are all over.
    pub horizon: String,
    /// Microseconds since 1970 of the state that is seen: the server's clock, or on a replica the time of the last
    /// commit that has reached it. None for a replica that nothing has reached.
    pub instant: Option<i64>,
    silence: Duration,
    place: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl Session {
    /// Connects and begins.
    pub async fn begin(source: &PostgresSource, base: &Path) -> Result<Self> {
        let options = connect::options(source, base)?;
        let place = connect::place(source, &options);
        let failed = |cause| failure::connecting(&cause, &place);
        let mut connection = timeout(CONNECT, options.connect())
            .await
            .map_err(|_| Error::transient(format!("{place} did not answer within {} s", CONNECT.as_secs())))?
            .map_err(failed)?;
        let limit = source.statement_timeout.map_or(LIMIT, |limit| limit.as_std());
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; {SETTINGS}",
            limit.as_millis()
        );
        let silence = limit + GRACE;
        let state = async {
            connection.execute(AssertSqlSafe(begin)).await?;
            let row = connection.fetch_one(STATE).await?;
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get::<Option<String>, _>(2)?))
        };
        let (snapshot, horizon, instant) = answer(state, silence, &place).await?;
        let instant = instant.and_then(|micros| micros.split('.').next().and_then(|whole| whole.parse().ok()));
        Ok(Self { connection, snapshot, horizon, instant, silence, place })
    }

    /// The columns of a query.
    pub async fn describe(&mut self, query: &str) -> Result<Vec<Column>> {
        let text = AssertSqlSafe(query.to_owned()).into_sql_str();
        let described = answer(self.connection.prepare(text), self.silence, &self.place).await?;
        Ok(described.columns().iter().map(Column::of).collect())
    }

    /// The one text that a query gives.
    pub async fn text(&mut self, query: &str) -> Result<Option<String>> {
        let row = self.connection.fetch_one(AssertSqlSafe(query.to_owned()));
        let row = answer(row, self.silence, &self.place).await?;
        row.try_get(0).map_err(|cause| failure::answering(&cause, &self.place))
    }

    /// Copies the rows of a query, as fast as they are taken.
    pub async fn copy(&mut self, query: &str) -> Result<Messages<'_>> {
        let statement = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let copy = self.connection.copy_out_raw(&statement);
        let messages = answer(copy, self.silence, &self.place).await?;
        Ok(Messages { messages, silence: self.silence, place: &self.place })
    }

    /// Ends the transaction once all rows are read. Fails when a table was replaced after the snapshot was taken, for
    /// its rows were not seen.
    pub async fn end(mut self) -> Result<()> {
        let replaced = self.connection.fetch_optional(REPLACED);
        if let Some(row) = answer(replaced, self.silence, &self.place).await? {
            let table: String = row.try_get(0).map_err(|cause| failure::answering(&cause, &self.place))?;
            return Err(Error::transient(format!(
                "{}: table `{table}` was replaced while it was read; nothing was published",
                self.place
            ))
            .hint("the next run reads the new table"));
        }
        // All is read: whether the server takes note of it makes no difference.
        let _ = timeout(CONNECT, self.connection.close()).await;
        Ok(())
    }
}

/// The rows of a query, in the server's messages.
pub struct Messages<'a> {
    messages: BoxStream<'a, Result<Bytes, sqlx::Error>>,
    silence: Duration,
    place: &'a str,
}

impl Messages<'_> {
    /// The next message; none when the server has said all.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        answer(self.messages.try_next(), self.silence, self.place).await
    }
}

/// An answer of the server, which does not keep silent for ever.
async fn answer<T>(work: impl Future<Output = Result<T, sqlx::Error>>, silence: Duration, place: &str) -> Result<T> {
    match timeout(silence, work).await {
        Ok(result) => result.map_err(|cause| failure::answering(&cause, place)),
        Err(_) => Err(Error::transient(format!("{place} has not answered for {} s", silence.as_secs()))),
    }
}
