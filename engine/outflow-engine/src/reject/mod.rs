//! Rows that break a rule leave the stream and go to the dead-letter file; the others go on unchanged and in
//! order. This is the plan node that does it; which rules there are is the caller's business.

mod exec;
mod node;
mod record;

use std::any::Any;
use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::ExtensionPlanner;

use crate::dead_letter::DeadLetter;
use crate::error::Result;
pub(crate) use record::Records;

/// A rule that rows have to keep.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RejectRule {
    /// Rows for which this is not true (false or null) are rejected.
    pub condition: Expr,
    /// The code of the rejects.
    pub code: String,
    /// The words of a reject, as text.
    pub message: Expr,
}

impl RejectRule {
    /// A rule with the same message for every row.
    pub fn new(condition: Expr, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { condition, code: code.into(), message: lit(message.into()) }
    }
}

/// Keeps the rows that keep every rule. The others are written to `log` under the first rule they break.
pub fn unless(frame: DataFrame, rules: Vec<RejectRule>, log: Arc<DeadLetter>) -> Result<DataFrame> {
    if rules.is_empty() {
        return Ok(frame);
    }
    let (state, input) = frame.into_parts();
    let node = Arc::new(node::RejectNode { input, rules, log });
    Ok(DataFrame::new(state, LogicalPlan::Extension(Extension { node })))
}

/// Whether a plan is that of [`unless`].
pub(crate) fn is_reject(plan: &dyn ExecutionPlan) -> bool {
    (plan as &dyn Any).is::<exec::RejectExec>()
}

/// Plans the reject node.
pub fn extension_planner() -> Arc<dyn ExtensionPlanner + Send + Sync> {
    Arc::new(exec::RejectPlanner)
}

#[cfg(test)]
mod tests;
