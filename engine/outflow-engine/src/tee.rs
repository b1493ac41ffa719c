//! One pass over rows that several plans read: they are executed once, and each batch goes to every reader, as fast
//! as the slowest takes it; a lone reader reads them directly. What the readers do with them is not known here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::DataFrame;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::lane::{self, Lane, lock};
use crate::spool::running;

/// Batches that may wait for a reader.
const WAITING: usize = 2;

/// Rows for several plans. Tables are given out, plans are made of them, then the pass is planned and started, and only
/// then are the plans executed.
pub struct Tee {
    rows: DataFrame,
    tables: Vec<Arc<TeeTable>>,
}

/// A planned pass: who reads it is known.
pub struct Pass {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    /// Columns that the plan gives, by their place in the rows.
    columns: Vec<usize>,
    /// The readers of each table.
    readers: Vec<Vec<Arc<Reader>>>,
}

/// A pass under way.
pub struct Pump(Option<SpawnedTask<Result<()>>>);

impl Tee {
    /// Rows to be read by any number of plans.
    pub fn new(rows: DataFrame) -> Self {
        Self { rows, tables: Vec::new() }
    }

    /// The rows as a table for one more plan.
    pub fn table(&mut self) -> Arc<dyn TableProvider> {
        let schema = Arc::new(self.rows.schema().as_arrow().clone());
        let table = Arc::new(TeeTable { schema, readers: Mutex::default() });
        self.tables.push(table.clone());
        table
    }

    /// Plans the pass: the columns that any reader wants.
    pub async fn plan(self) -> Result<Pass> {
        let readers = self.tables.iter().map(|table| std::mem::take(&mut *lock(&table.readers))).collect::<Vec<_>>();
        let mut columns: BTreeSet<usize> =
            readers.iter().flatten().flat_map(|reader| reader.columns.iter().copied()).collect();
        if columns.is_empty() {
            // Who only counts rows needs a column to count.
            columns.insert(0);
        }
        let known = self.rows.schema().columns();
        let wanted = columns.iter().map(|&column| Expr::Column(known[column].clone())).collect::<Vec<_>>();
        let rows = if wanted.len() < known.len() { self.rows.select(wanted).map_err(running)? } else { self.rows };
        let context = Arc::new(rows.task_ctx());
        let plan = rows.create_physical_plan().await.map_err(running)?;
        Ok(Pass { plan, context, columns: columns.into_iter().collect(), readers })
    }
}

impl Pass {
    /// Whether its rows can be carried in lanes to the one plan that reads them.
    pub fn carries(&self) -> bool {
        self.readers.iter().map(Vec::len).sum::<usize>() == 1 && lane::carries(self.plan.as_ref())
    }

    /// The plan.
    pub fn plan(&self) -> &dyn ExecutionPlan {
        self.plan.as_ref()
    }

    /// Begins the pass. A lone reader executes the plan itself, in lanes if it is executed in such.
    pub fn start(self) -> Result<Pump> {
        let Self { plan, context, columns, readers } = self;
        let waiting = MemoryConsumer::new("rows read twice").register(context.memory_pool());
        let readers = readers.iter().flat_map(|table| table.iter().map(|reader| (reader, table.len() > 1)));
        let readers = readers.collect::<Vec<_>>();
        if readers.is_empty() {
            // What no plan reads is not executed.
            return Ok(Pump(None));
        }
        if let [(reader, _)] = readers.as_slice() {
            reader.read(&columns, Feed::Plan(plan));
            return Ok(Pump(None));
        }
        let rows = execute_stream(plan, context).map_err(running)?;
        let connect = |(reader, several): &(&Arc<Reader>, bool)| {
            let (sender, batches) = channel(reader.schema.clone(), several.then(|| waiting.new_empty()));
            reader.read(&columns, Feed::Batches(batches));
            sender
        };
        let senders = readers.iter().map(connect).collect();
        Ok(Pump(Some(SpawnedTask::spawn(pump(rows, senders)))))
    }
}

impl Pump {
    /// Waits for the end of the pass. Readers are not told of its failure, so this outweighs what they make of the rows.
    pub async fn ended(self) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some(task) => {
                task.await.map_err(|cause| Error::internal("the pass over the rows stopped").caused_by(cause))?
            }
        }
    }
}

async fn pump(mut rows: SendableRecordBatchStream, mut senders: Vec<Sender>) -> Result<()> {
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(running)?;
        let mut listening = Vec::with_capacity(senders.len());
        for sender in senders {
            if sender.send(&batch).await.map_err(running)? {
                listening.push(sender);
            }
        }
        senders = listening;
        if senders.is_empty() {
            break;
        }
    }
    Ok(())
}

/// A batch on its way, with the memory it is charged for while it waits.
struct Portion {
    batch: RecordBatch,
    _held: Option<MemoryReservation>,
}

enum Sender {
    /// For the one reader of a plan.
    Bounded(mpsc::Sender<Portion>),
    /// For a plan that reads the rows more than once: it may want one end of them before it takes the other.
    Unbounded(mpsc::UnboundedSender<Portion>, MemoryReservation),
}

impl Sender {
    /// Whether the reader still listens.
    async fn send(&self, batch: &RecordBatch) -> QueryResult<bool> {
        let batch = batch.clone();
        match self {
            Self::Bounded(sender) => Ok(sender.send(Portion { batch, _held: None }).await.is_ok()),
            Self::Unbounded(sender, waiting) => {
                let held = waiting.new_empty();
                held.try_grow(batch.get_array_memory_size())?;
                Ok(sender.send(Portion { batch, _held: Some(held) }).is_ok())
            }
        }
    }
}

/// A way from the pass to one reader.
fn channel(schema: SchemaRef, unbounded: Option<MemoryReservation>) -> (Sender, SendableRecordBatchStream) {
    let (sender, portions) = match unbounded {
        None => {
            let (sender, mut receiver) = mpsc::channel(WAITING);
            (Sender::Bounded(sender), stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
        }
        Some(waiting) => {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let sender = Sender::Unbounded(sender, waiting);
            (sender, stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
        }
    };
    let batches = portions.map(|portion: Portion| Ok(portion.batch));
    (sender, Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}

/// The rows as one plan sees them.
struct TeeTable {
    schema: SchemaRef,
    readers: Mutex<Vec<Arc<Reader>>>,
}

impl fmt::Debug for TeeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TeeTable").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl TableProvider for TeeTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Takes no filter: the rows are the same for every plan.
    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let schema = Arc::new(self.schema.project(&columns)?);
        let reader = Arc::new(Reader { columns, schema: schema.clone(), feed: Mutex::default() });
        lock(&self.readers).push(reader.clone());
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![reader], None, None, false, limit)?))
    }
}

/// One scan of a plan.
struct Reader {
    /// Columns it reads, by their place in the rows.
    columns: Vec<usize>,
    schema: SchemaRef,
    /// Where its batches come from, until it is executed, and the columns among theirs that it reads.
    feed: Mutex<Option<(Vec<usize>, Feed)>>,
}

/// Where the batches of a reader come from.
enum Feed {
    Plan(Arc<dyn ExecutionPlan>),
    Batches(SendableRecordBatchStream),
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Reader {
    /// Takes batches with the columns `given`, by their place in the rows.
    fn read(&self, given: &[usize], feed: Feed) {
        let columns = self.columns.iter().filter_map(|column| given.binary_search(column).ok()).collect::<Vec<_>>();
        *lock(&self.feed) = Some((columns, feed));
    }

    /// What it reads: once, or once in each lane.
    fn rows(&self, context: Arc<TaskContext>) -> QueryResult<(Vec<usize>, SendableRecordBatchStream)> {
        let mut feed = lock(&self.feed);
        if let (Some((columns, Feed::Plan(plan))), Some(_)) = (&*feed, Lane::of(&context)) {
            return Ok((columns.clone(), execute_stream(plan.clone(), context)?));
        }
        match feed.take() {
            Some((columns, Feed::Plan(plan))) => Ok((columns, execute_stream(plan, context)?)),
            Some((columns, Feed::Batches(batches))) => Ok((columns, batches)),
            None => {
                let error = Error::user("a query reads its input anew for each step, as recursive queries do")
                    .hint("the rows pass once; say it with joins, aggregates or window functions");
                Err(DataFusionError::External(Box::new(error)))
            }
        }
    }
}

impl PartitionStream for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = self.schema.clone();
        let batches = match self.rows(context) {
            Err(error) => stream::once(async { Err(error) }).boxed(),
            Ok((columns, rows)) => rows
                .map(move |batch| {
                    let batch = batch?;
                    let arrays = columns.iter().map(|&column| batch.column(column).clone()).collect();
                    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                    Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
                })
                .boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}
