//! Bytes to files, however many there are. Plain text waits in memory; much for one file is appended to it, without
//! keeping a handle, little for many files goes into segments, of which they are made in the end. Of files that need a
//! compressor or a Parquet writer, a few are written as their rows come; the rows of the others are set aside in a plain
//! file each and become what they should be at the end, on several threads. All ways give the same bytes for text.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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
use super::segments::{Reader, Segments};
use super::waiting::Waiting;
use super::{Shared, blocking, format_error};
use crate::error::{Error, Result};
use crate::lane::lock;

/// Memory for bytes that wait, of all outputs.
const WAITING: usize = 48 << 20;

/// Bytes of one file that may wait in memory, unless they are to go into a segment.
const WAITING_OF_FILE: usize = 1 << 20;

/// Bytes that are worth a write of their own.
const AT_ONCE: usize = 128 << 10;

/// Memory of bytes that are worth opening their file for, where there are more than a few.
const ENOUGH: usize = 16 << 10;

/// A few files.
const FEW: usize = 64;

/// Memory of bytes that are worth a segment.
const SEGMENT: usize = 256 << 10;

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
    /// Whether files are complete before the last row has come.
    pub(super) rolls: bool,
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
        let (files, segments) = (Vec::new(), None);
        let files = Files { shape, header, packer, files, segments, waiting: 0, held, live: 0, outputs };
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
    segments: Option<Segments>,
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
    /// Begun with its first bytes.
    Plain(Option<PlainFile>),
    /// The same, but bytes of it are in segments, where all that come later follow them.
    Scattered(Option<PlainFile>),
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
            let form = if self.shape.is_plain() {
                Form::Plain(None)
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
            let is_direct = !file.is_scattered();
            if bytes.len() >= AT_ONCE && is_direct {
                self.waiting -= file.drain(&self.shape)?;
                file.write(&self.shape, &[bytes])?;
            } else {
                self.waiting += file.waiting.extend(bytes);
            }
            if placement.complete {
                self.complete(placement.file)?;
            } else if file.waiting.len() >= WAITING_OF_FILE && is_direct {
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
        file.complete(&self.shape, None)
    }

    /// Brings bytes to disk when too many wait: those of the files with the most, or of all where each has few.
    fn spill(&mut self) -> Result<()> {
        let share = WAITING / self.outputs.load(Ordering::Relaxed).max(1);
        if self.waiting <= share && self.held.try_resize(self.waiting).is_ok() {
            return Ok(());
        }
        let share = share.min(self.waiting);
        let scatters = self.shape.is_plain() && !self.shape.rolls && self.files.len() > FEW;
        let enough = if scatters { ENOUGH } else { 0 };
        let is_large = |file: &&mut File| !file.is_scattered() && file.waiting.room() >= enough;
        let mut large = self.files.iter_mut().filter(is_large).collect::<Vec<_>>();
        large.sort_by_key(|file| std::cmp::Reverse(file.waiting.room()));
        for file in large {
            if self.waiting <= share / 2 {
                break;
            }
            self.waiting -= file.drain(&self.shape)?;
        }
        if scatters && self.waiting > share / 2 && self.waiting >= SEGMENT {
            self.scatter().map_err(|cause| disk_failure("writing", &self.shape.segments(), cause))?;
        }
        // What little is left is there, whether others leave room for it or not.
        self.held.resize(self.waiting);
        Ok(())
    }

    /// Puts all that waits into a segment.
    fn scatter(&mut self) -> std::io::Result<()> {
        let segments = match &mut self.segments {
            Some(segments) => segments,
            none => none.insert(Segments::create(self.shape.segments())?),
        };
        let mut waiting = self.files.iter_mut().filter(|file| file.waiting.len() > 0).collect::<Vec<_>>();
        segments.append(waiting.iter().map(|file| (file.number, &file.waiting)))?;
        for file in &mut waiting {
            self.waiting -= std::mem::take(&mut file.waiting).room();
            if let Form::Plain(begun) = &mut file.form {
                file.form = Form::Scattered(begun.take());
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Finished>> {
        let shape = &self.shape;
        let segments = self.segments.take();
        let queue = Mutex::new(self.files.drain(..).collect::<VecDeque<_>>());
        let next = || lock(&queue).pop_front();
        let complete = || {
            let segments = segments.as_ref().map(|segments| segments.reader(threads())).transpose();
            let mut segments = segments.map_err(|cause| disk_failure("reading", &shape.segments(), cause))?;
            let mut done = Vec::new();
            while let Some(mut file) = next() {
                file.complete(shape, segments.as_mut())?;
                done.push((file.number, file.form));
            }
            Ok(done)
        };
        let done = std::thread::scope(|scope| {
            let threads = (0..threads()).map(|_| scope.spawn(complete)).collect::<Vec<_>>();
            let stopped = |_| Err(Error::internal("a thread of the spool stopped"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(stopped)).collect::<Result<Vec<_>>>()
        })?;
        self.held.free();
        if let Some(segments) = segments {
            segments.remove().map_err(|cause| disk_failure("removing", &shape.segments(), cause))?;
        }
        let mut done = done.into_iter().flatten().collect::<Vec<_>>();
        done.sort_by_key(|(number, _)| *number);
        let finished = |(_, form)| match form {
            Form::Done(finished) => Ok(finished),
            _ => Err(Error::internal("a spool file was not completed")),
        };
        done.into_iter().map(finished).collect()
    }
}

impl File {
    fn is_scattered(&self) -> bool {
        matches!(self.form, Form::Scattered(_))
    }

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
            Form::Plain(file) => file.get_or_insert_with(|| shape.plain(self.number)).append(pieces),
            Form::Live(output) => pieces.iter().try_for_each(|piece| output.write_encoded(piece.as_ref())),
            Form::Aside(spilled) => {
                *spilled = true;
                append(&shape.aside(self.number), pieces)
            }
            Form::Scattered(_) | Form::Done(_) => return Err(Error::internal("bytes for a file that takes none now")),
        };
        written.map_err(format_error)
    }

    /// Writes what is missing. Does nothing to a file that is complete.
    fn complete(&mut self, shape: &Shape, segments: Option<&mut Reader>) -> Result<()> {
        if matches!(self.form, Form::Done(_)) {
            return Ok(());
        }
        if let Some(encoder) = &shape.encoder {
            self.waiting.extend(&encoder.footer(self.rows));
        }
        if let Form::Aside(spilled) = self.form {
            return self.make(shape, spilled);
        }
        if let Form::Scattered(begun) = &mut self.form {
            self.form = Form::Plain(begun.take());
            self.gather(shape, segments.ok_or_else(|| Error::internal("there are no segments to read"))?)?;
        }
        self.drain(shape)?;
        let finished = match std::mem::replace(&mut self.form, Form::Aside(false)) {
            Form::Plain(file) => file.unwrap_or_else(|| shape.plain(self.number)).finish(),
            Form::Live(output) => output.finish(),
            Form::Scattered(_) | Form::Aside(_) | Form::Done(_) => {
                return Err(Error::internal("a spool file was not written"));
            }
        };
        self.done(shape, finished)
    }

    /// Brings the bytes in segments to the file, and those that wait with the last of them.
    fn gather(&mut self, shape: &Shape, segments: &mut Reader) -> Result<()> {
        let mut rows = segments.of(self.number);
        let mut block = Vec::with_capacity(ENOUGH);
        let failed = |cause| disk_failure("reading", &shape.segments(), cause);
        while rows.by_ref().take(BLOCK as u64).read_to_end(&mut block).map_err(failed)? == BLOCK {
            self.write(shape, &[&block])?;
            block.clear();
        }
        let waiting = std::mem::take(&mut self.waiting);
        let pieces = waiting.pieces().iter().map(Vec::as_slice);
        self.write(shape, &std::iter::once(&block[..]).chain(pieces).collect::<Vec<_>>())
    }

    /// Makes the file of rows that were set aside.
    fn make(&mut self, shape: &Shape, spilled: bool) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting).pieces().concat();
        let aside = shape.aside(self.number);
        let failed = |cause| disk_failure("reading", &aside, cause);
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

    /// Where bytes of many files are.
    fn segments(&self) -> PathBuf {
        self.folder.join(format!("{:04}.segments", self.number))
    }

    fn plain(&self, file: usize) -> PlainFile {
        PlainFile::new(self.path(file), self.algorithm)
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

/// What went wrong with bytes that are on disk until files are made of them.
fn disk_failure(doing: &str, path: &Path, cause: std::io::Error) -> Error {
    Error::transient(format!("{doing} `{}`: {cause}", path.display())).hint("check the disk of the state folder")
}
