//! The logical node. Nothing is pushed through it: a filter or limit below it would hide bad rows, and the
//! record of a reject needs every column.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::RejectRule;
use crate::dead_letter::DeadLetter;

#[derive(Clone, Debug)]
pub(super) struct RejectNode {
    pub(super) input: LogicalPlan,
    pub(super) rules: Vec<RejectRule>,
    pub(super) log: Arc<DeadLetter>,
}

impl PartialEq for RejectNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.log, &other.log) && self.rules == other.rules && self.input == other.input
    }
}

impl Eq for RejectNode {}

impl Hash for RejectNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rules.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for RejectNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for RejectNode {
    fn name(&self) -> &str {
        "Reject"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        self.rules.iter().flat_map(|rule| [rule.condition.clone(), rule.message.clone()]).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Reject:")?;
        for rule in &self.rules {
            write!(f, " {} unless {}", rule.code, rule.condition)?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (Some(input), true) = (inputs.pop(), exprs.len() == self.rules.len() * 2) else {
            return internal_err!("a reject node has one input and two expressions a rule");
        };
        let mut rules = self.rules.clone();
        let mut exprs = exprs.into_iter();
        for rule in &mut rules {
            if let (Some(condition), Some(message)) = (exprs.next(), exprs.next()) {
                rule.condition = condition;
                rule.message = message;
            }
        }
        Ok(Self { input, rules, log: Arc::clone(&self.log) })
    }
}
