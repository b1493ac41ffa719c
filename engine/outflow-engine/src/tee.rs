//! One pass over rows that several plans read: they are executed once, and each batch goes to every reader, as fast
//! as the slowest takes it. What the readers do with them is not known here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::runtime::SpawnedTask;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::DataFrame;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::spool::running;

/// Batches that may wait for a reader.
const WAITING: usize = 2;

/// Rows for several plans. Tables are given out, plans are made of them, then the pass begins, and only then are the
/// plans executed.
pub struct Tee {
    rows: DataFrame,
    tables: Vec<Arc<TeeTable>>,
}

impl Tee {
    /// Rows to be read by several.
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

    /// Begins the pass. Ends well when the rows or their readers do; a reader is not told of an error, so the result
    /// outweighs what readers make of the rows.
    pub async fn start(self) -> Result<SpawnedTask<Result<()>>> {
        let readers = self.tables.iter().map(|table| std::mem::take(&mut *lock(&table.readers))).collect::<Vec<_>>();
        let mut wanted: BTreeSet<usize> =
            readers.iter().flatten().flat_map(|reader| reader.columns.iter().copied()).collect();
        if wanted.is_empty() {
            // Who only counts rows needs a column to count.
            wanted.insert(0);
        }
        let known = self.rows.schema().columns();
        let columns = wanted.iter().map(|&column| Expr::Column(known[column].clone())).collect::<Vec<_>>();
        let rows = if wanted.len() < known.len() { self.rows.select(columns).map_err(running)? } else { self.rows };
        let waiting = MemoryConsumer::new("rows read twice").register(rows.task_ctx().memory_pool());
        let wanted = wanted.into_iter().collect::<Vec<_>>();
        let mut senders = Vec::new();
        for table in readers {
            let several = table.len() > 1;
            senders.extend(table.iter().map(|reader| reader.connect(&wanted, several.then_some(&waiting))));
        }
        // What no plan reads is not executed.
        let rows = if senders.is_empty() { None } else { Some(rows.execute_stream().await.map_err(running)?) };
        Ok(SpawnedTask::spawn(pump(rows, senders)))
    }
}

async fn pump(rows: Option<SendableRecordBatchStream>, mut senders: Vec<Sender>) -> Result<()> {
    let Some(mut rows) = rows else { return Ok(()) };
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
    /// Where its batches come from, until it is executed.
    feed: Mutex<Option<BoxStream<'static, QueryResult<RecordBatch>>>>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Reader {
    /// Joins the reader to the pass over the `wanted` columns.
    fn connect(&self, wanted: &[usize], unbounded: Option<&MemoryReservation>) -> Sender {
        let (sender, portions) = match unbounded {
            None => {
                let (sender, mut receiver) = mpsc::channel(WAITING);
                (Sender::Bounded(sender), stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
            }
            Some(waiting) => {
                let (sender, mut receiver) = mpsc::unbounded_channel();
                let sender = Sender::Unbounded(sender, waiting.new_empty());
                (sender, stream::poll_fn(move |context| receiver.poll_recv(context)).boxed())
            }
        };
        let columns = self.columns.iter().filter_map(|column| wanted.binary_search(column).ok()).collect::<Vec<_>>();
        let schema = self.schema.clone();
        let batches = portions.map(move |portion: Portion| {
            let arrays = columns.iter().map(|&column| portion.batch.column(column).clone()).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(portion.batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
        });
        *lock(&self.feed) = Some(batches.boxed());
        sender
    }
}

impl PartitionStream for Reader {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = lock(&self.feed).take().unwrap_or_else(|| {
            let error =
                Error::user("a query of the layout reads its input anew for each step, as recursive queries do")
                    .hint("the rows pass once; say it with joins, aggregates or window functions");
            stream::once(async { Err(DataFusionError::External(Box::new(error))) }).boxed()
        });
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

/// Nothing here is left half done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
