//! Arrow to the bytes of a text format, batch by batch, on any thread. Parquet is not text and has no encoder here.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;

pub use crate::copy::Page;
use crate::copy::Window;
use crate::csv::Stretch;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::{csv, jsonl};
use crate::{memory, value};

/// Turns batches into the bytes of a file, which are the header, the rows of every batch in order, and the footer.
pub trait Encoder: Send + Sync {
    /// What the file starts with: byte order mark and header, the opening of a document, or nothing.
    fn header(&self) -> Result<Vec<u8>>;

    /// What each encoded row starts with and the first row of a file must leave out.
    fn separator(&self) -> &[u8] {
        b""
    }

    /// What a file of so many rows ends with.
    fn footer(&self, _rows: u64) -> Vec<u8> {
        Vec::new()
    }

    /// The name under which a row stands in its document, if the format has such.
    fn key(&self, _batch: &RecordBatch, _row: usize) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Appends the rows of `batch` to `out`, span by span, and gives the end of each span in `out`. The spans follow
    /// one another and cover the batch.
    fn encode_spans(&self, batch: &RecordBatch, spans: &[Span], out: &mut Page) -> Result<Vec<usize>>;

    /// As [`Encoder::encode_spans`] with one span, the whole batch.
    fn encode(&self, batch: &RecordBatch, before: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut page = Page::after(std::mem::take(out));
        self.encode_spans(batch, &[Span { rows: batch.num_rows(), before }], &mut page)?;
        *out = page.into_bytes();
        Ok(())
    }
}

/// Rows of a batch, one after the other, that go to one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How many.
    pub rows: usize,
    /// How many are before them in the file; messages count with it.
    pub before: u64,
}

impl Span {
    /// The places in the batch of each span's rows.
    pub(crate) fn places(spans: &[Self]) -> impl Iterator<Item = (&Self, std::ops::Range<usize>)> {
        spans.iter().scan(0, |next, span| {
            let begin = std::mem::replace(next, *next + span.rows);
            Some((span, begin..*next))
        })
    }
}

/// The encoder of a text format for batches of `schema`, or `None` for Parquet, which
/// [`crate::file::OutputFile::write_batch`] takes as it is.
///
/// Errors: a column of a type that has no text form, a dialect that contradicts itself.
pub fn encoder(format: &Format, schema: &Schema) -> Result<Option<Arc<dyn Encoder>>> {
    encoder_keeping(&[], format, schema)
}

/// As [`encoder`], for batches in which some stretches of columns are kept as one text. Only CSV has such.
pub fn encoder_keeping(stretches: &[Stretch], format: &Format, schema: &Schema) -> Result<Option<Arc<dyn Encoder>>> {
    for field in schema.fields() {
        if !matches!(format, Format::Parquet) && !value::supported(field.data_type()) {
            let (name, data_type) = (field.name(), field.data_type());
            return Err(Error::data(format!(
                "column `{name}` has the type {data_type}, which has no text form: cast it or leave it out"
            )));
        }
    }
    Ok(match format {
        Format::Csv(dialect) => Some(Arc::new(csv::write::CsvEncoder::new(dialect, schema, stretches)?)),
        Format::JsonLines(_) | Format::JsonArray(_) | Format::JsonObject(_) => {
            Some(Arc::new(jsonl::write::JsonEncoder::new(format, schema)?))
        }
        Format::Parquet => None,
    })
}

/// Rows between one whose texts are fetched and the one that is written.
pub(crate) const AHEAD: usize = 3;

/// Rows of a batch that an encoder writes.
pub(crate) struct Rows<'a, E> {
    pub(crate) encoder: &'a E,
    pub(crate) columns: &'a [Cells<'a>],
    pub(crate) rows: Range<usize>,
    /// Rows before them in the file.
    pub(crate) before: u64,
    /// Goes in and comes out by value, so that the row loop has it in registers.
    pub(crate) out: Page,
}

/// The columns of a batch, text of any kind as views.
pub(crate) struct Columns(Vec<ArrayRef>);

/// A column, ready to be read row by row.
pub(crate) enum Cells<'a> {
    /// Text.
    Text(Text<'a>),
    /// Anything else that [`value`] writes, and its nulls.
    Other(&'a ArrayRef, Option<NullBuffer>),
}

/// A column of text, taken apart once so that its rows are cheap.
pub(crate) struct Text<'a> {
    views: &'a [u128],
    /// The bytes of the views, which hold the short texts, and then the buffers that they name.
    buffers: Vec<&'a [u8]>,
    nulls: Option<&'a NullBuffer>,
}

impl Columns {
    /// The columns of `batch`, which should be `expected`.
    pub(crate) fn of(batch: &RecordBatch, expected: usize) -> Result<Self> {
        let found = batch.num_columns();
        if found != expected {
            return Err(Error::data(format!("a batch has {found} columns where the file has {expected}")));
        }
        let columns = batch.columns().iter().map(|array| match array.data_type() {
            DataType::Utf8View => Ok(array.clone()),
            other if value::is_text(other) => {
                cast(array, &DataType::Utf8View).map_err(|source| Error::because("reading text", source))
            }
            _ => Ok(array.clone()),
        });
        columns.collect::<Result<_>>().map(Self)
    }

    /// A column to read from.
    pub(crate) fn cells_of(&self, column: usize) -> Cells<'_> {
        Cells::new(&self.0[column])
    }

    /// The columns to read from.
    pub(crate) fn cells(&self) -> Vec<Cells<'_>> {
        self.0.iter().map(Cells::new).collect()
    }
}

impl<'a> Cells<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        match array.as_string_view_opt() {
            Some(text) => Self::Text(Text::new(text)),
            None => Self::Other(array, array.logical_nulls()),
        }
    }

    /// Has the processor fetch the text of a row that is read soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: usize) {
        if let Self::Text(text) = self
            && row < text.views.len()
        {
            let (buffer, begin) = text.place(row);
            if let Some(text) = text.buffers.get(buffer).and_then(|buffer| buffer.get(begin..)) {
                memory::prefetch(text);
            }
        }
    }

    /// Whether the row is null.
    #[inline(always)]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Text(text) => text.nulls.is_some_and(|nulls| nulls.is_null(row)),
            Self::Other(_, nulls) => nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)),
        }
    }

    /// Appends the row as text; nothing for null.
    pub(crate) fn write_plain(&self, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
        match self {
            Self::Text(text) => {
                out.extend_from_slice(text.get(row).map_or(b"", Window::text));
                Ok(())
            }
            Self::Other(array, _) => value::write(array, row, value::Style::Plain, out),
        }
    }

    /// The row as text, for messages.
    pub(crate) fn display(&self, row: usize) -> String {
        let mut out = Vec::new();
        // A value without text form has no characters to show.
        let _ = self.write_plain(row, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl<'a> Text<'a> {
    /// The cells of a column.
    pub(crate) fn new(text: &'a StringViewArray) -> Self {
        let views: &[u128] = text.views();
        let short = text.views().inner().as_slice();
        Self {
            views,
            buffers: std::iter::once(short).chain(text.data_buffers().iter().map(|buffer| buffer.as_slice())).collect(),
            nulls: text.nulls(),
        }
    }

    /// The buffer of a row's text, and where it begins there. Whether a text is short is anybody's guess, so nothing
    /// depends on the guess of the processor.
    #[inline(always)]
    fn place(&self, row: usize) -> (usize, usize) {
        let view = self.views[row];
        // A view is its length and then, if there is room, the text.
        let short = view as u32 <= 12;
        let buffer = if short { 0 } else { (view >> 64) as u32 as usize + 1 };
        (buffer, if short { row * 16 + 4 } else { (view >> 96) as usize })
    }

    /// The text of a row, or `None` for null.
    #[inline(always)]
    pub(crate) fn get(&self, row: usize) -> Option<Window<'_>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        let (buffer, begin) = self.place(row);
        Some(Window::new(self.buffers[buffer], begin, begin + self.views[row] as u32 as usize))
    }
}
