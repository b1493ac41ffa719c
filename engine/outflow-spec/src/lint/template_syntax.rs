//! OF206, OF211: templates parse, and those of the layout name only what a run has. What a filter does and
//! whether it exists is known where templates are rendered, not here.

use std::collections::BTreeSet;

use minijinja::Environment;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::node::join;

/// What templates of the `files` layout can name.
pub const LAYOUT_NAMES: [&str; 8] =
    ["pipeline", "at", "window_start", "window_end", "partition", "part", "nonce", "rows"];
/// What templates know without being told.
const GLOBALS: [&str; 5] = ["range", "dict", "namespace", "debug", "loop"];

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for block in scope.transforms("contexts") {
        let columns = scope.value.pointer(&block).and_then(serde_json::Value::as_object);
        for name in columns.into_iter().flat_map(|columns| columns.keys()) {
            let pointer = join(&block, name);
            let nested = format!("{pointer}/template");
            let pointer = if scope.text_at(&nested).is_some() { nested } else { pointer };
            if scope.text_at(&pointer).is_some() {
                names(scope, &pointer, findings);
            }
        }
    }
    let mut layout = vec![("/layout/files/path".to_owned(), false), ("/layout/files/entry".to_owned(), false)];
    for (pointer, _) in scope.items("/layout/files/companions") {
        layout.extend([(format!("{pointer}/path"), true), (format!("{pointer}/body"), true)]);
    }
    for (pointer, is_companion) in layout {
        if scope.text_at(&pointer).is_some() {
            check_layout(scope, &pointer, is_companion, findings);
        }
    }
}

fn check_layout(scope: &Scope<'_>, pointer: &str, is_companion: bool, findings: &mut Vec<Finding>) {
    // Columns that `${…}` filled in count, but are not shown.
    let split: Vec<(String, bool)> = scope
        .items("/layout/files/split_by")
        .into_iter()
        .filter_map(|(item, column)| Some((format!("partition.{}", column.as_str()?), scope.is_filled(&item))))
        .collect();
    let mut known: Vec<&str> = LAYOUT_NAMES.to_vec();
    if is_companion {
        known.push("file");
    }
    let used = names(scope, pointer, findings).unwrap_or_default();
    for name in used {
        let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
        let is_column = first == "partition" && !rest.is_empty();
        let (unknown, possible): (&str, Vec<&str>) = if !known.contains(&first) && !GLOBALS.contains(&first) {
            (first, known.clone())
        } else if is_column && !split.iter().any(|(column, _)| *column == name) {
            let shown = split.iter().filter(|(_, filled)| !filled);
            (&name, shown.map(|(column, _)| column.as_str()).collect())
        } else {
            continue;
        };
        let span = match find_name(scope.written_at(pointer), unknown) {
            Some(at) => scope.part(pointer, at, at + unknown.len()),
            None => scope.span(pointer),
        };
        findings.push(Finding::unknown_template_name(span, unknown, &possible));
    }
}

/// The names that a template reads, or nothing if it does not parse, which is reported. The template is read
/// as written, so that no filled value shows.
fn names(scope: &Scope<'_>, pointer: &str, findings: &mut Vec<Finding>) -> Option<BTreeSet<String>> {
    let written = scope.written_at(pointer);
    match names_in(written) {
        Ok(names) => Some(names),
        Err(error) => {
            let range = error.range().filter(|range| !range.is_empty() && range.end <= written.len());
            let span = range.map_or(scope.span(pointer), |range| scope.part(pointer, range.start, range.end));
            let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            findings.push(Finding::template_syntax(span, &reason));
            None
        }
    }
}

/// The names that a template reads, with attributes: `partition.country`.
pub(crate) fn names_in(template: &str) -> Result<BTreeSet<String>, minijinja::Error> {
    let environment = Environment::empty();
    let template = environment.template_from_str(template)?;
    let mut names: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
    names.extend(sliced_names(template.source()));
    Ok(names)
}

/// The names before a bracket, such as `nonce` in `nonce[:8]`: the engine's own list leaves them out.
fn sliced_names(template: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let mut found = Vec::new();
    for expression in template.split(['{', '}']).skip(1) {
        for (at, _) in expression.match_indices('[') {
            let before = expression[..at].trim_end();
            let start = before
                .rfind(|c| !is_part(c))
                .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
            let name = &before[start..];
            let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let in_text = before.matches(['\'', '"']).count() % 2 == 1;
            let is_local = ["for", "set"].iter().any(|word| template.contains(&format!("{word} {name} ")));
            if is_name && !in_text && !is_local && !matches!(name, "in" | "is" | "not" | "and" | "or" | "if" | "else") {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Where a name stands in a template as a word of its own.
pub(crate) fn find_name(template: &str, name: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    template.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = template[..*at].chars().next_back();
        let after = template[at + name.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}
