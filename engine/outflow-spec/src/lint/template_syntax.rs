//! OF206, OF211: templates parse, and those of the layout name only what a run has. What a filter does and
//! whether it exists is known where templates are rendered, not here.

use std::collections::BTreeSet;

use minijinja::Environment;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::{Output, outputs, places};
use crate::node::join;

/// What every template of the `files` layout can name.
const RUN_NAMES: [&str; 4] = ["pipeline", "at", "window_start", "window_end"];
/// What a template about one file can name besides.
const FILE_NAMES: [&str; 5] = ["output", "partition", "part", "counter", "nonce"];
/// What can be named of a file that is written to its end.
const FACTS: [&str; 3] = ["rows", "bytes", "sha256"];
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
    check_layout(scope, findings);
}

/// Templates of the `files` layout, each with what it can name.
fn check_layout(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let of_file = [&RUN_NAMES[..], &FILE_NAMES].concat();
    let of_written = [&of_file[..], &FACTS].concat();
    let of_companion = [&of_written[..], &["file"]].concat();
    let of_run = [&RUN_NAMES[..], &["files"]].concat();
    for (option, known) in [("path", &of_written), ("entry", &of_file)] {
        for pointer in places(scope, option) {
            let users = outputs(scope).into_iter().filter(|output| output.at(scope, option) == pointer);
            check_template(scope, &pointer, known, &users.collect::<Vec<_>>(), findings);
        }
    }
    let all = outputs(scope);
    let metadata = scope.value.pointer("/layout/files/metadata").and_then(serde_json::Value::as_object);
    for name in metadata.into_iter().flat_map(|metadata| metadata.keys()) {
        check_template(scope, &join("/layout/files/metadata", name), &of_written, &all, findings);
    }
    for (pointer, item) in scope.items("/layout/files/companions") {
        let is_of_run = item.get("scope").and_then(serde_json::Value::as_str) == Some("run");
        for option in ["path", "body"] {
            let known = if is_of_run { &of_run } else { &of_companion };
            check_template(scope, &format!("{pointer}/{option}"), known, &all, findings);
        }
    }
}

fn check_template(scope: &Scope<'_>, pointer: &str, known: &[&str], outputs: &[Output], findings: &mut Vec<Finding>) {
    if scope.text_at(pointer).is_none() {
        return;
    }
    // Columns that `${…}` filled in count, but are not shown.
    let counters = scope.items("/layout/files/counters").into_iter().filter_map(|(item, counter)| {
        let name = counter.get("name")?.as_str()?;
        Some((format!("counter.{name}"), scope.is_filled(&format!("{item}/name"))))
    });
    let counters: Vec<(String, bool)> = counters.collect();
    let split = |output: &Output| {
        let names = output.split_names(scope).into_iter();
        names.map(|(item, name)| (format!("partition.{name}"), scope.is_filled(&item))).collect::<Vec<_>>()
    };
    let members: Vec<Vec<(String, bool)>> =
        outputs.iter().map(|output| [split(output), counters.clone()].concat()).collect();
    for name in names(scope, pointer, findings).unwrap_or_default() {
        let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
        let is_member = matches!(first, "partition" | "counter") && !rest.is_empty();
        // An output that has no such member would fail, whatever the others have.
        let lacking = members.iter().find(|members| !members.iter().any(|(member, _)| *member == name));
        let (unknown, possible): (&str, Vec<&str>) = if !known.contains(&first) && !GLOBALS.contains(&first) {
            (first, known.to_vec())
        } else if let Some(members) = lacking.filter(|_| is_member) {
            let shown = members.iter().filter(|(member, filled)| !filled && member.starts_with(first));
            (&name, shown.map(|(member, _)| member.as_str()).collect())
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
pub fn names_in(template: &str) -> Result<BTreeSet<String>, minijinja::Error> {
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
