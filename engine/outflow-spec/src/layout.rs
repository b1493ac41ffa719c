//! Layouts as written in a pipeline file: the built-in `files` layout, and any plugin by its name.

mod csv;
mod files;
mod size;

pub use csv::{CsvSpec, NewlineSpec, QuoteModeSpec, TerminatorSpec};
pub use files::*;
pub use size::ByteSize;

/// A layout; its one key names the component.
#[derive(Clone, Debug)]
pub enum LayoutSpec {
    /// The built-in layout, described in YAML.
    Files(Box<FilesLayout>),
    /// A layout plugin and its options, checked against the plugin's own schema.
    Plugin {
        /// Name of the plugin. Example: `simon`.
        name: String,
        /// Its options, as JSON.
        options: serde_json::Value,
    },
}
