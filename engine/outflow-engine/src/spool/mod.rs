//! Rows become files on local disk: batches are split by partition value, encoded on several threads, and their
//! bytes placed into files in input order. Any number of files is written with few handles and in bounded memory.
//! Nothing here touches a target, and nothing is forced to disk before it is sealed.

mod archive;
mod checksum;
mod name;
mod pages;
mod place;
mod portion;
mod route;
mod segments;
#[cfg(test)]
mod tests;
mod waiting;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use outflow_formats::digest::Algorithm;
use outflow_formats::encode::encoder_keeping;
use outflow_formats::format::{Compression, Format};
use outflow_formats::memory;
use outflow_formats::workers::threads;
use outflow_layout::layout::{Artifact, FileFacts, FileIntent, FileName, Layout, Output, Roll, Target, Written};
use tokio::sync::{Mutex, Semaphore};

use crate::error::{Error, Result};
use crate::kill_point;
use crate::lane::lock;
use crate::plan::{Flow, Lanes, PlannedOutput};
use crate::progress::{Event, Progress};
pub use archive::merge;
pub use checksum::checksums;
pub use name::nonce;
use pages::Pages;
use place::{Placed, Placer};
use portion::{Plain, Portion};
use route::Router;
use write::{Batch, Finished, Shape, Writer};

/// Batches that are written together, if so many are ready.
const AT_ONCE: usize = 8;

/// What is known of so many files takes as much memory as their rows did.
const MANY: usize = 10_000;

/// What several threads use, one at a time.
type Shared<T> = Arc<std::sync::Mutex<T>>;

/// A file in the spool, complete but not yet forced to disk.
#[derive(Clone, Debug)]
pub struct SpooledFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds: one part, or the entries of an archive, all with the path, size and digest of the archive.
    pub parts: Vec<SpooledPart>,
    /// Whether it is Parquet rather than text.
    pub is_parquet: bool,
    /// Whether it is a zip archive.
    pub is_zip: bool,
}

/// What one output put into a file.
#[derive(Clone, Debug)]
pub struct SpooledPart {
    /// What it was meant to be.
    pub intent: FileIntent,
    /// Its name at the target.
    pub name: FileName,
    /// Its facts.
    pub facts: FileFacts,
}

impl SpooledFile {
    /// What its digest is made with; every file has a part.
    pub fn algorithm(&self) -> Algorithm {
        self.parts.first().map_or(Algorithm::Sha256, |part| part.facts.digest.algorithm())
    }

    /// The rows of all its parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.facts.rows).sum()
    }
}

/// Where and for whom files are spooled. What the outputs of a run share is in here.
pub struct Spool<'a> {
    /// Folder of the attempt, empty.
    pub folder: &'a Path,
    seed: &'a str,
    algorithm: Algorithm,
    progress: &'a dyn Progress,
    /// One permit a batch that came in no lane and is not yet written.
    encodings: Arc<Semaphore>,
    pages: Arc<Pages>,
    /// Outputs that are being written; they share the memory for bytes that wait.
    outputs: Arc<AtomicUsize>,
}

impl<'a> Spool<'a> {
    /// A spool in an empty folder. Nonces are made of `seed`, which is equal on every retry of a delivery; digests
    /// with `algorithm`.
    pub fn new(folder: &'a Path, seed: &'a str, algorithm: Algorithm, progress: &'a dyn Progress) -> Self {
        let encodings = Arc::new(Semaphore::new(2 * threads()));
        Self { folder, seed, algorithm, progress, encodings, pages: Arc::default(), outputs: Arc::default() }
    }

    /// Runs one output, the `number`th of its layout, to its end. Several may run at the same time. Files come back in
    /// the order in which their first rows came.
    pub async fn write(
        &self,
        planned: PlannedOutput,
        layout: &Mutex<&mut dyn Layout>,
        number: usize,
    ) -> Result<Vec<SpooledFile>> {
        let PlannedOutput { output, rows, schema, counters, waiting } = planned;
        check(&output)?;
        self.outputs.fetch_add(1, Ordering::Relaxed);
        let encoder = encoder_keeping(rows.stretches(), &output.format, &schema).map_err(format_error)?;
        let placer = Arc::new(std::sync::Mutex::new(Placer::new(&output, counters, self.seed, encoder.clone())?));
        let shape = Shape {
            folder: self.folder.to_owned(),
            number,
            format: output.format.clone(),
            compression: output.compression,
            rolls: output.roll != Roll::default(),
            schema: schema.clone(),
            algorithm: self.algorithm,
            encoder: encoder.clone(),
        };
        let is_plain = shape.is_plain();
        let mut writer = Writer::new(shape, self.outputs.clone(), waiting)?;
        let into = is_plain.then(|| Plain { placer: placer.clone(), files: writer.files() });
        let (of, columns) = (output.clone(), schema.clone());
        let router = move |pages| Router::new(&of, columns.clone(), encoder.clone(), pages);
        let portions = match rows {
            Flow::Batches(rows) => portion::encoded(rows, router(self.pages.clone()), self.encodings.clone()).boxed(),
            Flow::Lanes(Lanes { table, asked, road }) => {
                table.carried(asked, road, move || portion::end(router(Arc::default()), into.clone()))
            }
        };

        let mut names = Vec::new();
        let mut ready = portions.ready_chunks(AT_ONCE);
        while let Some(ready) = ready.next().await {
            let mut batches = Vec::with_capacity(ready.len());
            for portion in ready {
                kill_point!("spool-batch");
                let rows = match portion? {
                    Portion::Written(rows) => rows,
                    Portion::Encoded(encoded, permit) => {
                        let placements = lock(&placer).place(&encoded)?;
                        let rows = encoded.rows;
                        batches.push(Batch { placements, encoded, permit });
                        rows
                    }
                };
                self.progress.event(Event::Rows(rows as u64));
            }
            let new = name::before(layout, &output, &placer, &mut names).await?;
            if !batches.is_empty() {
                writer.write(new, batches).await?;
            }
        }
        if names.is_empty() && output.write_when_empty && output.partition_by.is_empty() {
            lock(&placer).open_empty();
            let new = name::before(layout, &output, &placer, &mut names).await?;
            writer.write(new, Vec::new()).await?;
        }
        kill_point!("spool-written");
        let finished = writer.finish().await?;
        drop(ready);
        if finished.len() >= MANY {
            memory::give_back();
        }
        kill_point!("spool-finished");
        self.outputs.fetch_sub(1, Ordering::Relaxed);

        let placed = std::mem::take(&mut lock(&placer).files);
        let mut files = spooled(&output, &schema, placed.into_iter().zip(names).zip(finished));
        if output.name_after {
            name::after(layout, &mut files).await?;
        }
        Ok(files)
    }
}

/// What was placed, named and written.
fn spooled(
    output: &Output,
    schema: &SchemaRef,
    files: impl Iterator<Item = ((Placed, FileName), Finished)>,
) -> Vec<SpooledFile> {
    let header = schema.fields().iter().map(|field| field.name().clone()).collect::<Arc<[_]>>();
    let file = |((placed, name), finished): ((Placed, FileName), Finished)| {
        let Placed { intent, rows, .. } = placed;
        let facts = FileFacts { rows, bytes: finished.bytes, digest: finished.digest, header: header.clone() };
        SpooledFile {
            path: finished.path,
            parts: vec![SpooledPart { intent, name, facts }],
            is_parquet: output.format == Format::Parquet,
            is_zip: output.compression == Compression::Zip,
        }
    };
    files.map(file).collect()
}

/// What an output may not ask for together.
fn check(output: &Output) -> Result<()> {
    let wrong =
        |what: &str, hint: &str| Err(Error::user(format!("layout output `{}`: {what}", output.dataset)).hint(hint));
    if output.format == Format::Parquet && output.roll.max_bytes.is_some() {
        return wrong(
            "a Parquet file's size is not known before it is complete",
            "limit its rows instead of its bytes",
        );
    }
    if output.compression == Compression::Zip && output.name_after {
        let what = "the name of a zip file's entry cannot wait for the facts of the file, which hold the entry's name";
        return wrong(what, "name the files before they are written, or choose another container");
    }
    Ok(())
}

/// What the layout wants to follow the files, in order of publication.
pub async fn companions(layout: &mut dyn Layout, files: &[SpooledFile], target: &Target) -> Result<Vec<Artifact>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let written = files.iter().flat_map(|file| &file.parts).map(|part| Written {
        intent: part.intent.clone(),
        name: part.name.clone(),
        facts: part.facts.clone(),
        url: target.url(&part.name.path),
    });
    let written = written.collect::<Vec<_>>();
    let mut artifacts = layout.files_written(&written).await?;
    artifacts.extend(layout.run_written(&written).await?);
    Ok(artifacts)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| Error::internal("a thread of the spool stopped").caused_by(cause))?
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
