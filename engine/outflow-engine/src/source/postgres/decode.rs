//! Rows from the binary form of `COPY` into Arrow columns. Messages of the server may cut rows anywhere. What bytes
//! lie about is an error, never a panic.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, PrimitiveBuilder, RecordBatch, RecordBatchOptions, StringViewArray, StringViewBuilder,
    UInt64Array,
};
use arrow::datatypes::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, SchemaRef, UInt32Type, UInt64Type,
};

use super::columns::{Column, Wire};
use super::text::{self, Fault};
use crate::error::{Error, Result};
use crate::source::{FILE, ROW};

#[cfg(test)]
mod tests;

/// Rows in a batch.
const BATCH_ROWS: usize = 8192;
/// Bytes on the wire after which a batch is full.
const BATCH_BYTES: usize = 4 << 20;
/// What the data begins with, before flags and the length of an extension.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Takes the messages of one `COPY`.
pub struct Decoder {
    columns: Vec<Building>,
    schema: SchemaRef,
    /// What the rows come from, for their place.
    origin: String,
    /// Bytes of a row that is not complete.
    kept: Vec<u8>,
    state: State,
    /// Rows in the batch and the bytes they had.
    rows: usize,
    bytes: usize,
    /// Rows before the batch.
    before: u64,
    scratch: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Signature,
    Rows,
    Ended,
}

/// What the bytes at hand begin with.
enum Next {
    /// Something that is not complete.
    Nothing,
    /// So many bytes that hold no row.
    Skipped(usize),
    /// A row of so many bytes.
    Row(usize),
}

struct Building {
    name: String,
    wire: Wire,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    UInt32(PrimitiveBuilder<UInt32Type>),
    UInt64(PrimitiveBuilder<UInt64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Text(StringViewBuilder),
}

impl Decoder {
    /// A decoder of rows with these columns, in this order, into batches of `schema`, which has them all and may have
    /// those that tell a row's place.
    pub fn new(columns: &[Column], schema: SchemaRef, origin: &str) -> Self {
        let building = |column: &Column| Building {
            name: column.name.clone(),
            wire: column.wire,
            values: Values::new(column.wire),
        };
        Self {
            columns: columns.iter().map(building).collect(),
            schema,
            origin: origin.to_owned(),
            kept: Vec::new(),
            state: State::Signature,
            rows: 0,
            bytes: 0,
            before: 0,
            scratch: String::new(),
        }
    }

    /// Takes a message; gives a batch when one is full.
    pub fn take(&mut self, message: &[u8]) -> Result<Option<RecordBatch>> {
        if self.kept.is_empty() {
            let used = self.rows_of(message)?;
            self.kept.extend_from_slice(&message[used..]);
        } else {
            let mut kept = std::mem::take(&mut self.kept);
            kept.extend_from_slice(message);
            let used = self.rows_of(&kept)?;
            kept.drain(..used);
            self.kept = kept;
        }
        if self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES { self.batch().map(Some) } else { Ok(None) }
    }

    /// The rows that are left when the server has said all. Fails when it has not.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if self.state != State::Ended {
            return Err(Error::transient("the server stopped in the middle of the rows"));
        }
        if self.rows > 0 { self.batch().map(Some) } else { Ok(None) }
    }

    /// Takes the complete rows that `bytes` begins with; gives how many bytes these are.
    fn rows_of(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self.next(rest)? {
                Next::Nothing => return Ok(used),
                Next::Skipped(length) => used += length,
                Next::Row(length) => {
                    self.row(&rest[2..length])?;
                    self.bytes += length;
                    self.rows += 1;
                    used += length;
                }
            }
        }
    }

    fn next(&mut self, bytes: &[u8]) -> Result<Next> {
        match self.state {
            State::Signature => {
                let head = SIGNATURE.len() + 8;
                let Some(extension) = length_at(bytes, head - 4) else { return Ok(Next::Nothing) };
                let extension = usize::try_from(extension).map_err(|_| contradiction())?;
                if !bytes.starts_with(SIGNATURE) {
                    return Err(contradiction());
                }
                if bytes.len() - head < extension {
                    return Ok(Next::Nothing);
                }
                self.state = State::Rows;
                Ok(Next::Skipped(head + extension))
            }
            State::Rows => self.row_length(bytes),
            State::Ended if bytes.is_empty() => Ok(Next::Nothing),
            State::Ended => Err(contradiction()),
        }
    }

    fn row_length(&mut self, bytes: &[u8]) -> Result<Next> {
        let Some(count) = bytes.get(..2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])) else {
            return Ok(Next::Nothing);
        };
        if count == -1 {
            self.state = State::Ended;
            return Ok(Next::Skipped(2));
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(contradiction());
        }
        let mut end = 2;
        for _ in 0..count {
            let Some(length) = length_at(bytes, end) else { return Ok(Next::Nothing) };
            end += 4 + match length {
                -1 => 0,
                length => usize::try_from(length).map_err(|_| contradiction())?,
            };
        }
        Ok(if bytes.len() < end { Next::Nothing } else { Next::Row(end) })
    }

    /// Takes a row that is known to be complete.
    fn row(&mut self, mut bytes: &[u8]) -> Result<()> {
        for column in &mut self.columns {
            let (length, rest) = bytes.split_at(4);
            let value = match length_at(length, 0) {
                Some(length @ 0..) => Some(length as usize),
                _ => None,
            };
            let (value, rest) = match value {
                None => (None, rest),
                Some(length) => {
                    let (value, rest) = rest.split_at(length);
                    (Some(value), rest)
                }
            };
            if let Err(fault) = column.push(value, &mut self.scratch) {
                return Err(Error::user(format!(
                    "row {} of {}: column `{}` {fault}",
                    self.before + self.rows as u64 + 1,
                    self.origin,
                    column.name
                )));
            }
            bytes = rest;
        }
        Ok(())
    }

    fn batch(&mut self) -> Result<RecordBatch> {
        let (rows, first) = (std::mem::take(&mut self.rows), self.before + 1);
        self.bytes = 0;
        self.before += rows as u64;
        let mut built = self.columns.iter_mut().map(|column| column.values.finish());
        let arrays = self.schema.fields().iter().map(|field| match field.name().as_str() {
            FILE => Some(repeated(&self.origin, rows)),
            ROW => Some(Arc::new(UInt64Array::from_iter_values(first..first + rows as u64)) as ArrayRef),
            _ => built.next(),
        });
        let arrays = arrays.collect::<Option<Vec<_>>>().ok_or_else(|| Error::internal("a column was not read"))?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|cause| Error::internal("a batch does not fit the schema of its source").caused_by(cause))
    }
}

fn repeated(text: &str, rows: usize) -> ArrayRef {
    Arc::new(std::iter::repeat_n(Some(text), rows).collect::<StringViewArray>())
}

fn length_at(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..at + 4)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

fn contradiction() -> Error {
    Error::external("the server's answer is not what `COPY` is defined to give")
        .hint("is there a proxy between here and the server that changes what passes?")
}

impl Building {
    fn push(&mut self, value: Option<&[u8]>, scratch: &mut String) -> Result<(), Fault> {
        match &mut self.values {
            Values::Bool(values) => {
                values.append_option(value.map(|value| fixed::<1>(value).map(|[byte]| byte != 0)).transpose()?);
                Ok(())
            }
            Values::Int16(values) => number(values, value, i16::from_be_bytes),
            Values::Int32(values) => number(values, value, i32::from_be_bytes),
            Values::Int64(values) => number(values, value, i64::from_be_bytes),
            Values::UInt32(values) => number(values, value, u32::from_be_bytes),
            Values::UInt64(values) => number(values, value, u64::from_be_bytes),
            Values::Float32(values) => number(values, value, f32::from_be_bytes),
            Values::Float64(values) => number(values, value, f64::from_be_bytes),
            Values::Text(values) => match value {
                None => {
                    values.append_null();
                    Ok(())
                }
                Some(value) => {
                    let text = shown(self.wire, value, scratch)?;
                    values.try_append_value(text).map_err(|_| "is too large")
                }
            },
        }
    }
}

/// The text of a value.
fn shown<'a>(wire: Wire, value: &'a [u8], scratch: &'a mut String) -> Result<&'a str, Fault> {
    scratch.clear();
    match wire {
        Wire::Json | Wire::Jsonb => {
            let text = if wire == Wire::Jsonb { value.strip_prefix(b"\x01").ok_or("is no JSON")? } else { value };
            return one_line(utf8(text)?, scratch);
        }
        Wire::Numeric => text::numeric(value, scratch)?,
        Wire::Uuid => text::uuid(value, scratch)?,
        Wire::Date => text::date(i32::from_be_bytes(fixed(value)?), scratch),
        Wire::Time => text::time(i64::from_be_bytes(fixed(value)?), scratch),
        Wire::Timestamp => text::timestamp(i64::from_be_bytes(fixed(value)?), "", scratch),
        Wire::TimestampTz => text::timestamp(i64::from_be_bytes(fixed(value)?), "+00", scratch),
        _ => return utf8(value),
    }
    Ok(scratch)
}

/// JSON on one line, as JSON Lines need it: between tokens a line end means what a space does, and elsewhere there is
/// none.
fn one_line<'a>(json: &'a str, scratch: &'a mut String) -> Result<&'a str, Fault> {
    if !json.contains(['\n', '\r']) {
        return Ok(json);
    }
    scratch.extend(json.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
    Ok(scratch)
}

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| "holds bytes that are not UTF-8: convert it in the query")
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], Fault> {
    value.try_into().map_err(|_| "has a value of another length than its type")
}

fn number<T: ArrowPrimitiveType, const N: usize>(
    values: &mut PrimitiveBuilder<T>,
    value: Option<&[u8]>,
    read: fn([u8; N]) -> T::Native,
) -> Result<(), Fault> {
    values.append_option(value.map(fixed).transpose()?.map(read));
    Ok(())
}

impl Values {
    fn new(wire: Wire) -> Self {
        match wire {
            Wire::Bool => Self::Bool(BooleanBuilder::new()),
            Wire::Int2 => Self::Int16(PrimitiveBuilder::new()),
            Wire::Int4 => Self::Int32(PrimitiveBuilder::new()),
            Wire::Int8 => Self::Int64(PrimitiveBuilder::new()),
            Wire::Oid => Self::UInt32(PrimitiveBuilder::new()),
            Wire::Xid8 => Self::UInt64(PrimitiveBuilder::new()),
            Wire::Float4 => Self::Float32(PrimitiveBuilder::new()),
            Wire::Float8 => Self::Float64(PrimitiveBuilder::new()),
            _ => Self::Text(StringViewBuilder::new()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(values) => Arc::new(values.finish()),
            Self::Int16(values) => Arc::new(values.finish()),
            Self::Int32(values) => Arc::new(values.finish()),
            Self::Int64(values) => Arc::new(values.finish()),
            Self::UInt32(values) => Arc::new(values.finish()),
            Self::UInt64(values) => Arc::new(values.finish()),
            Self::Float32(values) => Arc::new(values.finish()),
            Self::Float64(values) => Arc::new(values.finish()),
            Self::Text(values) => Arc::new(values.finish()),
        }
    }
}
