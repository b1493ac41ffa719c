//! A pipeline and its input become one DataFrame an output: source, transforms, then the layout's own
//! expressions. Nothing is read here but what the plan needs; rows flow when the frame is executed.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::UnnestOptions;
use datafusion::datasource::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::functions::expr_fn::{regexp_like, regexp_replace};
use datafusion::logical_expr::{Expr, cast, ident, lit, when};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use outflow_formats::csv::Stretch;
use outflow_formats::format::Format;
use outflow_layout::layout::{self, Dataset, Output, Rule};

use crate::counters::OutputCounters;
use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::lane::Road;
use crate::operator;
use crate::reject::{self, RejectRule};
use crate::source::Asked;
use crate::source::HIDDEN;
use crate::source::files::FilesTable;
use crate::transform::{self, TransformContext};

/// Prefix of the written columns within the plan, where no two may have one name.
const WRITTEN: &str = "_outflow_written_";
/// Prefix of the columns that hold a row's partition values.
const PARTITION: &str = "_outflow_partition_";

/// One output of the layout laid over the rows: its frame has the written columns under names of their own, then the
/// partition values.
pub struct LaidOutput {
    /// What the layout asked for.
    pub output: Output,
    /// The rows.
    pub frame: DataFrame,
    /// Columns written, in order; here two may have one name.
    pub schema: SchemaRef,
}

/// Rows that are ready to flow.
pub enum Flow {
    /// One batch after the other.
    Batches(SendableRecordBatchStream),
    /// In lanes, which may go on from where the rows leave them.
    Lanes(Lanes),
}

/// Rows of files that are carried in lanes.
pub struct Lanes {
    /// The files.
    pub table: Arc<FilesTable>,
    /// What is read of them.
    pub asked: Asked,
    /// What carries them.
    pub road: Road,
}

impl Flow {
    /// The columns whose cells come as one text.
    pub fn stretches(&self) -> &[Stretch] {
        match self {
            Self::Batches(_) => &[],
            Self::Lanes(lanes) => &lanes.asked.unseen.stretches,
        }
    }
}

/// One output of the layout, its rows ready to flow.
pub struct PlannedOutput {
    /// What the layout asked for.
    pub output: Output,
    /// The rows: the written columns, then the partition values as text.
    pub rows: Flow,
    /// Columns written, in order; where names repeat, only here.
    pub schema: SchemaRef,
    /// The numbers of its files.
    pub counters: OutputCounters,
    /// What rows are charged to that wait for their files.
    pub waiting: MemoryReservation,
}

/// A session that keeps rows in input order and names as they are written.
/// Whatever holds rows shares `memory` bytes and spills beyond it.
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
    // What a query may say, without the engine's own file formats: reading and writing files is ours.
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(SessionStateDefaults::default_scalar_functions())
        .with_higher_order_functions(SessionStateDefaults::default_higher_order_functions())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .with_table_function_list(SessionStateDefaults::default_table_functions())
        .with_query_planner(operator::query_planner())
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

/// The rows that keep the rules which the outputs have for all of them; equal rules count once.
pub fn kept(rows: DataFrame, outputs: &[Output], dead_letter: &Arc<DeadLetter>) -> Result<DataFrame> {
    let mut known: Vec<&Rule> = Vec::new();
    let mut rules = Vec::new();
    for output in outputs {
        for rule in &output.input_rules {
            if !known.contains(&rule) {
                known.push(rule);
                rules.push(reject_rule(&rows, rule, output)?);
            }
        }
    }
    reject::unless(rows, rules, dead_letter.clone())
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
    let rules = output.rules.iter().map(|rule| reject_rule(&frame, rule, &output)).collect::<Result<Vec<_>>>()?;
    frame = reject::unless(frame, rules, dead_letter.clone())?;
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
    let names = written_names(&output, &input)?;
    let columns = written_columns(&frame, &output, &names)?;
    let frame = frame.select(columns).map_err(planning)?;
    let schema = written_schema(&frame, &output, &names);
    Ok(LaidOutput { output, frame, schema })
}

fn reject_rule(frame: &DataFrame, rule: &Rule, output: &Output) -> Result<RejectRule> {
    let condition = expression(frame, &rule.condition, output, "rule")?;
    Ok(RejectRule::new(condition, &rule.code, &rule.message))
}

/// Names of the columns as they are written: the layout's own, then those of the input that pass through.
fn written_names(output: &Output, input: &[String]) -> Result<Vec<String>> {
    let mut known = HashSet::new();
    let repeated = output.fields.iter().find(|field| !known.insert(field.name.as_str()));
    if let Some(field) = repeated
        && !matches!(output.format, Format::Csv(_))
    {
        return Err(Error::user(format!(
            "layout output `{}`: two fields are named `{}`; only CSV can hold both",
            output.dataset, field.name
        ))
        .hint("give one of them another name, or write CSV"));
    }
    let passed = input.iter().filter(|name| output.pass_through && !known.contains(name.as_str()));
    Ok(output.fields.iter().map(|field| &field.name).chain(passed).cloned().collect())
}

/// The written columns, under names that do not repeat, and the partition values.
fn written_columns(frame: &DataFrame, output: &Output, names: &[String]) -> Result<Vec<Expr>> {
    let mut columns = Vec::with_capacity(names.len() + output.partition_by.len());
    for (index, name) in names.iter().enumerate() {
        let column = match output.fields.get(index) {
            Some(field) => expression(frame, &field.expr, output, name)?,
            None => ident(name.as_str()),
        };
        columns.push(column.alias(format!("{WRITTEN}{index}")));
    }
    for (index, key) in output.partition_by.iter().enumerate() {
        let value = expression(frame, &key.value, output, &key.name)?;
        columns.push(cast(value, DataType::Utf8View).alias(format!("{PARTITION}{index}")));
    }
    Ok(columns)
}

/// The schema that encoders see; a JSON field is marked so that JSON formats write it raw.
fn written_schema(frame: &DataFrame, output: &Output, names: &[String]) -> SchemaRef {
    let fields = frame.schema().fields().iter().zip(names).enumerate().map(|(index, (field, name))| {
        let json = output.fields.get(index).is_some_and(|field| field.json);
        let mut metadata = field.metadata().clone();
        if json {
            metadata.insert(outflow_formats::JSON_METADATA.to_owned(), outflow_formats::JSON_RAW.to_owned());
        }
        Field::new(name, field.data_type().clone(), true).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Hides personal values behind stars, for people who look: each word keeps its first character, digests stay.
pub fn masked(laid: LaidOutput) -> Result<LaidOutput> {
    let LaidOutput { output, frame, schema } = laid;
    let mut columns = frame.schema().columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
    for (index, field) in schema.fields().iter().enumerate() {
        if outflow_spec::lint::personal::is_personal(field.name()) {
            let text = || cast(columns[index].clone(), DataType::Utf8View);
            let digest = regexp_like(text(), lit("^([0-9a-f]{32,}|[A-Za-z0-9+/]{22,}={0,2})$"), None);
            let stars = regexp_replace(text(), lit(r"\B[\pL\pN]"), lit("*"), Some(lit("g")));
            let shown = when(digest, text()).otherwise(stars).map_err(planning)?;
            columns[index] = cast(shown, field.data_type().clone()).alias(frame.schema().field(index).name());
        }
    }
    let frame = frame.select(columns).map_err(planning)?;
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
