//! OF116, OF117: a rule of `reject` has one condition, and a pipeline compares with its last delivery once.

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for block in scope.transforms("reject") {
        for (rule, value) in scope.items(&block) {
            let has = |name: &str| value.get(name).is_some_and(|condition| !condition.is_null());
            match (has("when"), has("unless")) {
                (true, true) => {
                    let first = scope.key_span(&format!("{rule}/when"));
                    findings.push(Finding::two_conditions(scope.key_span(&format!("{rule}/unless")), first));
                }
                (false, false) if value.is_object() => findings.push(Finding::no_condition(scope.span(&rule))),
                _ => {}
            }
        }
    }
    if let [first, later @ ..] = scope.transforms("changes").as_slice() {
        for block in later {
            findings.push(Finding::transform_repeated(scope.key_span(block), "changes", scope.key_span(first)));
        }
    }
}
