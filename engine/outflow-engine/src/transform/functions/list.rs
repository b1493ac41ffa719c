//! `list_join` and `list_fits`: several values in one cell, for formats that have no lists.

use std::borrow::Cow;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use serde_json::value::RawValue;

use super::column::{Column, append, plain};

pub(super) fn join(columns: &[Column], rows: usize) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        match arguments(columns, row)? {
            None => texts.append_null(),
            Some((elements, separator)) => append(&mut texts, elements.join(&*separator).as_bytes())?,
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// True for null, which holds no separator.
pub(super) fn fits(columns: &[Column], rows: usize) -> Result<ArrayRef> {
    let fits = (0..rows).map(|row| {
        let arguments = arguments(columns, row)?;
        let holds = |(elements, separator): (Vec<Cow<'_, str>>, String)| {
            !separator.is_empty() && elements.iter().any(|element| element.contains(&separator))
        };
        Ok(!arguments.is_some_and(holds))
    });
    Ok(Arc::new(BooleanArray::from(fits.collect::<Result<Vec<_>>>()?)))
}

/// The elements and the separator; none when either is null.
fn arguments(columns: &[Column], row: usize) -> Result<Option<(Vec<Cow<'_, str>>, String)>> {
    match columns {
        [value, separator] if value.is_valid(row) && separator.is_valid(row) => {
            Ok(Some((elements(value, row)?, separator.plain(row)?)))
        }
        _ => Ok(None),
    }
}

fn elements(column: &Column, row: usize) -> Result<Vec<Cow<'_, str>>> {
    if let Some(text) = column.text(row) {
        return Ok(parsed(text).unwrap_or_else(|| vec![Cow::Borrowed(text)]));
    }
    let values = match column.values().data_type() {
        DataType::List(_) => column.values().as_list::<i32>().value(row),
        DataType::LargeList(_) => column.values().as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => column.values().as_fixed_size_list().value(row),
        _ => return Ok(vec![Cow::Owned(column.plain(row)?)]),
    };
    let valid = (0..values.len()).filter(|element| values.is_valid(*element));
    valid.map(|element| plain(&values, element).map(Cow::Owned)).collect()
}

/// The elements of a JSON array: strings as what they say, everything else as it is written.
fn parsed(text: &str) -> Option<Vec<Cow<'_, str>>> {
    if !text.trim_start().starts_with('[') {
        return None;
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let items = items.into_iter().map(RawValue::get).filter(|item| *item != "null");
    let read = |item: &str| serde_json::from_str::<String>(item).ok();
    items
        .map(|item| if item.starts_with('"') { read(item).map(Cow::Owned) } else { Some(Cow::Borrowed(item)) })
        .collect()
}
