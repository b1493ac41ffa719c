//! OF116: options of the `files` layout that need one another or exclude one another.

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::{LAYOUT, Output, is_set, outputs, places};
use crate::lint::template_syntax::names_in;
use crate::node::join;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for list in places(scope, "columns") {
        for (pointer, item) in scope.items(&list) {
            let given = |member| item.get(member).is_some_and(|value| !value.is_null());
            if item.is_object() && given("column") == given("value") {
                let message = "a written column has either `column` or `value`";
                let help = "name a column of the rows, or write a SQL expression: `value: \"'1'\"`";
                findings.push(Finding::options_disagree(scope.span(&pointer), message, help));
            }
        }
    }
    for list in places(scope, "split_by") {
        for (pointer, item) in scope.items(&list) {
            if let Some((message, help)) = split_fault(item) {
                findings.push(Finding::options_disagree(scope.span(&pointer), message, help));
            }
        }
    }
    for output in outputs(scope) {
        check_format(scope, &output, findings);
    }
    for (list, what) in [("counters", "counter"), ("outputs", "output")] {
        check_names(scope, &format!("{LAYOUT}/{list}"), what, findings);
    }
    let encoding = format!("{LAYOUT}/content_encoding");
    if let Some(name) = scope.text_at(&encoding)
        && scope.text_at(&format!("{LAYOUT}/compression")) != Some(name)
    {
        let help = format!("write `compression: {name}` too, or leave `content_encoding` out");
        let message = "`content_encoding` is not the `compression` of the files";
        findings.push(Finding::options_disagree(scope.span(&encoding), message, &help));
    }
}

/// What is wrong with a computed split, and what to do.
fn split_fault(item: &Value) -> Option<(&'static str, &'static str)> {
    let given = |member| item.get(member).is_some_and(|value| !value.is_null());
    if !item.is_object() {
        return None;
    }
    match (given("column"), given("value")) {
        (true, true) | (false, false) => Some((
            "a split has either `column` or `value`",
            "`{column: event_time, by: day}`, or `{name: x, value: …}`",
        )),
        (true, false) if !given("by") => {
            Some(("a split by `column` says `by`", "write `by: day`, or the name of the column alone for its values"))
        }
        (false, true) if !given("name") => Some(("a split by `value` has a `name`", "write `name: …` for templates")),
        (false, true) if ["by", "zone", "format"].into_iter().any(given) => {
            Some(("`by`, `zone` and `format` are for times of a `column`", "write them in the expression"))
        }
        _ => None,
    }
}

fn check_format(scope: &Scope<'_>, output: &Output, findings: &mut Vec<Finding>) {
    let Some(format) = output.text(scope, "format") else { return };
    if format == "json_object" && !is_set(scope, &format!("{}/key", output.at(scope, "json"))) {
        let help = "name the column whose values name the members: `json: {key: profile_id}`";
        let span = scope.span(&output.at(scope, "format"));
        findings.push(Finding::options_disagree(span, "`json_object` needs `json: {key: …}`", help));
    }
    let limit = format!("{}/bytes", output.at(scope, "rotate"));
    if format == "parquet" && is_set(scope, &limit) {
        let message = "the size of a Parquet file is not known before it is complete";
        findings.push(Finding::options_disagree(scope.span(&limit), message, "limit its `rows` instead"));
    }
    if scope.text_at(&format!("{LAYOUT}/compression")) == Some("zip") {
        let metadata = scope.value.pointer(&format!("{LAYOUT}/metadata")).and_then(Value::as_object);
        let metadata = metadata.into_iter().flat_map(|metadata| metadata.keys());
        let named = metadata.map(|name| join(&format!("{LAYOUT}/metadata"), name)).chain([output.at(scope, "path")]);
        for pointer in named.filter(|pointer| names_facts(scope, pointer)) {
            let message = "a zip file is named before it is written";
            let help = "leave `rows`, `bytes` and `sha256` out, or choose another container";
            findings.push(Finding::options_disagree(scope.span(&pointer), message, help));
        }
    }
    if matches!(format, "csv" | "tsv") {
        return;
    }
    let columns = scope.items(&output.at(scope, "columns"));
    let header = |item: &Value| item.as_str().or(item.get("header").and_then(Value::as_str)).map(str::to_owned);
    for (index, (pointer, item)) in columns.iter().enumerate() {
        if item.is_object() && columns[..index].iter().any(|(_, earlier)| header(earlier) == header(item)) {
            let message = format!("two columns have one header, which `{format}` does not allow");
            findings.push(Finding::options_disagree(scope.span(pointer), &message, "rename one, or write CSV"));
        }
    }
}

/// Whether a template waits for the written file.
pub(crate) fn names_facts(scope: &Scope<'_>, pointer: &str) -> bool {
    let names = names_in(scope.written_at(pointer)).unwrap_or_default();
    ["rows", "bytes", "sha256"].into_iter().any(|fact| names.contains(fact))
}

fn check_names(scope: &Scope<'_>, list: &str, what: &str, findings: &mut Vec<Finding>) {
    let items = scope.items(list);
    let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
    for (index, (pointer, item)) in items.iter().enumerate() {
        if name(item).is_some() && items[..index].iter().any(|(_, earlier)| name(earlier) == name(item)) {
            let span = scope.span(&format!("{pointer}/name"));
            let message = format!("two {what}s have one name");
            findings.push(Finding::options_disagree(span, &message, "rename one"));
        }
    }
}
