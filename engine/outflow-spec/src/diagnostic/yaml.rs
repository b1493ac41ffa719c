//! Constructors of the OF0 family, YAML itself, and of OF9, comments that steer the linter.

use crate::codes;
use crate::diagnostic::Finding;
use crate::text::Span;

impl Finding {
    /// The file is not YAML.
    pub fn yaml_syntax(span: Span, reason: &str) -> Self {
        let finding = Self::new(&codes::OF001, span, format!("invalid YAML: {reason}"), "reading stopped here");
        match reason {
            reason if reason.starts_with("mapping values are not allowed") => finding
                .with_help("put text that holds `: ` in quotes, and give the keys of a block the same indentation"),
            reason if reason.contains("tab") => finding.with_help("indent with blanks"),
            reason if reason.contains("unclosed") => finding.with_help("close it"),
            _ => finding,
        }
    }

    /// A key stands twice in one mapping.
    pub fn duplicate_key(span: Span, key: &str, first: Span) -> Self {
        Self::new(&codes::OF002, span, format!("key `{key}` stands twice"), "second time")
            .with_secondary(first, "first time")
            .with_help("keep one of the two")
    }

    /// An anchor.
    pub fn anchor(span: Span) -> Self {
        Self::new(&codes::OF003, span, "anchors are not part of the pipeline language", "anchor")
            .with_help("write the value out where it is needed")
    }

    /// An alias.
    pub fn alias(span: Span) -> Self {
        Self::new(&codes::OF003, span, "aliases are not part of the pipeline language", "alias")
            .with_help("write the value out here")
    }

    /// A tag.
    pub fn tag(span: Span) -> Self {
        Self::new(&codes::OF004, span, "tags are not part of the pipeline language", "tag")
            .with_help("remove the tag; put text in quotes")
    }

    /// A merge key.
    pub fn merge_key(span: Span) -> Self {
        Self::new(&codes::OF005, span, "merge keys are not part of the pipeline language", "merge key")
            .with_help("write the keys out here")
    }

    /// The file is larger than is read.
    pub fn file_too_large(limit: usize) -> Self {
        Self::new(
            &codes::OF006,
            Span::new(0, 0),
            format!("the file is longer than {limit} bytes, the most that is read"),
            "not read",
        )
        .with_help("give data as a file that `source` reads")
    }

    /// Mappings and lists are nested too deep.
    pub fn too_deep(span: Span, limit: usize) -> Self {
        Self::new(&codes::OF007, span, format!("nested deeper than {limit} levels"), "reading stopped here")
    }

    /// A whole number that cannot be kept digit by digit.
    pub fn inexact_number(span: Span) -> Self {
        Self::new(&codes::OF008, span, "the number has more digits than can be kept exactly", "too long")
            .with_help("put it in quotes, so that it stays text")
    }

    /// A second document in the file.
    pub fn several_documents(span: Span) -> Self {
        Self::new(&codes::OF009, span, "the file holds more than one document", "second document")
            .with_help("one pipeline a file: move the second one out")
    }

    /// Nothing in the file.
    pub fn empty_file() -> Self {
        Self::new(&codes::OF010, Span::new(0, 0), "the file holds no pipeline", "empty")
            .with_help("start with `version: 1` and `name: …`")
    }

    /// A key that is a list, a mapping or nothing.
    pub fn key_not_text(span: Span) -> Self {
        Self::new(&codes::OF011, span, "keys are text, not lists or mappings", "not a key")
    }

    /// An `ignore` comment that silenced nothing.
    pub fn unused_ignore(span: Span, code: &str) -> Self {
        Self::new(&codes::OF901, span, format!("`ignore[{code}]` silences nothing here"), "unused")
            .with_help("remove the comment")
    }

    /// An `ignore` comment without a reason.
    pub fn ignore_without_reason(span: Span) -> Self {
        Self::new(&codes::OF902, span, "`ignore` without a reason", "why?")
            .with_help("say why behind the bracket: `# outflow: ignore[OF303] the partner has consent`")
    }

    /// A comment for the linter that it does not understand, or a code that cannot be silenced.
    pub fn ignore_refused(span: Span, reason: &str) -> Self {
        Self::new(&codes::OF903, span, format!("the linter cannot follow this comment: {reason}"), "not followed")
            .with_help("write `# outflow: ignore[OF303] reason`")
    }
}
