//! `lookup`: columns of another source, found by key. That source is read whole when the plan is made; the rows flow
//! through, in order, each once. Keys are compared as text. What the other source holds is no part of the window: when
//! it changes, nothing is delivered anew.

mod table;

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::Result as QueryResult;
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use futures::StreamExt;
use outflow_spec::transform::{LookupTransform, MissingSpec};

use super::{Notes, Place, TransformContext, columns, keys};
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::lane::{self, Lane, Told};
use crate::operator::{self, Batches, Carried, Operator, failed};
use crate::reject::Records;
use table::Table;

pub(super) async fn apply(
    spec: &LookupTransform,
    frame: DataFrame,
    context: &TransformContext,
    place: Place,
) -> Result<DataFrame> {
    let known = columns::visible(&frame);
    if let Some((name, _)) = spec.on.0.iter().find(|(name, _)| !known.contains(name)) {
        return Err(columns::unknown_in("`on`: ", name, &known, place));
    }
    for (index, (name, _)) in spec.columns.0.iter().enumerate() {
        if known.contains(name) || spec.columns.0[..index].iter().any(|(other, _)| other == name) {
            return Err(place
                .error(format!("the rows already have a column `{name}`"))
                .hint(format!("give the new one another name: `columns: {{other_name: {name}}}`")));
        }
        if name.starts_with(columns::HIDDEN) {
            return Err(place.error(format!("`{name}`: names that start with `{}` are taken", columns::HIDDEN)));
        }
    }
    let (state, plan) = frame.into_parts();
    let table = Table::read(spec, &state, context, place).await?;
    let added = spec.columns.0.iter().zip(&table.fields);
    let added = added.map(|((name, _), field)| field.as_ref().clone().with_name(name)).collect::<Vec<Field>>();
    context.notes.tally.add(place, Join::COUNT, 0);
    let columns = plan.schema().fields();
    let carried = Carried {
        from: (0..columns.len()).map(Some).chain(added.iter().map(|_| None)).collect(),
        reads: spec.on.0.iter().filter_map(|(name, _)| columns.iter().position(|field| field.name() == name)).collect(),
        // All share the table.
        holds: 0,
    };
    let join = Join {
        on: spec.on.0.iter().map(|(name, _)| name.clone()).collect(),
        carried: Arc::new(carried),
        on_missing: spec.on_missing,
        table: Arc::new(table),
        rejects: context.rejects.clone(),
        notes: context.notes.clone(),
        place,
    };
    let frame = operator::over(DataFrame::new(state, plan), added, Arc::new(join))?;
    let visible = columns::visible(&frame).iter().map(|name| columns::column(name)).collect();
    columns::project(frame, visible, place)
}

#[derive(Clone, Debug)]
struct Join {
    on: Vec<String>,
    on_missing: MissingSpec,
    table: Arc<Table>,
    carried: Arc<Carried>,
    rejects: Arc<DeadLetter>,
    notes: Arc<Notes>,
    place: Place,
}

impl Operator for Join {
    fn name(&self) -> &'static str {
        "Lookup"
    }

    fn carries(&self) -> Option<&Carried> {
        Some(&self.carried)
    }

    fn start(&self, rows: SendableRecordBatchStream, schema: SchemaRef, context: &TaskContext) -> QueryResult<Batches> {
        let (this, lane) = (self.clone(), Lane::of(context));
        Ok(rows.map(move |batch| this.join(&batch?, &schema, lane.as_deref())).boxed())
    }
}

impl Join {
    /// The name of the count of rows that found nothing.
    const COUNT: &str = "not_found";

    fn join(&self, batch: &RecordBatch, schema: &SchemaRef, lane: Option<&Lane>) -> QueryResult<RecordBatch> {
        let found = self.table.find(&keys::keys(&keys::columns(batch, &self.on)?)?);
        let missing = (0..found.len()).filter(|row| found[*row].is_none()).collect::<Vec<_>>();
        self.notes.tally.add(self.place, Self::COUNT, missing.len() as u64);
        if !missing.is_empty() {
            self.tell(batch, &missing, lane)?;
        }
        let rows = UInt32Array::from(found);
        let added = self.table.columns.iter().map(|column| Ok(take(column, &rows, None)?));
        let added = added.collect::<QueryResult<Vec<_>>>()?;
        let joined = batch.columns().iter().cloned().chain(added).collect();
        let joined = RecordBatch::try_new(schema.clone(), joined)?;
        if missing.is_empty() || self.on_missing == MissingSpec::Keep {
            return Ok(joined);
        }
        let kept = rows.iter().map(|row| Some(row.is_some())).collect::<BooleanArray>();
        Ok(filter_record_batch(&joined, &kept)?)
    }

    /// What is to be said of rows that found nothing. Their keys may be personal: an error names their places.
    fn tell(&self, batch: &RecordBatch, missing: &[usize], lane: Option<&Lane>) -> QueryResult<()> {
        let on = self.on.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match self.on_missing {
            MissingSpec::Keep | MissingSpec::Drop => {}
            MissingSpec::Error => {
                let records = Records::of(batch)?;
                let rows = missing.first().map(|row| records.place(*row)).unwrap_or_default();
                let message = format!("{rows}: the lookup has no row for its {on}");
                return Err(failed(self.place.error(message).hint(
                    "`on_missing` can be `keep` (the columns are null), `drop` or `reject`, which sets such rows aside",
                )));
            }
            MissingSpec::Reject => {
                let records = Records::of(batch)?;
                for row in missing {
                    let message = format!("the lookup has no row for {on}");
                    let reject = records.reject(*row, "lookup/not-found", &message);
                    lane::tell(lane, Told::Reject(self.rejects.clone(), reject)).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

/// The error of a source that cannot be read, with the place of the transform.
fn placed(place: Place, error: &Error) -> Error {
    let told = place.error(error);
    match error.hint_text() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}
