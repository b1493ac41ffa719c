//! Bytes to files, however many there are. Plain text waits in memory and is appended without keeping a handle. Of
//! files that need a compressor or a Parquet writer, a few are written as their rows come; the rows of the others
//! are set aside in a plain file each and become what they should be at the end, on several threads. Both ways give
//! the same bytes for text.

use std::collections::VecDeque;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::memory_pool::MemoryReservation;
use outflow_formats::digest::{Algorithm, Digest};
use outflow_formats::encode::{Encoder, Span};
use outflow_formats::file::{OutputFile, PlainFile, append};
use outflow_formats::format::{Compression, Format};
use outflow_formats::packed::Packer;
use outflow_formats::workers::threads;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::place::Placement;
use super::route::{Content, Encoded};
use super::waiting::Waiting;
use super::{Shared, blocking, format_error};
use crate::error::{Error, Result};
use crate::lane::lock;

/// Memory for bytes that wait, of all outputs.
const WAITING: usize = 48 << 20;

/// Bytes of one file that may wait in memory.
const WAITING_OF_FILE: usize = 1 << 20;

/// Bytes that are worth a write of their own.
const AT_ONCE: usize = 128 << 10;

/// Compressors and Parquet writers that an output has at work while rows come.
const LIVE: usize = 2;

/// What is read at once of rows that were set aside.
const BLOCK: usize = 256 << 10;

/// What the files of an output have in common.
pub(super) struct Shape {
    /// Where they are.
    pub(super) folder: PathBuf,
    /// The number of the output.
    pub(super) number: usize,
    /// Format of the files.
    pub(super) format: Format,
    /// Container of the files.
    pub(super) compression: Compression,
    /// Their columns.
    pub(super) schema: SchemaRef,
    /// What its digests are made with.
    pub(super) algorithm: Algorithm,
    /// For text.
    pub(super) encoder: Option<Arc<dyn Encoder>>,
}

/// A batch to be written.
pub(super) struct Batch {
    /// Where it goes.
    pub(super) placements: Vec<Placement>,
    /// What it is.
    pub(super) encoded: Encoded,
    /// Its memory, if that is lent.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// A file that is complete.
pub(super) struct Finished {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
    /// Its digest.
    pub(super) digest: Digest,
}

/// The files of an output. One thread at a time writes them: one of the caller's, or one that writes while the caller goes on.
pub(super) struct Writer {
    files: Shared<Files>,
    busy: Option<JoinHandle<Result<()>>>,
}

impl Writer {
    /// A writer without files. `outputs` counts those that share the memory, which is charged to `held`.
    pub(super) fn new(shape: Shape, outputs: Arc<AtomicUsize>, held: MemoryReservation) -> Result<Self> {
        let header = match &shape.encoder {
            Some(encoder) => encoder.header().map_err(format_error)?,
            None => Vec::new(),
        };
        let packer = match shape.format {
            Format::Parquet => Some(Packer::new(shape.schema.clone()).map_err(format_error)?),
            _ => None,
        };
        let files = Files { shape, header, packer, files: Vec::new(), waiting: 0, held, live: 0, outputs };
        Ok(Self { files: Arc::new(Mutex::new(files)), busy: None })
    }

    /// What the files are written with by whoever has the next rows.
    pub(super) fn files(&self) -> Shared<Files> {
        self.files.clone()
    }

    /// Starts to write batches, once those before are written. Of files that are new the entries in their archives come with
    /// them.
    pub(super) async fn write(&mut self, new: Vec<Option<String>>, batches: Vec<Batch>) -> Result<()> {
        self.idle().await?;
        let files = self.files.clone();
        self.busy = Some(tokio::task::spawn_blocking(move || {
            let mut files = lock(&files);
            files.open(new)?;
            for Batch { placements, encoded, permit } in batches {
                files.take(&placements, &encoded.content)?;
                drop((encoded, permit));
            }
            files.spill()
        }));
        Ok(())
    }

    async fn idle(&mut self) -> Result<()> {
        let Some(task) = self.busy.take() else { return Ok(()) };
        task.await.map_err(|cause| Error::internal("the spool writer stopped").caused_by(cause))?
    }

    /// Completes every file; they come in the order in which they were opened.
    pub(super) async fn finish(mut self) -> Result<Vec<Finished>> {
        self.idle().await?;
        blocking(move || lock(&self.files).finish()).await
    }
}

/// The files of an output.
pub(super) struct Files {
    shape: Shape,
    header: Vec<u8>,
    packer: Option<Packer>,
    files: Vec<File>,
    /// Memory of all `File::waiting`.
    waiting: usize,
    held: MemoryReservation,
    live: usize,
    outputs: Arc<AtomicUsize>,
}

struct File {
    number: usize,
    /// Its name in an archive.
    entry: Option<String>,
    rows: u64,
    /// Bytes that are not yet in the file.
    waiting: Waiting,
    form: Form,
}

enum Form {
    Plain(PlainFile),
    /// Written as rows come.
    Live(Box<OutputFile>),
    /// Its rows are set aside; whether some of them are on disk.
    Aside(bool),
    Done(Finished),
}

impl Files {
    fn open(&mut self, entries: Vec<Option<String>>) -> Result<()> {
        for entry in entries {
            let number = self.files.len();
            let path = self.shape.path(number);
            let form = if self.shape.is_plain() {
                Form::Plain(PlainFile::new(path, self.shape.algorithm))
            } else if self.live < LIVE {
                self.live += 1;
                Form::Live(Box::new(self.shape.create(number, entry.as_deref())?))
            } else {
                Form::Aside(false)
            };
            let mut waiting = Waiting::default();
            self.waiting += waiting.extend(&self.header);
            self.files.push(File { number, entry, rows: 0, waiting, form });
        }
        Ok(())
    }

    /// Writes a batch into plain files, of which there will be so many.
    pub(super) fn put(&mut self, count: usize, placements: &[Placement], content: &Content) -> Result<()> {
        self.open(vec![None; count - self.files.len()])?;
        self.take(placements, content)?;
        self.spill()
    }

    fn take(&mut self, placements: &[Placement], content: &Content) -> Result<()> {
        let packed = match (content, &self.packer) {
            (Content::Rows(batch), Some(packer)) => self.pack(placements, batch, packer)?,
            _ => (Vec::new(), Vec::new()),
        };
        for (index, placement) in placements.iter().enumerate() {
            let file = &mut self.files[placement.file];
            file.rows += placement.rows.len() as u64;
            let bytes = match content {
                Content::Text(lent) => &lent.page.bytes()[placement.bytes.clone()],
                Content::Rows(batch) => match &mut file.form {
                    Form::Live(output) => {
                        let rows = batch.slice(placement.rows.start, placement.rows.len());
                        output.write_batch(&rows).map_err(format_error)?;
                        &[]
                    }
                    _ => &packed.0[if index == 0 { 0 } else { packed.1[index - 1] }..packed.1[index]],
                },
                Content::Refused(_) => return Err(Error::internal("rows that cannot be encoded are placed")),
            };
            if bytes.len() >= AT_ONCE {
                self.waiting -= file.drain(&self.shape)?;
                file.write(&self.shape, &[bytes])?;
            } else {
                self.waiting += file.waiting.extend(bytes);
            }
            if placement.complete {
                self.complete(placement.file)?;
            } else if file.waiting.len() >= WAITING_OF_FILE {
                self.waiting -= file.drain(&self.shape)?;
            }
        }
        Ok(())
    }

    /// The rows of a batch as bytes to be set aside, and the end of each placement in them; rows of live files are
    /// left out.
    fn pack(&self, placements: &[Placement], batch: &RecordBatch, packer: &Packer) -> Result<(Vec<u8>, Vec<usize>)> {
        let aside = |placement: &Placement| matches!(self.files[placement.file].form, Form::Aside(_));
        if !placements.iter().any(aside) {
            return Ok((Vec::new(), vec![0; placements.len()]));
        }
        let spans = placements.iter().map(|placement| Span { rows: placement.rows.len(), before: 0 });
        packer.pack(batch, &spans.collect::<Vec<_>>()).map_err(format_error)
    }

    fn complete(&mut self, number: usize) -> Result<()> {
        let file = &mut self.files[number];
        self.live -= usize::from(matches!(file.form, Form::Live(_)));
        self.waiting -= file.waiting.room();
        file.complete(&self.shape)
    }

    /// Brings the files with the most bytes in memory to disk when there is too much of them.
    fn spill(&mut self) -> Result<()> {
        let share = WAITING / self.outputs.load(Ordering::Relaxed).max(1);
        if self.waiting <= share && self.held.try_resize(self.waiting).is_ok() {
            return Ok(());
        }
        let share = share.min(self.waiting);
        let mut largest = (0..self.files.len()).collect::<Vec<_>>();
        largest.sort_by_key(|&number| (std::cmp::Reverse(self.files[number].waiting.room()), number));
        for number in largest {
            if self.waiting <= share / 2 {
                break;
            }
            self.waiting -= self.files[number].drain(&self.shape)?;
        }
        // What little is left is there, whether others leave room for it or not.
        self.held.resize(self.waiting);
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Finished>> {
        let shape = &self.shape;
        let queue = Mutex::new(self.files.drain(..).collect::<VecDeque<_>>());
        let done = Mutex::new(Vec::new());
        let locked = || lock(&queue).pop_front();
        std::thread::scope(|scope| {
            for _ in 0..threads() {
                scope.spawn(|| {
                    while let Some(mut file) = locked() {
                        let completed = file.complete(shape);
                        let failed = completed.is_err();
                        lock(&done).push((file.number, completed.map(|()| file.form)));
                        if failed {
                            return;
                        }
                    }
                });
            }
        });
        self.held.free();
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(number, _)| *number);
        let finished = |(_, form): (usize, Result<Form>)| match form? {
            Form::Done(finished) => Ok(finished),
            _ => Err(Error::internal("a spool file was not completed")),
        };
        done.into_iter().map(finished).collect()
    }
}

impl File {
    /// Brings waiting bytes to disk, and tells how much memory they took.
    fn drain(&mut self, shape: &Shape) -> Result<usize> {
        let waiting = std::mem::take(&mut self.waiting);
        self.write(shape, waiting.pieces())?;
        Ok(waiting.room())
    }

    /// Brings bytes to disk that follow those that are there.
    fn write(&mut self, shape: &Shape, pieces: &[impl AsRef<[u8]>]) -> Result<()> {
        let written = match &mut self.form {
            _ if pieces.is_empty() => Ok(()),
            Form::Plain(file) => file.append(pieces),
            Form::Live(output) => pieces.iter().try_for_each(|piece| output.write_encoded(piece.as_ref())),
            Form::Aside(spilled) => {
                *spilled = true;
                append(&shape.aside(self.number), pieces)
            }
            Form::Done(_) => Ok(()),
        };
        written.map_err(format_error)
    }

    /// Writes what is missing. Does nothing to a file that is complete.
    fn complete(&mut self, shape: &Shape) -> Result<()> {
        if matches!(self.form, Form::Done(_)) {
            return Ok(());
        }
        if let Some(encoder) = &shape.encoder {
            self.waiting.extend(&encoder.footer(self.rows));
        }
        if let Form::Aside(spilled) = self.form {
            return self.make(shape, spilled);
        }
        self.drain(shape)?;
        let finished = match std::mem::replace(&mut self.form, Form::Aside(false)) {
            Form::Plain(file) => file.finish(),
            Form::Live(output) => output.finish(),
            Form::Aside(_) | Form::Done(_) => return Ok(()),
        };
        self.done(shape, finished)
    }

    /// Makes the file of rows that were set aside.
    fn make(&mut self, shape: &Shape, spilled: bool) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting).pieces().concat();
        let aside = shape.aside(self.number);
        let failed = |cause: std::io::Error| {
            Error::transient(format!("reading `{}`: {cause}", aside.display()))
                .hint("check the disk of the state folder")
        };
        let on_disk: Box<dyn Read> = if spilled {
            Box::new(std::io::BufReader::with_capacity(BLOCK, std::fs::File::open(&aside).map_err(failed)?))
        } else {
            Box::new(std::io::empty())
        };
        let mut rows = on_disk.chain(&waiting[..]);
        let mut output = shape.create(self.number, self.entry.as_deref())?;
        if shape.format == Format::Parquet {
            let packer = Packer::new(shape.schema.clone()).map_err(format_error)?;
            packer.unpack(rows, |batch| output.write_batch(batch)).map_err(format_error)?;
        } else {
            let mut block = Vec::with_capacity(BLOCK);
            while rows.by_ref().take(BLOCK as u64).read_to_end(&mut block).map_err(failed)? > 0 {
                output.write_encoded(&block).map_err(format_error)?;
                block.clear();
            }
        }
        if spilled {
            std::fs::remove_file(&aside).map_err(failed)?;
        }
        self.done(shape, output.finish())
    }

    fn done(
        &mut self,
        shape: &Shape,
        finished: outflow_formats::Result<outflow_formats::file::Finished>,
    ) -> Result<()> {
        let outflow_formats::file::Finished { bytes, digest } = finished.map_err(format_error)?;
        self.form = Form::Done(Finished { path: shape.path(self.number), bytes, digest });
        Ok(())
    }
}

impl Shape {
    /// Whether files are what is encoded, byte for byte.
    pub(super) fn is_plain(&self) -> bool {
        self.compression == Compression::None && self.format != Format::Parquet
    }

    fn path(&self, file: usize) -> PathBuf {
        self.folder.join(format!("{:04}-{file:06}", self.number))
    }

    /// Where the rows of a file are set aside.
    fn aside(&self, file: usize) -> PathBuf {
        self.folder.join(format!("{:04}-{file:06}.rows", self.number))
    }

    fn create(&self, file: usize, entry: Option<&str>) -> Result<OutputFile> {
        let Self { format, compression, schema, algorithm, .. } = self;
        let file = OutputFile::create(&self.path(file), format, *compression, entry, schema, *algorithm);
        file.map_err(format_error)
    }
}
