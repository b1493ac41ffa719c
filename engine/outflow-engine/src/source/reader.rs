//! The threads that read files. They take turns in reading; what is read each decodes, and does with it what is to be done,
//! on the processor that has it in its cache. What comes of it leaves in input order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::FieldRef;
use outflow_formats::chunk::{Chunk, Chunker};
use outflow_formats::container::Bytes;
use outflow_formats::reject::{Decoded, Reject};
use outflow_formats::workers::threads;
use outflow_formats::{csv, jsonl, parquet};
use outflow_spec::source::SourceFormat;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::arrivals::Arrivals;
use super::files::Scan;
use super::heads::{self, KnownFile, reading};
use super::order::{Order, Ordered, Place, order};
use super::{Asked, ROW};
use crate::error::{Error, Result};
use crate::progress::Event;
use crate::unseen::Unseen;

/// What a thread does with what it reads.
pub struct Hand<T> {
    /// What it makes of a batch, given the number of its file, and how to get at what the batch lacks.
    pub make: Make<T>,
    /// What it does with that once this is done with all that was read before; unset: nothing.
    pub settle: Option<Settle<T>>,
}

/// See [`Hand`].
pub type Make<T> = Box<dyn FnMut(usize, RecordBatch, &Whole) -> Result<T>>;
/// See [`Hand`].
pub type Settle<T> = Box<dyn FnMut(T) -> Result<T>>;

/// The columns of a batch that nothing looks at, and the lines of its rows.
pub type Whole<'a> = dyn Fn() -> Result<RecordBatch> + 'a;

/// What came of a chunk.
pub struct Taken<T> {
    /// The number of its file.
    pub file: usize,
    /// What the hand made of its rows.
    pub made: T,
    /// Records in it, good and bad.
    pub records: u64,
    /// The bad ones.
    pub rejects: Vec<Reject>,
    /// What the head of the file did not tell.
    pub surprises: Vec<jsonl::Column>,
}

/// What came of a chunk, or what went wrong.
type Made<T> = Result<Taken<T>>;

/// So many chunks a thread has made and not settled when it waits for its turn; it goes on reading with less.
const HELD: usize = 2;

/// What comes from the threads, in input order.
pub struct Arriving<T> {
    ordered: Ordered<Made<T>>,
    reader: Option<JoinHandle<Result<()>>>,
}

impl<T: Send + 'static> Arriving<T> {
    /// Starts to read what is asked for, on at most so many threads; `hand` makes the hand of one. What comes of it is
    /// there when so many chunks are `worth` it.
    pub fn start(
        scan: &Arc<Scan>,
        asked: Asked,
        most: usize,
        worth: usize,
        hand: impl Fn() -> Result<Hand<T>> + Send + Sync + 'static,
    ) -> Self {
        // Threads that wait for room hold less each; the others that are begun are worth a waking, or there would never be room.
        let (order, ordered) = order(worth + HELD * threads(), worth);
        let scan = scan.clone();
        let reader = tokio::task::spawn_blocking(move || read(&scan, &asked, most, &hand, &order));
        Self { ordered, reader: Some(reader) }
    }

    /// What came of the next chunk; none at the end.
    pub async fn next(&mut self) -> Result<Option<Taken<T>>> {
        match self.ordered.next().await {
            Some(made) => made.unwrap_or_else(|| Err(Error::internal("a decoder stopped"))).map(Some),
            None => match self.reader.take() {
                Some(reader) => reader.await.map_err(super::files::stopped)?.map(|()| None),
                None => Ok(None),
            },
        }
    }
}

/// Bytes that are worth another thread.
const BYTES_OF_THREAD: u64 = 4 << 20;

/// Reads every file. Ends early, quietly, when nobody listens any more.
fn read<T: Send>(
    scan: &Scan,
    asked: &Asked,
    most: usize,
    hand: &(impl Fn() -> Result<Hand<T>> + Sync),
    order: &Order<Made<T>>,
) -> Result<()> {
    let turns = Mutex::new(Turns::new(scan, asked));
    let next = || -> Result<Option<_>> {
        let mut turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
        let next = turns.next();
        let taken = match next {
            Ok(Some(part)) => order.begin().map(|place| (part, place)),
            Ok(None) => None,
            Err(error) => {
                turns.over = true;
                return Err(error);
            }
        };
        turns.over |= taken.is_none();
        Ok(taken)
    };
    let work = || -> Result<()> {
        let Hand { mut make, mut settle } = hand()?;
        let mut held = VecDeque::new();
        let mut settle_beyond = |most, held: &mut VecDeque<_>| settle_held(held, most, settle.as_mut());
        loop {
            match next() {
                Ok(Some((part, place))) => {
                    held.push_back((place, take(scan, asked, part, &mut make)));
                    settle_beyond(HELD - 1, &mut held);
                }
                end => {
                    settle_beyond(0, &mut held);
                    return end.map(|_| ());
                }
            }
        }
    };
    let bytes: u64 = scan.files.iter().map(|file| file.file.size).sum();
    let threads = threads().min(1 + (bytes / BYTES_OF_THREAD) as usize).min(most);
    // Objects of a bucket arrive by the runtime, whichever thread reads them.
    let runtime = Handle::current();
    let other = || {
        let _entered = runtime.enter();
        work()
    };
    std::thread::scope(|scope| {
        let others = (1..threads).map(|_| scope.spawn(other)).collect::<Vec<_>>();
        let stopped = |_| Err(Error::internal("a reader stopped"));
        std::iter::once(work())
            .chain(others.into_iter().map(|other| other.join().unwrap_or_else(stopped)))
            .collect::<Result<()>>()
    })
}

/// Settles what has its turn, and waits for that while more than so many pieces are held.
fn settle_held<T>(held: &mut VecDeque<(Place<Made<T>>, Made<T>)>, most: usize, mut settle: Option<&mut Settle<T>>) {
    while let Some((place, taken)) = held.pop_front() {
        let settled = match &mut settle {
            None => taken,
            Some(settle) => {
                if !place.is_next() && held.len() < most {
                    held.push_front((place, taken));
                    return;
                }
                if !place.wait() {
                    return;
                }
                taken.and_then(|taken| Ok(Taken { made: settle(taken.made)?, ..taken }))
            }
        };
        place.fill(settled);
    }
}

/// Part of a file, read by one thread.
struct Part {
    file: usize,
    content: Content,
}

enum Content {
    Text(Chunk, Arc<Decoder>),
    Rows(RecordBatch),
}

fn take<T>(scan: &Scan, asked: &Asked, part: Part, make: &mut Make<T>) -> Made<T> {
    let Part { file, content } = part;
    let known = &scan.files[file];
    let failed = |cause| reading(&known.file.name, &cause);
    let decoded = match content {
        Content::Text(chunk, decoder) => decoder.decode(chunk).map_err(failed)?,
        Content::Rows(batch) => Decoded { batch, rejects: Vec::new(), surprises: Vec::new(), text: None },
    };
    let records = decoded.rows();
    let Decoded { batch, rejects, surprises, text } = decoded;
    let whole = || {
        let text = text.as_ref().ok_or_else(|| Error::internal("rows are looked up that are no text"))?;
        let unseen = asked.unseen.names().cloned().collect::<Vec<_>>();
        let decoder = csv::Decoder::new(known.dialect(), &names(&known.columns), &unseen, true).map_err(failed)?;
        Ok(decoder.decode_again(text).map_err(failed)?.batch)
    };
    Ok(Taken { file, made: make(file, batch, &whole)?, records, rejects, surprises })
}

/// What is read next, whichever thread comes.
struct Turns<'a> {
    scan: &'a Scan,
    wanted: Vec<FieldRef>,
    unseen: &'a Unseen,
    /// Whether rows are numbered.
    lines: bool,
    /// The next file to open.
    file: usize,
    open: Option<Open>,
    /// Bytes of the open file that were told.
    read: u64,
    over: bool,
}

enum Open {
    Text(Chunker<Bytes>, Arc<Decoder>),
    Rows(parquet::Batches),
}

impl<'a> Turns<'a> {
    fn new(scan: &'a Scan, asked: &'a Asked) -> Self {
        let Asked { schema, unseen } = asked;
        let cursor = scan.arrivals.as_ref().map(Arrivals::cursor);
        let wanted = |field: &&FieldRef| {
            let name = field.name();
            let is_asked = schema.column_with_name(name).is_some() && !unseen.left.contains(name);
            is_asked || cursor == Some(name.as_str())
        };
        let wanted = scan.columns.iter().filter(wanted).cloned().collect();
        let lines = schema.column_with_name(ROW).is_some() || scan.arrivals.is_some();
        Self { scan, wanted, unseen, lines, file: 0, open: None, read: 0, over: false }
    }

    fn next(&mut self) -> Result<Option<Part>> {
        while !self.over {
            let Some(open) = &mut self.open else {
                let Some(file) = self.scan.files.get(self.file) else { break };
                if !self.scan.arrivals.as_ref().is_some_and(|arrivals| arrivals.skips(self.file)) {
                    self.open = Some(self.open(file)?);
                }
                self.file += 1;
                continue;
            };
            let file = self.file - 1;
            let known = &self.scan.files[file];
            let failed = |cause| reading(&known.file.name, &cause);
            let content = match open {
                Open::Text(chunks, decoder) => {
                    let chunk = chunks.next_chunk().map_err(failed)?;
                    chunk.map(|chunk| Content::Text(chunk, decoder.clone()))
                }
                Open::Rows(batches) => batches.next().transpose().map_err(failed)?.map(Content::Rows),
            };
            match content {
                Some(content) => {
                    if let Content::Text(chunk, _) = &content
                        && known.is_plain()
                    {
                        self.read += chunk.bytes.len() as u64;
                        self.scan.reading.progress.event(Event::Read(chunk.bytes.len() as u64));
                    }
                    return Ok(Some(Part { file, content }));
                }
                None => {
                    if known.is_plain() {
                        let rest = known.file.size.saturating_sub(std::mem::take(&mut self.read));
                        self.scan.reading.progress.event(Event::Read(rest));
                    }
                    self.open = None;
                }
            }
        }
        Ok(None)
    }

    fn open(&self, file: &KnownFile) -> Result<Open> {
        let failed = |cause| reading(&file.file.name, &cause);
        Ok(match file.format {
            SourceFormat::Parquet => {
                let opened = parquet::open(file.seekable()?).map_err(failed)?;
                Open::Rows(opened.batches(&self.wanted, self.lines).map_err(failed)?)
            }
            SourceFormat::Csv | SourceFormat::Tsv | SourceFormat::Jsonl => {
                let decoder = self.decoder(file)?;
                Open::Text(file.chunker(&self.scan.reading.progress)?, Arc::new(decoder))
            }
        })
    }

    fn decoder(&self, file: &KnownFile) -> Result<Decoder> {
        let (wanted, lines) = (names(&self.wanted), self.lines);
        if file.format == SourceFormat::Jsonl {
            let known = self.scan.columns.iter().map(heads::json_column).collect::<Vec<_>>();
            return Ok(Decoder::Json(jsonl::Decoder::new(&known, &wanted, lines)));
        }
        let (dialect, columns) = (file.dialect(), names(&file.columns));
        let decoder = csv::Decoder::keeping(&self.unseen.stretches, dialect, &columns, &wanted, lines);
        decoder.map(Decoder::Csv).map_err(|cause| reading(&file.file.name, &cause))
    }
}

fn names(fields: &[FieldRef]) -> Vec<String> {
    fields.iter().map(|field| field.name().clone()).collect()
}

/// Decodes the text of one file.
enum Decoder {
    Csv(csv::Decoder),
    Json(jsonl::Decoder),
}

impl Decoder {
    fn decode(&self, chunk: Chunk) -> outflow_formats::Result<Decoded> {
        match self {
            Self::Csv(decoder) => decoder.decode(chunk),
            Self::Json(decoder) => decoder.decode(chunk),
        }
    }
}
