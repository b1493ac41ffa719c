//! The `files` source as a table, whose batches come out in input order. Columns are matched by name; a column that a file
//! lacks is null there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray, new_null_array};
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use outflow_formats::jsonl;
use outflow_formats::reject::Reject as Unreadable;
use outflow_spec::source::FilesSource;

use super::arrivals::{Arrivals, Arrived, Wanted};
use super::heads::{self, KnownFile};
use super::listing::{self, InputFile};
use super::reader::{Arriving, Hand, Settle, Taken, Whole};
use super::table::{self, Table};
use super::{Asked, FILE, Reading, refuse_hidden, with_place};
use crate::dead_letter::Reject;
use crate::error::{Error, Result};
use crate::lane::{self, End, Road, Told};
use crate::unseen::Unseen;

/// Chunks that come out of lanes are worth a waking when there are so many.
const WORTH: usize = 4;

/// The input of a pipeline: its files and, once they are opened, the columns known of them.
#[derive(Clone, Debug)]
pub struct FilesInput {
    spec: Arc<FilesSource>,
    base: PathBuf,
    leave_out: Vec<PathBuf>,
    listed: Arc<Vec<InputFile>>,
    arrivals: Option<Arc<Arrivals>>,
    files: Arc<Vec<KnownFile>>,
    columns: Vec<FieldRef>,
}

impl FilesInput {
    /// Lists the files. Relative paths start at `base`; what lies below `leave_out` is never input.
    pub async fn list(spec: &FilesSource, base: &Path, leave_out: &[PathBuf]) -> Result<Self> {
        Ok(Self {
            listed: Arc::new(listing::list(spec, base, leave_out).await?),
            spec: Arc::new(spec.clone()),
            base: base.to_owned(),
            leave_out: leave_out.to_vec(),
            arrivals: None,
            files: Arc::default(),
            columns: Vec::new(),
        })
    }

    /// Lets the rows of a window be read only. The files are open.
    pub async fn select(&mut self, wanted: &Wanted) -> Result<()> {
        if !self.columns.iter().any(|field| *field.name() == wanted.cursor) {
            return Err(Error::user(format!(
                "the source has no column `{}`, which `incremental` reads",
                wanted.cursor
            ))
            .hint("write the name as the files have it; JSON Lines name columns that may be absent in `columns`"));
        }
        let (wanted, files) = (wanted.clone(), self.listed.clone());
        let arrivals = tokio::task::spawn_blocking(move || Arrivals::new(&wanted, &files)).await;
        self.arrivals = Some(Arc::new(arrivals.map_err(stopped)??));
        Ok(())
    }

    /// The files as they were listed.
    pub fn listed(&self) -> &[InputFile] {
        &self.listed
    }

    /// Whether the same files with the same content are there now. Where windows are read, others may have come.
    pub async fn is_unchanged(&self, windows: bool) -> Result<bool> {
        let mut now = listing::list(&self.spec, &self.base, &self.leave_out).await?;
        if windows {
            let listed = self.listed.iter().map(|file| &file.name).collect::<HashSet<_>>();
            now.retain(|file| listed.contains(&file.name));
        }
        Ok(listing::snapshot(&now) == listing::snapshot(&self.listed))
    }

    /// Reads the heads of the files.
    pub async fn open(&mut self) -> Result<()> {
        let (spec, files) = (self.spec.clone(), self.listed.clone());
        let heads = tokio::task::spawn_blocking(move || {
            files.iter().map(|file| KnownFile::open(&spec, file)).collect::<Result<Vec<_>>>()
        });
        let files = heads
            .await
            .map_err(|cause| Error::internal("reading the heads of the files stopped").caused_by(cause))??;
        let columns = heads::union(&files)?;
        if columns.is_empty() {
            return Err(Error::user("the source files hold no column")
                .hint("a CSV file needs a header; name the columns in `source.files.columns`"));
        }
        refuse_hidden(&columns)?;
        heads::few_enough(columns.len())?;
        (self.files, self.columns) = (Arc::new(files), columns);
        Ok(())
    }

    /// Names of the columns, in order of first appearance.
    pub fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|field| field.name().clone()).collect()
    }

    /// Takes in what the rows held beyond the heads; says whether that changes the columns.
    pub fn widen(&mut self, found: &[jsonl::Column]) -> Result<bool> {
        let mut columns = self.columns.iter().map(heads::json_column).collect();
        let wider = jsonl::widen(&mut columns, found);
        for (number, column) in columns.iter().enumerate() {
            match self.columns.get_mut(number) {
                Some(known) if heads::json_column(known) != *column => *known = heads::json_field(column),
                Some(_) => {}
                None => self.columns.push(heads::json_field(column)),
            }
        }
        refuse_hidden(&self.columns)?;
        Ok(wider)
    }

    /// The rows as a table, for one run of a plan.
    pub fn table(&self, reading: Reading) -> Arc<FilesTable> {
        let scan = Scan {
            files: self.files.clone(),
            columns: self.columns.clone(),
            reading,
            arrivals: self.arrivals.as_ref().map(|arrivals| arrivals.again()),
            rows: AtomicU64::new(0),
            surprises: Mutex::default(),
        };
        Table::new(with_place(&self.columns), scan)
    }
}

/// The rows of the input as DataFusion sees them.
pub type FilesTable = Table<Scan>;

impl Table<Scan> {
    /// Rows read, rejected ones included.
    pub fn rows_read(&self) -> u64 {
        self.scan.rows.load(Ordering::Relaxed)
    }

    /// What the reading of a window came to.
    pub fn arrived(&self) -> Result<Arrived> {
        self.scan.arrivals.as_ref().map(Arrivals::arrived).transpose().map(Option::unwrap_or_default)
    }

    /// What the heads of the files did not tell.
    pub fn surprises(&self) -> Vec<jsonl::Column> {
        self.scan.surprises.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What reads the files.
pub struct Scan {
    pub(super) files: Arc<Vec<KnownFile>>,
    pub(super) columns: Vec<FieldRef>,
    pub(super) reading: Reading,
    pub(super) arrivals: Option<Arrivals>,
    rows: AtomicU64,
    surprises: Mutex<Vec<jsonl::Column>>,
}

impl table::Scan for Scan {
    fn stream(self: Arc<Self>, schema: SchemaRef) -> SendableRecordBatchStream {
        let asked = Asked { schema: schema.clone(), unseen: Unseen::default() };
        let hand = || Ok(Hand { make: Box::new(|_, batch, _| Ok(batch)), settle: None });
        let arriving = Arriving::start(&self, asked.clone(), usize::MAX, 1, hand);
        let left = self.reading.limit.unwrap_or(usize::MAX);
        let state = Batches { scan: self, asked, arriving, left };
        let batches = futures::stream::try_unfold(state, |mut state| async move {
            let batch = state.next().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(batch.map(|batch| (batch, state)))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches.boxed()))
    }
}

/// What a lane made of a chunk, and what is to be told of its rows.
type Carried<T> = (Result<Vec<T>>, Vec<Told>);

struct Batches {
    scan: Arc<Scan>,
    asked: Asked,
    arriving: Arriving<RecordBatch>,
    left: usize,
}

impl Batches {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(taken) = self.arriving.next().await? else {
            self.scan.arrivals.iter().for_each(Arrivals::complete);
            return Ok(None);
        };
        let Taken { file, made: batch, records, rejects, surprises } = taken;
        let (batch, rejects, rows) = match &self.scan.arrivals {
            None => (batch, rejects.as_slice(), records),
            Some(arrivals) => {
                let (batch, lost) = arrivals.take(file, &batch, &self.scan.reading.dead_letter)?;
                let rejects = arrivals.fresh(file, &rejects);
                let rows = batch.num_rows() as u64 + lost + rejects.len() as u64;
                (batch, rejects, rows)
            }
        };
        self.scan.note(file, rows.min(self.left as u64), &rejects[..rejects.len().min(self.left)], &surprises)?;
        let batch = self.scan.complete(&self.asked, file, batch)?;
        let batch = batch.slice(0, batch.num_rows().min(self.left));
        self.left -= batch.num_rows();
        Ok(Some(batch))
    }
}

impl Table<Scan> {
    /// Whether all rows are wanted, so that those of a chunk depend on no other chunk.
    pub fn carries(&self) -> bool {
        self.scan.arrivals.is_none() && self.scan.reading.limit.is_none()
    }

    /// The files.
    pub fn files(&self) -> &[KnownFile] {
        &self.scan.files
    }

    /// What becomes of the rows that come through a road, which begins with what is asked for: a lane for each thread that
    /// reads, each with an `end`.
    pub fn carried<T: Send + 'static>(
        &self,
        asked: Asked,
        road: Road,
        end: impl Fn() -> End<T> + Send + Sync + 'static,
    ) -> BoxStream<'static, Result<T>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (scan, asked_for) = (self.scan.clone(), Arc::new(asked.clone()));
        let arriving = Arriving::start(&self.scan, asked, road.most, WORTH, move || {
            let (mut carrier, End { mut make, settle }) = (road.open()?, end());
            let (scan, asked) = (scan.clone(), asked_for.clone());
            let make = move |file, batch, whole: &Whole<'_>| {
                let (carried, mut told) = carrier.carry(scan.complete(&asked, file, batch)?);
                lane::show(&mut told, &asked.unseen, whole)?;
                let made = carried.and_then(|batches| batches.into_iter().map(&mut make).collect::<Result<Vec<_>>>());
                Ok((made, told))
            };
            let settle = settle.map(|mut settle| -> Settle<_> {
                Box::new(move |(made, told): Carried<T>| {
                    let settled = |made: Vec<T>| made.into_iter().map(&mut settle).collect();
                    Ok((made.and_then(settled), told))
                })
            });
            Ok(Hand { make: Box::new(make), settle })
        });
        let state = (self.scan.clone(), arriving);
        futures::stream::try_unfold(state, |(scan, mut arriving)| async move {
            let Some(taken) = arriving.next().await? else { return Ok::<_, Error>(None) };
            let Taken { file, made: (made, told), records, rejects, surprises } = taken;
            scan.note(file, records, &rejects, &surprises)?;
            told.into_iter().try_for_each(Told::tell)?;
            Ok(Some((futures::stream::iter(made?.into_iter().map(Ok)), (scan, arriving))))
        })
        .try_flatten()
        .boxed()
    }
}

impl Scan {
    /// Takes account of a chunk.
    fn note(&self, file: usize, rows: u64, rejects: &[Unreadable], surprises: &[jsonl::Column]) -> Result<()> {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        for reject in rejects {
            self.reading.dead_letter.push(Reject {
                file: Some(self.files[file].file.name.clone()),
                row: Some(reject.line),
                code: reject.code.to_owned(),
                message: reject.message.clone(),
                record: String::from_utf8_lossy(&reject.record).into_owned().into(),
            })?;
        }
        if surprises.is_empty() {
            return Ok(());
        }
        let mut known = self.surprises.lock().unwrap_or_else(PoisonError::into_inner);
        jsonl::widen(&mut known, surprises);
        heads::few_enough(known.len())
    }

    /// Puts the columns in the order of the plan, adds the file's name where it is asked for, and null for what nothing
    /// looks at.
    fn complete(&self, asked: &Asked, file: usize, batch: RecordBatch) -> Result<RecordBatch> {
        let (schema, rows) = (&asked.schema, batch.num_rows());
        let mut nothing = None;
        let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(column) => Ok(column.clone()),
            None if field.name() == FILE => {
                let name = self.files[file].file.name.as_str();
                Ok(Arc::new(std::iter::repeat_n(Some(name), rows).collect::<StringViewArray>()) as ArrayRef)
            }
            None if asked.unseen.left.contains(field.name()) => {
                Ok(nothing.get_or_insert_with(|| new_null_array(field.data_type(), rows)).clone())
            }
            None => Err(Error::internal(format!("column `{}` was not read", field.name()))),
        });
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema.clone(), columns.collect::<Result<_>>()?, &options)
            .map_err(|cause| Error::internal("a batch does not fit the schema of its source").caused_by(cause))
    }
}

/// A thread that was to read is gone.
pub(super) fn stopped(cause: tokio::task::JoinError) -> Error {
    Error::internal("a reader stopped").caused_by(cause)
}
