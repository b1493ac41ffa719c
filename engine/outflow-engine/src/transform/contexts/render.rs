//! A template as a function of the query engine: for every row its text, or why there is none.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringBuilder, StringViewBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::row::Rows;
use super::template::{Failure, Template};
use crate::transform::columns;

/// The part of a rendering that is its text.
pub(super) const TEXT: usize = 0;

/// The part that says what is undefined.
pub(super) const UNDEFINED: usize = 1;

/// The part that says what failed.
pub(super) const FAILED: usize = 2;

/// A call of a template with the columns it reads, of those known.
pub(super) fn call(template: Template, known: &[String]) -> Expr {
    let read = |name: &&String| template.names.as_ref().is_none_or(|names| names.contains(*name));
    let names: Arc<[String]> = known.iter().filter(read).cloned().collect();
    let arguments = names.iter().map(|name| columns::column(name)).collect();
    let signature = Signature::variadic_any(Volatility::Immutable);
    let signature = if names.is_empty() { Signature::nullary(Volatility::Immutable) } else { signature };
    ScalarUDF::from(Render { template: Arc::new(template), names, signature }).call(arguments)
}

/// A part of a rendering.
pub(super) fn part(rendering: Expr, part: usize) -> Expr {
    ScalarUDF::from(Part { part, signature: Signature::any(1, Volatility::Immutable) }).call(vec![rendering])
}

fn parts() -> Fields {
    Fields::from(vec![
        Field::new("text", DataType::Utf8View, true),
        Field::new("undefined", DataType::Utf8, true),
        Field::new("failed", DataType::Utf8, true),
    ])
}

struct Render {
    template: Arc<Template>,
    names: Arc<[String]>,
    signature: Signature,
}

impl fmt::Debug for Render {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Render")
    }
}

impl PartialEq for Render {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.template, &other.template)
    }
}

impl Eq for Render {}

impl Hash for Render {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.template).hash(state);
    }
}

impl ScalarUDFImpl for Render {
    fn name(&self) -> &str {
        "render"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(parts()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.into_iter().map(|value| value.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let source = Arc::new(Rows::new(Arc::clone(&self.names), &arrays)?);
        let mut texts = StringViewBuilder::with_capacity(rows);
        let (mut undefined, mut failed) = (StringBuilder::new(), StringBuilder::new());
        for index in 0..rows {
            let (text, lacks, fails) = match self.template.render(source.row(index)) {
                Ok(text) => (Some(text), None, None),
                Err(Failure::Undefined(what)) => (None, Some(what), None),
                Err(Failure::Render(what)) => (None, None, Some(what)),
            };
            texts.append_option(text);
            undefined.append_option(lacks);
            failed.append_option(fails);
        }
        let columns: Vec<ArrayRef> =
            vec![Arc::new(texts.finish()), Arc::new(undefined.finish()), Arc::new(failed.finish())];
        Ok(ColumnarValue::Array(Arc::new(StructArray::try_new(parts(), columns, None)?)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Part {
    part: usize,
    signature: Signature,
}

impl ScalarUDFImpl for Part {
    fn name(&self) -> &str {
        "rendered"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(parts()[self.part].data_type().clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.into_iter().next() else {
            return internal_err!("a part of a rendering needs the rendering");
        };
        let rendering = value.into_array(args.number_rows)?;
        match rendering.as_struct_opt() {
            Some(rendering) => Ok(ColumnarValue::Array(Arc::clone(rendering.column(self.part)))),
            None => internal_err!("a rendering is {}", rendering.data_type()),
        }
    }
}
