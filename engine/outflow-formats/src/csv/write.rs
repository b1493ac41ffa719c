//! Arrow to delimited text. What the reader of this crate reads back is what was written, null and empty text apart
//! included, but for two cases: [`QuoteMode::Never`] cannot tell empty text from null, and in a file of one column a
//! null is written as an empty pair of quotes, because every other reader loses rows that are empty lines.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use super::Stretch;
use crate::copy::{Care, PADDING, Page, Window};
use crate::encode::{AHEAD, Cells, Columns, Encoder, Rows, Span};
use crate::error::{Error, Result};
use crate::format::{Dialect, Escape, NewlineInCell, QuoteMode, Terminator};
use crate::simd::{self, Kernel, Portable, Work};
use crate::text::{Unmappable, encode_text};
use crate::value::{self, Style};

/// Writes one dialect.
#[derive(Debug)]
pub(crate) struct CsvEncoder {
    dialect: Dialect,
    columns: Vec<String>,
    /// What a row is put together from, in order.
    pieces: Vec<Piece>,
    terminator: &'static [u8],
    /// The bytes that a cell can only hold in quotes; repeated to fill up.
    marks: Care<5>,
    /// The bytes that stand behind an escape in quotes: the quote, and the escape itself.
    escaped: Care<2>,
    /// Whether an empty text needs quotes.
    quote_empty: bool,
    /// Whether a text that is not empty may need quotes, whatever it holds.
    special: bool,
}

/// A part of a row.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The number of its column.
    column: usize,
    /// Whether the column holds the cells of a stretch, to be taken over as they are.
    verbatim: bool,
}

/// Why a cell cannot be written.
type Refusal = &'static str;

impl CsvEncoder {
    /// An encoder for batches with the columns of `schema`, of which some stretches are kept.
    pub(crate) fn new(dialect: &Dialect, schema: &Schema, stretches: &[Stretch]) -> Result<Self> {
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
        let alone = schema.fields().len() == 1;
        Ok(Self {
            quote_empty: match dialect.quote_mode {
                QuoteMode::Always => true,
                QuoteMode::Minimal => dialect.null_text.is_empty() || alone,
                QuoteMode::Never => alone,
            },
            special: dialect.quote_mode == QuoteMode::Always || !dialect.null_text.is_empty(),
            dialect: dialect.clone(),
            pieces: pieces(schema.fields().len(), stretches),
            columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            terminator: if dialect.terminator == Terminator::Crlf { b"\r\n" } else { b"\n" },
            marks: Care::new(marks, 0),
            escaped: Care::new([quote, escape], 0),
        })
    }

    /// Whether a text is put into quotes.
    pub(super) fn quotes(&self, text: &[u8]) -> bool {
        self.must_quote(text) || self.marks.is_in(text)
    }

    /// Appends a cell and a delimiter, in a dialect that has quotes.
    pub(super) fn keep(&self, cell: Option<Window<'_>>, out: &mut Page) {
        let end = self.dialect.delimiter;
        let kept = match cell {
            Some(cell) => self.text(Portable, cell, end, out),
            None => self.null(Portable, end, out),
        };
        kept.expect("quotes are allowed");
    }

    /// Appends a cell and what ends it.
    #[inline(always)]
    fn text<K: Kernel>(&self, kernel: K, cell: Window<'_>, end: u8, out: &mut Page) -> Result<(), Refusal> {
        if !self.must_quote(cell.text()) && out.copy(kernel, cell, &self.marks, end) {
            return Ok(());
        }
        self.quoted(kernel, cell, end, out)
    }

    /// Whether a cell without marks needs quotes nevertheless.
    #[inline(always)]
    fn must_quote(&self, text: &[u8]) -> bool {
        if text.is_empty() { self.quote_empty } else { self.special && self.is_special(text) }
    }

    #[inline(never)]
    fn is_special(&self, text: &[u8]) -> bool {
        self.dialect.quote_mode == QuoteMode::Always || text == self.dialect.null_text.as_bytes()
    }

    /// Whether an empty cell would be an empty line.
    fn alone(&self) -> bool {
        self.columns.len() == 1
    }

    #[inline(always)]
    fn quoted<K: Kernel>(&self, kernel: K, cell: Window<'_>, end: u8, out: &mut Page) -> Result<(), Refusal> {
        if self.dialect.quote_mode == QuoteMode::Never {
            return Err("needs quotes, which `quote_mode: never` forbids");
        }
        let quote = self.dialect.quote;
        out.push(quote);
        if !out.copy(kernel, cell, &self.escaped, quote) {
            let length = self.escape(cell.text(), out.room(2 * cell.text().len() + simd::BEHIND));
            out.filled(length);
            out.push(quote);
        }
        out.push(end);
        Ok(())
    }

    /// Writes what stands between quotes, where something in it must be escaped, to the front of `room`; gives its length.
    #[inline(never)]
    fn escape(&self, text: &[u8], room: &mut [u8]) -> usize {
        let [quote, escape] = self.escaped.bytes();
        if escape == quote
            && let Some(length) = simd::double(text, quote, room)
        {
            return length;
        }
        let mut length = 0;
        for &byte in text {
            // Written as if an escape came first, which counts only where one must.
            room[length] = escape;
            length += usize::from(byte == quote || byte == escape);
            room[length] = byte;
            length += 1;
        }
        length
    }

    #[inline(always)]
    fn null<K: Kernel>(&self, kernel: K, end: u8, out: &mut Page) -> Result<(), Refusal> {
        if self.alone() && self.dialect.null_text.is_empty() {
            return self.quoted(kernel, Window::of(b""), end, out);
        }
        out.put_few(self.dialect.null_text.as_bytes());
        out.push(end);
        Ok(())
    }

    #[inline(always)]
    fn cell<K: Kernel>(
        &self,
        kernel: K,
        cells: &Cells<'_>,
        row: usize,
        scratch: &mut Vec<u8>,
        out: &mut Page,
    ) -> Result<(), Refusal> {
        let end = self.dialect.delimiter;
        match cells {
            Cells::Text(text) => match text.get(row) {
                Some(cell) if self.dialect.newline_in_cell == NewlineInCell::Space => {
                    self.text(kernel, Window::of(&without_newlines(cell.text())), end, out)
                }
                Some(cell) => self.text(kernel, cell, end, out),
                None => self.null(kernel, end, out),
            },
            Cells::Other(..) if cells.is_null(row) => self.null(kernel, end, out),
            Cells::Other(array, _) => {
                scratch.clear();
                self.value(array, row, scratch)?;
                let length = scratch.len();
                scratch.extend_from_slice(&[0; PADDING]);
                self.text(kernel, Window::new(scratch, 0, length), end, out)
            }
        }
    }

    /// Appends a value that is not text.
    #[inline(never)]
    fn value(&self, array: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match (&self.dialect.list_separator, elements(array, row)) {
            (Some(separator), Some(elements)) => join(&elements, separator.as_bytes(), out)?,
            _ => value::write(array.as_ref(), row, Style::Plain, out)?,
        }
        if self.dialect.newline_in_cell == NewlineInCell::Space {
            *out = without_newlines(out).into_owned();
        }
        Ok(())
    }

    /// Appends the cells of a stretch.
    #[inline(always)]
    fn verbatim(&self, cells: &Cells<'_>, row: usize, out: &mut Page) {
        if let Cells::Text(text) = cells
            && let Some(text) = text.get(row)
        {
            out.paste(text);
        }
        out.push(self.dialect.delimiter);
    }

    /// Ends a row behind its last cell.
    #[inline(always)]
    fn end(&self, out: &mut Page) {
        out.truncate(out.len() - usize::from(!self.columns.is_empty()));
        out.put_few(self.terminator);
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

/// What rows of so many columns are put together from.
fn pieces(columns: usize, stretches: &[Stretch]) -> Vec<Piece> {
    let piece = |column| match stretches.iter().find(|stretch| stretch.places().contains(&column)) {
        None => Some(Piece { column, verbatim: false }),
        Some(stretch) => (column == stretch.first + stretch.carrier).then_some(Piece { column, verbatim: true }),
    };
    (0..columns).filter_map(piece).collect()
}

impl Work for Rows<'_, CsvEncoder> {
    type Output = Result<Page>;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> Result<Page> {
        let Self { encoder, columns, rows, before, mut out } = self;
        let (mut scratch, begin, mut fetched) = (Vec::new(), rows.start, 0);
        for row in rows {
            fetched = out.fetch(fetched);
            for (piece, cells) in encoder.pieces.iter().zip(columns) {
                cells.prefetch(row + AHEAD);
                if piece.verbatim {
                    encoder.verbatim(cells, row, &mut out);
                } else if let Err(refusal) = encoder.cell(kernel, cells, row, &mut scratch, &mut out) {
                    let (name, row) = (&encoder.columns[piece.column], before + (row - begin) as u64 + 1);
                    return Err(Error::data(format!("row {row}, column `{name}`: the value {refusal}")));
                }
            }
            encoder.end(&mut out);
        }
        Ok(out)
    }
}

impl Encoder for CsvEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        let mut line = Page::after(Vec::new());
        if self.dialect.header {
            for name in &self.columns {
                self.text(Portable, Window::of(name.as_bytes()), self.dialect.delimiter, &mut line)
                    .map_err(|refusal| Error::data(format!("the name of column `{name}` {refusal}")))?;
            }
            self.end(&mut line);
        }
        let (line, mut out) = (line.into_bytes(), Vec::new());
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

    fn encode_spans(&self, batch: &RecordBatch, spans: &[Span], out: &mut Page) -> Result<Vec<usize>> {
        let columns = Columns::of(batch, self.columns.len())?;
        let columns: Vec<_> = self.pieces.iter().map(|piece| columns.cells_of(piece.column)).collect();
        let mut ends = Vec::with_capacity(spans.len());
        let plain = self.dialect.encoding == UTF_8;
        let mut page = if plain { std::mem::take(out) } else { Page::default() };
        for (span, rows) in Span::places(spans) {
            let before = span.before;
            page = simd::run(Rows { encoder: self, columns: &columns, rows: rows.clone(), before, out: page })?;
            if plain {
                ends.push(page.len());
                continue;
            }
            let mut transcoded = Vec::new();
            self.transcode(page.bytes(), &mut transcoded)
                .map_err(|unmappable| self.unmappable(&columns, rows, before, unmappable.character))?;
            out.put(&transcoded);
            page.clear();
            ends.push(out.len());
        }
        if plain {
            *out = page;
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
    if memchr::memchr2(b'\r', b'\n', text).is_none() {
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
