//! OF308: an SFTP sink says which key its server must show, in one place. Whether a known_hosts file has it is seen
//! when the file is read, at the first connection.

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::load::is_muted;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for sink in scope.sinks("sftp").into_iter().filter(|sink| !is_muted(sink, scope.muted)) {
        let given = |field: &str| match scope.value.pointer(&format!("{sink}/{field}")) {
            None | Some(Value::Null) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        let message = match (given("known_hosts"), given("host_keys")) {
            (false, false) => "nothing says which key the server must show",
            (true, true) => "`known_hosts` and `host_keys` exclude each other",
            _ => continue,
        };
        findings.push(Finding::host_key_not_pinned(scope.key_span(&sink), message));
    }
}
