//! The SQL functions that layouts and authors build JSON, lists, names and spans of time with. They know no column by name; what
//! they are for is written beside each.

mod aggregate;
mod column;
mod json;
mod list;
mod scalar;
mod time_bucket;
mod words;

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, Signature, TypeSignature, Volatility};
use datafusion::prelude::SessionContext;

use aggregate::{JsonAggregate, Shape};
use scalar::Function;

/// Registers them all:
///
/// - `json_object(key, value, …)`: an object. Values that are JSON already (raw columns, results of `json_…`) go in as
///   they are, other text as strings, null as `null`. Keys must not be null.
/// - `json_object_agg(key, value)`: an object of a group's rows, members in order of arrival; of equal keys the first
///   place and the last value count. `json_array_agg(value)`: an array. Both give null for no rows.
/// - `json_text(value)`: a value as compact JSON text, so that text gets quotes. `json_raw(text)`: text that holds JSON
///   becomes JSON, compact; other text becomes a string. Null stays null in both.
/// - `list_join(value, separator)`: the elements of a JSON array or list, joined; nulls among them are left out, other
///   values are a list of one. `list_fits(value, separator)`: whether no element holds the separator.
/// - `snake_case(text)`: lower-case words with underscores between them.
pub(super) fn register(session: &SessionContext) {
    let any = |count| Signature::any(count, Volatility::Immutable);
    let pairs = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Immutable);
    let text = DataType::Utf8View;
    for function in [
        Function::json("json_object", pairs, json::object),
        Function::json("json_text", any(1), json::text),
        Function::json("json_raw", any(1), json::raw),
        Function::plain("list_join", any(2), text.clone(), list::join),
        Function::plain("list_fits", any(2), DataType::Boolean, list::fits),
        Function::plain("snake_case", any(1), text, words::snake_case),
    ] {
        session.register_udf(ScalarUDF::from(function));
    }
    time_bucket::register(session);
    session.register_udaf(AggregateUDF::from(JsonAggregate::new(Shape::Object)));
    session.register_udaf(AggregateUDF::from(JsonAggregate::new(Shape::Array)));
}

#[cfg(test)]
mod tests;
