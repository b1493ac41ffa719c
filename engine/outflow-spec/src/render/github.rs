//! Workflow commands of GitHub Actions, which show findings beside the lines of a pull request.

use crate::codes::Severity;
use crate::render::Report;
use crate::text::position;

/// Renders findings as workflow commands.
pub fn github(reports: &[Report<'_>]) -> String {
    let mut output = String::new();
    for report in reports {
        for finding in report.findings {
            let start = position(report.text, finding.span.start);
            let end = position(report.text, finding.span.end);
            let command = match finding.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            // The end column counts only where both stand on one line.
            let columns = match start.line == end.line {
                true => format!(",col={},endColumn={}", start.column, end.column),
                false => String::new(),
            };
            let help = finding.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
            output.push_str(&format!(
                "::{command} file={},line={},endLine={}{columns},title={}::{}\n",
                property(report.path),
                start.line,
                end.line,
                property(&format!("{}: {}", finding.code.code, finding.code.title)),
                data(&format!("{}{help}", finding.message)),
            ));
        }
    }
    output
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
