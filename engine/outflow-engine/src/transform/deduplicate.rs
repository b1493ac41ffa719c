//! `deduplicate`: one row for each key. Without an order the first one is known when it comes, so rows flow through and
//! only keys are held; otherwise rows are sorted, which spills, and the first of them is kept all the same.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as QueryResult;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::SortExpr;
use futures::StreamExt;
use outflow_spec::transform::{DeduplicateTransform, KeepSpec};

use super::columns::{self, WORK};
use super::tally::Tally;
use super::{Notes, Place, TransformContext, filter, keys};
use crate::error::Result;
use crate::operator::{self, Batches, Operator};

pub(super) fn apply(
    spec: &DeduplicateTransform,
    frame: DataFrame,
    context: &TransformContext,
    place: Place,
) -> Result<DataFrame> {
    let known = columns::visible(&frame);
    if let Some(name) = spec.by.iter().find(|name| !known.contains(name)) {
        return Err(columns::unknown_in("`by`: ", name, &known, place));
    }
    context.notes.tally.add(place, Unique::COUNT, 0);
    let unique = Arc::new(Unique { by: spec.by.clone(), place, notes: context.notes.clone() });
    if spec.keep == KeepSpec::First && spec.order_by.is_none() {
        return operator::over(frame, Vec::new(), unique);
    }
    let failed = |error| place.query("cannot be planned", &error);
    let (number, order) = (format!("{WORK}number"), format!("{WORK}order"));
    let column = |name: &String| columns::column(name);
    let is_first = spec.keep == KeepSpec::First;
    // Nulls are the smallest, so they come first going up and last going down.
    let sort = |name: &String, ascending: bool| SortExpr::new(column(name), ascending, ascending);
    let mut sorts = vec![sort(&number, is_first)];
    let mut frame = frame;
    if let Some(text) = &spec.order_by {
        let key = filter::parse(text, &frame, place)?;
        frame = frame.with_column(&order, key).map_err(failed)?;
        sorts.insert(0, sort(&order, is_first));
    }
    let frame = frame.with_column(&number, row_number()).and_then(|frame| frame.sort(sorts)).map_err(failed)?;
    let frame = operator::over(frame, Vec::new(), unique)?;
    let frame = frame.sort(vec![sort(&number, true)]).map_err(failed)?;
    columns::project(frame, known.iter().map(column).collect(), place)
}

/// Keeps the first row of each key, and every row of which a key column is null.
#[derive(Debug)]
struct Unique {
    by: Vec<String>,
    place: Place,
    notes: Arc<Notes>,
}

impl Unique {
    /// The name of the count of rows left out.
    const COUNT: &str = "duplicates";
}

impl Operator for Unique {
    fn name(&self) -> &'static str {
        "Deduplicate"
    }

    fn start(&self, rows: SendableRecordBatchStream, _: SchemaRef, context: &TaskContext) -> QueryResult<Batches> {
        let pool = context.memory_pool();
        let mut seen =
            Seen { by: self.by.clone(), keys: HashSet::new(), held: MemoryConsumer::new("deduplicate").register(pool) };
        let (place, notes) = (self.place, self.notes.clone());
        let batches = rows.map(move |batch| seen.keep(&batch?, &notes.tally, place));
        Ok(batches.boxed())
    }
}

struct Seen {
    by: Vec<String>,
    keys: HashSet<u128>,
    held: MemoryReservation,
}

impl Seen {
    fn keep(&mut self, batch: &RecordBatch, tally: &Tally, place: Place) -> QueryResult<RecordBatch> {
        let found = keys::keys(&keys::columns(batch, &self.by)?)?;
        let new = found.into_iter().map(|key| Some(key.is_none_or(|key| self.keys.insert(key))));
        let new = new.collect::<BooleanArray>();
        self.held.try_resize(self.keys.capacity() * keys::BYTES)?;
        let kept = filter_record_batch(batch, &new)?;
        tally.add(place, Unique::COUNT, (batch.num_rows() - kept.num_rows()) as u64);
        Ok(kept)
    }
}
