//! JSON Lines to Arrow: one object a line, one column a key. Values stay text, as they stood in the source.
//!
//! Strings lose their escapes; numbers, booleans, objects and arrays are their source text, untouched; null and absent
//! are null. Of two equal keys in an object the last one counts. Lines that are not one JSON object are rejected one by
//! one (`json/syntax`, `json/depth`, `json/surrogate`, `json/utf8`). Empty lines are skipped.
//!
//! The columns of a file are known from a sample of it ([`sample`]). What the sample did not show comes back as a
//! surprise with the batch, so that the caller can [`widen`] the columns and read again.

mod scan;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::chunk::Chunk;
use crate::error::{Error, Result};
use crate::reject::{Decoded, Reject};
use crate::scan::after_line_end;
use crate::views;
use crate::{JSON_METADATA, JSON_RAW, ROW_COLUMN};
use scan::{Fault, Scanner, Shape, Span, Stops};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// At least one is a string.
    Text,
    /// All are numbers, booleans, objects, arrays or null: texts that can go into JSON as they are.
    Raw,
}

/// A key of the objects of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// The key, without escapes.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// The columns of the good lines of `bytes`, by first appearance. The last line may be cut short.
pub fn sample(bytes: &[u8]) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut positions = HashMap::new();
    for (begin, end) in lines(bytes) {
        let mut members = Vec::new();
        let text = &bytes[..end];
        if std::str::from_utf8(&text[begin..]).is_err()
            || Scanner::new(text, begin).object(|key, value| members.push((key, value.shape))).is_err()
        {
            continue;
        }
        for (key, shape) in members {
            note(&mut columns, &mut positions, &name(text, key), kind(shape));
        }
    }
    columns
}

/// Adds to `columns` what is new in `found`: a new key at the end, and text where raw was expected. Tells whether
/// anything changed.
pub fn widen(columns: &mut Vec<Column>, found: &[Column]) -> bool {
    let before = columns.clone();
    let mut positions = columns.iter().enumerate().map(|(number, column)| (column.name.clone(), number)).collect();
    for column in found {
        note(columns, &mut positions, &column.name, column.kind);
    }
    *columns != before
}

fn note(columns: &mut Vec<Column>, positions: &mut HashMap<String, usize>, name: &str, kind: Kind) {
    match positions.get(name) {
        Some(&number) if kind == Kind::Text => columns[number].kind = Kind::Text,
        Some(_) => {}
        None => {
            positions.insert(name.to_owned(), columns.len());
            columns.push(Column { name: name.to_owned(), kind });
        }
    }
}

fn kind(shape: Shape) -> Kind {
    match shape {
        Shape::Plain | Shape::Escaped => Kind::Text,
        Shape::Raw | Shape::Null => Kind::Raw,
    }
}

fn name(bytes: &[u8], key: Span) -> Cow<'_, str> {
    let text = &bytes[key.begin..key.end];
    if key.shape == Shape::Plain {
        return String::from_utf8_lossy(text);
    }
    let mut name = Vec::with_capacity(text.len());
    scan::unescape(text, &mut name);
    Cow::Owned(String::from_utf8_lossy(&name).into_owned())
}

/// Where the lines of `bytes` that are not empty begin and end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let begin = (next < bytes.len()).then_some(next)?;
        let end = memchr::memchr2(b'\n', b'\r', &bytes[begin..]).map_or(bytes.len(), |length| begin + length);
        next = if end < bytes.len() { after_line_end(bytes, end) } else { end };
        Some((begin, end))
    })
    .filter(|&(begin, end)| bytes[begin..end].iter().any(|byte| !matches!(byte, b' ' | b'\t')))
}

/// Whether `text` is one JSON value and nothing else, without line ends.
pub(crate) fn is_value(text: &[u8]) -> bool {
    Scanner::new(text, 0).only_value().is_ok()
}

/// Decodes chunks of one file. Shared by all the threads that do.
#[derive(Debug)]
pub struct Decoder {
    known: Vec<Known>,
    positions: HashMap<Vec<u8>, usize>,
    wanted: usize,
    with_lines: bool,
    schema: SchemaRef,
}

/// A column that the decoder was told of.
#[derive(Debug)]
struct Known {
    name: Vec<u8>,
    kind: Kind,
    /// Its number in the batch.
    wanted: Option<usize>,
}

thread_local! {
    static STOPS: RefCell<Stops> = RefCell::default();
}

/// The columns of one chunk under construction.
struct Build {
    columns: Vec<views::Column>,
    rows: usize,
    /// Where the next key is looked for first.
    next: usize,
    surprises: Vec<Column>,
    positions: HashMap<String, usize>,
}

impl Decoder {
    /// A decoder for files whose columns are `known` that yields `wanted`, in that order, as nullable `Utf8View`; raw
    /// columns carry [`JSON_METADATA`]. A wanted column that is not known is read too, as raw until a string is met.
    /// `with_lines` adds [`ROW_COLUMN`] at the end: the line of each row.
    pub fn new(known: &[Column], wanted: &[String], with_lines: bool) -> Self {
        let mut all = known.to_vec();
        let extra: Vec<_> = wanted.iter().map(|name| Column { name: name.clone(), kind: Kind::Raw }).collect();
        widen(&mut all, &extra);
        let known: Vec<_> = all
            .into_iter()
            .map(|column| Known {
                kind: column.kind,
                wanted: wanted.iter().position(|name| *name == column.name),
                name: column.name.into_bytes(),
            })
            .collect();
        let positions: HashMap<_, _> =
            known.iter().enumerate().map(|(number, column)| (column.name.clone(), number)).collect();
        let mut fields: Vec<_> = wanted
            .iter()
            .map(|name| {
                let field = Field::new(name, DataType::Utf8View, true);
                match known[positions[name.as_bytes()]].kind {
                    Kind::Text => field,
                    Kind::Raw => field.with_metadata([(JSON_METADATA.to_owned(), JSON_RAW.to_owned())].into()),
                }
            })
            .collect();
        if with_lines {
            fields.push(Field::new(ROW_COLUMN, DataType::UInt64, false));
        }
        Self { known, positions, wanted: wanted.len(), with_lines, schema: Arc::new(Schema::new(fields)) }
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes one chunk. The columns point into its bytes.
    pub fn decode(&self, chunk: Chunk) -> Result<Decoded> {
        if u32::try_from(chunk.bytes.len()).is_err() {
            return Err(Error::data(format!("the chunk at line {} is longer than 4 GiB", chunk.first_line)));
        }
        STOPS.with_borrow_mut(|stops| {
            stops.find(&chunk.bytes);
            self.decode_with(chunk, stops)
        })
    }

    fn decode_with(&self, chunk: Chunk, stops: &Stops) -> Result<Decoded> {
        let bytes = &chunk.bytes[..];
        let utf8 = simdutf8::basic::from_utf8(bytes).is_ok();
        let mut build = Build {
            columns: (0..self.wanted).map(|_| views::Column::default()).collect(),
            rows: 0,
            next: 0,
            surprises: Vec::new(),
            positions: HashMap::new(),
        };
        let (mut numbers, mut rejects) = (Vec::new(), Vec::new());
        let (mut line, mut counted) = (chunk.first_line, 0);
        for (begin, end) in lines(bytes) {
            // Empty lines were skipped: usually there is none, and the next line is the next row.
            line += if begin == counted { 0 } else { crate::chunk::line_ends(&bytes[counted..begin]) };
            let record = &bytes[begin..end];
            if !utf8 && std::str::from_utf8(record).is_err() {
                let message = "bytes that are not UTF-8".to_owned();
                rejects.push(Reject { line, code: "json/utf8", message, record: record.to_vec() });
            } else if let Err(fault) = self.row(bytes, stops, begin..end, &mut build) {
                build.drop_row();
                let message = format!("column {}: {}", fault.at - begin + 1, fault.reason);
                rejects.push(Reject { line, code: fault.code, message, record: record.to_vec() });
            } else {
                build.rows += 1;
                if self.with_lines {
                    numbers.push(line);
                }
            }
            line += 1;
            counted = if end < bytes.len() { after_line_end(bytes, end) } else { end };
        }
        let surprises = std::mem::take(&mut build.surprises);
        let batch = self.batch(chunk, build, numbers)?;
        Ok(Decoded { batch, rejects, surprises, text: None })
    }

    fn batch(&self, chunk: Chunk, build: Build, numbers: Vec<u64>) -> Result<RecordBatch> {
        let rows = build.rows;
        let buffer = Buffer::from_vec(chunk.bytes);
        let mut arrays: Vec<ArrayRef> =
            build.columns.into_iter().map(|column| Arc::new(column.finish(&buffer)) as ArrayRef).collect();
        if self.with_lines {
            arrays.push(Arc::new(UInt64Array::from(numbers)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|source| Error::because("building a batch", source))
    }

    /// Adds one row, or leaves half of one when the line is broken.
    fn row(&self, text: &[u8], stops: &Stops, line: Range<usize>, build: &mut Build) -> Result<(), Fault> {
        for column in &mut build.columns {
            column.views.push(views::NULL);
        }
        build.next = 0;
        let rows = build.rows;
        // A line that breaks further on must not surprise anybody, so surprises wait for its end.
        let mut surprises = Vec::new();
        Scanner::with_stops(&text[..line.end], line.start, stops).object(|key, value| {
            let Some(number) = self.find(text, key, build.next) else {
                surprises.push((name(text, key).into_owned(), kind(value.shape)));
                return;
            };
            build.next = number + 1;
            let known = &self.known[number];
            let Some(wanted) = known.wanted else { return };
            let column = &mut build.columns[wanted];
            column.views[rows] = match value.shape {
                Shape::Null => views::NULL,
                Shape::Escaped => column.unescaped(|side| scan::unescape(&text[value.begin..value.end], side)),
                Shape::Plain | Shape::Raw => views::view(text, value.begin, value.end, views::CHUNK),
            };
            if known.kind == Kind::Raw && kind(value.shape) == Kind::Text {
                surprises.push((name(text, key).into_owned(), Kind::Text));
            }
        })?;
        for (name, kind) in surprises {
            note(&mut build.surprises, &mut build.positions, &name, kind);
        }
        Ok(())
    }

    /// The number of the known column that `key` names. Keys mostly come in the same order, some left out.
    #[inline]
    fn find(&self, text: &[u8], key: Span, next: usize) -> Option<usize> {
        const AHEAD: usize = 3;
        if key.shape == Shape::Plain {
            let name = &text[key.begin..key.end];
            let ahead = self.known.iter().enumerate().skip(next).take(AHEAD);
            let near = ahead.filter(|(_, known)| known.name == name).map(|(number, _)| number).next();
            return near.or_else(|| self.positions.get(name).copied());
        }
        self.positions.get(name(text, key).as_bytes()).copied()
    }
}

impl Build {
    fn drop_row(&mut self) {
        for column in &mut self.columns {
            column.views.truncate(self.rows);
        }
    }
}
