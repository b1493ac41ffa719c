//! What a pipeline reads, whatever kind of source it is: found, opened, then read as a table. Which rows are wanted
//! and what becomes of them is decided elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::TableProvider;
use jiff::Timestamp;
use outflow_spec::source::SourceSpec;

use super::arrivals::{Arrived, Wanted};
use super::files::{FilesInput, FilesTable};
use super::listing;
use super::postgres::window::Positions;
use super::postgres::{PostgresInput, PostgresTable};
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::window::Schedule;

/// What a source has to read now.
#[derive(Clone, Debug)]
pub enum Input {
    /// Files.
    Files(FilesInput),
    /// Rows of a PostgreSQL database.
    Postgres(PostgresInput),
}

/// How the rows of an input are read once.
#[derive(Clone)]
pub struct Reading {
    /// Where rows go that cannot be read.
    pub dead_letter: Arc<DeadLetter>,
    /// Stops after so many rows.
    pub limit: Option<usize>,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
}

impl Input {
    /// Whether the columns of a source can be learnt without connecting to anything.
    pub fn is_at_hand(spec: &SourceSpec) -> bool {
        match spec {
            SourceSpec::Files(source) => !source.path.contains("://"),
            SourceSpec::Postgres(_) => false,
        }
    }

    /// Finds what there is to read now. Relative paths start at `base`; what lies below `leave_out`, the folders of
    /// local sinks, is never input.
    pub async fn find(spec: &SourceSpec, base: &Path, leave_out: &[PathBuf]) -> Result<Self> {
        match spec {
            SourceSpec::Files(source) => Ok(Self::Files(FilesInput::list(source, base, leave_out).await?)),
            SourceSpec::Postgres(source) => Ok(Self::Postgres(PostgresInput::connect(source, base).await?)),
        }
    }

    /// Learns the columns.
    pub async fn open(&mut self) -> Result<()> {
        match self {
            Self::Files(input) => input.open().await,
            Self::Postgres(input) => input.open().await,
        }
    }

    /// The position up to which rows are there for certain, at an instant; none where nothing has arrived.
    pub async fn high(&self, schedule: &Schedule, now: Timestamp) -> Result<Option<String>> {
        match self {
            Self::Files(_) => schedule.high(now).map(Some),
            Self::Postgres(input) => {
                let overlaps = schedule.overlap.is_some();
                input.high(&schedule.cursor, overlaps, |seen| schedule.high(seen)).await
            }
        }
    }

    /// Lets the rows of a window be read only, once it is open.
    pub async fn select(&mut self, wanted: &Wanted) -> Result<()> {
        match self {
            Self::Files(input) => input.select(wanted).await,
            Self::Postgres(input) => {
                input.select(Positions::of(wanted)?);
                Ok(())
            }
        }
    }

    /// Tells this input from others: the same text, the same rows.
    pub fn identity(&self) -> String {
        match self {
            Self::Files(input) => format!("input {}", listing::snapshot(input.listed())),
            Self::Postgres(input) => input.identity().to_owned(),
        }
    }

    /// What is read, by names that people know.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Files(input) => input.listed().iter().map(|file| file.name.clone()).collect(),
            Self::Postgres(input) => vec![input.place().to_owned()],
        }
    }

    /// Bytes to read, where that is known.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::Files(input) => Some(input.listed().iter().map(|file| file.size).sum()),
            Self::Postgres(_) => None,
        }
    }

    /// Names of the columns, in order, once it is open.
    pub fn column_names(&self) -> Vec<String> {
        match self {
            Self::Files(input) => input.column_names(),
            Self::Postgres(input) => input.column_names(),
        }
    }

    /// The rows as a table, for one run of a plan.
    pub fn table(&self, reading: Reading) -> InputTable {
        match self {
            Self::Files(input) => InputTable::Files(input.table(reading)),
            Self::Postgres(input) => InputTable::Postgres(input.table(reading)),
        }
    }

    /// Takes in what the rows held beyond what was known of them; says whether that changes the columns.
    pub fn widen(&mut self, read: &InputTable) -> Result<bool> {
        match (self, read) {
            (Self::Files(input), InputTable::Files(table)) => input.widen(&table.surprises()),
            _ => Ok(false),
        }
    }

    /// Refuses what was read when it is not what was found; of `windows`, what came beside it is no harm.
    pub async fn still_there(&self, windows: bool) -> Result<()> {
        let unchanged = match self {
            Self::Files(input) => input.is_unchanged(windows).await?,
            // A transaction sees one state, whatever changes meanwhile.
            Self::Postgres(_) => true,
        };
        if unchanged {
            return Ok(());
        }
        Err(Error::transient("the input changed while it was read; nothing was published")
            .hint("let the writer finish, under another name, before the pipeline runs"))
    }
}

/// The rows of an input as DataFusion sees them.
#[derive(Clone, Debug)]
pub enum InputTable {
    /// Of files.
    Files(Arc<FilesTable>),
    /// Of a PostgreSQL database.
    Postgres(Arc<PostgresTable>),
}

impl InputTable {
    /// The table itself.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        match self {
            Self::Files(table) => table.clone(),
            Self::Postgres(table) => table.clone(),
        }
    }

    /// The files whose rows depend on no others, so that they may be carried in lanes.
    pub fn carries(&self) -> Option<&Arc<FilesTable>> {
        match self {
            Self::Files(table) => Some(table).filter(|table| table.carries()),
            Self::Postgres(_) => None,
        }
    }

    /// Times the source was read.
    pub fn reads(&self) -> u64 {
        match self {
            Self::Files(table) => table.reads(),
            Self::Postgres(table) => table.reads(),
        }
    }

    /// What the reading of a window came to.
    pub fn arrived(&self) -> Result<Arrived> {
        match self {
            Self::Files(table) => table.arrived(),
            Self::Postgres(table) => Ok(table.arrived()),
        }
    }

    /// Rows read, rejected ones included; of a window, its own.
    pub fn rows_read(&self) -> u64 {
        match self {
            Self::Files(table) => table.rows_read(),
            Self::Postgres(table) => table.rows_read(),
        }
    }
}
