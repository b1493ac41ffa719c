//! OF118: `sink` or `sinks`, and no place twice. What a place is called by two names is not known here.

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let several = scope.items("/sinks");
    if !several.is_empty() && scope.value.get("sink").is_some_and(|sink| !sink.is_null()) {
        let help = "move the sink into the list `sinks`, or remove the list";
        findings.push(Finding::options_disagree(scope.key_span("/sink"), "`sink` stands beside `sinks`", help));
    }
    for (index, (pointer, sink)) in several.iter().enumerate() {
        if several[..index].iter().any(|(_, other)| place(other) == place(sink)) {
            let message = "two sinks are the same place";
            findings.push(Finding::options_disagree(scope.span(pointer), message, "keep one of them"));
        }
    }
}

/// A sink without what it takes to get in.
fn place(sink: &Value) -> Value {
    let mut place = sink.clone();
    for options in place.as_object_mut().into_iter().flat_map(|kinds| kinds.values_mut()) {
        if let Some(options) = options.as_object_mut() {
            for secret in ["access_key_id", "secret_access_key", "session_token", "password", "private_key", "key"] {
                options.remove(secret);
            }
        }
    }
    place
}
