//! `plugin`: rows through a transform plugin, batch by batch and in order. Only the columns that it reads cross to it;
//! the others follow their rows by the numbers that it answers.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::common::Result as QueryResult;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use futures::{StreamExt, stream};
use outflow_layout::layout::{LayoutError, LogLine};
use outflow_layout::transform::{Io, MemoryAccount, Mode};
use outflow_layout::wasm::{Declared, Transform};
use outflow_spec::transform::{OnPluginError, PluginTransform};

use super::{Notes, Place, TransformContext, columns};
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::lane::{self, Lane, Told};
use crate::operator::{self, Batches, Carried, Operator};
use crate::plugin::Component;
use crate::reject::Records;

/// The code of rows that a plugin failed for.
const FAILED: &str = "plugin/failed";

pub(super) async fn apply(
    spec: &PluginTransform,
    frame: DataFrame,
    context: &TransformContext,
    place: Place,
) -> Result<DataFrame> {
    let component = Component::pinned(&spec.component, spec.sha256.as_deref(), &context.base).map_err(|refusal| {
        let error = place.error(&refusal);
        match refusal.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    let options = serde_json::Value::Object(spec.options.clone());
    let opened = async { component.transform()?.open(&options, frame.schema().as_arrow(), None).await }.await;
    let mut transform = opened.map_err(|error| refused(error, place))?;
    context.notes.remarks.add(&component.name, transform.take_log());
    let declared = transform.declared().clone();
    let input = frame.schema().as_arrow().fields();
    let (fields, origins) = output(input, declared.io());
    let operator = PluginOperator {
        carried: carried(input, &origins, &transform),
        name: component.name,
        declared,
        origins: origins.into(),
        on_error: spec.on_error,
        rejects: Arc::clone(&context.rejects),
        notes: Arc::clone(&context.notes),
        place,
    };
    operator::with_columns(frame, fields, Arc::new(operator))
}

/// What a plugin says of its options and columns, before there are rows.
fn refused(error: LayoutError, place: Place) -> Error {
    match error {
        LayoutError::Options(found) => {
            let told = found.iter().map(|finding| {
                let at = if finding.path.is_empty() { String::new() } else { format!(" (at `{}`)", finding.path) };
                format!("{}{at}, {}", finding.message, finding.code)
            });
            let error = place.error(told.collect::<Vec<_>>().join("; "));
            match found.into_iter().find_map(|finding| finding.help) {
                Some(help) => error.hint(help),
                None => error,
            }
        }
        other => place.error(other),
    }
}

/// Where a column of the output comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Input(usize),
    Written(usize),
}

/// The columns behind a plugin: those of the input without the dropped ones, the written ones in their place or at
/// the end, and the engine's own.
fn output(input: &[Arc<Field>], io: &Io) -> (Vec<Field>, Vec<Origin>) {
    let is_hidden = |field: &Field| field.name().starts_with(columns::HIDDEN);
    let (mut fields, mut origins) = (Vec::new(), Vec::new());
    let mut add = |field: &Field, origin| {
        fields.push(field.clone());
        origins.push(origin);
    };
    for (index, field) in input.iter().enumerate().filter(|(_, field)| !is_hidden(field)) {
        match io.writes.iter().position(|written| written.name() == field.name()) {
            Some(written) => add(&io.writes[written], Origin::Written(written)),
            None if io.drops.contains(field.name()) => {}
            None => add(field, Origin::Input(index)),
        }
    }
    for (index, written) in io.writes.iter().enumerate() {
        if input.iter().all(|field| field.name() != written.name()) {
            add(written, Origin::Written(index));
        }
    }
    for (index, field) in input.iter().enumerate().filter(|(_, field)| is_hidden(field)) {
        add(field, Origin::Input(index));
    }
    (fields, origins)
}

/// Bytes by which a guest is expected to grow for a chunk of rows: what it reads of it, what it answers, and its work.
const GROWTH: usize = 8 << 20;

/// What becomes of columns in lanes, where all that comes of a batch is held at once: none if that may be any number of
/// rows.
fn carried(input: &[Arc<Field>], origins: &[Origin], transform: &Transform) -> Option<Carried> {
    let io = transform.declared().io();
    let from = origins.iter().map(|origin| match *origin {
        Origin::Input(index) => Some(index),
        Origin::Written(_) => None,
    });
    let is_read = |name: &String| io.reads.iter().any(|read| read.name() == name);
    let reads = (0..input.len()).filter(|&index| is_read(input[index].name())).collect();
    let holds = transform.memory() + GROWTH;
    (io.mode != Mode::Expand).then(|| Carried { from: from.collect(), reads, holds })
}

struct PluginOperator {
    name: String,
    carried: Option<Carried>,
    declared: Declared,
    origins: Arc<[Origin]>,
    on_error: OnPluginError,
    rejects: Arc<DeadLetter>,
    notes: Arc<Notes>,
    place: Place,
}

impl fmt::Debug for PluginOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginOperator({})", self.name)
    }
}

impl Operator for PluginOperator {
    fn name(&self) -> &'static str {
        "Plugin"
    }

    fn carries(&self) -> Option<&Carried> {
        self.carried.as_ref()
    }

    fn start(&self, rows: SendableRecordBatchStream, schema: SchemaRef, context: &TaskContext) -> QueryResult<Batches> {
        let account = MemoryConsumer::new(format!("plugin {}", self.name)).register(context.memory_pool());
        let account = Account(account);
        let most = self.declared.io().rows_per_batch;
        let work = Work {
            name: self.name.clone(),
            transform: self.declared.transform(Some(Arc::new(account))),
            origins: Arc::clone(&self.origins),
            on_error: self.on_error,
            rejects: Arc::clone(&self.rejects),
            notes: Arc::clone(&self.notes),
            place: self.place,
            schema,
            lane: Lane::of(context),
        };
        let pieces = rows.flat_map(move |batch| {
            stream::iter(match batch {
                Ok(batch) => slices(&batch, most).into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            })
        });
        let batches = stream::try_unfold((Box::pin(pieces), work), |(mut pieces, mut work)| async move {
            let Some(batch) = pieces.next().await else { return Ok(None) };
            let answer = work.apply(&batch?).await?;
            Ok(Some((answer, (pieces, work))))
        });
        Ok(batches.boxed())
    }
}

/// The batch in pieces of at most so many rows.
fn slices(batch: &RecordBatch, most: usize) -> Vec<RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(most.max(1));
    starts.map(|start| batch.slice(start, most.min(batch.num_rows() - start))).collect()
}

/// One stream of rows through one plugin.
struct Work {
    name: String,
    transform: Transform,
    origins: Arc<[Origin]>,
    on_error: OnPluginError,
    rejects: Arc<DeadLetter>,
    notes: Arc<Notes>,
    place: Place,
    schema: SchemaRef,
    lane: Option<Arc<Lane>>,
}

impl Work {
    async fn apply(&mut self, batch: &RecordBatch) -> QueryResult<RecordBatch> {
        let answer = self.transform.apply(batch).await;
        self.remark()?;
        match answer {
            Ok(applied) => {
                let refused = applied.refused.iter();
                self.reject(batch, refused.map(|one| (one.row as usize, one.code.as_str(), one.message.as_str())))?;
                self.assemble(batch, &applied.columns, applied.source.as_ref())
            }
            Err(error) if self.on_error == OnPluginError::Reject => {
                let message = format!("the plugin `{}` failed for the batch: {error}", self.name);
                self.reject(batch, (0..batch.num_rows()).map(|row| (row, FAILED, message.as_str())))?;
                Ok(RecordBatch::new_empty(Arc::clone(&self.schema)))
            }
            Err(error) => Err(operator::failed(self.failure(batch, &error)?)),
        }
    }

    /// Tells what the plugin logged of weight.
    fn remark(&mut self) -> QueryResult<()> {
        let mut log = self.transform.take_log();
        log.retain(LogLine::is_serious);
        if log.is_empty() {
            return Ok(());
        }
        let told = Told::Log(self.notes.clone(), self.name.clone(), log);
        lane::tell(self.lane.as_deref(), told).map_err(operator::failed)
    }

    fn reject<'a>(
        &self,
        batch: &RecordBatch,
        mut refused: impl Iterator<Item = (usize, &'a str, &'a str)>,
    ) -> QueryResult<()> {
        let Some(first) = refused.next() else { return Ok(()) };
        let records = Records::of(batch)?;
        for (row, code, message) in std::iter::once(first).chain(refused) {
            let reject = records.reject(row, code, message);
            lane::tell(self.lane.as_deref(), Told::Reject(self.rejects.clone(), reject)).map_err(operator::failed)?;
        }
        Ok(())
    }

    fn failure(&self, batch: &RecordBatch, error: &LayoutError) -> QueryResult<Error> {
        let records = Records::of(batch)?;
        let (first, last) = (records.place(0), records.place(batch.num_rows().saturating_sub(1)));
        let message = format!("the plugin failed for the rows from {first} to {last}: {error}");
        let hint = "correct the rows or the plugin, or send such batches to the dead letter with `on_error: reject`";
        Ok(self.place.error(message).hint(hint))
    }

    fn assemble(
        &self,
        batch: &RecordBatch,
        written: &[ArrayRef],
        source: Option<&UInt32Array>,
    ) -> QueryResult<RecordBatch> {
        let column = |origin: &Origin| match (*origin, source) {
            (Origin::Written(index), _) => Ok(Arc::clone(&written[index])),
            (Origin::Input(index), None) => Ok(Arc::clone(batch.column(index))),
            (Origin::Input(index), Some(rows)) => take(batch.column(index), rows, None),
        };
        let columns = self.origins.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let rows = source.map_or(batch.num_rows(), Array::len);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

/// Memory of guests, charged to the query.
struct Account(MemoryReservation);

impl MemoryAccount for Account {
    fn grow(&self, bytes: usize) -> Result<(), String> {
        self.0.try_grow(bytes).map_err(|error| error.strip_backtrace())
    }

    fn shrink(&self, bytes: usize) {
        self.0.shrink(bytes);
    }
}
