//! `derive`: columns computed by SQL expressions, one after the other, so that a later one sees the earlier.

use datafusion::dataframe::DataFrame;
use serde_json::{Map, Value};

use super::{Place, columns, filter};
use crate::error::Result;

pub(super) fn apply(expressions: &Map<String, Value>, mut frame: DataFrame, place: Place) -> Result<DataFrame> {
    for (name, expression) in expressions {
        if name.starts_with(columns::HIDDEN) {
            return Err(place.error(format!("`{name}`: names that start with `{}` are taken", columns::HIDDEN)));
        }
        let text = match expression {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) | Value::Null => expression.to_string(),
            Value::Array(_) | Value::Object(_) => {
                return Err(place.error(format!("`{name}` has to be a SQL expression, as text")));
            }
        };
        let expr = filter::parse(&text, &frame, place)?;
        frame = columns::with(frame, vec![(name.clone(), expr)], place)?;
    }
    Ok(frame)
}
