//! OF115: a CSV dialect that could not be read back.

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::lint::outputs::outputs;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let mut dialects = vec![("/source/files".to_owned(), scope.text_at("/source/files/format"))];
    for output in outputs(scope) {
        let dialect = (output.at(scope, "csv"), output.text(scope, "format"));
        if !dialects.contains(&dialect) {
            dialects.push(dialect);
        }
    }
    for (block, format) in dialects {
        let default_delimiter = if format == Some("tsv") { "\t" } else { "," };
        let delimiter = scope.text_at(&format!("{block}/delimiter")).unwrap_or(default_delimiter);
        let quote = scope.text_at(&format!("{block}/quote")).unwrap_or("\"");
        if delimiter == quote {
            let written = ["quote", "delimiter"].map(|option| format!("{block}/{option}"));
            let pointer = written.iter().find(|pointer| scope.text_at(pointer).is_some());
            findings.push(Finding::dialect_conflict(
                scope.span(pointer.unwrap_or(&block)),
                "`delimiter` and `quote` are the same character",
                "choose another delimiter, such as `;`",
            ));
        }
        if scope.text_at(&format!("{block}/null_text")).is_some_and(|text| {
            text.contains([quote, delimiter, "\n", "\r"].concat().chars().collect::<Vec<_>>().as_slice())
        }) {
            findings.push(Finding::dialect_conflict(
                scope.span(&format!("{block}/null_text")),
                "`null_text` holds a character that would need quotes",
                "null is written without quotes: choose text without delimiter, quote or line end",
            ));
        }
        if scope.text_at(&format!("{block}/list_separator")) == Some(delimiter) {
            findings.push(Finding::dialect_conflict(
                scope.span(&format!("{block}/list_separator")),
                "`list_separator` is the `delimiter`",
                "choose another text, such as `|`",
            ));
        }
    }
}
