//! Constructors of the OF5 family: plugins from files.

use crate::codes;
use crate::diagnostic::Finding;
use crate::text::Span;

impl Finding {
    /// A plugin without pin; `digest` is what its file has.
    pub fn plugin_not_pinned(span: Span, component: &str, digest: &str) -> Self {
        Self::new(
            &codes::OF501,
            span,
            format!("the plugin `{component}` is not pinned"),
            "nothing says which file it is",
        )
        .with_help(format!("if you trust the file as it is, add `sha256: {digest}`, or pin it in `outflow.lock`"))
    }

    /// A plugin whose file is another than the pinned one.
    pub fn plugin_changed(span: Span, component: &str, pinned: &str, found: &str) -> Self {
        let message = format!("the plugin `{component}` has changed: pinned is {pinned}, the file is {found}");
        Self::new(&codes::OF502, span, message, "is not the file that was pinned")
            .with_help("put the pinned file back, or pin the new one if you trust it")
    }

    /// A plugin that cannot be read, loaded or asked.
    pub fn plugin_unusable(span: Span, message: &str) -> Self {
        Self::new(&codes::OF503, span, message, "cannot be used")
    }

    /// A layout that does not stay with its answers.
    pub fn layout_unsteady(span: Span, message: &str) -> Self {
        Self::new(&codes::OF504, span, message, "does not stay with its answers")
            .with_help("let names and outputs follow from the options, the run and the rows alone")
    }
}
