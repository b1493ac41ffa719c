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
        for finding in report.findings {
            output.push_str(renderer.render(&[group(report, finding)]).trim_end());
            output.push_str("\n\n");
        }
    }
    output
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
