//! Constructors of the OF6 family: windows and schedules.

use crate::codes;
use crate::diagnostic::Finding;
use crate::text::Span;

impl Finding {
    /// Windows that cannot be delivered as written.
    pub fn windows(span: Span, message: &str, help: &str) -> Self {
        Self::new(&codes::OF601, span, message, "does not work with windows").with_help(help)
    }
}
