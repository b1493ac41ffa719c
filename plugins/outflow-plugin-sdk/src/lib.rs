//! What a plugin is written with: implement [`Layout`] and call [`export_layout!`], or [`Transform`] and
//! [`export_transform!`].
//! Logic stays plain Rust and is tested natively, see [`testing`]; the engine is not a dependency and never will be.

#[doc(hidden)]
pub mod bindings;
pub mod build;
pub mod columns;
mod component;
pub mod contract;
pub mod sql;
pub mod testing;
mod time;
mod transform;

pub use bindings::exports::outflow::plugin::layout::{
    Artifact, Compression, Counter, CounterScope, Csv, Expand, Field, FileFacts, FileIntent, FileName, Format, Json,
    Naming, NestedAs, Output, PartitionKey, Roll, Run, Target, WhenEmpty, Written,
};
pub use bindings::outflow::plugin::types::{Column, Dataset, Diagnostic, Severity, Stamp};
pub use component::Component;
pub use transform::{Io, Mode, Reject, Step, Transform, TransformComponent};

/// Writes a line to the host's log; does nothing in native tests.
pub fn log(level: Level, message: &str) {
    if cfg!(target_arch = "wasm32") {
        bindings::outflow::plugin::host::log(level, message);
    }
}

pub use bindings::outflow::plugin::host::Level;

/// A layout: rows to named files. A value is the options of one run, read.
/// Every method computes from its arguments alone: the host may ask again and expects the same answer.
pub trait Layout: Sized + 'static {
    /// The manifest as JSON: `name`, `version`, `summary`, `config_schema`, `requires`.
    /// Keep it in a file beside the code (`include_str!`), so that the host reads it without running the plugin.
    const MANIFEST: &'static str;

    /// The options as written.
    type Options: serde::de::DeserializeOwned;

    /// Checks what the schema cannot say.
    fn open(options: Self::Options, run: Run) -> Result<Self, Vec<Diagnostic>>;

    /// The native plan over the inputs.
    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>>;

    /// Name of one file.
    fn name_file(&self, file: &FileIntent) -> Result<FileName, String>;

    /// What follows data files; by default nothing.
    fn files_written(&self, _files: &[Written]) -> Result<Vec<Artifact>, String> {
        Ok(Vec::new())
    }

    /// What follows the whole run; by default nothing.
    fn run_written(&self, _files: &[Written]) -> Result<Vec<Artifact>, String> {
        Ok(Vec::new())
    }
}

/// Makes the component's exports from a type that implements [`Layout`].
#[macro_export]
macro_rules! export_layout {
    ($layout:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod exported {
            use super::*;
            type ExportedLayout = $crate::Component<$layout>;
            $crate::bindings::export_layout_component!(ExportedLayout with_types_in $crate::bindings);
        }
    };
}
