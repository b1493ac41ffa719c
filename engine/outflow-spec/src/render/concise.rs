//! One line a finding, for terminals and `grep`: `path:line:column: error[OF101]: message`.

use crate::render::Report;
use crate::text::position;

/// Renders findings, one a line.
pub fn concise(reports: &[Report<'_>]) -> String {
    let mut output = String::new();
    for report in reports {
        for finding in report.findings {
            let at = position(report.text, finding.span.start);
            output.push_str(&format!(
                "{}:{}:{}: {}[{}]: {}\n",
                report.path,
                at.line,
                at.column,
                finding.severity().name(),
                finding.code.code,
                finding.message
            ));
        }
    }
    output
}
