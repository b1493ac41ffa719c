//! OF118 for `notify`: a notice goes somewhere, and says when it is late.

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for (pointer, notice) in scope.items("/notify") {
        let given = |key: &str| notice.get(key).is_some_and(|value| !value.is_null());
        let mut disagree = |at: &str, message: &str, help: &str| {
            findings.push(Finding::options_disagree(scope.span(&format!("{pointer}{at}")), message, help));
        };
        if notice.is_object() && !["webhook", "slack", "email"].into_iter().any(given) {
            disagree("", "the notice goes nowhere", "give it a `webhook`, `slack` or `email`");
        }
        let events = notice.get("on").and_then(Value::as_array);
        let late = events.is_some_and(|events| events.iter().any(|event| event == "late"));
        if late && !given("late_after") {
            disagree("/on", "`late` needs `late_after`", "say how long ago the last success may be: `late_after: 26h`");
        }
        if given("late_after") && !late {
            disagree("/late_after", "`late_after` is for `late`, which is not told", "write `on: [failure, late]`");
        }
        let smtp = notice.pointer("/email/smtp");
        let has = |key: &str| smtp.and_then(|smtp| smtp.get(key)).is_some_and(|value| !value.is_null());
        if has("password") && smtp.and_then(|smtp| smtp.get("tls")).is_some_and(|tls| tls == "none") {
            disagree("/email/smtp/tls", "a password is not sent in the clear", "leave `tls` out, or the password");
        }
        if has("user") != has("password") {
            disagree("/email/smtp", "`user` and `password` go together", "give both, or neither");
        }
    }
}
