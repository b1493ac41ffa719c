//! `changes`: who came and who went since the last delivery. Members are told apart by their key. A new one is a row
//! with the operation `add`, one that is gone is a row with `remove` and the columns of the last snapshot; those that
//! stay give no row. Adds come in input order, removes after them in the order of the snapshot.

mod difference;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::SchemaRef;
use datafusion::common::Result as QueryResult;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::lit;
use outflow_spec::transform::ChangesTransform;

use super::{Notes, Place, TransformContext, columns};
use crate::dead_letter::DeadLetter;
use crate::error::Result;
use crate::operator::{self, Batches, Operator, failed};
use difference::Difference;

/// The operation of a member that is new.
const ADD: &str = "add";
/// The operation of a member that is gone.
const REMOVE: &str = "remove";

pub(super) fn apply(
    spec: &ChangesTransform,
    frame: DataFrame,
    context: &TransformContext,
    place: Place,
) -> Result<DataFrame> {
    let known = columns::visible(&frame);
    if let Some(name) = spec.key.iter().find(|name| !known.contains(name)) {
        return Err(columns::unknown_in("`key`: ", name, &known, place));
    }
    if known.contains(&spec.column) || spec.column.starts_with(columns::HIDDEN) {
        return Err(place
            .error(format!("the rows already have a column `{}`", spec.column))
            .hint("`column` names the one that tells `add` from `remove`"));
    }
    context.notes.tally.add(place, Changes::DUPLICATES, 0);
    let add = lit(ScalarValue::Utf8View(Some(ADD.to_owned())));
    let frame = columns::with(frame, vec![(spec.column.clone(), add)], place)?;
    let changes = Changes {
        key: spec.key.clone(),
        column: spec.column.clone(),
        members: known,
        rejects: context.rejects.clone(),
        notes: context.notes.clone(),
        place,
        begun: Arc::default(),
    };
    operator::over(frame, Vec::new(), Arc::new(changes))
}

#[derive(Clone, Debug)]
struct Changes {
    key: Vec<String>,
    column: String,
    /// The columns of a member.
    members: Vec<String>,
    rejects: Arc<DeadLetter>,
    notes: Arc<Notes>,
    place: Place,
    begun: Arc<AtomicBool>,
}

impl Changes {
    /// The name of the count of rows whose key another row had before.
    const DUPLICATES: &str = "duplicates";
}

impl Operator for Changes {
    fn name(&self) -> &'static str {
        "Changes"
    }

    fn start(&self, rows: SendableRecordBatchStream, schema: SchemaRef, context: &TaskContext) -> QueryResult<Batches> {
        if self.begun.swap(true, Ordering::SeqCst) {
            // Two comparisons would write one snapshot.
            return Err(failed(
                self.place
                    .error("a later step takes the changes twice")
                    .hint("let the `sql` after `changes` name `input` once, or put it before"),
            ));
        }
        Ok(Box::pin(Difference::new(self.clone(), rows, schema, context.memory_pool()).batches()))
    }
}
