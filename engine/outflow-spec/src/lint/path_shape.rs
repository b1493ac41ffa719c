//! OF402, OF403, OF404: paths below a sink have no slash at their ends, do not step out of their folder and
//! hold no character that systems disagree about. The folder of a `local` sink is the author's own business.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::places;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let stores = ["s3", "gcs", "azure"].into_iter().flat_map(|component| scope.sinks(component));
    let mut paths: Vec<_> = stores.map(|sink| (format!("{sink}/path"), "`path`")).collect();
    paths.extend(places(scope, "path").into_iter().map(|pointer| (pointer, "`path`")));
    paths.extend(places(scope, "entry").into_iter().map(|pointer| (pointer, "`entry`")));
    let companions = scope.items("/layout/files/companions");
    paths.extend(companions.into_iter().map(|(pointer, _)| (format!("{pointer}/path"), "`path`")));
    for (pointer, subject) in paths {
        if let Some(path) = scope.text_at(&pointer) {
            check_path(scope, &pointer, subject, path, findings);
        }
    }
}

fn check_path(scope: &Scope<'_>, pointer: &str, subject: &str, path: &str, findings: &mut Vec<Finding>) {
    let span = scope.span(pointer);
    let label = match (path.starts_with('/'), path.ends_with('/')) {
        (true, true) => Some("starts and ends with a slash"),
        (true, false) => Some("starts with a slash"),
        (false, true) => Some("ends with a slash"),
        (false, false) => None,
    };
    if let Some(label) = label {
        let repaired = Some(path.trim_matches('/')).filter(|path| !path.is_empty() && !scope.is_filled(pointer));
        findings.push(Finding::slash_at_end(span, subject, label, repaired));
    }
    let literal = without_expressions(path);
    if literal.split('/').any(|folder| matches!(folder, "." | "..")) {
        findings.push(Finding::path_traversal(span, subject));
    }
    let refused = literal.chars().find_map(|c| match c {
        '\\' => Some("a back-slash"),
        c if c.is_control() => Some("a control character"),
        _ => None,
    });
    if let Some(character) = refused {
        findings.push(Finding::character_in_path(span, subject, character));
    }
}

/// The text of a template outside of its braces, each expression as one letter.
fn without_expressions(template: &str) -> String {
    let mut literal = String::new();
    let mut rest = template;
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        literal.push_str(&rest[..open]);
        literal.push('x');
        let close = if rest[open..].starts_with("{{") { "}}" } else { "%}" };
        rest = rest[open..].find(close).map_or("", |end| &rest[open + end + 2..]);
    }
    literal + rest
}
