//! Delimited text to Arrow: RFC 4180 and its dialects. All values stay text.
//!
//! Rows that break the format are rejected one by one, with their line, and never stop a file:
//! - a record with more or fewer cells than there are columns (`csv/columns`),
//! - text after a closing quote, and a quote that is never closed (`csv/quote`),
//! - bytes that are not UTF-8 (`csv/utf8`).
//!
//! Empty lines are skipped, except in files of one column, where an empty line is a row with an empty cell. A quote
//! inside an unquoted cell is text. An unquoted cell that equals the dialect's null text is null; a quoted one never is.

mod stretch;
pub(crate) mod write;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array, new_null_array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::ROW_COLUMN;
use crate::chunk::{Chunk, Chunker, line_ends};
use crate::error::{Error, Result};
use crate::format::{Dialect, Escape};
use crate::reject::{Decoded, Reject, Text};
use crate::scan::{Index, Marks, after_line_end};
use crate::simd::undouble;
use crate::views::{self, Column};
use stretch::{Located, Role};
pub use stretch::{Member, Stretch};

/// Longest record of column names.
const HEADER_LIMIT: usize = 1 << 20;

/// Rows whose cells are turned into views column by column, so that their bytes stay in the nearest cache.
const BLOCK_ROWS: usize = 128;

/// Reads the record that names the columns, or `None` from a file without any record.
///
/// Errors: a name that is empty, twice the same name, a name that is not UTF-8, a quote that is never closed.
pub fn read_header<R: Read>(chunker: &mut Chunker<R>, dialect: &Dialect) -> Result<Option<Vec<String>>> {
    check(dialect)?;
    let Some(chunk) = chunker.first_record()? else {
        return Ok(None);
    };
    let (line, marks) = (chunk.first_line, Marks::new(dialect));
    if chunk.bytes.len() > HEADER_LIMIT {
        let length = chunk.bytes.len();
        return Err(Error::data(format!(
            "the header on line {line} has {length} bytes; at most {HEADER_LIMIT} are read"
        )));
    }
    let index = Index::of(&chunk.bytes, marks);
    if !index.malformed.is_empty() {
        return Err(Error::data(format!("the header on line {line} has text after a closing quote")));
    }
    let mut names = Vec::with_capacity(index.cells().len());
    let mut begin = 0;
    for &end in index.cells() {
        let cell = &chunk.bytes[begin..end as usize];
        begin = end as usize + 1;
        let mut name = Vec::new();
        match cell {
            [first, inner @ .., _] if *first == marks.quote => unescape(inner, marks, &mut name),
            _ => name.extend_from_slice(cell),
        }
        let number = names.len() + 1;
        let name = String::from_utf8(name).map_err(|_| {
            Error::data(format!("the name of column {number} in the header on line {line} is not UTF-8"))
        })?;
        if name.is_empty() {
            return Err(Error::data(format!("column {number} has no name in the header on line {line}")));
        }
        names.push(name);
    }
    let mut seen = HashSet::new();
    let mut twice: Vec<_> = names.iter().filter(|name| !seen.insert(name.as_str())).collect();
    twice.dedup();
    if !twice.is_empty() {
        let list: Vec<_> = twice.iter().map(|name| format!("`{name}`")).collect();
        return Err(Error::data(format!("the header on line {line} has twice: {}", list.join(", "))));
    }
    Ok(Some(names))
}

fn check(dialect: &Dialect) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii() && byte != b'\r' && byte != b'\n';
    if !plain(dialect.delimiter) || !plain(dialect.quote) || dialect.delimiter == dialect.quote {
        return Err(Error::data("delimiter and quote must be two different ASCII characters other than line ends"));
    }
    if dialect.escape == Escape::Backslash && (dialect.delimiter == b'\\' || dialect.quote == b'\\') {
        return Err(Error::data("a back-slash cannot be the delimiter or the quote where it is the escape"));
    }
    Ok(())
}

/// Decodes chunks of one file. Shared by all the threads that do.
#[derive(Debug)]
pub struct Decoder {
    marks: Marks,
    null_text: Vec<u8>,
    columns: usize,
    /// For each wanted column, what it is made of.
    wanted: Vec<Wanted>,
    with_lines: bool,
    schema: SchemaRef,
}

/// What a column is made of.
#[derive(Debug)]
enum Wanted {
    /// The cells with this number in the file.
    Cells(usize),
    /// The cells of several columns.
    Stretch(Box<Located>),
    /// Nothing: all of it is null.
    Nothing,
}

/// A record that is a row: where it starts, and the number of its first cell.
#[derive(Clone, Copy)]
struct Row {
    start: u32,
    cell: u32,
}

impl Row {
    /// Where the cell with a number begins and ends.
    #[inline(always)]
    fn bounds(self, cells: &[u32], number: usize) -> (usize, usize) {
        let cell = self.cell as usize + number;
        let begin = if number == 0 { self.start as usize } else { cells[cell - 1] as usize + 1 };
        (begin, cells[cell] as usize)
    }
}

/// The good rows of a chunk, and the bad ones.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    lines: Vec<u64>,
    rejects: Vec<Reject>,
}

impl Decoder {
    /// A decoder for files with the columns `file_columns` that yields `wanted`, in that order, as nullable
    /// `Utf8View`; a wanted column that the file lacks is all null. `with_lines` adds [`ROW_COLUMN`] at the end: the
    /// line each row starts on.
    pub fn new(dialect: &Dialect, file_columns: &[String], wanted: &[String], with_lines: bool) -> Result<Self> {
        Self::keeping(&[], dialect, file_columns, wanted, with_lines)
    }

    /// As [`Decoder::new`], but the columns of each stretch are kept as one text in its carrier; those that nothing reads
    /// are all null.
    pub fn keeping(
        stretches: &[Stretch],
        dialect: &Dialect,
        file_columns: &[String],
        wanted: &[String],
        with_lines: bool,
    ) -> Result<Self> {
        check(dialect)?;
        let source = |name: &String| {
            let kept = stretches.iter().find_map(|stretch| Some((stretch, stretch.role(name)?)));
            Ok(match kept {
                Some((stretch, Role::Carrier)) => {
                    Wanted::Stretch(Box::new(Located::new(stretch, dialect, file_columns)?))
                }
                Some((_, Role::Idle)) => Wanted::Nothing,
                None => file_columns.iter().position(|column| column == name).map_or(Wanted::Nothing, Wanted::Cells),
            })
        };
        let mut fields: Vec<_> = wanted.iter().map(|name| Field::new(name, DataType::Utf8View, true)).collect();
        if with_lines {
            fields.push(Field::new(ROW_COLUMN, DataType::UInt64, false));
        }
        Ok(Self {
            marks: Marks::new(dialect),
            null_text: dialect.null_text.clone().into_bytes(),
            columns: file_columns.len(),
            wanted: wanted.iter().map(source).collect::<Result<_>>()?,
            with_lines,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes one chunk. The columns point into its bytes.
    pub fn decode(&self, mut chunk: Chunk) -> Result<Decoded> {
        if chunk.unclosed {
            let message = format!("the quote opened on line {} is never closed", chunk.first_line);
            let record = trim_line_end(&chunk.bytes).to_vec();
            let reject = Reject { line: chunk.first_line, code: "csv/quote", message, record };
            return Ok(Decoded {
                batch: RecordBatch::new_empty(self.schema.clone()),
                rejects: vec![reject],
                surprises: Vec::new(),
                text: None,
            });
        }
        if u32::try_from(chunk.bytes.len()).is_err() {
            return Err(Error::data(format!("the chunk at line {} is longer than 4 GiB", chunk.first_line)));
        }
        let index = chunk.index.take().unwrap_or_else(|| Index::of(&chunk.bytes, self.marks));
        let rows = self.rows(&chunk, &index);
        let columns: Vec<_> = self.columns(&chunk.bytes, &index, &rows.rows);
        index.done();
        self.batch(chunk, columns, rows)
    }

    /// Decodes a chunk that another decoder of its file has decoded.
    pub fn decode_again(&self, text: &Text) -> Result<Decoded> {
        self.decode(Chunk { bytes: text.bytes.to_vec(), first_line: text.first_line, unclosed: false, index: None })
    }

    fn batch(&self, chunk: Chunk, columns: Vec<Option<Column>>, rows: Rows) -> Result<Decoded> {
        let count = rows.rows.len();
        let text = Text { bytes: Buffer::from_vec(chunk.bytes), first_line: chunk.first_line };
        let mut nothing = None;
        let mut arrays: Vec<ArrayRef> = columns
            .into_iter()
            .map(|column| match column {
                Some(column) => Arc::new(column.finish(&text.bytes)),
                None => nothing.get_or_insert_with(|| new_null_array(&DataType::Utf8View, count)).clone(),
            })
            .collect();
        if self.with_lines {
            arrays.push(Arc::new(UInt64Array::from(rows.lines)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|source| Error::because("building a batch", source))?;
        Ok(Decoded { batch, rejects: rows.rejects, surprises: Vec::new(), text: Some(text) })
    }

    /// Tells rows from rejects.
    fn rows(&self, chunk: &Chunk, index: &Index) -> Rows {
        let bytes = &chunk.bytes[..];
        let utf8 = simdutf8::basic::from_utf8(bytes).is_ok();
        if utf8 && self.are_rows(index) {
            return self.all_rows(chunk.first_line, index);
        }
        let mut found = Rows::default();
        found.rows.reserve(index.ends().len());
        let mut malformed = index.malformed.iter().copied().peekable();
        let (mut line, mut start, mut cell) = (chunk.first_line, 0, 0);
        for (number, &next) in index.ends().iter().enumerate() {
            let end = index.cells()[next as usize - 1] as usize;
            let cells = (next - cell) as usize;
            let malformed = malformed.next_if_eq(&(number as u32)).is_some();
            let fault = if malformed {
                Some(("csv/quote", "text after a closing quote".to_owned()))
            } else if cells != self.columns {
                let (expected, plural) = (self.columns, if cells == 1 { "" } else { "s" });
                Some(("csv/columns", format!("{cells} cell{plural} where there are {expected} columns")))
            } else if !utf8 && std::str::from_utf8(&bytes[start..end]).is_err() {
                Some(("csv/utf8", "bytes that are not UTF-8".to_owned()))
            } else {
                None
            };
            match fault {
                None => {
                    found.rows.push(Row { start: start as u32, cell });
                    if self.with_lines {
                        found.lines.push(line);
                    }
                }
                Some(_) if start == end => {} // an empty line
                Some((code, message)) => {
                    found.rejects.push(Reject { line, code, message, record: bytes[start..end].to_vec() });
                }
            }
            line += 1 + if index.quoted_lines { line_ends(&bytes[start..end]) } else { 0 };
            start = if end < bytes.len() { after_line_end(bytes, end) } else { end };
            cell = next;
        }
        found
    }

    /// Whether all records are known to be rows, without a look at the text.
    fn are_rows(&self, index: &Index) -> bool {
        let columns = self.columns as u32;
        index.feeds
            && index.malformed.is_empty()
            && !(self.with_lines && index.quoted_lines)
            && index.ends().iter().zip(1..).all(|(&end, number): (_, u32)| end == number * columns)
    }

    fn all_rows(&self, first_line: u64, index: &Index) -> Rows {
        let (columns, count) = (self.columns, index.ends().len());
        let start = |number: usize| if number == 0 { 0 } else { index.cells()[number * columns - 1] + 1 };
        let row = |number| Row { start: start(number), cell: (number * columns) as u32 };
        let lines = if self.with_lines { (first_line..).take(count).collect() } else { Vec::new() };
        Rows { rows: (0..count).map(row).collect(), lines, rejects: Vec::new() }
    }

    fn columns(&self, bytes: &[u8], index: &Index, rows: &[Row]) -> Vec<Option<Column>> {
        let column = || Column { views: Vec::with_capacity(rows.len()), ..Column::default() };
        let mut columns: Vec<_> =
            self.wanted.iter().map(|wanted| (!matches!(wanted, Wanted::Nothing)).then(column)).collect();
        for block in rows.chunks(BLOCK_ROWS) {
            for (wanted, column) in self.wanted.iter().zip(&mut columns) {
                match (wanted, column) {
                    (Wanted::Cells(number), Some(column)) => self.column(bytes, index.cells(), block, *number, column),
                    (Wanted::Stretch(located), Some(column)) => located.append(bytes, index, block, column),
                    _ => {}
                }
            }
        }
        columns
    }

    /// Appends the cells of one column.
    fn column(&self, bytes: &[u8], cells: &[u32], rows: &[Row], number: usize, column: &mut Column) {
        let empty = if self.null_text.is_empty() { views::NULL } else { 0 };
        let quote = self.marks.quote;
        let mut views = std::mem::take(&mut column.views);
        views.extend(rows.iter().map(|row| {
            let (begin, end) = row.bounds(cells, number);
            // In an empty cell stands what ends it.
            if bytes.get(begin) == Some(&quote) {
                self.quoted(bytes, begin + 1, end - 1, column)
            } else if !self.null_text.is_empty() && bytes[begin..end] == self.null_text {
                views::NULL
            } else {
                let view = views::view(bytes, begin, end, views::CHUNK);
                if begin == end { empty } else { view }
            }
        }));
        column.views = views;
    }

    /// The view of a cell that stood in quotes.
    fn quoted(&self, bytes: &[u8], begin: usize, end: usize, column: &mut Column) -> u128 {
        let inner = &bytes[begin..end];
        let escape = if self.marks.escape == Escape::Double { self.marks.quote } else { b'\\' };
        if memchr::memchr(escape, inner).is_none() {
            return views::view(bytes, begin, end, views::CHUNK);
        }
        column.unescaped(|side| unescape(inner, self.marks, side))
    }
}

/// Appends what stands between the quotes of a cell, without its escapes. An escape stands before a byte that is kept
/// whatever it is; a doubled quote is a quote before a quote.
fn unescape(inner: &[u8], marks: Marks, out: &mut Vec<u8>) {
    let escape = if marks.escape == Escape::Double { marks.quote } else { b'\\' };
    if marks.escape == Escape::Double && undouble(inner, escape, out) {
        return;
    }
    let begin = out.len();
    out.resize(begin + inner.len(), 0);
    let target = &mut out[begin..];
    // Every byte is written, but the place moves on only for those that are kept: no branch, as escapes come often.
    let (mut length, mut escaped) = (0, false);
    for &byte in inner {
        target[length] = byte;
        escaped = (byte == escape) & !escaped;
        length += usize::from(!escaped);
    }
    out.truncate(begin + length);
}

fn trim_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
