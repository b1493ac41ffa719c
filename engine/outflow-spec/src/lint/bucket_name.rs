//! OF401: a bucket or container is a bare name. It does not check the alphabet of names, which differs between services.

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for (component, field) in [("s3", "bucket"), ("gcs", "bucket"), ("azure", "container")] {
        for sink in scope.sinks(component) {
            check_name(scope, field, &format!("{sink}/{field}"), findings);
        }
    }
}

fn check_name(scope: &Scope<'_>, field: &str, pointer: &str, findings: &mut Vec<Finding>) {
    let Some(bucket) = scope.text_at(pointer) else { return };
    let label = match (bucket.contains("://"), bucket.ends_with('/'), bucket.contains('/')) {
        (true, _, _) => "starts with a scheme",
        (_, true, _) => "ends with a slash",
        (_, _, true) => "holds a slash",
        _ => return,
    };
    let name = bucket.split_once("://").map_or(bucket, |(_, name)| name).trim_matches('/');
    let repaired = (!scope.is_filled(pointer) && !name.is_empty() && !name.contains('/')).then_some(name);
    findings.push(Finding::bucket_not_a_name(scope.span(pointer), field, label, repaired));
}
