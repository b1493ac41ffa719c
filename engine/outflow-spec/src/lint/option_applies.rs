//! OF114: options that mean nothing beside the format or container chosen. Where the format is told by the
//! extension of a file, it is told the same way here.

use crate::diagnostic::Finding;
use crate::lint::Scope;

const CSV_OPTIONS: [&str; 5] = ["delimiter", "quote", "escape", "header", "null_text"];

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let mut sources = vec!["/source/files".to_owned()];
    sources.extend(scope.transforms("lookup").into_iter().map(|block| format!("{block}/source/files")));
    for files in &sources {
        let path = scope.text_at(&format!("{files}/path")).unwrap_or_default();
        let Some(format) = scope.text_at(&format!("{files}/format")).or_else(|| format_of(path)) else { continue };
        let reason = format!("without meaning for `{format}`");
        if matches!(format, "jsonl" | "parquet") {
            refuse(scope, files, &CSV_OPTIONS, &reason, findings);
        }
        if format == "parquet" {
            refuse(scope, files, &["encoding", "compression"], &reason, findings);
        }
    }
    if let Some(format) = scope.text_at("/layout/files/format") {
        let reason = format!("without meaning for `{format}`");
        if matches!(format, "jsonl" | "parquet") {
            refuse(scope, "/layout/files", &["csv"], &reason, findings);
        }
        if format != "jsonl" {
            refuse(scope, "/layout/files", &["omit_null"], &reason, findings);
        }
    }
    let compression = scope.text_at("/layout/files/compression").unwrap_or("none");
    if compression != "zip" {
        refuse(scope, "/layout/files", &["entry"], "only a zip archive has entries", findings);
    }
    if scope.value.pointer("/layout/files/split_by").is_none() {
        let reason = "without meaning unless `split_by` names columns";
        refuse(scope, "/layout/files", &["keep_split_columns"], reason, findings);
    }
}

fn refuse(scope: &Scope<'_>, block: &str, options: &[&str], reason: &str, findings: &mut Vec<Finding>) {
    for option in options {
        let pointer = format!("{block}/{option}");
        if scope.value.pointer(&pointer).is_some_and(|value| !value.is_null()) {
            findings.push(Finding::option_does_not_apply(scope.key_span(&pointer), option, reason));
        }
    }
}

fn format_of(path: &str) -> Option<&'static str> {
    let path = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".zst")).unwrap_or(path);
    let (_, extension) = path.rsplit_once('.')?;
    ["csv", "tsv", "jsonl", "parquet"].into_iter().find(|format| *format == extension)
}
