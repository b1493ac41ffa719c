//! A row of a batch as it is shown in the dead letter: its origin, and its visible columns as JSON.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use serde_json::{Map, Value};

use crate::dead_letter::Reject;
use crate::source::HIDDEN;

/// The rows of one batch.
pub(crate) struct Records<'a> {
    file: Option<ArrayRef>,
    row: Option<ArrayRef>,
    visible: Vec<(&'a str, &'a ArrayRef, ArrayFormatter<'a>)>,
}

impl<'a> Records<'a> {
    /// Reads the batch.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self> {
        let hidden = |name: &str, data_type: &DataType| {
            batch.column_by_name(name).map(|column| cast(column, data_type)).transpose()
        };
        let schema = batch.schema_ref();
        let visible =
            schema.fields().iter().zip(batch.columns()).filter(|(field, _)| !field.name().starts_with(HIDDEN));
        let visible = visible.map(|(field, column)| {
            let formatter = ArrayFormatter::try_new(column, &OPTIONS)?;
            Ok((field.name().as_str(), column, formatter))
        });
        Ok(Self {
            file: hidden("_outflow_file", &DataType::Utf8)?,
            row: hidden("_outflow_row", &DataType::UInt64)?,
            visible: visible.collect::<Result<_>>()?,
        })
    }

    /// A row as it is told in the dead letter.
    pub(crate) fn reject(&self, row: usize, code: &str, message: &str) -> Reject {
        Reject {
            file: self.file(row),
            row: self.row(row),
            code: code.to_owned(),
            message: message.to_owned(),
            record: self.record(row),
        }
    }

    /// Where a row comes from, for messages.
    pub(crate) fn place(&self, row: usize) -> String {
        match (self.file(row), self.row(row)) {
            (Some(file), Some(number)) => format!("row {number} of `{file}`"),
            _ => "a row".to_owned(),
        }
    }

    fn file(&self, row: usize) -> Option<String> {
        let file = self.file.as_ref().filter(|file| file.is_valid(row))?;
        Some(file.as_string::<i32>().value(row).to_owned())
    }

    fn row(&self, row: usize) -> Option<u64> {
        let number = self.row.as_ref().filter(|number| number.is_valid(row))?;
        Some(number.as_primitive::<UInt64Type>().value(row))
    }

    fn record(&self, row: usize) -> Value {
        let cells =
            self.visible.iter().map(|(name, column, formatter)| (String::from(*name), cell(column, formatter, row)));
        Value::Object(cells.collect::<Map<_, _>>())
    }
}

const OPTIONS: FormatOptions<'static> = FormatOptions::new();

/// Numbers and booleans as such, everything else as text.
fn cell(column: &ArrayRef, formatter: &ArrayFormatter<'_>, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let text = formatter.value(row).to_string();
    let data_type = column.data_type();
    if data_type.is_integer() || data_type.is_floating() || *data_type == DataType::Boolean {
        return serde_json::from_str(&text).unwrap_or(Value::String(text));
    }
    Value::String(text)
}
