//! Which rows of the files belong to a window, told by their cursor and by whether an earlier window saw them. What an
//! earlier window saw of a file is a number of rows from its beginning; that a file still begins as it did then is made
//! sure by its bytes. Keeps no row and writes nothing: what became known goes to the ledger with the window's commit.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch, StringViewArray};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampNanosecondType};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use outflow_formats::reject::Reject as Unreadable;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::listing::{InputFile, Location};
use crate::dead_letter::{DeadLetter, Reject};
use crate::error::{Error, Result};
use crate::pipeline::hex;
use crate::window::Window;

#[cfg(test)]
mod tests;

/// Code of rows whose cursor is empty or no time.
const CODE: &str = "incremental/cursor";

/// Bytes at the beginning and before the end that tell a file from another.
const PRINT: u64 = 64 << 10;

/// What a delivered window knew of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Bytes.
    pub size: u64,
    /// What changes when the content does.
    pub version: String,
    /// Rows that could be read.
    pub rows: u64,
    /// Rows that could not.
    pub rejects: u64,
    /// The last position in it; unset where it holds none.
    pub last: Option<Timestamp>,
    /// Digest of its beginning and its end; empty where it cannot be had cheaply.
    pub print: String,
}

/// What the deliveries of a pipeline to a target have seen, by the names of files.
pub type Seen = HashMap<String, Known>;

/// What is asked of the source.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The column that tells a row's position.
    pub cursor: String,
    /// The window.
    pub window: Window,
    /// Late rows are wanted from this position on; unset: none, as in a backfill, which leaves them to live runs.
    pub late_from: Option<String>,
    /// What earlier windows saw.
    pub seen: Arc<Seen>,
    /// How a source without files finds late rows: columns that tell rows apart, and how far back it reads.
    pub overlap: Option<(Vec<String>, u64)>,
}

/// The same, as instants.
#[derive(Clone, Copy, Debug)]
struct Instants {
    lo: Timestamp,
    hi: Timestamp,
    late_from: Option<Timestamp>,
}

/// How a file stands to what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Before {
    /// So many rows, and so many that could not be read, were there before.
    Rows(u64, u64),
    /// It was written anew: what was there before cannot be told.
    Rewritten,
    /// All of it was there, and nothing in it is of this window or a later one.
    Done,
}

/// The rows of a window among the rows of the files. One for each reading of the files.
#[derive(Debug)]
pub struct Arrivals {
    wanted: Wanted,
    instants: Instants,
    files: Vec<InputFile>,
    before: Vec<Before>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<FileState>,
    late: u64,
    untold: u64,
    next: Option<Timestamp>,
    complete: bool,
}

#[derive(Clone, Debug, Default)]
struct FileState {
    rows: u64,
    rejects: u64,
    last: Option<Timestamp>,
}

/// What the reading of a window came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// Rows that turned up after their window was delivered, and are delivered with this one.
    pub late: u64,
    /// Older rows of files that were written anew, taken for delivered.
    pub untold: u64,
    /// Whether `next` is known.
    pub tells_next: bool,
    /// The first position after the window, if there is one.
    pub next: Option<Timestamp>,
    /// What is known of the files now, by name; only what changed.
    pub seen: Vec<(String, Known)>,
}

impl Arrivals {
    /// Compares the files with what is known of them. Blocks where a file has grown.
    pub fn new(wanted: &Wanted, files: &[InputFile]) -> Result<Self> {
        let instant = |text: &str| {
            text.parse::<Timestamp>().map_err(|_| {
                Error::user(format!("the position `{text}` is no instant, and files are read by time"))
                    .hint("write instants or dates such as `2026-01-01`")
            })
        };
        let instants = Instants {
            lo: wanted.window.lo.as_deref().map_or(Ok(Timestamp::MIN), instant)?,
            hi: instant(&wanted.window.hi)?,
            late_from: wanted.late_from.as_deref().map(instant).transpose()?,
        };
        let before = files.iter().map(|file| before(wanted, instants.lo, file)).collect::<Result<Vec<_>>>()?;
        let state = State { files: vec![FileState::default(); files.len()], ..State::default() };
        Ok(Self { wanted: wanted.clone(), instants, files: files.to_vec(), before, state: Mutex::new(state) })
    }

    /// The same for another reading.
    pub fn again(&self) -> Self {
        let state = State { files: vec![FileState::default(); self.files.len()], ..State::default() };
        Self {
            wanted: self.wanted.clone(),
            instants: self.instants,
            files: self.files.clone(),
            before: self.before.clone(),
            state: Mutex::new(state),
        }
    }

    /// The column that has to be read.
    pub fn cursor(&self) -> &str {
        &self.wanted.cursor
    }

    /// Whether a file need not be read at all.
    pub fn skips(&self, file: usize) -> bool {
        self.before[file] == Before::Done
    }

    /// The rejects of a part of a file that no earlier window told of.
    pub fn fresh<'a>(&self, file: usize, rejects: &'a [Unreadable]) -> &'a [Unreadable] {
        let mut state = self.state();
        let told = match self.before[file] {
            Before::Rows(_, told) => told.saturating_sub(state.files[file].rejects),
            Before::Rewritten | Before::Done => u64::MAX,
        };
        state.files[file].rejects += rejects.len() as u64;
        &rejects[usize::try_from(told).unwrap_or(usize::MAX).min(rejects.len())..]
    }

    /// The rows of a part of a file that belong to the window, and how many of the others have no position. Parts come
    /// in the order of the file. Rows without a position go to the dead letter, once.
    pub fn take(&self, file: usize, batch: &RecordBatch, dead: &DeadLetter) -> Result<(RecordBatch, u64)> {
        let column = batch.column_by_name(&self.wanted.cursor);
        let column = column.ok_or_else(|| Error::internal(format!("column `{}` was not read", self.wanted.cursor)))?;
        let positions = Positions::of(column)?;
        let mut state = self.state();
        let mut kept = Vec::with_capacity(batch.num_rows());
        let mut bad = Vec::new();
        for row in 0..batch.num_rows() {
            let number = state.files[file].rows;
            state.files[file].rows += 1;
            let new = match self.before[file] {
                Before::Rows(known, _) => number >= known,
                Before::Rewritten | Before::Done => false,
            };
            kept.push(match positions.at(row) {
                None => {
                    if new && self.instants.late_from.is_some() {
                        bad.push(row);
                    }
                    false
                }
                Some(at) => {
                    state.files[file].last = state.files[file].last.max(Some(at));
                    self.wants(&mut state, file, at, new)
                }
            });
        }
        drop(state);
        for row in &bad {
            dead.push(self.reject(file, batch, *row)?)?;
        }
        let kept = filter_record_batch(batch, &BooleanArray::from(kept));
        let kept = kept.map_err(|cause| Error::internal("rows cannot be told apart").caused_by(cause))?;
        Ok((kept, bad.len() as u64))
    }

    fn wants(&self, state: &mut State, file: usize, at: Timestamp, new: bool) -> bool {
        let Instants { lo, hi, late_from } = self.instants;
        let late = at < lo && late_from.is_some_and(|from| from <= at);
        if lo <= at && at < hi {
            return true;
        }
        if late && new {
            state.late += 1;
            return true;
        }
        if late && self.before[file] == Before::Rewritten {
            state.untold += 1;
        }
        if at >= hi {
            state.next = Some(state.next.map_or(at, |next| next.min(at)));
        }
        false
    }

    fn reject(&self, file: usize, batch: &RecordBatch, row: usize) -> Result<Reject> {
        let records = crate::reject::Records::of(batch);
        let records = records.map_err(|cause| Error::internal("a row cannot be shown").caused_by(cause))?;
        let message = format!("column `{}` tells no time, so the row is in no window", self.wanted.cursor);
        Ok(Reject { file: Some(self.files[file].name.clone()), ..records.reject(row, CODE, &message) })
    }

    /// Notes that every file was read to its end.
    pub fn complete(&self) {
        self.state().complete = true;
    }

    /// What the reading came to. A reading that stopped early tells nothing of what it did not see.
    pub fn arrived(&self) -> Result<Arrived> {
        let state = self.state();
        if !state.complete {
            return Err(Error::user("not all rows of the window were read, so nothing is delivered")
                .hint("remove the `LIMIT` from the pipeline: with `incremental` each row is delivered once"));
        }
        let mut seen = Vec::new();
        for ((file, before), found) in self.files.iter().zip(&self.before).zip(&state.files) {
            let known = self.wanted.seen.get(&file.name);
            if *before == Before::Done {
                continue;
            }
            let print = match (known, &file.location) {
                (Some(known), _) if is_unchanged(known, file) => known.print.clone(),
                (_, Location::Local(path)) => print(path, file.size)?,
                (_, Location::Object(..)) => String::new(),
            };
            let now = Known {
                size: file.size,
                version: file.version.clone(),
                rows: found.rows,
                rejects: found.rejects,
                last: found.last,
                print,
            };
            if known != Some(&now) {
                seen.push((file.name.clone(), now));
            }
        }
        let State { late, untold, next, .. } = *state;
        Ok(Arrived { late, untold, tells_next: true, next, seen })
    }

    /// A panic elsewhere leaves the counts whole, so a poisoned lock is as good as another.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_unchanged(known: &Known, file: &InputFile) -> bool {
    known.size == file.size && known.version == file.version
}

fn before(wanted: &Wanted, lo: Timestamp, file: &InputFile) -> Result<Before> {
    let Some(known) = wanted.seen.get(&file.name) else { return Ok(Before::Rows(0, 0)) };
    if is_unchanged(known, file) {
        return Ok(match known.last.is_none_or(|last| last < lo) {
            true => Before::Done,
            false => Before::Rows(known.rows, known.rejects),
        });
    }
    let begins_as_before = match &file.location {
        Location::Local(path) => file.size >= known.size && print(path, known.size)? == known.print,
        Location::Object(..) => false,
    };
    Ok(if begins_as_before { Before::Rows(known.rows, known.rejects) } else { Before::Rewritten })
}

/// Digest of the beginning of a file and of what is before `size`.
fn print(path: &Path, size: u64) -> Result<String> {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut part = Vec::new();
        for (from, length) in [(0, size.min(PRINT)), (size.saturating_sub(PRINT), size.min(PRINT))] {
            part.clear();
            file.seek(SeekFrom::Start(from))?;
            (&mut file).take(length).read_to_end(&mut part)?;
            hasher.update(&part);
        }
        Ok(hex(&hasher.finalize()))
    };
    read().map_err(|cause| Error::external(format!("cannot read `{}`: {cause}", path.display())))
}

/// A column of positions.
enum Positions {
    Texts(StringViewArray),
    Instants(PrimitiveArray<TimestampNanosecondType>),
    Millis(PrimitiveArray<Int64Type>),
}

impl Positions {
    fn of(column: &ArrayRef) -> Result<Self> {
        let failed = |cause| Error::user(format!("the cursor cannot be read: {cause}"));
        Ok(match column.data_type() {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                let instants = cast(column, &DataType::Timestamp(TimeUnit::Nanosecond, None)).map_err(failed)?;
                Self::Instants(instants.as_primitive::<TimestampNanosecondType>().clone())
            }
            kind if kind.is_integer() => {
                let millis = cast(column, &DataType::Int64).map_err(failed)?;
                Self::Millis(millis.as_primitive::<Int64Type>().clone())
            }
            _ => {
                let texts = cast(column, &DataType::Utf8View).map_err(failed)?;
                Self::Texts(texts.as_string_view().clone())
            }
        })
    }

    fn at(&self, row: usize) -> Option<Timestamp> {
        match self {
            Self::Texts(texts) => texts.is_valid(row).then(|| instant(texts.value(row))).flatten(),
            Self::Instants(instants) => {
                let nanos = instants.is_valid(row).then(|| instants.value(row))?;
                Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_nanos(nanos)).ok()
            }
            Self::Millis(millis) => {
                millis.is_valid(row).then(|| Timestamp::from_millisecond(millis.value(row)).ok()).flatten()
            }
        }
    }
}

/// The instant that a text names, if it names one.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.is_empty() && text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_millisecond(text.parse().ok()?).ok();
    }
    let in_utc = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    text.parse().ok().or_else(in_utc)
}
