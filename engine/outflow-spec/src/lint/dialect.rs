//! OF115: a CSV dialect that could not be read back.

use crate::diagnostic::Finding;
use crate::lint::Scope;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for (block, format) in [("/source/files", "/source/files/format"), ("/layout/files/csv", "/layout/files/format")] {
        let default_delimiter = if scope.text_at(format) == Some("tsv") { "\t" } else { "," };
        let delimiter = scope.text_at(&format!("{block}/delimiter")).unwrap_or(default_delimiter);
        let quote = scope.text_at(&format!("{block}/quote")).unwrap_or("\"");
        if delimiter == quote {
            let written = ["quote", "delimiter"].map(|option| format!("{block}/{option}"));
            let pointer = written.iter().find(|pointer| scope.text_at(pointer).is_some());
            findings.push(Finding::dialect_conflict(
                scope.span(pointer.map_or(block, String::as_str)),
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
    }
}
