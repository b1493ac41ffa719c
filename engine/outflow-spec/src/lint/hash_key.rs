//! OF304, OF305: a keyed digest has its key, and a key has its digest.

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for block in scope.transforms("hash") {
        let algorithm = format!("{block}/algorithm");
        let key = format!("{block}/key");
        let keyed = scope.text_at(&algorithm) == Some("hmac_sha256");
        let has_key = scope.value.pointer(&key).is_some_and(|key| !key.is_null());
        match (keyed, has_key) {
            (true, false) => findings.push(Finding::hash_needs_key(scope.span(&algorithm))),
            (false, true) => findings.push(Finding::hash_ignores_key(scope.key_span(&key))),
            _ => {}
        }
    }
}
