//! Arrow to delimited text. What the reader of this crate reads back is what was written, null and empty text apart
//! included, but for two cases: [`QuoteMode::Never`] cannot tell empty text from null, and in a file of one column a
//! null is written as an empty pair of quotes, because every other reader loses rows that are empty lines.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use crate::encode::{self, Cell, Cells, Columns, Encoder, Span};
use crate::error::{Error, Result};
use crate::format::{Dialect, Escape, NewlineInCell, QuoteMode, Terminator};
use crate::text::{Unmappable, encode_text};
use crate::value::{self, Style};

/// Writes one dialect.
pub(crate) struct CsvEncoder {
    dialect: Dialect,
    columns: Vec<String>,
    terminator: &'static [u8],
    /// The bytes that a cell can only hold in quotes; repeated to fill up.
    marks: [u8; 5],
}

/// Why a cell cannot be written.
type Refusal = &'static str;

impl CsvEncoder {
    /// An encoder for batches with the columns of `schema`.
    pub(crate) fn new(dialect: &Dialect, schema: &Schema) -> Result<Self> {
        super::check(dialect)?;
        let (delimiter, quote) = (dialect.delimiter, dialect.quote);
        let escape = if dialect.escape == Escape::Backslash { b'\\' } else { quote };
        let marks = [delimiter, quote, b'\r', b'\n', escape];
        if dialect.null_text.bytes().any(|byte| marks.contains(&byte)) {
            let text = &dialect.null_text;
            return Err(Error::data(format!("`null_text` is `{text}`, which would need quotes and then not be null")));
        }
        if dialect.list_separator.as_ref().is_some_and(String::is_empty) {
            return Err(Error::data("`list_separator` is empty, so nothing would part the elements of lists"));
        }
        if dialect.bom && ![UTF_8, UTF_16LE, UTF_16BE].contains(&dialect.encoding) {
            let name = dialect.encoding.name();
            return Err(Error::data(format!("`bom` is set, but {name} has no byte order mark")));
        }
        Ok(Self {
            dialect: dialect.clone(),
            columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            terminator: if dialect.terminator == Terminator::Crlf { b"\r\n" } else { b"\n" },
            marks,
        })
    }

    #[inline(always)]
    fn text(&self, cell: Cell<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let [delimiter, quote, carriage_return, line_feed, escape] = self.marks;
        match cell {
            Cell::Short(word, length) => {
                let equal = encode::equal;
                let found = equal(word, delimiter)
                    | equal(word, quote)
                    | equal(word, carriage_return)
                    | equal(word, line_feed)
                    | equal(word, escape);
                let text = &word.to_le_bytes()[..length];
                if encode::first(found, length) != 0 || self.must_quote(text) {
                    return self.quoted(text, out);
                }
                encode::push_short(out, word, length);
            }
            Cell::Long(text) => {
                let hit = |byte: u8| {
                    (byte == delimiter)
                        | (byte == quote)
                        | (byte == carriage_return)
                        | (byte == line_feed)
                        | (byte == escape)
                };
                if encode::any(text, hit) || self.must_quote(text) {
                    return self.quoted(text, out);
                }
                out.extend_from_slice(text);
            }
        }
        Ok(())
    }

    /// Whether a cell without marks needs quotes nevertheless.
    #[inline(always)]
    fn must_quote(&self, text: &[u8]) -> bool {
        match self.dialect.quote_mode {
            QuoteMode::Always => true,
            QuoteMode::Minimal => text == self.dialect.null_text.as_bytes() || (text.is_empty() && self.alone()),
            QuoteMode::Never if text.is_empty() => self.alone(),
            QuoteMode::Never => text == self.dialect.null_text.as_bytes(),
        }
    }

    /// Whether an empty cell would be an empty line.
    fn alone(&self) -> bool {
        self.columns.len() == 1
    }

    fn quoted(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        let (quote, escape) = (self.dialect.quote, self.marks[4]);
        if self.dialect.quote_mode == QuoteMode::Never {
            return Err("needs quotes, which `quote_mode: never` forbids");
        }
        out.push(quote);
        if escape == quote {
            double(text, quote, out);
        } else {
            for &byte in text {
                if byte == quote || byte == escape {
                    out.push(escape);
                }
                out.push(byte);
            }
        }
        out.push(quote);
        Ok(())
    }

    #[inline(always)]
    fn null(&self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.alone() && self.dialect.null_text.is_empty() {
            return self.quoted(b"", out);
        }
        out.extend_from_slice(self.dialect.null_text.as_bytes());
        Ok(())
    }

    #[inline(always)]
    fn cell(&self, cells: &Cells<'_>, row: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match cells {
            Cells::Text(text) => match text.get(row) {
                Some(cell) if self.dialect.newline_in_cell == NewlineInCell::Space => {
                    cell.with(|text| self.text(Cell::Long(&without_newlines(text)), out))
                }
                Some(cell) => self.text(cell, out),
                None => self.null(out),
            },
            Cells::Other(..) if cells.is_null(row) => self.null(out),
            Cells::Other(array, _) => {
                scratch.clear();
                match (&self.dialect.list_separator, elements(array, row)) {
                    (Some(separator), Some(elements)) => join(&elements, separator.as_bytes(), scratch)?,
                    _ => value::write(array.as_ref(), row, Style::Plain, scratch)?,
                }
                match self.dialect.newline_in_cell {
                    NewlineInCell::Keep => self.text(Cell::Long(scratch), out),
                    NewlineInCell::Space => self.text(Cell::Long(&without_newlines(scratch)), out),
                }
            }
        }
    }

    fn rows(&self, columns: &[Cells<'_>], rows: Range<usize>, before: u64, out: &mut Vec<u8>) -> Result<()> {
        let (mut scratch, begin) = (Vec::new(), rows.start);
        for row in rows {
            for (number, cells) in columns.iter().enumerate() {
                if number > 0 {
                    out.push(self.dialect.delimiter);
                }
                if let Err(refusal) = self.cell(cells, row, &mut scratch, out) {
                    let (name, row) = (&self.columns[number], before + (row - begin) as u64 + 1);
                    return Err(Error::data(format!("row {row}, column `{name}`: the value {refusal}")));
                }
            }
            out.extend_from_slice(self.terminator);
        }
        Ok(())
    }

    /// Turns the UTF-8 in `text` into the file's encoding.
    fn transcode(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Unmappable> {
        // What this encoder writes is UTF-8: texts are, and marks are ASCII.
        encode_text(&String::from_utf8_lossy(text), self.dialect.encoding, out)
    }

    fn unmappable(&self, columns: &[Cells<'_>], rows: Range<usize>, before: u64, character: char) -> Error {
        let begin = rows.start;
        let found = rows
            .flat_map(|row| (0..columns.len()).map(move |number| (row, number)))
            .find(|&(row, number)| columns[number].display(row).contains(character));
        let place = match found {
            Some((row, number)) => {
                format!("row {}, column `{}`", before + (row - begin) as u64 + 1, self.columns[number])
            }
            None => "`null_text`".to_owned(),
        };
        Error::data(format!("{place}: {} has no `{character}`", self.dialect.encoding.name()))
    }
}

impl Encoder for CsvEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        if self.dialect.header {
            for (number, name) in self.columns.iter().enumerate() {
                if number > 0 {
                    line.push(self.dialect.delimiter);
                }
                self.text(Cell::Long(name.as_bytes()), &mut line)
                    .map_err(|refusal| Error::data(format!("the name of column `{name}` {refusal}")))?;
            }
            line.extend_from_slice(self.terminator);
        }
        let mut out = Vec::new();
        if self.dialect.bom {
            out.extend_from_slice(match self.dialect.encoding {
                encoding if encoding == UTF_16LE => b"\xff\xfe",
                encoding if encoding == UTF_16BE => b"\xfe\xff",
                _ => "\u{feff}".as_bytes(),
            });
        }
        if self.dialect.encoding == UTF_8 {
            out.extend(line);
            return Ok(out);
        }
        self.transcode(&line, &mut out).map_err(|unmappable| {
            let (name, character) = (self.dialect.encoding.name(), unmappable.character);
            Error::data(format!("the header: {name} has no `{character}`"))
        })?;
        Ok(out)
    }

    fn encode_spans(&self, batch: &RecordBatch, spans: &[Span], out: &mut Vec<u8>) -> Result<Vec<usize>> {
        let columns = Columns::of(batch, self.columns.len())?;
        let columns = columns.cells();
        let (mut ends, mut text) = (Vec::with_capacity(spans.len()), Vec::new());
        for (span, rows) in Span::places(spans) {
            if self.dialect.encoding == UTF_8 {
                self.rows(&columns, rows, span.before, out)?;
            } else {
                text.clear();
                self.rows(&columns, rows.clone(), span.before, &mut text)?;
                self.transcode(&text, out)
                    .map_err(|unmappable| self.unmappable(&columns, rows, span.before, unmappable.character))?;
            }
            ends.push(out.len());
        }
        Ok(ends)
    }
}

/// The elements of a list.
fn elements(array: &ArrayRef, row: usize) -> Option<ArrayRef> {
    match array.data_type() {
        DataType::List(_) => Some(array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Some(array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Some(array.as_fixed_size_list().value(row)),
        _ => None,
    }
}

/// Appends the elements as texts with `separator` between them; null is an empty text.
fn join(elements: &ArrayRef, separator: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    for element in 0..elements.len() {
        if element > 0 {
            out.extend_from_slice(separator);
        }
        let begin = out.len();
        value::write(elements.as_ref(), element, Style::Plain, out)?;
        if memchr::memmem::find(&out[begin..], separator).is_some() {
            return Err("has an element that holds the separator of lists");
        }
    }
    Ok(())
}

/// The text with one space for each line end, be it CR LF, CR or LF.
fn without_newlines(text: &[u8]) -> Cow<'_, [u8]> {
    if !encode::any(text, |byte| (byte == b'\r') | (byte == b'\n')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    for (place, &byte) in text.iter().enumerate() {
        match byte {
            b'\n' if place > 0 && text[place - 1] == b'\r' => {}
            b'\r' | b'\n' => out.push(b' '),
            byte => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// Appends `text` with every quote doubled.
fn double(text: &[u8], quote: u8, out: &mut Vec<u8>) {
    let (blocks, rest) = text.as_chunks::<16>();
    for block in blocks {
        if encode::any(block, |byte| byte == quote) {
            double_bytes(block, quote, out);
        } else {
            out.extend_from_slice(block);
        }
    }
    double_bytes(rest, quote, out);
}

/// As [`double`], for at most 16 bytes: every byte is written twice, and the second one counts only for quotes.
#[inline(always)]
fn double_bytes(bytes: &[u8], quote: u8, out: &mut Vec<u8>) {
    let mut doubled = [0; 32];
    let mut length = 0;
    for &byte in bytes {
        doubled[length & 31] = byte;
        doubled[(length + 1) & 31] = byte;
        length += 1 + usize::from(byte == quote);
    }
    out.extend_from_slice(&doubled[..length.min(32)]);
}
