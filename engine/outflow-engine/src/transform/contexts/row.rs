//! A row of a batch as templates see it: names to values, read when asked for.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::{Array, AsArray, BooleanArray, Float64Array, Int64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;
use minijinja::value::{Enumerator, Object, Value};

use super::template::ROW;

/// The columns of a batch that a template reads.
#[derive(Debug)]
pub(super) struct Rows {
    names: Arc<[String]>,
    columns: Vec<Cells>,
}

#[derive(Debug)]
enum Cells {
    Text(StringViewArray),
    Integer(Int64Array),
    Float(Float64Array),
    Boolean(BooleanArray),
}

impl Cells {
    /// Whole numbers, fractions and booleans as such; everything else as its text.
    fn new(array: &ArrayRef) -> Result<Self> {
        let data_type = array.data_type();
        Ok(if data_type.is_integer() && *data_type != DataType::UInt64 {
            Self::Integer(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        } else if data_type.is_floating() {
            Self::Float(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        } else if *data_type == DataType::Boolean {
            Self::Boolean(array.as_boolean().clone())
        } else {
            Self::Text(cast(array, &DataType::Utf8View)?.as_string_view().clone())
        })
    }

    /// The value of a row; `None` for null.
    fn value(&self, row: usize) -> Option<Value> {
        match self {
            Self::Text(cells) => cells.is_valid(row).then(|| Value::from(cells.value(row))),
            Self::Integer(cells) => cells.is_valid(row).then(|| Value::from(cells.value(row))),
            Self::Float(cells) => cells.is_valid(row).then(|| Value::from(cells.value(row))),
            Self::Boolean(cells) => cells.is_valid(row).then(|| Value::from(cells.value(row))),
        }
    }
}

impl Rows {
    /// Columns under their names.
    pub(super) fn new(names: Arc<[String]>, arrays: &[ArrayRef]) -> Result<Self> {
        Ok(Self { names, columns: arrays.iter().map(Cells::new).collect::<Result<_>>()? })
    }

    /// What the template gets for a row.
    pub(super) fn row(self: &Arc<Self>, index: usize) -> Value {
        Value::from_object(Row { rows: Arc::clone(self), index })
    }
}

#[derive(Debug)]
struct Row {
    rows: Arc<Rows>,
    index: usize,
}

impl Object for Row {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == ROW {
            return Some(Value::from_dyn_object(Arc::clone(self)));
        }
        let column = self.rows.names.iter().position(|name| name == key)?;
        self.rows.columns[column].value(self.index)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.rows.names.iter().map(|name| Value::from(name.as_str())).collect())
    }
}
