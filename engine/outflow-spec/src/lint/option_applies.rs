//! OF114: options that mean nothing beside the format or container chosen. Where the format is told by the
//! extension of a file, it is told the same way here.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::{LAYOUT, Output, is_set, outputs};

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
    if scope.text_at(&format!("{LAYOUT}/compression")).unwrap_or("none") != "zip" {
        refuse(scope, LAYOUT, &["entry"], "only a zip archive has entries", findings);
        for (output, _) in scope.items(&format!("{LAYOUT}/outputs")) {
            refuse(scope, &output, &["entry"], "only a zip archive has entries", findings);
        }
    }
    let outputs = outputs(scope);
    for option in ["csv", "json", "omit_null", "keep_split_columns"] {
        for output in &outputs {
            let Some(reason) = reason_against(scope, output, option) else { continue };
            let pointer = output.at(scope, option);
            // What the layout says for all may fit some outputs only.
            let shared = outputs.len() > 1 && pointer == format!("{LAYOUT}/{option}");
            if is_set(scope, &pointer) && !shared {
                findings.push(Finding::option_does_not_apply(scope.key_span(&pointer), option, &reason));
            }
        }
    }
}

/// Why an option of an output means nothing.
fn reason_against(scope: &Scope<'_>, output: &Output, option: &str) -> Option<String> {
    if option == "keep_split_columns" {
        return if !is_set(scope, &output.at(scope, "split_by")) {
            Some("without meaning unless `split_by` names columns".to_owned())
        } else if is_set(scope, &output.at(scope, "columns")) {
            Some("without meaning beside `columns`, which says what is written".to_owned())
        } else {
            None
        };
    }
    let format = output.text(scope, "format")?;
    let applies = match option {
        "csv" => matches!(format, "csv" | "tsv"),
        "json" => format == "json_object",
        _ => matches!(format, "jsonl" | "json_array" | "json_object"),
    };
    (!applies).then(|| format!("without meaning for `{format}`"))
}

fn refuse(scope: &Scope<'_>, block: &str, options: &[&str], reason: &str, findings: &mut Vec<Finding>) {
    for option in options {
        let pointer = format!("{block}/{option}");
        if is_set(scope, &pointer) {
            findings.push(Finding::option_does_not_apply(scope.key_span(&pointer), option, reason));
        }
    }
}

fn format_of(path: &str) -> Option<&'static str> {
    let path = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".zst")).unwrap_or(path);
    let (_, extension) = path.rsplit_once('.')?;
    ["csv", "tsv", "jsonl", "parquet"].into_iter().find(|format| *format == extension)
}
