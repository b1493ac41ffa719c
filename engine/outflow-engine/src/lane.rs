//! Lanes: where plans make one batch of each batch that is read, the thread that read it carries it through all of them,
//! while it lies in the cache of that processor. A plan finds the batch of its lane in the context that it is executed in.
//! Several threads have a lane each; the order of the rows is restored behind them.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt, stream};

use crate::dead_letter::Reject;
use crate::error::{Error, Result};
use crate::reject;
use crate::spool::running;

/// Whether a plan makes one batch of each batch of its input, looking at nothing else.
pub fn carries(plan: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = plan;
    match any.downcast_ref::<StreamingTableExec>() {
        Some(leaf) => leaf.limit().is_none(),
        None => {
            (any.is::<ProjectionExec>() || any.is::<CooperativeExec>() || reject::is_reject(plan))
                && plan.children().iter().all(|input| carries(input.as_ref()))
        }
    }
}

/// The columns that a plan which carries begins with.
pub fn beginning(plan: &dyn ExecutionPlan) -> SchemaRef {
    match plan.children().first() {
        Some(input) => beginning(input.as_ref()),
        None => plan.schema(),
    }
}

/// What is on its way in one lane.
#[derive(Debug, Default)]
pub struct Lane {
    batch: Mutex<Option<RecordBatch>>,
    /// Rows that were left out of it.
    rejects: Mutex<Vec<Reject>>,
}

impl Lane {
    /// The lane that a plan is executed in, if it is.
    pub fn of(context: &TaskContext) -> Option<Arc<Self>> {
        context.session_config().get_extension::<Self>()
    }

    /// The batches that are put into the lane.
    pub fn batches(self: Arc<Self>, schema: SchemaRef) -> SendableRecordBatchStream {
        let batches = stream::poll_fn(move |_| match lock(&self.batch).take() {
            Some(batch) => Poll::Ready(Some(Ok(batch))),
            None => Poll::Pending,
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }

    /// Leaves a row out.
    pub fn reject(&self, reject: Reject) {
        lock(&self.rejects).push(reject);
    }
}

/// A plan, to be executed in any number of lanes.
pub struct Road {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
}

impl Road {
    /// The road of a plan whose every part carries.
    pub fn new(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Self {
        Self { plan, context }
    }

    /// Opens one more lane.
    pub fn open(&self) -> Result<Carrier> {
        let lane = Arc::new(Lane::default());
        let config = self.context.session_config().clone().with_extension(lane.clone());
        let context = TaskContext::default().with_session_config(config).with_runtime(self.context.runtime_env());
        let rows = execute_stream(self.plan.clone(), Arc::new(context)).map_err(running)?;
        Ok(Carrier { lane, rows })
    }
}

/// Carries batches through a lane, on one thread.
pub struct Carrier {
    lane: Arc<Lane>,
    rows: SendableRecordBatchStream,
}

impl Carrier {
    /// What the plans make of a batch, and the rows that they left out.
    pub fn carry(&mut self, batch: RecordBatch) -> Result<(RecordBatch, Vec<Reject>)> {
        *lock(&self.lane.batch) = Some(batch);
        match self.rows.next().now_or_never() {
            Some(Some(batch)) => Ok((batch.map_err(running)?, std::mem::take(&mut *lock(&self.lane.rejects)))),
            Some(None) | None => Err(Error::internal("a plan made no batch of a batch")),
        }
    }
}

/// Nothing here is left half done by a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
