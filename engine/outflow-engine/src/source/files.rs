//! The `files` source as a table: threads take turns in reading and decode beside each other, batches come out in input
//! order.
//! Columns are matched by name; a column that a file lacks is null there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use outflow_formats::reject::Decoded;
use outflow_formats::{csv, jsonl, parquet};
use outflow_spec::source::{FilesSource, SourceFormat};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::arrivals::{Arrivals, Arrived, Wanted};
use super::heads::{self, KnownFile, reading};
use super::listing::{self, InputFile};
use super::table::{self, Table};
use super::{FILE, ROW, Reading, refuse_hidden, with_place};
use crate::dead_letter::Reject;
use crate::error::{Error, Result};

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
    files: Arc<Vec<KnownFile>>,
    columns: Vec<FieldRef>,
    reading: Reading,
    arrivals: Option<Arrivals>,
    rows: AtomicU64,
    surprises: Mutex<Vec<jsonl::Column>>,
}

/// A batch on its way, in input order.
type Pending = oneshot::Receiver<Result<(usize, Decoded)>>;

impl table::Scan for Scan {
    fn stream(self: Arc<Self>, schema: SchemaRef) -> SendableRecordBatchStream {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let (sender, receiver) = mpsc::channel(2 * cores);
        let reader = tokio::task::spawn_blocking({
            let (scan, schema) = (self.clone(), schema.clone());
            move || read(&scan, &schema, &sender)
        });
        let left = self.reading.limit.unwrap_or(usize::MAX);
        let state = Batches { scan: self, schema: schema.clone(), receiver, reader: Some(reader), left };
        let batches = futures::stream::try_unfold(state, |mut state| async move {
            let batch = state.next().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(batch.map(|batch| (batch, state)))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches.boxed()))
    }
}

struct Batches {
    scan: Arc<Scan>,
    schema: SchemaRef,
    receiver: mpsc::Receiver<Pending>,
    reader: Option<JoinHandle<Result<()>>>,
    left: usize,
}

impl Batches {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.left == 0 {
            return Ok(None);
        }
        let Some(pending) = self.receiver.recv().await else {
            return match self.reader.take() {
                Some(reader) => {
                    reader.await.map_err(stopped)??;
                    self.scan.arrivals.iter().for_each(Arrivals::complete);
                    Ok(None)
                }
                None => Ok(None),
            };
        };
        let (file, decoded) = pending.await.map_err(|_| Error::internal("a decoder stopped"))??;
        let name = &self.scan.files[file].file.name;
        let Decoded { batch, rejects, surprises } = &decoded;
        let (batch, rejects, rows) = match &self.scan.arrivals {
            None => (batch.clone(), rejects.as_slice(), decoded.rows()),
            Some(arrivals) => {
                let (batch, lost) = arrivals.take(file, batch, &self.scan.reading.dead_letter)?;
                let rejects = arrivals.fresh(file, rejects);
                let rows = batch.num_rows() as u64 + lost + rejects.len() as u64;
                (batch, rejects, rows)
            }
        };
        self.scan.rows.fetch_add(rows.min(self.left as u64), Ordering::Relaxed);
        for reject in rejects.iter().take(self.left) {
            self.scan.reading.dead_letter.push(Reject {
                file: Some(name.clone()),
                row: Some(reject.line),
                code: reject.code.to_owned(),
                message: reject.message.clone(),
                record: String::from_utf8_lossy(&reject.record).into_owned().into(),
            })?;
        }
        self.note_surprises(surprises)?;
        let batch = self.complete(batch, name)?;
        let batch = batch.slice(0, batch.num_rows().min(self.left));
        self.left -= batch.num_rows();
        Ok(Some(batch))
    }

    fn note_surprises(&self, found: &[jsonl::Column]) -> Result<()> {
        if found.is_empty() {
            return Ok(());
        }
        let mut surprises = self.scan.surprises.lock().unwrap_or_else(PoisonError::into_inner);
        jsonl::widen(&mut surprises, found);
        heads::few_enough(surprises.len())
    }

    /// Puts the columns in the order of the plan and adds the file's name where it is asked for.
    fn complete(&self, batch: RecordBatch, name: &str) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let columns = self.schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(column) => Ok(column.clone()),
            None if field.name() == FILE => {
                Ok(Arc::new(std::iter::repeat_n(Some(name), rows).collect::<StringViewArray>()) as ArrayRef)
            }
            None => Err(Error::internal(format!("column `{}` was not read", field.name()))),
        });
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns.collect::<Result<_>>()?, &options)
            .map_err(|cause| Error::internal("a batch does not fit the schema of its source").caused_by(cause))
    }
}

fn stopped(cause: tokio::task::JoinError) -> Error {
    Error::internal("a reader stopped").caused_by(cause)
}

/// Reads every file and posts its decoding. Ends early, quietly, when nobody listens any more.
fn read(scan: &Scan, schema: &SchemaRef, sender: &mpsc::Sender<Pending>) -> Result<()> {
    let cursor = scan.arrivals.as_ref().map(Arrivals::cursor);
    let wanted =
        |field: &&FieldRef| schema.column_with_name(field.name()).is_some() || cursor == Some(field.name().as_str());
    let wanted = scan.columns.iter().filter(wanted).cloned().collect::<Vec<_>>();
    let lines = schema.column_with_name(ROW).is_some() || scan.arrivals.is_some();
    for (index, file) in scan.files.iter().enumerate() {
        if scan.arrivals.as_ref().is_some_and(|arrivals| arrivals.skips(index)) {
            continue;
        }
        let open = match file.format {
            SourceFormat::Parquet => read_parquet(scan, file, index, &wanted, lines, sender)?,
            SourceFormat::Csv | SourceFormat::Tsv | SourceFormat::Jsonl => {
                read_text(scan, file, index, &wanted, lines, sender)?
            }
        };
        if !open {
            break;
        }
    }
    Ok(())
}

/// Bytes of a text file that are worth another thread.
const BYTES_OF_THREAD: u64 = 4 << 20;

fn read_text(
    scan: &Scan,
    file: &KnownFile,
    index: usize,
    wanted: &[FieldRef],
    lines: bool,
    sender: &mpsc::Sender<Pending>,
) -> Result<bool> {
    let decoder = Decoder::new(scan, file, wanted, lines)?;
    let failed = |cause: outflow_formats::Error| reading(&file.file.name, &cause);
    // A chunk is decoded where it was read, since it lies in that processor's cache; so several threads take turns in
    // reading. Gone when there is nothing more to read.
    let chunker = Mutex::new(Some(file.chunker(&scan.reading.progress)?));
    let next = || -> Result<Option<_>> {
        let mut turn = chunker.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(chunks) = turn.as_mut() else { return Ok(None) };
        let chunk = chunks.next_chunk().map_err(|cause| {
            *turn = None;
            failed(cause)
        })?;
        let Some(chunk) = chunk else { return Ok(None) };
        let (decoded, pending) = oneshot::channel();
        if sender.blocking_send(pending).is_err() {
            *turn = None;
            return Ok(None);
        }
        Ok(Some((chunk, decoded)))
    };
    let work = || -> Result<()> {
        while let Some((chunk, decoded)) = next()? {
            // Nobody waits for it if the rows are enough.
            let _ = decoded.send(decoder.decode(chunk).map(|batch| (index, batch)).map_err(failed));
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = cores.min(1 + (file.file.size / BYTES_OF_THREAD) as usize);
    std::thread::scope(|scope| {
        let others = (1..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        let stopped = |_| Err(Error::internal("a reader stopped"));
        std::iter::once(work())
            .chain(others.into_iter().map(|other| other.join().unwrap_or_else(stopped)))
            .collect::<Result<()>>()
    })?;
    Ok(chunker.into_inner().unwrap_or_else(PoisonError::into_inner).is_some())
}

fn read_parquet(
    scan: &Scan,
    file: &KnownFile,
    index: usize,
    wanted: &[FieldRef],
    lines: bool,
    sender: &mpsc::Sender<Pending>,
) -> Result<bool> {
    let failed = |cause| reading(&file.file.name, &cause);
    let opened = parquet::open(file.seekable()?).map_err(failed)?;
    for batch in opened.batches(wanted, lines).map_err(failed)? {
        let batch = batch.map_err(failed)?;
        let decoded = Decoded { batch, rejects: Vec::new(), surprises: Vec::new() };
        let (decodes, pending) = oneshot::channel();
        let _ = decodes.send(Ok((index, decoded)));
        if sender.blocking_send(pending).is_err() {
            return Ok(false);
        }
    }
    scan.reading.progress.event(crate::progress::Event::Read(file.file.size));
    Ok(true)
}

enum Decoder {
    Csv(csv::Decoder),
    Json(jsonl::Decoder),
}

impl Decoder {
    fn new(scan: &Scan, file: &KnownFile, wanted: &[FieldRef], lines: bool) -> Result<Self> {
        let names = |fields: &[FieldRef]| fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        if file.format == SourceFormat::Jsonl {
            let known = scan.columns.iter().map(heads::json_column).collect::<Vec<_>>();
            return Ok(Self::Json(jsonl::Decoder::new(&known, &names(wanted), lines)));
        }
        let decoder = csv::Decoder::new(file.dialect(), &names(&file.columns), &names(wanted), lines);
        decoder.map(Self::Csv).map_err(|cause| reading(&file.file.name, &cause))
    }

    fn decode(&self, chunk: outflow_formats::chunk::Chunk) -> outflow_formats::Result<Decoded> {
        match self {
            Self::Csv(decoder) => decoder.decode(chunk),
            Self::Json(decoder) => decoder.decode(chunk),
        }
    }
}
