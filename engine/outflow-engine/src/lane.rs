//! Lanes: where what plans make of a batch depends on no other batch, the thread that read it carries it through all of
//! them, while it lies in the cache of that processor. A plan finds the batch of its lane in the context that it is
//! executed in. Several threads have a lane each; the order of the rows, and of what is told of them, is restored behind
//! them.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
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
use futures::{StreamExt, future, stream};
use outflow_layout::layout::LogLine;
use tokio::runtime::{Builder, Runtime};

use crate::dead_letter::{DeadLetter, Reject};
use crate::error::{Error, Result};
use crate::source::Whole;
use crate::spool::running;
use crate::transform::Notes;
use crate::unseen::Unseen;
use crate::{operator, reject};

/// Whether a plan looks at one batch of its input at a time, and makes no more rows of it than it has.
pub fn carries(plan: &dyn ExecutionPlan) -> bool {
    let any: &dyn Any = plan;
    if let Some(leaf) = any.downcast_ref::<StreamingTableExec>() {
        return leaf.limit().is_none();
    }
    let is_known = any.is::<ProjectionExec>() || any.is::<CooperativeExec>() || reject::is_reject(plan);
    (is_known || operator::carried(plan).is_some()) && input(plan).is_some_and(carries)
}

/// What a plan that carries takes its rows from; none for what they begin with.
pub fn input(plan: &dyn ExecutionPlan) -> Option<&dyn ExecutionPlan> {
    match operator::carried(plan) {
        Some((input, _)) => Some(input),
        None => plan.children().first().copied().map(Arc::as_ref),
    }
}

/// Bytes of memory that a plan which carries holds in each lane, beside the batch that is on its way.
pub fn holds(plan: &dyn ExecutionPlan) -> usize {
    let own = operator::carried(plan).map_or(0, |(_, carried)| carried.holds);
    own.saturating_add(input(plan).map_or(0, holds))
}

/// The columns that a plan which carries begins with.
pub fn beginning(plan: &dyn ExecutionPlan) -> SchemaRef {
    input(plan).map_or_else(|| plan.schema(), beginning)
}

/// What is to be told of rows, once everything is told of the rows before.
pub enum Told {
    /// A row was left out.
    Reject(Arc<DeadLetter>, Reject),
    /// A plugin logged something.
    Log(Arc<Notes>, String, Vec<LogLine>),
}

impl Told {
    /// Tells it.
    pub fn tell(self) -> Result<()> {
        match self {
            Self::Reject(log, reject) => log.push(reject),
            Self::Log(notes, plugin, lines) => {
                notes.remarks.add(&plugin, lines);
                Ok(())
            }
        }
    }
}

/// Shows in the rows that are left out what nothing looked at, which `whole` reads.
pub fn show(told: &mut [Told], unseen: &Unseen, whole: &Whole) -> Result<()> {
    let rejects = told.iter_mut().filter_map(|told| match told {
        Told::Reject(_, reject) => Some(reject),
        Told::Log(..) => None,
    });
    let rejects = rejects.collect::<Vec<_>>();
    if rejects.is_empty() || *unseen == Unseen::default() {
        return Ok(());
    }
    unseen.show(rejects, &whole()?)
}

/// What is on its way in one lane.
#[derive(Default)]
pub struct Lane {
    batch: Mutex<Option<RecordBatch>>,
    /// Whether a plan asked for a batch in vain.
    empty: AtomicBool,
    told: Mutex<Vec<Told>>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
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
            None => {
                self.empty.store(true, Ordering::Relaxed);
                Poll::Pending
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}

/// Tells something of rows: at once, or in its turn if they are in a lane.
pub fn tell(lane: Option<&Lane>, told: Told) -> Result<()> {
    match lane {
        Some(lane) => {
            lock(&lane.told).push(told);
            Ok(())
        }
        None => told.tell(),
    }
}

/// What becomes of batches at the end of a lane.
pub struct End<T> {
    /// What is made of one.
    pub make: Box<dyn FnMut(RecordBatch) -> Result<T>>,
    /// What becomes of that, on the same thread, once this is done with all that was made of the rows before; unset: nothing.
    pub settle: Option<Box<dyn FnMut(T) -> Result<T>>>,
}

/// A plan, to be executed in lanes.
pub struct Road {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    /// How many lanes there may be.
    pub most: usize,
}

impl Road {
    /// The road of a plan whose every part carries.
    pub fn new(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>, most: usize) -> Self {
        Self { plan, context, most }
    }

    /// Opens one more lane.
    pub fn open(&self) -> Result<Carrier> {
        let lane = Arc::new(Lane::default());
        let config = self.context.session_config().clone().with_extension(lane.clone());
        let context = TaskContext::default().with_session_config(config).with_runtime(self.context.runtime_env());
        let rows = execute_stream(self.plan.clone(), Arc::new(context)).map_err(running)?;
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|cause| Error::external("a lane does not open").caused_by(cause))?;
        Ok(Carrier { lane, rows, runtime })
    }
}

/// Carries batches through a lane, on one thread, which is none of the runtime's own.
pub struct Carrier {
    lane: Arc<Lane>,
    rows: SendableRecordBatchStream,
    /// Wakes what waits here, even while the runtime of the process is ending.
    runtime: Runtime,
}

impl Carrier {
    /// What the plans make of a batch, and what is to be told of its rows, even if they fail.
    pub fn carry(&mut self, batch: RecordBatch) -> (Result<Vec<RecordBatch>>, Vec<Told>) {
        *lock(&self.lane.batch) = Some(batch);
        self.lane.empty.store(false, Ordering::Relaxed);
        let mut made = Vec::with_capacity(1);
        let (rows, lane) = (&mut self.rows, &self.lane);
        let carried = self.runtime.block_on(future::poll_fn(|context| {
            loop {
                match rows.poll_next_unpin(context) {
                    Poll::Ready(Some(batch)) => made.push(batch.map_err(running)?),
                    Poll::Ready(None) => return Poll::Ready(Err(Error::internal("a plan ended before its input"))),
                    Poll::Pending if lane.empty.load(Ordering::Relaxed) => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
        }));
        (carried.map(|()| made), std::mem::take(&mut *lock(&self.lane.told)))
    }
}

/// Nothing here is left half done by a panic.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
