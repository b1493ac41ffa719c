//! Constructors of the OF7 family: delivery.

use crate::codes;
use crate::diagnostic::Finding;
use crate::text::Span;

impl Finding {
    /// Something beside the data files, where the layout's readers allow nothing.
    pub fn companions_forbidden(span: Span, layout: &str, what: &str) -> Self {
        let message = format!("`{what}` puts files beside those of `{layout}`, whose bucket may hold nothing else");
        Self::new(&codes::OF701, span, message, "not with this layout")
            .with_help("leave it out: the report of a run has the SHA-256 of every file")
    }

    /// `on_empty` against the layout's own rule.
    pub fn empty_policy(span: Span, layout: &str, rule: &str) -> Self {
        let message = format!("a run of `{layout}` without rows {rule}");
        Self::new(&codes::OF702, span, message, "says the opposite").with_help("leave it out to keep the layout's rule")
    }

    /// A key that cannot encrypt, or sign.
    pub fn key_unusable(span: Span, message: &str) -> Self {
        Self::new(&codes::OF703, span, message, "cannot be used")
    }
}
