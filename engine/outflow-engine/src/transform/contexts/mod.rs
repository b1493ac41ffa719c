//! `contexts`: columns written as templates over the row. A template of text, columns and defaults becomes an
//! expression of the plan; any other is rendered row by row, and a row it fails for goes to the dead letter.

mod cldr;
mod dates;
mod filters;
mod join;
mod numbers;
mod pieces;
mod python_text;
mod render;
mod row;
mod segments;
mod template;

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::functions::string::expr_fn::concat;
use datafusion::logical_expr::{Expr, lit};
use outflow_spec::transform::{ContextColumn, ContextsTransform, OnUndefined};

use super::{Place, TransformContext, columns};
use crate::error::Result;
use crate::reject::{self, RejectRule};
use filters::Clock;
use outflow_formats::join::Part;
use pieces::Piece;
use template::Template;

/// The code of rows that lack what a template needs.
const UNDEFINED: &str = "contexts/undefined";

/// The code of rows that a template fails for.
const RENDER: &str = "contexts/render";

/// All templates see the input row, not each other's results.
pub(super) fn apply(
    spec: &ContextsTransform,
    frame: DataFrame,
    context: &TransformContext,
    place: Place,
) -> Result<DataFrame> {
    let clock = Clock { at: context.at, zone: context.timezone.clone() };
    let globals = template::globals(&clock);
    let known = columns::visible(&frame);
    let (mut added, mut rendered, mut rules) = (Vec::new(), Vec::new(), Vec::new());
    for (index, column) in spec.columns.iter().enumerate() {
        let template = compile(column, &known, &clock, place)?;
        let segments = segments::segments(&column.template);
        let pieces = pieces::pieces(&segments, |name| globals.contains(name) && !known.contains(&name.into()));
        let expr = match pieces.filter(|pieces| are_plain(pieces, &frame)) {
            Some(pieces) => expression(&pieces, column, &frame, &known, &mut rules),
            None => {
                let work = format!("{}context_{index}", columns::WORK);
                rendered.push(render::call(template, &known).alias(&work));
                let part = |part| render::part(columns::column(&work), part);
                for (failure, code) in [(render::UNDEFINED, UNDEFINED), (render::FAILED, RENDER)] {
                    rules.push(RejectRule {
                        condition: part(failure).is_null(),
                        code: code.into(),
                        message: concat(vec![lit(format!("context `{}`: ", column.name)), part(failure)]),
                    });
                }
                part(render::TEXT)
            }
        };
        added.push((column.name.clone(), expr));
    }
    let frame = if rendered.is_empty() {
        frame
    } else {
        let all = frame.schema().fields().iter().map(|field| columns::column(field.name()));
        let all = all.chain(rendered).collect::<Vec<_>>();
        frame.select(all).map_err(|error| place.query("cannot be planned", &error))?
    };
    let frame = reject::unless(frame, rules, Arc::clone(&context.rejects))?;
    columns::with(frame, added, place)
}

fn compile(column: &ContextColumn, known: &[String], clock: &Clock, place: Place) -> Result<Template> {
    let name = &column.name;
    if name.starts_with(columns::HIDDEN) {
        return Err(place.error(format!("context `{name}`: names that start with `{}` are taken", columns::HIDDEN)));
    }
    let template = Template::compile(&column.template, column.on_undefined, clock)
        .map_err(|error| place.error(format!("context `{name}`: {error}")))?;
    let names = template.names.iter().flatten();
    match names.into_iter().find(|name| !known.contains(name)) {
        Some(unknown) if column.on_undefined == OnUndefined::Error => {
            let at = template::find_name(&column.template, unknown)
                .map(|(line, column)| format!(", line {line}, column {column}"))
                .unwrap_or_default();
            Err(columns::unknown_in(&format!("context `{name}`{at}: "), unknown, known, place))
        }
        _ => Ok(template),
    }
}

/// Whether the columns of these pieces read the same in a template and in the query engine.
fn are_plain(pieces: &[Piece], frame: &DataFrame) -> bool {
    pieces.iter().all(|piece| match piece {
        Piece::Text(_) => true,
        Piece::Column { name, .. } => columns::data_type(frame, name)
            .is_none_or(|data_type| columns::is_text(&data_type) || data_type.is_integer()),
    })
}

/// A simple template as an expression. What must not be null becomes a rule.
fn expression(
    pieces: &[Piece],
    column: &ContextColumn,
    frame: &DataFrame,
    known: &[String],
    rules: &mut Vec<RejectRule>,
) -> Expr {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    for piece in pieces {
        let (name, default, source) = match piece {
            Piece::Text(value) => {
                parts.push(Part::Text(value.clone()));
                continue;
            }
            Piece::Column { name, default, source } => (name, default, source),
        };
        let null = match (default, column.on_undefined) {
            (Some(default), _) => default.clone(),
            (None, OnUndefined::Keep) => source.clone(),
            (None, OnUndefined::Empty | OnUndefined::Error) => String::new(),
        };
        if !known.contains(name) {
            parts.push(Part::Text(null));
            continue;
        }
        let value = columns::as_text(frame, name);
        if default.is_none() && column.on_undefined == OnUndefined::Error {
            let message = format!("context `{}`: the column `{name}` is null", column.name);
            rules.push(RejectRule::new(value.clone().is_not_null(), UNDEFINED, message));
        }
        let empty = default.clone().unwrap_or_default();
        parts.push(Part::Value { column: values.len(), null, empty });
        values.push(value);
    }
    if values.is_empty() {
        return text(&parts.iter().map(Part::text).collect::<String>());
    }
    join::call(parts, values)
}

fn text(value: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(value.into())))
}

#[cfg(test)]
mod tests;
