//! The rows of a source as DataFusion sees them: a table that asks for a new stream of batches each time it is scanned.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::Result as QueryResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use crate::lane::Lane;

/// What reads a source.
pub trait Scan: Send + Sync + 'static {
    /// Begins to read the columns of a schema.
    fn stream(self: Arc<Self>, schema: SchemaRef) -> SendableRecordBatchStream;
}

/// A table over a scan.
pub struct Table<S> {
    schema: SchemaRef,
    /// What reads it.
    pub(super) scan: Arc<S>,
    pub(super) reads: Arc<AtomicU64>,
}

impl<S: Scan> Table<S> {
    /// A table with the columns of a schema.
    pub(super) fn new(schema: SchemaRef, scan: S) -> Arc<Self> {
        Arc::new(Self { schema, scan: Arc::new(scan), reads: Arc::default() })
    }

    /// Times that the source was read.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl<S> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl<S: Scan> TableProvider for Table<S> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> QueryResult<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(projection) => Arc::new(self.schema.project(projection)?),
            None => self.schema.clone(),
        };
        let stream = Stream { schema: schema.clone(), scan: self.scan.clone(), reads: self.reads.clone() };
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(stream)], None, None, false, limit)?))
    }
}

struct Stream<S> {
    schema: SchemaRef,
    scan: Arc<S>,
    reads: Arc<AtomicU64>,
}

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl<S: Scan> PartitionStream for Stream<S> {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        if let Some(lane) = Lane::of(&context) {
            return lane.batches(self.schema.clone());
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.scan.clone().stream(self.schema.clone())
    }
}
