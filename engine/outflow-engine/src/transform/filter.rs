//! `filter`: the rows for which a SQL condition is true; for false and for null they go.

use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::{Place, columns};
use crate::error::Result;

pub(super) fn apply(condition: &str, frame: DataFrame, place: Place) -> Result<DataFrame> {
    let condition = parse(condition, &frame, place)?;
    let data_type = condition.get_type(frame.schema()).map_err(|error| place.query("the condition", &error))?;
    if data_type != DataType::Boolean {
        return Err(place.error(format!("the condition gives {data_type} and not true or false")));
    }
    frame.filter(condition).map_err(|error| place.query("the condition", &error))
}

/// An expression over the columns that authors see.
pub(super) fn parse(expression: &str, frame: &DataFrame, place: Place) -> Result<Expr> {
    let what = format!("`{expression}`");
    let visible = columns::visible(frame).iter().map(|name| columns::column(name)).collect::<Vec<_>>();
    let seen = frame.clone().select(visible).map_err(|error| place.query(&what, &error))?;
    let expr = seen.parse_sql_expr(expression).map_err(|error| place.query(&what, &error))?;
    // The alias of `a AS b` would rename what the pipeline file names.
    Ok(expr.unalias())
}
