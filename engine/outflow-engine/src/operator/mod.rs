//! Operators that see the rows one after the other and may remember something of them: what deduplicates, looks up,
//! compares, or asks a plugin. The plan below one is planned by itself and the plan above it sees a source, so that no
//! optimizer moves a filter, sort or limit through it; what the operator does with rows is its own business.

mod exec;
mod node;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::{DFSchema, Result as QueryResult};
use datafusion::dataframe::DataFrame;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Extension, LogicalPlan};
use futures::stream::BoxStream;

use crate::error::{Error, Result};

pub use exec::{carried, query_planner};

/// The batches that an operator makes, in order.
pub type Batches = BoxStream<'static, QueryResult<RecordBatch>>;

/// What is done with a stream of rows.
pub trait Operator: fmt::Debug + Send + Sync {
    /// Its name in plans.
    fn name(&self) -> &'static str;

    /// What becomes of columns, if the operator looks at one batch of its input at a time, and makes no more rows of it
    /// than it has.
    fn carries(&self) -> Option<&Carried> {
        None
    }

    /// Begins to work on the rows. What is held of them is charged to the pool of the context; the batches made have the
    /// columns of `schema`.
    fn start(&self, rows: SendableRecordBatchStream, schema: SchemaRef, context: &TaskContext) -> QueryResult<Batches>;
}

/// What becomes of columns in an operator that remembers nothing of the batches before.
#[derive(Debug)]
pub struct Carried {
    /// For each column made, the column of its input that it is.
    pub from: Vec<Option<usize>>,
    /// The columns of its input that it reads.
    pub reads: Vec<usize>,
    /// Bytes of memory that it holds while it works on one input.
    pub holds: usize,
}

/// Lays an operator over a plan. It gives the columns of the plan, and those added after them.
pub fn over(frame: DataFrame, added: Vec<Field>, operator: Arc<dyn Operator>) -> Result<DataFrame> {
    let fields = frame.schema().fields().iter().map(|field| field.as_ref().clone()).chain(added);
    let fields = fields.collect();
    with_columns(frame, fields, operator)
}

/// Lays an operator over a plan that gives these columns.
pub fn with_columns(frame: DataFrame, fields: Vec<Field>, operator: Arc<dyn Operator>) -> Result<DataFrame> {
    let (state, input) = frame.into_parts();
    let fields = fields.into_iter().map(|field| field.with_nullable(true)).collect::<Vec<_>>();
    let schema = DFSchema::from_unqualified_fields(fields.into(), Default::default())
        .map_err(|cause| Error::internal("an operator has no schema").caused_by(cause))?;
    let node = Arc::new(node::OperatorNode { input, schema: Arc::new(schema), operator });
    Ok(DataFrame::new(state, LogicalPlan::Extension(Extension { node })))
}

/// An error of ours on its way through the query engine.
pub fn failed(error: Error) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::External(Box::new(error))
}
