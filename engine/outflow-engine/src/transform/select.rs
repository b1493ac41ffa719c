//! `select`: the columns that go on, by name, so that nothing upstream moves anything downstream.

use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, lit};
use outflow_spec::transform::{OnMissing, OnNew, SelectTransform};

use super::{Place, columns};
use crate::error::Result;

pub(super) fn apply(spec: &SelectTransform, frame: DataFrame, place: Place) -> Result<DataFrame> {
    let known = columns::visible(&frame);
    let mut chosen: Vec<Expr> = Vec::new();
    for (index, name) in spec.columns.iter().enumerate() {
        if spec.columns[..index].contains(name) {
            return Err(place.error(format!("`{name}` is named twice in `columns`")));
        }
        if name.starts_with(columns::HIDDEN) {
            return Err(columns::unknown(name, &known, place));
        }
        chosen.push(match &spec.on_missing {
            _ if known.contains(name) => columns::column(name),
            OnMissing::Null => lit(ScalarValue::Utf8View(None)).alias(name),
            OnMissing::Default(text) => lit(ScalarValue::Utf8View(Some(text.clone()))).alias(name),
            OnMissing::Error => return Err(columns::unknown(name, &known, place)),
        });
    }
    let new: Vec<&String> = known.iter().filter(|name| !spec.columns.contains(name)).collect();
    match spec.on_new {
        OnNew::Drop => {}
        OnNew::Append => chosen.extend(new.into_iter().map(|name| columns::column(name))),
        OnNew::Error if new.is_empty() => {}
        OnNew::Error => {
            let names = new.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(place
                .error(format!("the input has columns that are not named: {names}"))
                .hint("name them in `columns`, or set `on_new` to `drop` or `append`"));
        }
    }
    columns::project(frame, chosen, place)
}
