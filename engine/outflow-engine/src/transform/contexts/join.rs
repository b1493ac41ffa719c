//! A template of texts and columns as a function of the query engine: the parts of each row, one after the other.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use outflow_formats::join::{Part, join};

/// A call that joins the parts; the arguments are texts, the columns of the parts.
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
        let joined = join(&self.parts, &arrays, rows).map_err(|cause| exec_datafusion_err!("{cause}"))?;
        Ok(ColumnarValue::Array(Arc::new(joined)))
    }
}
