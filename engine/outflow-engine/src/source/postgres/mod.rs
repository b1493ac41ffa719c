//! The `postgres` source: a table or query, copied in the server's binary form within one read-only transaction, and
//! decoded into batches while the next rows are on their way. Columns are matched by name.

mod columns;
mod connect;
mod decode;
mod failure;
mod session;
#[cfg(test)]
mod tests;
mod text;
pub mod window;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use jiff::Timestamp;
use outflow_spec::source::PostgresSource;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use self::columns::{Column, Wire};
use self::decode::Decoder;
use self::session::Session;
use self::window::{Found, Kind, Positions, Seen};
use super::arrivals::{Arrived, Known};
use super::table::{self, Table};
use super::{HIDDEN, Reading, refuse_hidden, with_place};
use crate::error::{Error, Result};
use crate::progress::Event;

/// Batches that may wait for who reads them.
const WAITING: usize = 2;

/// The input of a pipeline: a query and the state of the database that it is read from.
#[derive(Clone, Debug)]
pub struct PostgresInput {
    source: Arc<PostgresSource>,
    base: PathBuf,
    /// Where it is read from, as people may see it.
    place: String,
    identity: String,
    columns: Vec<Column>,
    high: Arc<OnceLock<Option<String>>>,
    /// The rows that are wanted; unset: all.
    positions: Option<Positions>,
    /// The transaction, until its rows are read.
    session: Arc<Mutex<Option<Session>>>,
}

impl PostgresInput {
    /// Connects, and fixes the state of the database that is read.
    pub async fn connect(source: &PostgresSource, base: &Path) -> Result<Self> {
        let options = connect::options(source, base)?;
        let place = connect::place(source, &options);
        let session = Session::begin(source, base).await?;
        let digest = Sha256::digest(&place).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        Ok(Self {
            source: Arc::new(source.clone()),
            base: base.to_owned(),
            identity: format!("snapshot {} of {digest}", session.snapshot),
            place,
            high: Arc::default(),
            columns: Vec::new(),
            positions: None,
            session: Arc::new(Mutex::new(Some(session))),
        })
    }

    /// Where it is read from, as people may see it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Tells this state of the database from others.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Learns the columns.
    pub async fn open(&mut self) -> Result<()> {
        let mut session = self.session().await?;
        let found = session.describe(&self.query()?).await?;
        self.columns = wanted(&self.source, &found, &self.place)?;
        refuse_hidden(&self.fields())?;
        *lock(&self.session) = Some(session);
        Ok(())
    }

    /// The position up to which all rows have arrived: before the oldest transaction that is not over, so long before
    /// the state that is seen as `by_clock` says, or behind the highest number there is. None where nothing has arrived.
    /// Refuses a cursor that loses rows unless it is read with overlaps.
    pub async fn high(
        &self,
        cursor: &str,
        overlaps: bool,
        by_clock: impl Fn(Timestamp) -> Result<String>,
    ) -> Result<Option<String>> {
        // Every window of a run ends where its first question was answered, whatever arrives meanwhile.
        if let Some(high) = self.high.get() {
            return Ok(high.clone());
        }
        let mut session = self.session().await?;
        let found = session.describe(&self.query()?).await?;
        let column = window::find(&found, cursor)?;
        let kind = window::kind(column)?;
        window::refuse_losses(column, kind, overlaps)?;
        let high = match kind {
            Kind::Transaction => Some(session.horizon.clone()),
            Kind::Number => {
                let (names, rows) = (names(&found), self.query()?);
                let alias = Column::alias(column.place);
                let highest =
                    format!("SELECT (max({alias})::numeric + 1)::text FROM ({rows}) AS outflow_named ({names})");
                session.text(&highest).await?
            }
            Kind::Instant => {
                let seen = session.instant.and_then(|micros| Timestamp::from_microsecond(micros).ok());
                seen.map(by_clock).transpose()?
            }
        };
        *lock(&self.session) = Some(session);
        Ok(self.high.get_or_init(|| high).clone())
    }

    /// Lets the rows of a window be read only.
    pub fn select(&mut self, positions: Positions) {
        self.positions = Some(positions);
    }

    /// Names of the columns, in order.
    pub fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The rows as a table, for one run of a plan.
    pub fn table(&self, reading: Reading) -> Arc<PostgresTable> {
        let schema = with_place(&self.fields());
        Table::new(schema, Scan { input: self.clone(), reading, rows: AtomicU64::new(0) })
    }

    fn fields(&self) -> Vec<FieldRef> {
        self.columns.iter().map(Column::field).collect()
    }

    /// The transaction that was begun, or a new one where that has been used.
    async fn session(&self) -> Result<Session> {
        let held = lock(&self.session).take();
        match held {
            Some(session) => Ok(session),
            None => Session::begin(&self.source, &self.base).await,
        }
    }

    /// What is read, as the author says it. A table is called by its very name.
    fn query(&self) -> Result<String> {
        let rows = match (&self.source.table, &self.source.query) {
            (Some(table), None) => {
                let parts = table.split('.').map(quoted).collect::<Vec<_>>();
                format!("SELECT * FROM {}", parts.join("."))
            }
            (None, Some(query)) => query.trim().trim_end_matches(';').to_owned(),
            _ => return Err(Error::user("the source reads either a `table` or a `query`")),
        };
        // On a line of its own, the end of the query is not part of a comment.
        Ok(format!("SELECT * FROM ({rows}\n) AS outflow_rows"))
    }
}

/// What the columns of a query are called within the query that the source sends.
fn names(columns: &[Column]) -> String {
    (0..columns.len()).map(Column::alias).collect::<Vec<_>>().join(", ")
}

/// The columns, and after them those that tell which rows were delivered before.
fn with_telling(mut columns: Vec<Column>, schema: &SchemaRef) -> (Vec<Column>, SchemaRef) {
    columns.push(Column::telling(window::IDENTITY, Wire::Text));
    columns.extend([window::AGAIN, window::LATE].map(|name| Column::telling(name, Wire::Bool)));
    let more = columns[columns.len() - 3..].iter().map(Column::field);
    let fields = schema.fields().iter().cloned().chain(more).collect::<Vec<_>>();
    (columns, Arc::new(Schema::new(fields)))
}

/// A text as SQL writes it.
fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// An identifier as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The columns that the author wants of those that are there.
fn wanted(source: &PostgresSource, found: &[Column], place: &str) -> Result<Vec<Column>> {
    if let Some(column) = found
        .iter()
        .enumerate()
        .find_map(|(index, column)| found[..index].iter().any(|other| other.name == column.name).then_some(column))
    {
        return Err(Error::user(format!("{place} gives two columns `{}`", column.name))
            .hint("give one of them another name with `AS`"));
    }
    let names = || found.iter().map(|column| format!("`{}`", column.name)).collect::<Vec<_>>().join(", ");
    match &source.columns {
        None if found.is_empty() => Err(Error::user(format!("{place} gives no column"))),
        None => Ok(found.to_vec()),
        Some(list) => list
            .iter()
            .map(|name| {
                let column = found.iter().find(|column| column.name == *name);
                column.cloned().ok_or_else(|| {
                    Error::user(format!("{place} has no column `{name}`")).hint(format!("it has {}", names()))
                })
            })
            .collect(),
    }
}

/// The rows of the input as DataFusion sees them.
pub type PostgresTable = Table<Scan>;

impl Table<Scan> {
    /// What reading a window came to, for the ledger.
    pub fn arrived(&self) -> Arrived {
        let Some(found) = self.found() else { return Arrived::default() };
        let known = Known { rows: found.again.len() as u64, print: found.again.to_text(), ..Known::default() };
        Arrived { late: found.late, seen: vec![(Seen::NAME.to_owned(), known)], ..Arrived::default() }
    }

    /// What reading a window came to; none where no overlap was read.
    fn found(&self) -> Option<Found> {
        let overlap = self.scan.input.positions.as_ref()?.overlap.as_ref()?;
        Some(lock(&overlap.found).clone())
    }

    /// Rows read; of a window, its own.
    pub fn rows_read(&self) -> u64 {
        self.scan.rows.load(Ordering::Relaxed)
    }
}

/// What runs the query.
pub struct Scan {
    input: PostgresInput,
    reading: Reading,
    rows: AtomicU64,
}

impl table::Scan for Scan {
    fn stream(self: Arc<Self>, schema: SchemaRef) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(schema.clone(), WAITING);
        let batches = stream.tx();
        stream.spawn(async move {
            self.read(schema, &batches).await.map_err(|error| DataFusionError::External(Box::new(error)))
        });
        stream.build()
    }
}

impl Scan {
    /// Runs the query and posts its rows. Ends early, quietly, when nobody listens any more.
    async fn read(&self, schema: SchemaRef, batches: &Sender<QueryResult<RecordBatch>>) -> Result<()> {
        let input = &self.input;
        let mut session = input.session().await?;
        let query = input.query()?;
        let found = session.describe(&query).await?;
        let columns = self.columns(&schema, &found)?;
        let (condition, tell) = match &input.positions {
            None => Default::default(),
            Some(positions) => positions.condition(&found)?,
        };
        let overlap = input.positions.as_ref().and_then(|positions| positions.overlap.as_ref());
        let asked = columns.iter().map(Column::expression).chain(tell).collect::<Vec<_>>().join(", ");
        let names = names(&found);
        let limit = self.reading.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let query = format!("SELECT {asked} FROM ({query}) AS outflow_named ({names}){condition}{limit}");
        let mut decoder = match overlap {
            None => Decoder::new(&columns, schema.clone(), &input.place),
            Some(_) => {
                let (columns, schema) = with_telling(columns, &schema);
                Decoder::new(&columns, schema, &input.place)
            }
        };
        let fresh = |batch: RecordBatch| match overlap {
            None => Ok(batch),
            Some(overlap) => overlap.fresh(&batch, &schema),
        };
        let mut bytes = 0;
        let mut messages = session.copy(&query).await?;
        while let Some(message) = messages.next().await? {
            bytes += message.len();
            if let Some(batch) = decoder.take(&message)?
                && !self.post(fresh(batch)?, std::mem::take(&mut bytes), batches).await?
            {
                return Ok(());
            }
        }
        drop(messages);
        if let Some(batch) = decoder.finish()?
            && !self.post(fresh(batch)?, bytes, batches).await?
        {
            return Ok(());
        }
        session.end().await
    }

    /// Whether somebody wants more.
    async fn post(&self, batch: RecordBatch, bytes: usize, batches: &Sender<QueryResult<RecordBatch>>) -> Result<bool> {
        self.reading.progress.event(Event::Read(bytes as u64));
        self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(batches.send(Ok(batch)).await.is_ok())
    }

    /// The columns of a schema as they are there now: what was planned with must not have changed.
    fn columns(&self, schema: &SchemaRef, found: &[Column]) -> Result<Vec<Column>> {
        let mut columns = Vec::new();
        for field in schema.fields().iter().filter(|field| !field.name().starts_with(HIDDEN)) {
            let column = found.iter().find(|column| column.name == *field.name());
            let column = column
                .ok_or_else(|| failure::changed(&format!("column `{}` has gone", field.name()), &self.input.place))?;
            let known = self.input.columns.iter().find(|known| known.name == column.name);
            if known.is_some_and(|known| known.wire != column.wire) {
                let what = format!("column `{}` has become {}", column.name, column.type_name);
                return Err(failure::changed(&what, &self.input.place));
            }
            columns.push(column.clone());
        }
        Ok(columns)
    }
}

/// Nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
