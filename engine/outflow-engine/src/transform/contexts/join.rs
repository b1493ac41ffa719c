//! A template of texts and columns as a function of the query engine: the parts of each row, one after the other.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use outflow_formats::views::TextBuilder;

/// A part of the text of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// The same in every row.
    Text(String),
    /// The value of an argument, by its number.
    Value {
        /// Which argument.
        argument: usize,
        /// What stands for null.
        null: String,
        /// What stands for an empty text.
        empty: String,
    },
}

impl Part {
    /// What is the same in every row.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Value { .. } => "",
        }
    }
}

/// A call that joins the parts; the arguments are texts.
pub(super) fn call(parts: Vec<Part>, arguments: Vec<Expr>) -> Expr {
    let signature = Signature::variadic_any(Volatility::Immutable);
    ScalarUDF::from(Join { parts: parts.into(), signature }).call(arguments)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Join {
    parts: Arc<[Part]>,
    signature: Signature,
}

impl ScalarUDFImpl for Join {
    fn name(&self) -> &str {
        "join"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let text = |value: ColumnarValue| Ok(cast(&value.into_array(rows)?, &DataType::Utf8View)?);
        let arrays = args.args.into_iter().map(text).collect::<Result<Vec<ArrayRef>>>()?;
        let arrays = arrays.iter().map(|array| array.as_string_view()).collect::<Vec<_>>();
        let mut joined = TextBuilder::with_capacity(rows, rows * 16 * self.parts.len());
        for row in 0..rows {
            joined.push_with(|out| {
                for part in self.parts.iter() {
                    out.push_str(match part {
                        Part::Text(text) => text,
                        Part::Value { argument, null, .. } if arrays[*argument].is_null(row) => null,
                        Part::Value { argument, empty, .. } => match arrays[*argument].value(row) {
                            "" => empty,
                            value => value,
                        },
                    });
                }
            });
        }
        let joined = joined.finish().map_err(|cause| exec_datafusion_err!("{cause}"))?;
        Ok(ColumnarValue::Array(Arc::new(joined)))
    }
}
