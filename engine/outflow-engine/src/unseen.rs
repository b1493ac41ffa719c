//! Finds the columns of CSV files that lanes carry without anything looking at them. Where some of them stand side by
//! side in the files and in the CSV that is written, their cells can stay one text ([`Stretch`]); those that are not
//! written need not be read. Plans treat such a column like any other, whatever it holds, so none of them is changed for
//! it. A row that is left out is shown whole all the same: it is looked up in the text once more.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::projection::ProjectionExec;
use outflow_formats::csv::{Member, Stretch};
use outflow_formats::format::Format;
use outflow_spec::source::SourceFormat;
use serde_json::Value;

use crate::dead_letter::Reject;
use crate::error::{Error, Result};
use crate::source::heads::KnownFile;
use crate::source::{HIDDEN, ROW};
use crate::{lane, operator, reject};

/// Columns that nothing looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Those that are written, with such as are looked at among them.
    pub stretches: Vec<Stretch>,
    /// Those that are not written.
    pub left: Vec<String>,
}

impl Unseen {
    /// Finds the columns among those of files that nothing looks at in plans that are executed in lanes, the first plan
    /// first. Of what the last one makes the first `written` columns are written.
    pub fn of(plans: &[&dyn ExecutionPlan], written: usize, files: &[KnownFile], format: &Format) -> Self {
        let is_csv = |file: &KnownFile| matches!(file.format, SourceFormat::Csv | SourceFormat::Tsv);
        let (Some(first), Some(plan)) = (files.first(), plans.first()) else { return Self::default() };
        if !files.iter().all(is_csv) {
            return Self::default();
        }
        let mut way = Way::of(lane::beginning(*plan));
        let made = plans.iter().fold(way.begin(), |below, plan| way.follow(*plan, &below)).origins;
        let (made, beside) = made.split_at(written);
        beside.iter().flatten().for_each(|&column| way.seen[column] = true);
        let mut places = vec![0; way.seen.len()];
        made.iter().flatten().for_each(|&column| places[column] += 1);
        let names = way.files.fields().iter().map(|field| field.name());
        let left = names
            .zip(&way.seen)
            .zip(&places)
            .filter(|((name, seen), places)| !name.starts_with(HIDDEN) && !*seen && **places == 0);
        let left = left.map(|((name, _), _)| name.clone()).collect();
        let member = |column: usize| Member {
            name: way.files.field(column).name().clone(),
            // What is written twice is looked at for each place.
            read: way.seen[column] || places[column] > 1,
        };
        let members = made.iter().map(|column| column.map(member)).collect();
        let possible = |dialect| files.iter().all(|file| Stretch::possible(file.dialect(), dialect));
        let stretches = match format {
            Format::Csv(dialect) if possible(dialect) => stretches(members, first),
            _ => Vec::new(),
        };
        Self { stretches, left }
    }

    /// The columns whose cells a batch does not hold, in the order in which they are read to be shown.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let members = self.stretches.iter().flat_map(|stretch| &stretch.columns);
        members.filter(|member| !member.read).map(|member| &member.name).chain(&self.left)
    }

    /// Shows in rows that are left out what they have in these columns. `whole` has them, and the lines of the rows.
    pub fn show(&self, rejects: Vec<&mut Reject>, whole: &RecordBatch) -> Result<()> {
        let lost = || Error::internal("a row that is left out is not found again");
        let lines = whole.column_by_name(ROW).and_then(|lines| lines.as_primitive_opt::<UInt64Type>());
        let lines = lines.ok_or_else(lost)?.values();
        let cells = whole.columns().iter().map(|column| column.as_string_view_opt());
        let cells = self.names().zip(cells).collect::<Vec<_>>();
        for reject in rejects {
            let row = reject.row.and_then(|row| lines.binary_search(&row).ok()).ok_or_else(lost)?;
            for (name, cells) in &cells {
                if let (Some(shown), Some(cells)) = (reject.record.get_mut(name.as_str()), cells) {
                    *shown = if cells.is_valid(row) { cells.value(row).into() } else { Value::Null };
                }
            }
        }
        Ok(())
    }
}

/// The stretches of what is written, of which the members are columns of the files.
fn stretches(members: Vec<Option<Member>>, file: &KnownFile) -> Vec<Stretch> {
    let known = file.columns.iter().enumerate().map(|(number, field)| (field.name().as_str(), number));
    let known = known.collect::<HashMap<_, _>>();
    let mut found: Vec<Stretch> = Vec::new();
    let mut last = None;
    for (place, member) in members.into_iter().enumerate() {
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

/// The way of the columns of files through plans.
struct Way {
    files: SchemaRef,
    /// Whether something looks at them.
    seen: Vec<bool>,
}

/// Columns in the course of it, with the column of the files that each is, if it is any.
struct Columns {
    schema: SchemaRef,
    origins: Vec<Option<usize>>,
}

impl Way {
    fn of(files: SchemaRef) -> Self {
        Self { seen: vec![false; files.fields().len()], files }
    }

    fn begin(&self) -> Columns {
        Columns { schema: self.files.clone(), origins: (0..self.seen.len()).map(Some).collect() }
    }

    /// What a plan makes of the columns below it, of which it takes some by their names.
    fn follow(&mut self, plan: &dyn ExecutionPlan, below: &Columns) -> Columns {
        let Some(input) = lane::input(plan) else {
            let place = |name: &str| below.schema.index_of(name).ok();
            let places = plan.schema().fields().iter().map(|field| place(field.name())).collect::<Vec<_>>();
            if places.contains(&None) {
                self.seen.fill(true);
            }
            let origins = places.into_iter().map(|place| below.origins[place?]).collect();
            return Columns { schema: plan.schema(), origins };
        };
        let input = self.follow(input, below);
        let origins = if let Some(projection) = (plan as &dyn Any).downcast_ref::<ProjectionExec>() {
            projection.expr().iter().map(|column| self.project(&column.expr, &input)).collect()
        } else if let Some((_, carried)) = operator::carried(plan) {
            carried.reads.iter().for_each(|&place| self.see(input.origins[place]));
            self.show(&input);
            carried.from.iter().map(|place| input.origins[(*place)?]).collect()
        } else if reject::is_reject(plan) {
            let looked = plan.apply_expressions(&mut |expression| {
                collect_columns(expression).iter().for_each(|column| self.see(input.origins[column.index()]));
                Ok(TreeNodeRecursion::Continue)
            });
            if looked.is_err() {
                self.seen.fill(true);
            }
            self.show(&input);
            input.origins
        } else {
            if !(plan as &dyn Any).is::<CooperativeExec>() {
                self.seen.fill(true);
            }
            input.origins
        };
        Columns { schema: plan.schema(), origins }
    }

    fn project(&mut self, expression: &Arc<dyn PhysicalExpr>, input: &Columns) -> Option<usize> {
        match (expression.as_ref() as &dyn Any).downcast_ref::<Column>() {
            Some(column) => input.origins[column.index()],
            None => {
                collect_columns(expression).iter().for_each(|column| self.see(input.origins[column.index()]));
                None
            }
        }
    }

    fn see(&mut self, column: Option<usize>) {
        column.into_iter().for_each(|column| self.seen[column] = true);
    }

    /// Any row may be left out here. It is looked up by its line, and its columns by their names.
    fn show(&mut self, shown: &Columns) {
        let of_name = |name: &str| self.files.index_of(name).ok();
        let line = shown.schema.index_of(ROW).ok().and_then(|place| shown.origins[place]);
        if line.is_none() || line != of_name(ROW) {
            self.seen.fill(true);
            return;
        }
        for (field, &origin) in shown.schema.fields().iter().zip(&shown.origins) {
            let named = of_name(field.name());
            if origin != named {
                self.seen.iter_mut().enumerate().for_each(|(column, seen)| {
                    *seen |= Some(column) == origin || Some(column) == named;
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
