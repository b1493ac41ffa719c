//! `json_object`, `json_text` and `json_raw`: values put together into JSON text, row by row.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::common::{Result, exec_err};

use super::column::{Column, append};
use outflow_formats::json;

pub(super) fn object(columns: &[Column], rows: usize) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(rows);
    let mut out = Vec::new();
    for row in 0..rows {
        out.clear();
        out.push(b'{');
        for (number, pair) in columns.chunks_exact(2).enumerate() {
            if number > 0 {
                out.push(b',');
            }
            push_key(&pair[0], row, &mut out)?;
            out.push(b':');
            pair[1].push_json(row, &mut out)?;
        }
        out.push(b'}');
        append(&mut texts, &out)?;
    }
    Ok(Arc::new(texts.finish()))
}

/// Appends a value as the key of a member.
pub(super) fn push_key(key: &Column, row: usize, out: &mut Vec<u8>) -> Result<()> {
    match key.text(row) {
        Some(text) => json::push_string(text, out),
        None if key.is_valid(row) => json::push_string(&key.plain(row)?, out),
        None => return exec_err!("the key of a member is null"),
    }
    Ok(())
}

pub(super) fn text(columns: &[Column], rows: usize) -> Result<ArrayRef> {
    each(columns, rows, |column, row, out| match column.json(row) {
        Some(json) => {
            compact(json, out);
            Ok(())
        }
        None => column.push_json(row, out),
    })
}

pub(super) fn raw(columns: &[Column], rows: usize) -> Result<ArrayRef> {
    each(columns, rows, |column, row, out| match column.text(row).filter(|text| json::is_value(text)) {
        Some(json) => {
            compact(json, out);
            Ok(())
        }
        None => column.push_json(row, out),
    })
}

fn each(
    columns: &[Column],
    rows: usize,
    push: impl Fn(&Column, usize, &mut Vec<u8>) -> Result<()>,
) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(rows);
    let mut out = Vec::new();
    for row in 0..rows {
        match columns.iter().find(|column| column.is_valid(row)) {
            None => texts.append_null(),
            Some(column) => {
                out.clear();
                push(column, row, &mut out)?;
                append(&mut texts, &out)?;
            }
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// Appends JSON without the white space between its parts.
fn compact(json: &str, out: &mut Vec<u8>) {
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        out.push(byte);
    }
}
