//! Findings as text, in the formats that people and machines read. Nothing here prints.

use crate::diagnostic::Finding;

mod concise;
mod github;
mod human;
mod json;
mod sarif;

pub use concise::concise;
pub use github::github;
pub use human::human;
pub use json::json;
pub use sarif::sarif;

/// A file that was linted, with what was found in it.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Its path, as it is shown.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What was found.
    pub findings: &'a [Finding],
}
