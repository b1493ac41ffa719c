//! `reject`: rows that break a rule of the author go to the dead-letter file, under the code and with the words that
//! the rule has.

use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::ExprSchemable;
use outflow_spec::transform::{RejectRuleSpec, RejectTransform};

use super::{Place, TransformContext, filter};
use crate::error::Result;
use crate::reject::{self, RejectRule};

/// The code of rules that have none.
const CODE: &str = "reject/rule";

pub(super) fn apply(
    spec: &RejectTransform,
    frame: DataFrame,
    context: &TransformContext,
    place: Place,
) -> Result<DataFrame> {
    let rules = spec.rules.iter().map(|rule| planned(rule, &frame, place)).collect::<Result<Vec<_>>>()?;
    reject::unless(frame, rules, context.rejects.clone())
}

fn planned(rule: &RejectRuleSpec, frame: &DataFrame, place: Place) -> Result<RejectRule> {
    let (text, is_when) = match (&rule.when, &rule.unless) {
        (Some(text), None) => (text, true),
        (None, Some(text)) => (text, false),
        _ => return Err(place.error("a rule has either `when` or `unless`")),
    };
    let condition = filter::parse(text, frame, place)?;
    let data_type = condition.get_type(frame.schema()).map_err(|error| place.query("the condition", &error))?;
    if data_type != DataType::Boolean {
        return Err(place.error(format!("`{text}` gives {data_type} and not true or false")));
    }
    let (kept, said) = match is_when {
        true => (condition.is_not_true(), "is true"),
        false => (condition, "is not true"),
    };
    let message = rule.message.clone().unwrap_or_else(|| format!("`{text}` {said}"));
    Ok(RejectRule::new(kept, rule.code.as_deref().unwrap_or(CODE), message))
}
