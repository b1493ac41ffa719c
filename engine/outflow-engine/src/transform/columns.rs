//! The columns of a frame by their exact names, and projections over them. Columns that belong to the engine
//! (`_outflow_…`) go along unseen.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, ExprSchemable, cast};

use super::Place;
use crate::error::{Error, Result};
pub(super) use crate::source::HIDDEN;

/// What the names of columns start with that live within one transform.
pub(super) const WORK: &str = "_outflow_work_";

/// The columns that authors see, in order.
pub(super) fn visible(frame: &DataFrame) -> Vec<String> {
    names(frame, |name| !name.starts_with(HIDDEN))
}

fn names(frame: &DataFrame, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    frame.schema().fields().iter().map(|field| field.name().clone()).filter(|name| wanted(name)).collect()
}

/// A column by its exact name.
pub(super) fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// The data type of a column.
pub(super) fn data_type(frame: &DataFrame, name: &str) -> Option<DataType> {
    frame.schema().field_with_unqualified_name(name).ok().map(|field| field.data_type().clone())
}

/// Whether a type is text.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A column as text of the one type that text has here.
pub(super) fn as_text(frame: &DataFrame, name: &str) -> Expr {
    match data_type(frame, name) {
        Some(DataType::Utf8View) | None => column(name),
        Some(_) => cast(column(name), DataType::Utf8View),
    }
}

/// An expression whose text, if it gives text, is of the one type that text has here.
pub(super) fn one_text_type(frame: &DataFrame, expr: Expr) -> datafusion::error::Result<Expr> {
    Ok(match expr.get_type(frame.schema())? {
        DataType::Utf8 | DataType::LargeUtf8 => cast(expr, DataType::Utf8View),
        _ => expr,
    })
}

/// A frame of these columns, and of the engine's own after them. Those of work end here.
pub(super) fn project(frame: DataFrame, columns: Vec<Expr>, place: Place) -> Result<DataFrame> {
    let hidden = names(&frame, |name| name.starts_with(HIDDEN) && !name.starts_with(WORK));
    let columns = columns.into_iter().chain(hidden.iter().map(|name| column(name)));
    frame.select(columns.collect::<Vec<_>>()).map_err(|error| place.query("cannot be planned", &error))
}

/// Adds or replaces columns: a new name goes to the end, a known one keeps its place.
pub(super) fn with(frame: DataFrame, added: Vec<(String, Expr)>, place: Place) -> Result<DataFrame> {
    let known = visible(&frame);
    let mut columns: Vec<Expr> = known.iter().map(|name| column(name)).collect();
    for (name, expr) in added {
        let expr = one_text_type(&frame, expr).map_err(|error| place.query(&format!("`{name}`"), &error))?;
        match known.iter().position(|other| *other == name) {
            Some(index) => columns[index] = expr.alias(name),
            None => columns.push(expr.alias(name)),
        }
    }
    project(frame, columns, place)
}

/// The error about a column that the input lacks.
pub(super) fn unknown(name: &str, known: &[String], place: Place) -> Error {
    unknown_in("", name, known, place)
}

/// The same, with what names it.
pub(super) fn unknown_in(what: &str, name: &str, known: &[String], place: Place) -> Error {
    let error = place.error(format!("{what}the input has no column `{name}`"));
    let columns = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match closest(name, known) {
        Some(similar) => error.hint(format!("did you mean `{similar}`? The columns are {columns}")),
        None if known.is_empty() => error.hint("it has no columns at all"),
        None => error.hint(format!("the columns are {columns}")),
    }
}

/// The known name that is most like `name`, if any is.
fn closest<'a>(name: &str, known: &'a [String]) -> Option<&'a String> {
    let wanted = name.to_lowercase();
    let similar = |other: &String| strsim::jaro_winkler(&wanted, &other.to_lowercase());
    let best = known.iter().map(|other| (similar(other), other)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score > 0.8).map(|(_, other)| other)
}
