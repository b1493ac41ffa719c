//! Arrow to JSON Lines: one object a row, members in the order of the columns, no space.

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use super::{is_value, scan::plain_length};
use crate::encode::{self, Cell, Cells, Columns, Encoder};
use crate::error::{Error, Result};
use crate::format::JsonStyle;
use crate::value::{self, Style};
use crate::{JSON_METADATA, JSON_RAW};

/// Writes JSON Lines.
pub(crate) struct JsonEncoder {
    style: JsonStyle,
    columns: Vec<Member>,
}

struct Member {
    name: String,
    /// The name as JSON, and a colon.
    key: Vec<u8>,
    /// Whether texts go out as the JSON they are.
    raw: bool,
}

impl JsonEncoder {
    /// An encoder for batches with the columns of `schema`.
    pub(crate) fn new(style: JsonStyle, schema: &Schema) -> Self {
        let columns = schema.fields().iter().map(|field| {
            let mut key = Vec::new();
            push_string(&mut key, field.name().as_bytes());
            key.push(b':');
            let raw = field.metadata().get(JSON_METADATA).is_some_and(|kind| kind == JSON_RAW);
            Member { name: field.name().clone(), key, raw }
        });
        Self { style, columns: columns.collect() }
    }

    #[inline(always)]
    fn member(&self, member: &Member, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
        out.extend_from_slice(&member.key);
        match cells {
            Cells::Text(text) => {
                match text.get(row) {
                    // Texts that are marked raw but are not JSON any more, since something has changed them, are
                    // strings.
                    Some(cell) if member.raw && cell.with(is_value) => {
                        cell.with(|text| out.extend_from_slice(text));
                    }
                    Some(Cell::Short(word, length)) => push_short_string(out, word, length),
                    Some(Cell::Long(text)) => push_string(out, text),
                    None => out.extend_from_slice(b"null"),
                }
                Ok(())
            }
            Cells::Other(array, _) => value::write(array.as_ref(), row, Style::Json, out),
        }
    }
}

impl Encoder for JsonEncoder {
    fn header(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn encode(&self, batch: &RecordBatch, first_row: u64, out: &mut Vec<u8>) -> Result<()> {
        let columns = Columns::of(batch, self.columns.len())?;
        let columns = columns.cells();
        for row in 0..batch.num_rows() {
            let mut open = b'{';
            for (member, cells) in self.columns.iter().zip(&columns) {
                if cells.is_null(row) {
                    if self.style.omit_null {
                        continue;
                    }
                    out.push(open);
                    out.extend_from_slice(&member.key);
                    out.extend_from_slice(b"null");
                } else {
                    out.push(open);
                    self.member(member, cells, row, out).map_err(|refusal| {
                        let (name, row) = (&member.name, first_row + row as u64 + 1);
                        Error::data(format!("row {row}, column `{name}`: the value {refusal}"))
                    })?;
                }
                open = b',';
            }
            out.extend_from_slice(if open == b'{' { b"{}\n" } else { b"}\n" });
        }
        Ok(())
    }
}

#[inline(always)]
fn push_short_string(out: &mut Vec<u8>, word: u128, length: usize) {
    let found = encode::below(word, 0x20) | encode::equal(word, b'"') | encode::equal(word, b'\\');
    if encode::first(found, length) != 0 {
        return push_string(out, &word.to_le_bytes()[..length]);
    }
    out.push(b'"');
    encode::push_short(out, word, length);
    out.push(b'"');
}

/// Appends `text`, which is UTF-8, as a JSON string. Only what must be escaped is.
pub(crate) fn push_string(out: &mut Vec<u8>, mut text: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    if !encode::any(text, |byte| (byte < 0x20) | (byte == b'"') | (byte == b'\\')) {
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    loop {
        let (plain, rest) = text.split_at(plain_length(text));
        out.extend_from_slice(plain);
        let Some((&byte, rest)) = rest.split_first() else {
            break;
        };
        let short = match byte {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            byte => byte,
        };
        if short < 0x20 {
            let (high, low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
        text = rest;
    }
    out.push(b'"');
}
