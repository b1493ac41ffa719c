//! Findings as a SARIF 2.1.0 log, which code-scanning services read.

use serde_json::{Value, json};

use crate::codes::CODES;
use crate::diagnostic::Finding;
use crate::render::Report;
use crate::text::{Span, position};

/// Renders findings as SARIF, with the codes that occur as rules.
pub fn sarif(reports: &[Report<'_>]) -> String {
    let occurs = |code: &str| reports.iter().any(|report| report.findings.iter().any(|found| found.code.code == code));
    let documented: Vec<_> = CODES.iter().filter(|doc| occurs(doc.code)).collect();
    let rules: Vec<Value> = documented
        .iter()
        .map(|doc| {
            json!({
                "id": doc.code,
                "shortDescription": {"text": doc.title},
                "fullDescription": {"text": doc.explanation},
                "defaultConfiguration": {"level": doc.severity.name()},
            })
        })
        .collect();
    let index = |code: &str| documented.iter().position(|doc| doc.code == code);
    let results: Vec<Value> = reports
        .iter()
        .flat_map(|report| report.findings.iter().map(|found| result(report, found, index(found.code.code))))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "outflow", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(report: &Report<'_>, finding: &Finding, rule: Option<usize>) -> Value {
    let text = match &finding.help {
        Some(help) => format!("{}\nhelp: {help}", finding.message),
        None => finding.message.clone(),
    };
    let related: Vec<Value> = finding
        .secondary
        .iter()
        .map(|(span, label)| json!({"physicalLocation": location(report, *span), "message": {"text": label}}))
        .collect();
    json!({
        "ruleId": finding.code.code,
        "ruleIndex": rule,
        "level": finding.severity().name(),
        "message": {"text": text},
        "locations": [{"physicalLocation": location(report, finding.span)}],
        "relatedLocations": related,
    })
}

fn location(report: &Report<'_>, span: Span) -> Value {
    let (start, end) = (position(report.text, span.start), position(report.text, span.end));
    json!({
        "artifactLocation": {"uri": report.path},
        "region": {
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        },
    })
}
