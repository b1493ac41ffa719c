//! OF405, OF406, OF407, OF408: names of the `files` layout differ from run to run, from partition to partition, from
//! part to part and from output to output. Only what a template names is looked at: a date alone counts as a time, as a
//! daily pipeline needs no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::{LAYOUT, Output, is_set, outputs};
use crate::lint::template_syntax::names_in;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let outputs = outputs(scope);
    for output in &outputs {
        let pointer = output.at(scope, "path");
        let Some(mut names) = names_at(scope, &pointer) else { continue };
        check_runs(scope, &pointer, &names, findings);
        // Files of one archive are told apart by their entries.
        if scope.text_at(&format!("{LAYOUT}/compression")) == Some("zip") {
            names.extend(names_at(scope, &output.at(scope, "entry")).unwrap_or_default());
        }
        check_files(scope, output, &pointer, &names, findings);
    }
    check_outputs(scope, &outputs, findings);
    for (companion, item) in scope.items(&format!("{LAYOUT}/companions")) {
        let pointer = format!("{companion}/path");
        let Some(names) = names_at(scope, &pointer) else { continue };
        // The data file's own path, whose uniqueness is checked where it is written, makes a companion's unique.
        if uses(&names, &["file", "files"]) {
            continue;
        }
        check_runs(scope, &pointer, &names, findings);
        if item.get("scope").and_then(Value::as_str) != Some("run") {
            outputs.iter().for_each(|output| check_files(scope, output, &pointer, &names, findings));
        }
    }
}

fn names_at(scope: &Scope<'_>, pointer: &str) -> Option<BTreeSet<String>> {
    scope.text_at(pointer).and_then(|_| names_in(scope.written_at(pointer)).ok())
}

fn uses(names: &BTreeSet<String>, wanted: &[&str]) -> bool {
    names.iter().any(|name| name.split('.').next().is_some_and(|root| wanted.contains(&root)))
}

/// Two runs do not give one name.
fn check_runs(scope: &Scope<'_>, pointer: &str, names: &BTreeSet<String>, findings: &mut Vec<Finding>) {
    if !uses(names, &["at", "window_start", "window_end", "nonce", "counter"]) {
        findings.push(Finding::name_repeats_per_run(scope.span(pointer), "`path`"));
    }
}

/// Two files of one output do not get one name.
fn check_files(
    scope: &Scope<'_>,
    output: &Output,
    pointer: &str,
    names: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
) {
    let counters = scope.items(&format!("{LAYOUT}/counters"));
    let per_file = counters.iter().filter(|(_, item)| item.get("scope").and_then(Value::as_str) == Some("file"));
    let mut per_file = per_file.filter_map(|(_, item)| item.get("name").and_then(Value::as_str));
    if uses(names, &["nonce"]) || per_file.any(|counter| names.contains(&format!("counter.{counter}"))) {
        return;
    }
    let span = scope.span(pointer);
    let missing = missing_partitions(scope, output, names);
    if !missing.is_empty() {
        findings.push(Finding::name_repeats_per_partition(span, "`path`", &missing.join(" and ")));
    }
    let rolls = ["rows", "bytes"].iter().any(|limit| is_set(scope, &format!("{}/{limit}", output.at(scope, "rotate"))));
    if rolls && !uses(names, &["part"]) {
        findings.push(Finding::name_repeats_per_part(span, "`path`"));
    }
}

/// What splits the rows and a name leaves out, as one writes it in the name.
fn missing_partitions(scope: &Scope<'_>, output: &Output, names: &BTreeSet<String>) -> Vec<String> {
    if names.contains("partition") {
        return Vec::new();
    }
    let split = output.split_names(scope).into_iter();
    split
        .filter(|(_, name)| !names.contains(&format!("partition.{name}")))
        .map(|(pointer, _)| format!("`{{{{ partition.{} }}}}`", scope.written_at(&pointer)))
        .collect()
}

/// Two outputs do not give one name.
fn check_outputs(scope: &Scope<'_>, outputs: &[Output], findings: &mut Vec<Finding>) {
    let zip = scope.text_at(&format!("{LAYOUT}/compression")) == Some("zip");
    let mut taken: BTreeMap<(String, String), &str> = BTreeMap::new();
    for output in outputs {
        let Some(own) = output.own() else { continue };
        let entry = output.text(scope, "entry").filter(|_| zip);
        let (path, entry) = match (output.text(scope, "path"), entry) {
            (Some(path), Some(entry)) => (path, entry.to_owned()),
            // The default name of an entry is the output's.
            (Some(path), None) if zip => (path, own.to_owned()),
            (Some(path), None) => (path, String::new()),
            (None, _) => continue,
        };
        let names = names_in(&format!("{path}{entry}")).unwrap_or_default();
        if uses(&names, &["nonce", "output"]) {
            continue;
        }
        if let Some(first) = taken.get(&(path.to_owned(), entry.clone())) {
            let span = scope.span(&format!("{own}/name"));
            findings.push(Finding::name_repeats_per_output(span, scope.span(&format!("{first}/name"))));
        } else {
            taken.insert((path.to_owned(), entry), own);
        }
    }
}
