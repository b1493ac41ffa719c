//! `snake_case`: names for people made into names for programs.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewBuilder};
use datafusion::common::Result;
use unicode_normalization::UnicodeNormalization;

use super::column::{Column, append};

pub(super) fn snake_case(columns: &[Column], rows: usize) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        match columns.iter().find(|column| column.is_valid(row)) {
            None => texts.append_null(),
            Some(column) => append(&mut texts, snake(&column.plain(row)?).as_bytes())?,
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// Words end where something else than a letter or digit stands, and before a capital that begins a new one:
/// `orderPlaced` and `HTTPRequest` have two words each.
fn snake(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut before: Option<char> = None;
    let mut rest = text.nfc().peekable();
    while let Some(c) = rest.next() {
        if !c.is_alphanumeric() {
            before = None;
            continue;
        }
        let begins = match before {
            None => true,
            Some(before) if c.is_uppercase() => {
                !before.is_uppercase() || rest.peek().is_some_and(|next| next.is_lowercase())
            }
            Some(_) => false,
        };
        if begins && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
        before = Some(c);
    }
    out
}
