//! OF405, OF406: names of the `files` layout differ from run to run and from partition to partition. Only
//! what a template names is looked at: a date alone counts as a time, as a daily pipeline needs no more.

use std::collections::BTreeSet;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::template_syntax::names_in;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    check_name(scope, "/layout/files/path", findings);
    for (pointer, _) in scope.items("/layout/files/companions") {
        check_name(scope, &format!("{pointer}/path"), findings);
    }
}

fn check_name(scope: &Scope<'_>, pointer: &str, findings: &mut Vec<Finding>) {
    let Some(Ok(names)) = scope.text_at(pointer).map(|_| names_in(scope.written_at(pointer))) else { return };
    let uses = |wanted: &str| names.iter().any(|name| name.split('.').next() == Some(wanted));
    // The data file's own path, whose uniqueness is checked where it is written, makes a companion's unique.
    if uses("file") || uses("nonce") {
        return;
    }
    let span = scope.span(pointer);
    if !["at", "window_start", "window_end"].into_iter().any(uses) {
        findings.push(Finding::name_repeats_per_run(span, "`path`"));
    }
    let missing = missing_partitions(scope, &names);
    if !missing.is_empty() {
        findings.push(Finding::name_repeats_per_partition(span, "`path`", &missing.join(" and ")));
    }
}

/// The columns of `split_by` that a name leaves out, as one writes them in it.
fn missing_partitions(scope: &Scope<'_>, names: &BTreeSet<String>) -> Vec<String> {
    if names.contains("partition") {
        return Vec::new();
    }
    scope
        .items("/layout/files/split_by")
        .into_iter()
        .filter(|(_, column)| column.as_str().is_some_and(|column| !names.contains(&format!("partition.{column}"))))
        .map(|(pointer, _)| format!("`{{{{ partition.{} }}}}`", scope.written_at(&pointer)))
        .collect()
}
