//! Single values as text and as JSON, for whoever builds JSON out of columns. Whole records and documents are the
//! encoders' work.

use arrow::array::Array;

use crate::jsonl;
use crate::value::{self, Style};

/// Whether `text` is one JSON value and nothing else.
pub fn is_value(text: &str) -> bool {
    jsonl::is_value(text.as_bytes())
}

/// Appends a value as JSON: texts as strings, null as `null`. Errors say what the value is that cannot be written.
pub fn push_value(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    value::write(array, row, Style::Json, out)
}

/// Appends a value as the plain text that CSV has for it; nothing for null.
pub fn push_plain(array: &dyn Array, row: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    value::write(array, row, Style::Plain, out)
}

/// Appends a text as a JSON string.
pub fn push_string(text: &str, out: &mut Vec<u8>) {
    jsonl::write::push_string(out, text.as_bytes());
}
