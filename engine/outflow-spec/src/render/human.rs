//! Findings with the lines they speak about, in the manner of rustc.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::codes::Severity;
use crate::diagnostic::Finding;
use crate::render::Report;
use crate::text::Span;

/// Renders findings for people, with ANSI colours if wanted.
pub fn human(reports: &[Report<'_>], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Unicode);
    let mut output = String::new();
    for report in reports {
        let text = without_secrets(report);
        let report = &Report { text: &text, ..*report };
        for finding in report.findings {
            output.push_str(renderer.render(&[group(report, finding)]).trim_end());
            output.push_str("\n\n");
        }
    }
    output
}

/// The text with stars over what findings call secrets: the lines around a finding end up in logs.
fn without_secrets(report: &Report<'_>) -> String {
    let mut bytes = report.text.as_bytes().to_vec();
    let secrets = report.findings.iter().filter(|it| ["OF301", "OF302"].contains(&it.code.code));
    for byte in secrets.flat_map(|finding| finding.span.start..finding.span.end) {
        // A byte for each byte keeps all places as they are.
        if let Some(byte) = bytes.get_mut(byte).filter(|byte| !matches!(byte, b'\n' | b'\r')) {
            *byte = b'*';
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| report.text.to_owned())
}

fn group<'a>(report: &Report<'a>, finding: &'a Finding) -> Group<'a> {
    let level = match finding.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let primary = AnnotationKind::Primary.span(range(report.text, finding.span)).label(finding.label.as_str());
    let mut snippet = Snippet::source(report.text).path(report.path).annotation(primary);
    for (span, label) in &finding.secondary {
        snippet = snippet.annotation(AnnotationKind::Context.span(range(report.text, *span)).label(label.as_str()));
    }
    let mut group = level.primary_title(finding.message.as_str()).id(finding.code.code).element(snippet);
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// The bytes to underline: the first line of what is meant, as a long block says no more than its beginning.
fn range(text: &str, span: Span) -> std::ops::Range<usize> {
    let first_line = span.of(text).lines().next().map_or(0, str::len);
    let start = span.start.min(text.len());
    start..(start + first_line).min(text.len())
}
