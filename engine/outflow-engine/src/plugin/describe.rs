//! Asks the plugins of a pipeline who they are, so that their options can be checked. No row is shown to them.

use std::path::Path;

use outflow_layout::layout::{LayoutError, Manifest};
use outflow_spec::PipelineSpec;
use outflow_spec::layout::PluginLayout;

use super::{Component, Reference, Refusal, references};

/// What a plugin of a pipeline says of itself, or why it is not asked.
#[derive(Debug)]
pub struct Described {
    /// JSON pointer to its block.
    pub pointer: String,
    /// Its manifest.
    pub manifest: Result<Manifest, Refusal>,
}

/// Asks every plugin from a file that the pipeline names. `base` is the folder of the pipeline file.
pub fn describe(spec: &PipelineSpec, base: &Path) -> Vec<Described> {
    let one = |reference: Reference<'_>| {
        let component = Component::pinned(reference.component, reference.sha256, base);
        let manifest = component.and_then(|component| Ok(ask(&component, reference.is_layout)?));
        Described { pointer: reference.pointer, manifest }
    };
    references(spec).into_iter().map(one).collect()
}

/// The manifest of a layout from a file.
pub fn layout_manifest(spec: &PluginLayout, base: &Path) -> Result<Manifest, Refusal> {
    let component = Component::pinned(&spec.component, spec.sha256.as_deref(), base)?;
    Ok(ask(&component, true)?)
}

/// Guests need a runtime. Whoever asks may be inside of one or not, so this one has a thread of its own.
fn ask(component: &Component, is_layout: bool) -> Result<Manifest, LayoutError> {
    let failed = |why: String| LayoutError::Plugin { code: "plugin/engine", message: why };
    let describe = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| failed(format!("a runtime for plugins does not start: {error}")))?;
        match is_layout {
            true => runtime.block_on(component.layout()?.describe()),
            false => runtime.block_on(component.transform()?.describe()),
        }
    };
    std::thread::scope(|scope| scope.spawn(describe).join())
        .unwrap_or_else(|_| Err(failed("the thread that asks plugins ended too early".to_owned())))
}
