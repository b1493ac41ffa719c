//! A pipeline and its input become one DataFrame an output: source, transforms, then the layout's own
//! expressions. Nothing is read here but what the plan needs; rows flow when the frame is executed.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::UnnestOptions;
use datafusion::datasource::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions::expr_fn::{regexp_like, regexp_replace};
use datafusion::logical_expr::{Expr, cast, ident, lit, when};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use outflow_layout::layout::{self, Dataset, Output};

use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::reject::{self, RejectRule};
use crate::source::HIDDEN;
use crate::spool::running;
use crate::transform::{self, TransformContext};

/// Prefix of the columns that hold a row's partition values.
pub const PARTITION: &str = "_outflow_partition_";

/// One output of the layout laid over the rows: its frame has the written columns, then the partition values.
pub struct LaidOutput {
    /// What the layout asked for.
    pub output: Output,
    /// The rows.
    pub frame: DataFrame,
    /// Columns written, in order.
    pub schema: SchemaRef,
}

/// One output of the layout, its rows ready to flow.
pub struct PlannedOutput {
    /// What the layout asked for.
    pub output: Output,
    /// The rows: the written columns, then the partition values as text.
    pub rows: SendableRecordBatchStream,
    /// Columns written, in order; where names repeat, only here.
    pub schema: SchemaRef,
}

impl LaidOutput {
    /// Makes the rows ready to flow.
    pub async fn planned(self) -> Result<PlannedOutput> {
        let rows = self.frame.execute_stream().await.map_err(running)?;
        Ok(PlannedOutput { output: self.output, rows, schema: self.schema })
    }
}

/// A session that keeps rows in input order and names as they are written.
/// Operators that must hold rows share `memory` bytes and spill beyond it.
pub fn session(memory: usize) -> Result<SessionContext> {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .set_bool("datafusion.sql_parser.enable_ident_normalization", false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", true)
        .set_bool("datafusion.optimizer.expand_views_at_output", false)
        // The order that a query asks for is the order of the file, whatever follows the query.
        .set_bool("datafusion.sql_parser.enable_subquery_sort_elimination", false);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory)))
        .build_arc()
        .map_err(|cause| Error::internal("cannot set up the query engine").caused_by(cause))?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_query_planner(reject::query_planner())
        .build();
    let session = SessionContext::new_with_state(state);
    transform::register(&session);
    Ok(session)
}

/// The rows after the pipeline's transforms.
pub async fn rows(
    session: &SessionContext,
    source: Arc<dyn TableProvider>,
    transforms: &[outflow_spec::transform::TransformSpec],
    context: &TransformContext,
) -> Result<DataFrame> {
    let frame = session.read_table(source).map_err(planning)?;
    transform::apply_all(transforms, frame, context).await
}

/// What the layout may know of the rows: their visible columns.
pub fn dataset(frame: &DataFrame) -> Dataset {
    let columns = visible(frame)
        .map(|field| layout::Column {
            name: field.name().clone(),
            data_type: match field.data_type() {
                DataType::Utf8View | DataType::LargeUtf8 => "Utf8".to_owned(),
                other => other.to_string(),
            },
            nullable: field.is_nullable(),
        })
        .collect();
    Dataset { name: "input".to_owned(), columns }
}

/// Lays one output of the layout over the rows.
pub async fn output(rows: DataFrame, output: Output, dead_letter: &Arc<DeadLetter>) -> Result<LaidOutput> {
    let input = visible(&rows).map(|field| field.name().clone()).collect::<Vec<_>>();
    let mut frame = match &output.query {
        Some(query) => transform::query(rows, query).await?,
        None => rows,
    };
    if let Some(filter) = &output.filter {
        let condition = expression(&frame, filter, &output, "filter")?;
        frame = frame.filter(condition).map_err(planning)?;
    }
    if !output.rules.is_empty() {
        let mut rules = Vec::with_capacity(output.rules.len());
        for rule in &output.rules {
            let condition = expression(&frame, &rule.condition, &output, "rule")?;
            rules.push(RejectRule::new(condition, &rule.code, &rule.message));
        }
        frame = reject::unless(frame, rules, dead_letter.clone())?;
    }
    if let Some(expand) = &output.expand {
        let elements = expression(&frame, &expand.elements, &output, "expand")?;
        frame = frame.with_column(&expand.as_name, elements).map_err(planning)?;
        frame = frame
            .unnest_columns_with_options(&[&expand.as_name], UnnestOptions::new().with_preserve_nulls(false))
            .map_err(planning)?;
    }
    if !output.order_by.is_empty() {
        let keys = output.order_by.iter().map(|key| expression(&frame, key, &output, "order-by"));
        let keys = keys.map(|key| key.map(|expr| expr.sort(true, true))).collect::<Result<Vec<_>>>()?;
        frame = frame.sort(keys).map_err(planning)?;
    }
    let columns = written_columns(&frame, &output, &input)?;
    let width = columns.len() - output.partition_by.len();
    let frame = frame.select(columns).map_err(planning)?;
    let schema = written_schema(&frame, &output, width);
    Ok(LaidOutput { output, frame, schema })
}

fn written_columns(frame: &DataFrame, output: &Output, input: &[String]) -> Result<Vec<Expr>> {
    let mut columns = Vec::new();
    for field in &output.fields {
        columns.push(expression(frame, &field.expr, output, &field.name)?.alias(&field.name));
    }
    if output.pass_through {
        let named = |name: &String| output.fields.iter().any(|field| field.name == *name);
        columns.extend(input.iter().filter(|name| !named(name)).map(|name| ident(name.as_str())));
    }
    for (index, key) in output.partition_by.iter().enumerate() {
        let value = expression(frame, &key.value, output, &key.name)?;
        columns.push(cast(value, DataType::Utf8View).alias(format!("{PARTITION}{index}")));
    }
    Ok(columns)
}

/// The schema that encoders see; a JSON field is marked so that JSON formats write it raw.
fn written_schema(frame: &DataFrame, output: &Output, width: usize) -> SchemaRef {
    let fields = frame.schema().fields().iter().take(width).enumerate().map(|(index, field)| {
        let json = output.fields.get(index).is_some_and(|field| field.json);
        let mut metadata = field.metadata().clone();
        if json {
            metadata.insert(outflow_formats::JSON_METADATA.to_owned(), outflow_formats::JSON_RAW.to_owned());
        }
        Field::new(field.name(), field.data_type().clone(), true).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Hides personal values behind stars, for people who look: each word keeps its first character, digests stay.
pub fn masked(laid: LaidOutput) -> Result<LaidOutput> {
    let LaidOutput { output, mut frame, schema } = laid;
    for field in schema.fields().iter().filter(|field| outflow_spec::lint::personal::is_personal(field.name())) {
        let column = || cast(ident(field.name().as_str()), DataType::Utf8View);
        let digest = regexp_like(column(), lit("^([0-9a-f]{32,}|[A-Za-z0-9+/]{22,}={0,2})$"), None);
        let stars = regexp_replace(column(), lit(r"\B[\pL\pN]"), lit("*"), Some(lit("g")));
        let shown = when(digest, column()).otherwise(stars).map_err(planning)?;
        frame = frame.with_column(field.name(), cast(shown, field.data_type().clone())).map_err(planning)?;
    }
    Ok(LaidOutput { output, frame, schema })
}

fn visible(frame: &DataFrame) -> impl Iterator<Item = &Arc<Field>> {
    frame.schema().fields().iter().filter(|field| !field.name().starts_with(HIDDEN))
}

fn expression(frame: &DataFrame, text: &str, output: &Output, place: &str) -> Result<Expr> {
    frame.parse_sql_expr(text).map_err(|cause| {
        Error::user(format!("layout output `{}`: `{place}`: {}", output.dataset, cause.strip_backtrace()))
            .hint(format!("the expression is `{text}`"))
    })
}

fn planning(cause: datafusion::error::DataFusionError) -> Error {
    Error::user(format!("the pipeline cannot be planned: {}", cause.strip_backtrace()))
}
