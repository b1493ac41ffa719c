//! `# outflow: ignore[OF303] reason`: silences a code on its own line, or, alone on a line, on the next one.
//! What keeps a file from being loaded cannot be silenced.

use crate::codes::{RaisedBy, explain};
use crate::diagnostic::Finding;
use crate::text::{Span, position};

/// The comments of a file that steer the linter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ignores {
    entries: Vec<Ignore>,
    refused: Vec<Finding>,
}

#[derive(Clone, Debug)]
struct Ignore {
    code: &'static str,
    span: Span,
    line: usize,
    has_reason: bool,
}

impl Ignores {
    /// Reads the comments.
    pub fn read(text: &str, comments: &[Span]) -> Self {
        let mut ignores = Self::default();
        for span in comments {
            let comment = span.of(text).trim_start_matches('#').trim();
            if let Some(directive) = comment.strip_prefix("outflow:") {
                let line = covered_line(text, *span);
                if let Err(reason) = ignores.directive(directive.trim(), *span, line) {
                    ignores.refused.push(Finding::ignore_refused(*span, &reason));
                }
            }
        }
        ignores
    }

    fn directive(&mut self, directive: &str, span: Span, line: usize) -> Result<(), String> {
        let rest = directive.strip_prefix("ignore").ok_or("it is no `ignore`")?;
        let (codes, reason) =
            rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or("`[CODE]` is missing")?;
        for code in codes.split(',').map(str::trim) {
            let doc = explain(code).ok_or_else(|| format!("`{code}` is no code"))?;
            if !doc.can_be_ignored() {
                return Err(format!("`{code}` keeps the file from being loaded"));
            }
            self.entries.push(Ignore { code: doc.code, span, line, has_reason: !reason.trim().is_empty() });
        }
        Ok(())
    }

    /// The findings that are not silenced.
    pub fn filter(&self, text: &str, findings: Vec<Finding>) -> Vec<Finding> {
        findings.into_iter().filter(|finding| self.silencer(text, finding).is_none()).collect()
    }

    /// The findings that are not silenced, and those about the comments themselves.
    pub fn apply(&self, text: &str, findings: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
        let mut used = vec![false; self.entries.len()];
        let mut kept = Vec::new();
        for finding in findings {
            match self.silencer(text, &finding) {
                Some(index) => used[index] = true,
                None => kept.push(finding),
            }
        }
        let mut about = self.refused.clone();
        for (ignore, used) in self.entries.iter().zip(used) {
            if !ignore.has_reason {
                about.push(Finding::ignore_without_reason(ignore.span));
            }
            // Some codes come to light only with the data or in a later step.
            let is_final = explain(ignore.code).is_some_and(|doc| doc.raised_by == RaisedBy::Rule);
            if !used && is_final {
                about.push(Finding::unused_ignore(ignore.span, ignore.code));
            }
        }
        (kept, about)
    }

    fn silencer(&self, text: &str, finding: &Finding) -> Option<usize> {
        if self.entries.is_empty() {
            return None;
        }
        let line = position(text, finding.span.start).line;
        self.entries.iter().position(|ignore| ignore.code == finding.code.code && ignore.line == line)
    }
}

/// The line that a comment speaks about: its own, or the next one that is no comment if it stands alone.
fn covered_line(text: &str, span: Span) -> usize {
    let line = position(text, span.start).line;
    let lines: Vec<&str> = text.lines().collect();
    let is_comment = |number: usize| lines.get(number - 1).is_some_and(|line| line.trim_start().starts_with('#'));
    if !is_comment(line) {
        return line;
    }
    (line + 1..=lines.len()).find(|number| !is_comment(*number)).unwrap_or(line)
}
