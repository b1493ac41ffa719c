//! The layout plugins inside the binary. Their manifests are read from text, so that linting runs no plugin.

use std::sync::OnceLock;

use crate::layout::{Column, Dataset, Layout, LayoutError, Manifest, RunInfo};
use crate::wasm::Host;

/// A plugin inside the binary.
struct BuiltIn {
    name: &'static str,
    /// The same text that the component answers `describe` from.
    manifest: &'static str,
    wasm: &'static [u8],
    /// Its SHA-256, which would take milliseconds at each start.
    digest: &'static str,
}

/// Reads a plugin's manifest and component into the binary.
macro_rules! built_in {
    ($name:literal, $wasm:literal, $digest:literal) => {
        BuiltIn {
            name: $name,
            manifest: include_str!(concat!("../../../plugins/", $name, "/src/manifest.json")),
            wasm: include_bytes!(env!($wasm)),
            digest: env!($digest),
        }
    };
}

/// All of them, by name.
const BUILT_IN: [BuiltIn; 5] = [
    built_in!("actito", "OUTFLOW_ACTITO_WASM", "OUTFLOW_ACTITO_SHA256"),
    built_in!("apsis", "OUTFLOW_APSIS_WASM", "OUTFLOW_APSIS_SHA256"),
    built_in!("customerio", "OUTFLOW_CUSTOMERIO_WASM", "OUTFLOW_CUSTOMERIO_SHA256"),
    built_in!("sailthru", "OUTFLOW_SAILTHRU_WASM", "OUTFLOW_SAILTHRU_SHA256"),
    built_in!("simon", "OUTFLOW_SIMON_WASM", "OUTFLOW_SIMON_SHA256"),
];

/// Manifests of the built-in plugins, by name.
pub fn manifests() -> &'static [Manifest] {
    static MANIFESTS: OnceLock<Vec<Manifest>> = OnceLock::new();
    MANIFESTS.get_or_init(|| {
        let read = |plugin: &BuiltIn| {
            let text: ManifestText =
                serde_json::from_str(plugin.manifest).expect("the manifest is part of the build, and a test reads it");
            text.manifest(plugin.digest.to_owned())
        };
        BUILT_IN.iter().map(read).collect()
    })
}

/// Bytes of a built-in component.
pub fn component(name: &str) -> Option<&'static [u8]> {
    BUILT_IN.iter().find(|plugin| plugin.name == name).map(|plugin| plugin.wasm)
}

/// Opens a built-in plugin with its options for a run. Needs a tokio runtime with timers.
pub async fn open(name: &str, options: &serde_json::Value, run: &RunInfo) -> Result<Box<dyn Layout>, LayoutError> {
    let Some(wasm) = component(name) else {
        let known: Vec<_> = BUILT_IN.iter().map(|plugin| format!("`{}`", plugin.name)).collect();
        return Err(LayoutError::Plugin {
            code: "plugin/unknown",
            message: format!("there is no built-in plugin `{name}`; there is {}", known.join(", ")),
        });
    };
    let plugin = Host::shared()?.load(name, wasm)?;
    Ok(Box::new(plugin.open(options, run).await?))
}

#[derive(serde::Deserialize)]
struct ManifestText {
    name: String,
    version: String,
    summary: String,
    config_schema: serde_json::Value,
    requires: Vec<DatasetText>,
}

#[derive(serde::Deserialize)]
struct DatasetText {
    name: String,
    columns: Vec<ColumnText>,
}

#[derive(serde::Deserialize)]
struct ColumnText {
    name: String,
    data_type: String,
    nullable: bool,
}

impl ManifestText {
    fn manifest(self, digest: String) -> Manifest {
        let column = |c: ColumnText| Column { name: c.name, data_type: c.data_type, nullable: c.nullable };
        let dataset = |d: DatasetText| Dataset { name: d.name, columns: d.columns.into_iter().map(column).collect() };
        Manifest {
            name: self.name,
            version: self.version,
            summary: self.summary,
            config_schema: self.config_schema,
            requires: self.requires.into_iter().map(dataset).collect(),
            digest,
        }
    }
}
