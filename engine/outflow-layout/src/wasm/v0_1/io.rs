//! Checks what a transform says it reads and writes against the columns that there are, and brings the columns of a
//! batch into the types that it asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::columns::carrier;
use super::transform_bindings::exports::outflow::plugin::transform as guest;
use crate::layout::{HIDDEN_PREFIX, LayoutError};
use crate::transform::{Io, Mode, Refused};
use crate::wasm::failure;

const MAX_COLUMNS: usize = 10_000;
const MAX_NAME: usize = 1000;
const MAX_DEPTH: usize = 8;
const MAX_ROWS: usize = 65_536;

/// The code of rows that a plugin could not be given.
const TYPE: &str = "plugin/type";

/// The checked declaration of a transform over this input.
pub fn io(plugin: &str, answer: guest::Io, input: &Schema) -> Result<Io, LayoutError> {
    let wrong = |why: String| failure::answer(plugin, &why);
    if answer.reads.len().max(answer.writes.len()).max(answer.drops.len()) > MAX_COLUMNS {
        return Err(wrong(format!("it declares more than {MAX_COLUMNS} columns")));
    }
    let reads = fields("reads", answer.reads).map_err(wrong)?;
    let writes = fields("writes", answer.writes).map_err(wrong)?;
    for field in &reads {
        let found = input.field_with_name(field.name()).map_err(|_| missing(plugin, field.name(), input))?;
        let (from, to) = (found.data_type(), field.data_type());
        if !readable(from, to) {
            let why = format!("the plugin `{plugin}` reads `{}` as {to}, and it is {from}", field.name());
            return Err(LayoutError::Refused(why));
        }
    }
    if let Some(name) = answer.drops.iter().find(|name| input.field_with_name(name).is_err()) {
        return Err(wrong(format!("it drops `{name}`, which the input does not have")));
    }
    if let Some(field) = writes.iter().find(|field| answer.drops.contains(field.name())) {
        return Err(wrong(format!("it both writes and drops `{}`", field.name())));
    }
    let rows_per_batch = match answer.rows_per_batch as usize {
        0 => MAX_ROWS,
        rows => rows.min(MAX_ROWS),
    };
    let mode = match answer.mode {
        guest::Mode::OneToOne => Mode::OneToOne,
        guest::Mode::Filter => Mode::Filter,
        guest::Mode::Expand => Mode::Expand,
    };
    let writes = writes.into_iter().map(|field| {
        let data_type = engine_type(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    });
    Ok(Io { reads, writes: writes.collect(), drops: answer.drops, mode, rows_per_batch })
}

fn missing(plugin: &str, name: &str, input: &Schema) -> LayoutError {
    let known = input.fields().iter().map(|field| format!("`{}`", field.name())).collect::<Vec<_>>().join(", ");
    LayoutError::Refused(format!(
        "the plugin `{plugin}` reads a column `{name}`, which the rows lack; they have {known}"
    ))
}

fn fields(what: &str, columns: Vec<super::convert::Column>) -> Result<Vec<FieldRef>, String> {
    let mut seen = BTreeSet::new();
    let one = |column: super::convert::Column| {
        let name = column.name;
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(format!("`{what}` names a column that is empty, too long or not printable"));
        }
        if name.starts_with(HIDDEN_PREFIX) {
            return Err(format!("`{what}` names `{name}`, which is the engine's own"));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("`{what}` names `{name}` twice"));
        }
        // The parser calls itself for each bracket, so it is not given many.
        let is_flat = column.data_type.len() <= MAX_NAME && column.data_type.matches('(').count() <= MAX_DEPTH;
        let data_type = is_flat.then(|| column.data_type.parse::<DataType>().ok()).flatten();
        let data_type = data_type.filter(|data_type| {
            carrier(data_type)
                .is_some_and(|plain| can_cast_types(data_type, &plain) && can_cast_types(&plain, data_type))
        });
        let shown: String = super::convert::readable(&column.data_type).chars().take(100).collect();
        let data_type = data_type.ok_or_else(|| format!("`{what}`: `{name}` is `{shown}`, which cannot cross"))?;
        Ok(Arc::new(Field::new(name, data_type, column.nullable)))
    };
    columns.into_iter().map(one).collect()
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether a type goes to text as JSON: what has parts does.
fn has_parts(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Struct(_) | DataType::Map(..) | DataType::List(_) | DataType::LargeList(_))
}

fn readable(from: &DataType, to: &DataType) -> bool {
    (is_text(to) && has_parts(from)) || can_cast_types(from, to)
}

/// The columns that a transform reads, ready to be packed, and the rows that cannot be given to it.
pub fn read(io: &Io, batch: &RecordBatch) -> Result<(Vec<ArrayRef>, Vec<Refused>), String> {
    let mut refused = Vec::new();
    let mut columns = Vec::with_capacity(io.reads.len());
    for field in &io.reads {
        let column =
            batch.column_by_name(field.name()).ok_or_else(|| format!("the rows lack the column `{}`", field.name()))?;
        let read = convert(column, field.data_type())?;
        if read.logical_null_count() > column.logical_null_count() || (!field.is_nullable() && read.null_count() > 0) {
            let bad = (0..batch.num_rows()).filter(|&row| read.is_null(row));
            let bad = bad.filter(|&row| !field.is_nullable() || column.is_valid(row));
            refused.extend(bad.map(|row| {
                let why = match column.is_null(row) {
                    true => format!("`{}` is null", field.name()),
                    false => format!("`{}` is not a value of type {}", field.name(), field.data_type()),
                };
                Refused { row: row as u32, code: TYPE.to_owned(), message: why }
            }));
        }
        columns.push(read);
    }
    // One reason for each row is enough.
    refused.sort_by_key(|refused| refused.row);
    refused.dedup_by_key(|refused| refused.row);
    Ok((columns, refused))
}

/// A column in the type that was asked for, as it crosses. What does not fit becomes null.
fn convert(column: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, String> {
    let from = column.data_type();
    if is_text(wanted) && matches!(from, DataType::Utf8 | DataType::Utf8View) {
        return Ok(column.clone());
    }
    if is_text(wanted) && has_parts(from) {
        return json(column);
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let cast = |column: &ArrayRef, to: &DataType| match column.data_type() == to {
        true => Ok(column.clone()),
        false => cast_with_options(column, to, &options).map_err(|error| error.to_string()),
    };
    let plain = carrier(wanted).ok_or_else(|| format!("a column of type {wanted}"))?;
    cast(&cast(column, wanted)?, &plain)
}

/// Values with parts as JSON text.
fn json(column: &ArrayRef) -> Result<ArrayRef, String> {
    let mut text = Vec::new();
    let mut texts = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        text.clear();
        let valid = column.is_valid(row);
        if valid {
            outflow_formats::json::push_value(column.as_ref(), row, &mut text)?;
        }
        texts.push(valid.then(|| String::from_utf8_lossy(&text).into_owned()));
    }
    Ok(Arc::new(StringArray::from(texts)))
}

/// A column that came back, in the type that was declared.
pub fn written(column: &ArrayRef, declared: &Field) -> Result<ArrayRef, String> {
    if !declared.is_nullable() && column.null_count() > 0 {
        return Err("it holds null, and is declared not to".to_owned());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, declared.data_type(), &options).map_err(|error| error.to_string())
}

/// The type that the engine has for a declared one: all text has one.
pub fn engine_type(declared: &DataType) -> DataType {
    if is_text(declared) { DataType::Utf8View } else { declared.clone() }
}
