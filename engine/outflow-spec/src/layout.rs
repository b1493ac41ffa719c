//! Layouts as written in a pipeline file: the built-in `files` layout, and any plugin by its name.

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// A layout plugin from a file.
    Component(PluginLayout),
}

/// What the digest of a component looks like.
pub const DIGEST_PATTERN: &str = "^[0-9a-f]{64}$";

/// A layout plugin from a file, which runs only if the file is the one that was pinned.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginLayout {
    /// The WebAssembly component, by its path from the pipeline file. Example: `./acme.wasm`.
    #[schemars(length(min = 1))]
    pub component: String,
    /// SHA-256 of the file, in lower-case hex. Without it, `outflow.lock` beside the pipeline file says it.
    #[serde(default)]
    #[schemars(regex(pattern = DIGEST_PATTERN))]
    pub sha256: Option<String>,
    /// Options of the plugin, checked by its own schema.
    #[serde(default)]
    pub options: serde_json::Map<String, serde_json::Value>,
}
