//! Finds the columns that lanes carry from CSV files to CSV files without anything done to them: where some of them stand
//! side by side in both, their cells can stay one text ([`Stretch`]). Plans treat a column that only passes like any
//! other, whatever it holds, so none of them is changed for it.

use std::any::Any;
use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::ProjectionExec;
use outflow_formats::csv::{Member, Stretch};
use outflow_formats::format::Format;
use outflow_spec::source::SourceFormat;

use crate::reject;
use crate::source::heads::KnownFile;

/// A column that comes out of plans as it went in.
#[derive(Clone, Copy, Debug)]
struct Passing {
    /// Its place in the columns that go in.
    place: usize,
    /// Whether something on the way reads it.
    read: bool,
}

/// Finds the stretches of the first `written` columns of what plans that carry make of the columns of files, the last
/// plan first.
pub fn stretches(plans: &[&dyn ExecutionPlan], written: usize, files: &[KnownFile], format: &Format) -> Vec<Stretch> {
    let Format::Csv(dialect) = format else { return Vec::new() };
    let possible = |file: &KnownFile| {
        matches!(file.format, SourceFormat::Csv | SourceFormat::Tsv) && Stretch::possible(file.dialect(), dialect)
    };
    let Some(first) = files.first().filter(|_| files.iter().all(possible)) else { return Vec::new() };
    let known = first.columns.iter().enumerate().map(|(number, field)| (field.name().as_str(), number));
    let known = known.collect::<HashMap<_, _>>();
    let mut found: Vec<Stretch> = Vec::new();
    let mut last = None;
    for (place, member) in passing(plans, written).into_iter().enumerate() {
        let number = member.as_ref().and_then(|member| known.get(member.name.as_str()).copied());
        if let (Some(member), Some(number)) = (member, number) {
            match found.last_mut().filter(|_| last.is_some_and(|last: usize| last + 1 == number)) {
                Some(stretch) => stretch.columns.push(member),
                None => found.push(Stretch { first: place, columns: vec![member], carrier: 0 }),
            }
        }
        last = number;
    }
    found.retain_mut(|stretch| {
        let carrier = stretch.columns.iter().position(|member| !member.read);
        stretch.carrier = carrier.unwrap_or(0);
        carrier.is_some() && stretch.columns.len() > 1
    });
    found
}

/// For each of the first columns of what comes out, the column that goes in, if it passes.
fn passing(plans: &[&dyn ExecutionPlan], written: usize) -> Vec<Option<Member>> {
    let mut passing = (0..written).map(|place| Some(Passing { place, read: false })).collect::<Vec<_>>();
    let mut begun: Option<SchemaRef> = None;
    for plan in plans {
        if let Some(begun) = &begun {
            let schema = plan.schema();
            for passing in &mut passing {
                *passing = passing.and_then(|Passing { place, read }| {
                    Some(Passing { place: schema.index_of(begun.field(place).name()).ok()?, read })
                });
            }
        }
        begun = Some(through(*plan, &mut passing).schema());
    }
    let member = |passing: Passing| {
        let name = begun.as_ref()?.field(passing.place).name().clone();
        Some(Member { name, read: passing.read })
    };
    passing.into_iter().map(|passing| passing.and_then(member)).collect()
}

/// Follows columns from what a plan gives down to what it begins with, which comes back.
fn through<'a>(plan: &'a dyn ExecutionPlan, passing: &mut [Option<Passing>]) -> &'a dyn ExecutionPlan {
    let any: &dyn Any = plan;
    if let Some(projection) = any.downcast_ref::<ProjectionExec>() {
        let mut reads: HashMap<usize, usize> = HashMap::new();
        for expression in projection.expr() {
            for column in collect_columns(&expression.expr) {
                *reads.entry(column.index()).or_default() += 1;
            }
        }
        for passing in passing.iter_mut() {
            *passing = passing.and_then(|Passing { place, read }| {
                let column = (projection.expr()[place].expr.as_ref() as &dyn Any).downcast_ref::<Column>()?;
                Some(Passing { place: column.index(), read: read || reads[&column.index()] > 1 })
            });
        }
    } else if reject::is_reject(plan) {
        // A row that is left out is shown whole.
        passing.iter_mut().flatten().for_each(|passing| passing.read = true);
    }
    match plan.children().first().copied() {
        Some(input) => through(input.as_ref(), passing),
        None => plan,
    }
}

#[cfg(test)]
mod tests;
