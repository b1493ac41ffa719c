//! An argument of a function: its values, and whether its texts are JSON already.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_datafusion_err};
use outflow_formats::{JSON_METADATA, JSON_RAW, json};

/// A field of JSON text.
pub(super) fn json_field(name: &str) -> Field {
    Field::new(name, DataType::Utf8View, true).with_metadata([(JSON_METADATA.to_owned(), JSON_RAW.to_owned())].into())
}

/// Whether the texts of a field are JSON.
pub(super) fn is_json(field: &Field) -> bool {
    field.metadata().get(JSON_METADATA).is_some_and(|kind| kind == JSON_RAW)
}

/// The values of an argument.
pub(super) struct Column {
    values: ArrayRef,
    is_text: bool,
    is_json: bool,
}

impl Column {
    /// Brings text into the one type that it has here.
    pub(super) fn new(values: ArrayRef, is_json: bool) -> Result<Self> {
        let of_text = |data_type: &DataType| super::super::columns::is_text(data_type);
        let is_text = match values.data_type() {
            DataType::Dictionary(_, values) => of_text(values),
            other => of_text(other),
        };
        let values = if is_text { cast(&values, &DataType::Utf8View)? } else { values };
        Ok(Self { values, is_text, is_json })
    }

    /// The values.
    pub(super) fn values(&self) -> &ArrayRef {
        &self.values
    }

    /// Whether there is a value.
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.values.is_valid(row) && *self.values.data_type() != DataType::Null
    }

    /// The text of a value, where values are text.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        (self.is_text && self.values.is_valid(row)).then(|| self.values.as_string_view().value(row))
    }

    /// The JSON of a value, where it is JSON already.
    pub(super) fn json(&self, row: usize) -> Option<&str> {
        self.text(row).filter(|text| self.is_json && json::is_value(text))
    }

    /// Appends a value as JSON.
    pub(super) fn push_json(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        match (self.json(row), self.text(row)) {
            (Some(json), _) => out.extend_from_slice(json.as_bytes()),
            (None, Some(text)) => json::push_string(text, out),
            (None, None) => {
                json::push_value(&self.values, row, out)
                    .map_err(|refusal| exec_datafusion_err!("a value {refusal}"))?;
            }
        }
        Ok(())
    }

    /// A value as plain text; nothing for null.
    pub(super) fn plain(&self, row: usize) -> Result<String> {
        plain(&self.values, row)
    }
}

/// A value as plain text; nothing for null.
pub(super) fn plain(values: &ArrayRef, row: usize) -> Result<String> {
    let mut out = Vec::new();
    json::push_plain(values, row, &mut out).map_err(|refusal| exec_datafusion_err!("a value {refusal}"))?;
    String::from_utf8(out).map_err(|_| exec_datafusion_err!("a value is not UTF-8"))
}

/// Appends what was put together from texts.
pub(super) fn append(texts: &mut StringViewBuilder, text: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(text).map_err(|_| exec_datafusion_err!("a value is not UTF-8"))?;
    Ok(texts.try_append_value(text)?)
}
