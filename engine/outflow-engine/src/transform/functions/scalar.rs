//! A function of some columns, row by row, as the query engine wants it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature};

use super::column::{Column, is_json, json_field};

/// What a function does with its arguments and the number of rows.
type Call = fn(&[Column], usize) -> Result<ArrayRef>;

/// A function; its name says which.
pub(super) struct Function {
    name: &'static str,
    signature: Signature,
    field: FieldRef,
    call: Call,
}

impl Function {
    /// A function that gives JSON text.
    pub(super) fn json(name: &'static str, signature: Signature, call: Call) -> Self {
        Self { name, signature, field: Arc::new(json_field(name)), call }
    }

    /// A function that gives values of a type.
    pub(super) fn plain(name: &'static str, signature: Signature, data_type: DataType, call: Call) -> Self {
        Self { name, signature, field: Arc::new(Field::new(name, data_type, true)), call }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        if self.name == "json_object" && args.arg_fields.len() % 2 == 1 {
            return plan_err!("`json_object` takes keys and values in turn, and the last key has no value");
        }
        Ok(self.field.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let columns = args.args.into_iter().zip(&args.arg_fields);
        let columns = columns.map(|(arg, field)| Column::new(arg.into_array(rows)?, is_json(field)));
        let result = (self.call)(&columns.collect::<Result<Vec<_>>>()?, rows)
            .map_err(|error| error.context(format!("`{}`", self.name)))?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}
