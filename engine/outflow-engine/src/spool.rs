//! Rows become files on local disk: batches are split by partition value, encoded on several threads and
//! appended in order by one. Files are named when they are opened, or once their facts are known if the
//! layout asks for that. Nothing here touches a target.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use outflow_formats::encode::{Encoder, encoder};
use outflow_formats::file::{Finished, OutputFile};
use outflow_formats::format::Format;
use outflow_layout::layout::{Artifact, FileFacts, FileIntent, FileName, Layout, Output, Target, Written};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::counters::OutputCounters;
use crate::error::{Error, Result};
use crate::kill_point;
use crate::plan::PlannedOutput;
use crate::progress::{Event, Progress};

/// Files that are written at the same time; each holds a handle and a buffer.
const MOST_FILES: usize = 500;

/// A file in the spool, complete and synced.
#[derive(Clone, Debug)]
pub struct SpooledFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it was meant to be.
    pub intent: FileIntent,
    /// Its name at the target.
    pub name: FileName,
    /// Its facts.
    pub facts: FileFacts,
    /// Whether it is Parquet rather than text.
    pub is_parquet: bool,
}

/// Where and for whom files are spooled.
pub struct Spool<'a> {
    /// Folder of the attempt, empty.
    pub folder: &'a Path,
    /// Seed of the files' nonces: equal on every retry of a delivery.
    pub seed: &'a str,
    /// Who watches.
    pub progress: &'a dyn Progress,
}

enum Piece {
    Open(Box<OpenFile>),
    Text(usize, JoinHandle<outflow_formats::Result<Vec<u8>>>),
    Batch(usize, RecordBatch),
}

struct OpenFile {
    path: PathBuf,
    output: Arc<Output>,
    schema: SchemaRef,
    entry: Option<String>,
    header: Option<Vec<u8>>,
}

struct Partition {
    intent: FileIntent,
    name: FileName,
    path: PathBuf,
    rows: u64,
}

impl Spool<'_> {
    /// Runs one output, the `number`th of its layout, to its end. Several may run at the same time.
    /// Files come back in the order in which their first rows came.
    pub async fn write(
        &self,
        planned: PlannedOutput,
        layout: &Mutex<&mut dyn Layout>,
        number: usize,
    ) -> Result<Vec<SpooledFile>> {
        let encoder = encoder(&planned.output.format, &planned.schema).map_err(format_error)?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let (sender, receiver) = mpsc::channel(2 * cores);
        let writer = tokio::task::spawn_blocking(move || write_pieces(receiver));
        let mut router = Router {
            output: Arc::new(planned.output),
            schema: planned.schema,
            encoder,
            sender,
            open: Vec::new(),
            known: HashMap::new(),
            counters: planned.counters,
        };
        let routed = self.route(planned.rows, &mut router, layout, number).await;
        // The writer ends when the last sender is gone.
        let Router { output, schema, open, sender, .. } = router;
        drop(sender);
        let written = writer.await.map_err(|cause| Error::internal("the spool writer stopped").caused_by(cause))?;
        // A failed writer closes the channel, so its error is the cause of the router's.
        let finished = match (routed, written) {
            (_, Err(error)) | (Err(error), Ok(_)) => return Err(error),
            (Ok(()), Ok(finished)) => finished,
        };
        let header = schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let mut files = Vec::with_capacity(open.len());
        for (partition, done) in open.into_iter().zip(finished) {
            let facts =
                FileFacts { rows: partition.rows, bytes: done.bytes, sha256: done.sha256, header: header.clone() };
            files.push(SpooledFile {
                path: partition.path,
                intent: partition.intent,
                name: partition.name,
                facts,
                is_parquet: output.format == Format::Parquet,
            });
        }
        if output.name_after && !files.is_empty() {
            let intents = files.iter().map(|file| (file.intent.clone(), Some(file.facts.clone()))).collect::<Vec<_>>();
            let names = layout.lock().await.name_files(&intents).await?;
            files.iter_mut().zip(names).for_each(|(file, name)| file.name = name);
        }
        Ok(files)
    }

    async fn route(
        &self,
        mut stream: datafusion::execution::SendableRecordBatchStream,
        router: &mut Router,
        layout: &Mutex<&mut dyn Layout>,
        number: usize,
    ) -> Result<()> {
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(running)?;
            for (values, rows) in router.split(&batch)? {
                let index = match router.known.get(&values) {
                    Some(index) => *index,
                    None => self.open(router, layout, values, number).await?,
                };
                kill_point!("spool-batch");
                self.progress.event(Event::Rows(rows.num_rows() as u64));
                router.send(index, rows).await?;
            }
        }
        if router.open.is_empty() && router.output.write_when_empty && router.output.partition_by.is_empty() {
            self.open(router, layout, Vec::new(), number).await?;
        }
        Ok(())
    }

    async fn open(
        &self,
        router: &mut Router,
        layout: &Mutex<&mut dyn Layout>,
        values: Vec<String>,
        number: usize,
    ) -> Result<usize> {
        let index = router.open.len();
        if index == MOST_FILES {
            return Err(Error::user(format!("the rows split into more than {MOST_FILES} files"))
                .hint("split by fewer columns, or by ones with fewer values"));
        }
        let keys = router.output.partition_by.iter().map(|key| key.name.clone());
        let partition = keys.zip(values.iter().cloned()).collect::<Vec<_>>();
        let dataset = router.output.dataset.clone();
        let intent = FileIntent {
            nonce: nonce(self.seed, &dataset, &partition, 1),
            dataset,
            partition,
            part: 1,
            counters: router.counters.next_file(),
        };
        // A name that needs the facts of the file comes later.
        let names = if router.output.name_after {
            Vec::new()
        } else {
            layout.lock().await.name_files(&[(intent.clone(), None)]).await?
        };
        let name = match names.into_iter().next() {
            Some(name) => name,
            None if router.output.name_after => FileName::default(),
            None => return Err(Error::internal("the layout gave no name for a file")),
        };
        let path = self.folder.join(format!("{number:04}-{index:06}"));
        let open = OpenFile {
            path: path.clone(),
            output: router.output.clone(),
            schema: router.schema.clone(),
            entry: name.archive_entry.clone(),
            header: router.encoder.as_ref().map(|encoder| encoder.header().map_err(format_error)).transpose()?,
        };
        router.open.push(Partition { intent, name, path, rows: 0 });
        router.known.insert(values, index);
        router.post(Piece::Open(Box::new(open))).await?;
        Ok(index)
    }
}

/// What the layout wants to follow the files, in order of publication.
pub async fn companions(layout: &mut dyn Layout, files: &[SpooledFile], target: &Target) -> Result<Vec<Artifact>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let written = files.iter().map(|file| Written {
        intent: file.intent.clone(),
        name: file.name.clone(),
        facts: file.facts.clone(),
        url: target.url(&file.name.path),
    });
    let written = written.collect::<Vec<_>>();
    let mut artifacts = layout.files_written(&written).await?;
    artifacts.extend(layout.run_written(&written).await?);
    Ok(artifacts)
}

/// 32 hex characters that stand for "random" in file names, yet are equal on every retry.
pub fn nonce(seed: &str, dataset: &str, partition: &[(String, String)], part: u32) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{seed}\0{dataset}\0{part}"));
    for (key, value) in partition {
        hasher.update(format!("\0{key}\0{value}"));
    }
    hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Router {
    output: Arc<Output>,
    schema: SchemaRef,
    encoder: Option<Arc<dyn Encoder>>,
    sender: mpsc::Sender<Piece>,
    open: Vec<Partition>,
    known: HashMap<Vec<String>, usize>,
    counters: OutputCounters,
}

impl Router {
    /// The rows of a batch by partition value, each part in input order.
    fn split(&self, batch: &RecordBatch) -> Result<Vec<(Vec<String>, RecordBatch)>> {
        if batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let width = self.schema.fields().len();
        let data = RecordBatch::try_new(self.schema.clone(), batch.columns()[..width].to_vec())
            .map_err(|cause| Error::internal("a batch does not fit its schema").caused_by(cause))?;
        let keys = batch.columns()[width..].iter().map(|column| column.as_string_view()).collect::<Vec<_>>();
        if keys.is_empty() {
            return Ok(vec![(Vec::new(), data)]);
        }
        let text = |key: &StringViewArray, row: usize| {
            if key.is_null(row) { String::new() } else { key.value(row).to_owned() }
        };
        let same = |a: usize, b: usize| {
            keys.iter().all(|key| key.is_null(a) == key.is_null(b) && key.value(a) == key.value(b))
        };
        let mut groups: Vec<(Vec<String>, Vec<u32>)> = Vec::new();
        let mut known: HashMap<Vec<String>, usize> = HashMap::new();
        let mut current = 0;
        for row in 0..data.num_rows() {
            if row == 0 || !same(row - 1, row) {
                let values = keys.iter().map(|key| text(key, row)).collect::<Vec<_>>();
                current = *known.entry(values.clone()).or_insert_with(|| {
                    groups.push((values, Vec::new()));
                    groups.len() - 1
                });
            }
            groups[current].1.push(row as u32);
        }
        if groups.len() == 1 {
            return Ok(groups.into_iter().map(|(values, _)| (values, data.clone())).collect());
        }
        let part = |(values, rows): (Vec<String>, Vec<u32>)| {
            take_record_batch(&data, &UInt32Array::from(rows))
                .map(|part| (values, part))
                .map_err(|cause| Error::internal("cannot split a batch").caused_by(cause))
        };
        groups.into_iter().map(part).collect()
    }

    async fn send(&mut self, index: usize, rows: RecordBatch) -> Result<()> {
        let first_row = self.open[index].rows;
        self.open[index].rows += rows.num_rows() as u64;
        let piece = match &self.encoder {
            None => Piece::Batch(index, rows),
            Some(encoder) => {
                let encoder = encoder.clone();
                Piece::Text(
                    index,
                    tokio::task::spawn_blocking(move || {
                        let mut bytes = Vec::with_capacity(rows.get_array_memory_size().min(4 << 20));
                        encoder.encode(&rows, first_row, &mut bytes).map(|()| bytes)
                    }),
                )
            }
        };
        self.post(piece).await
    }

    async fn post(&self, piece: Piece) -> Result<()> {
        self.sender.send(piece).await.map_err(|_| Error::internal("the spool writer stopped early"))
    }
}

fn write_pieces(mut receiver: mpsc::Receiver<Piece>) -> Result<Vec<Finished>> {
    let runtime = tokio::runtime::Handle::current();
    let mut files: Vec<OutputFile> = Vec::new();
    while let Some(piece) = receiver.blocking_recv() {
        match piece {
            Piece::Open(open) => {
                let OpenFile { path, output, schema, entry, header } = *open;
                let mut file = OutputFile::create(&path, &output.format, output.compression, entry.as_deref(), &schema)
                    .map_err(format_error)?;
                if let Some(header) = header {
                    file.write_encoded(&header).map_err(format_error)?;
                }
                files.push(file);
            }
            Piece::Text(index, encoding) => {
                let bytes = runtime
                    .block_on(encoding)
                    .map_err(|cause| Error::internal("an encoder stopped").caused_by(cause))?;
                files[index].write_encoded(&bytes.map_err(format_error)?).map_err(format_error)?;
            }
            Piece::Batch(index, batch) => files[index].write_batch(&batch).map_err(format_error)?,
        }
    }
    kill_point!("spool-written");
    let finished = files.into_iter().map(|file| file.finish().map_err(format_error)).collect();
    kill_point!("spool-synced");
    finished
}

fn format_error(cause: outflow_formats::Error) -> Error {
    let message = cause.to_string();
    if cause.is_io() {
        Error::transient(message).hint("check the disk of the state folder")
    } else {
        Error::user(message)
    }
}

/// Tells an error of ours that passed through the query engine from one of its own.
pub fn running(cause: datafusion::error::DataFusionError) -> Error {
    use datafusion::error::DataFusionError;
    match cause {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::internal(other.to_string()),
        },
        DataFusionError::Context(_, inner) => running(*inner),
        DataFusionError::ArrowError(inner, _) => match *inner {
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast::<DataFusionError>() {
                Ok(error) => running(*error),
                Err(other) => Error::user(format!("the rows cannot be computed: {other}")),
            },
            other => Error::user(format!("the rows cannot be computed: {other}")),
        },
        DataFusionError::ResourcesExhausted(message) => {
            Error::user(format!("the pipeline needs more memory than it may use: {message}")).hint("raise `--memory`")
        }
        other => Error::user(format!("the rows cannot be computed: {}", other.strip_backtrace())),
    }
}
