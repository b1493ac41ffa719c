//! Findings as one JSON document, `outflow/lint/v1`. Members may be added, never renamed or removed.

use serde_json::{Value, json};

use crate::diagnostic::Finding;
use crate::render::Report;
use crate::text::{Span, position};

/// Renders findings as JSON.
pub fn json(reports: &[Report<'_>]) -> String {
    let findings: Vec<Value> =
        reports.iter().flat_map(|report| report.findings.iter().map(|found| finding(report, found))).collect();
    let document = json!({"schema": "outflow/lint/v1", "files": reports.len(), "findings": findings});
    format!("{document:#}\n")
}

fn finding(report: &Report<'_>, finding: &Finding) -> Value {
    let related: Vec<Value> = finding
        .secondary
        .iter()
        .map(|(span, label)| json!({"label": label, "place": place(report.text, *span)}))
        .collect();
    let fix =
        finding.fix.as_ref().map(|fix| json!({"place": place(report.text, fix.span), "replacement": fix.replacement}));
    json!({
        "path": report.path,
        "code": finding.code.code,
        "title": finding.code.title,
        "severity": finding.severity().name(),
        "message": finding.message,
        "label": finding.label,
        "place": place(report.text, finding.span),
        "related": related,
        "help": finding.help,
        "fix": fix,
    })
}

fn place(text: &str, span: Span) -> Value {
    let (start, end) = (position(text, span.start), position(text, span.end));
    json!({
        "start": {"byte": span.start, "line": start.line, "column": start.column},
        "end": {"byte": span.end, "line": end.line, "column": end.column},
    })
}
