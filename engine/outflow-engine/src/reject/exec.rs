//! The physical operator: one pass over each batch, nothing buffered, order kept.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{
    ChildrenPropertiesMode, ReplaceChildrenOptions, apply_expression_roots,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::StreamExt;

use super::node::RejectNode;
use super::record::Records;
use crate::dead_letter::DeadLetter;
use crate::lane::{self, Lane, Told};
use crate::operator;

#[derive(Clone, Debug)]
struct PhysicalRule {
    condition: Arc<dyn PhysicalExpr>,
    code: String,
    message: Arc<dyn PhysicalExpr>,
}

#[derive(Clone, Debug)]
pub(super) struct RejectExec {
    input: Arc<dyn ExecutionPlan>,
    rules: Arc<[PhysicalRule]>,
    log: Arc<DeadLetter>,
}

impl DisplayAs for RejectExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("RejectExec:")?;
        self.rules.iter().try_for_each(|rule| write!(f, " {} unless {}", rule.code, rule.condition))
    }
}

impl ExecutionPlan for RejectExec {
    fn name(&self) -> &'static str {
        "RejectExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    /// More partitions would lose the order of the rows.
    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let roots = self.rules.iter().flat_map(|rule| [&rule.condition, &rule.message]);
        apply_expression_roots(roots, f)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) => Ok(Arc::new(Self { input, ..Self::clone(&self) })),
            None => internal_err!("a reject operator has one input"),
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (this, lane) = (self.clone(), Lane::of(&context));
        let stream = self.input.execute(partition, context)?.map(move |batch| this.keep(batch?, lane.as_deref()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), stream)))
    }
}

impl RejectExec {
    /// The rows of `batch` that keep every rule; the others go to the dead letter in row order.
    fn keep(&self, batch: RecordBatch, lane: Option<&Lane>) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut kept = BooleanBuffer::new_set(rows);
        let mut broken: Vec<(usize, usize)> = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let verdict = rule.condition.evaluate(&batch)?.into_array(rows)?;
            let Some(verdict) = verdict.as_boolean_opt() else {
                return internal_err!("the condition of `{}` is not a boolean", rule.code);
            };
            let passed = match verdict.nulls() {
                Some(nulls) => verdict.values() & nulls.inner(),
                None => verdict.values().clone(),
            };
            if passed.count_set_bits() < rows {
                broken.extend((0..rows).filter(|&row| kept.value(row) && !passed.value(row)).map(|row| (row, index)));
                kept = &kept & &passed;
            }
        }
        if broken.is_empty() {
            return Ok(batch);
        }
        broken.sort_unstable();
        self.write(&batch, &broken, lane)?;
        Ok(filter_record_batch(&batch, &BooleanArray::new(kept, None))?)
    }

    fn write(&self, batch: &RecordBatch, broken: &[(usize, usize)], lane: Option<&Lane>) -> Result<()> {
        let messages = self.rules.iter().enumerate().map(|(index, rule)| {
            if broken.iter().all(|&(_, other)| other != index) {
                return Ok(None);
            }
            let message = rule.message.evaluate(batch)?.into_array(batch.num_rows())?;
            Ok(Some(cast(&message, &DataType::Utf8)?))
        });
        let messages = messages.collect::<Result<Vec<_>>>()?;
        let records = Records::of(batch)?;
        for &(row, index) in broken {
            let message = messages[index].as_ref().map(|message| message.as_string::<i32>());
            let message = message.filter(|message| message.is_valid(row)).map_or("", |message| message.value(row));
            let reject = records.reject(row, &self.rules[index].code, message);
            lane::tell(lane, Told::Reject(self.log.clone(), reject)).map_err(operator::failed)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct RejectPlanner;

#[async_trait]
impl ExtensionPlanner for RejectPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<RejectNode>() else { return Ok(None) };
        let [input] = physical_inputs else { return internal_err!("a reject node has one input") };
        let schema = node.input.schema();
        let plan = |expr| planner.create_physical_expr(expr, schema, session, context);
        let rules = node.rules.iter().map(|rule| {
            Ok(PhysicalRule {
                condition: plan(&rule.condition)?,
                code: rule.code.clone(),
                message: plan(&rule.message)?,
            })
        });
        let rules = rules.collect::<Result<Vec<_>>>()?.into();
        Ok(Some(Arc::new(RejectExec { input: Arc::clone(input), rules, log: Arc::clone(&node.log) })))
    }
}
