//! Turns a [`Layout`] into what the component model asks for: resources, JSON text, batches of names.

use std::marker::PhantomData;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bindings::exports::outflow::plugin::layout::{Guest, GuestPlan, Manifest, Plan};
use crate::{Artifact, Column, Dataset, Diagnostic, FileIntent, FileName, Layout, Output, Run, Written};

/// The component of a layout.
pub struct Component<L>(PhantomData<L>);

/// A layout that is open, as a resource.
pub struct Opened<L>(L);

#[derive(Deserialize)]
pub(crate) struct ManifestFile {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) config_schema: Box<RawValue>,
    #[serde(default)]
    requires: Vec<DatasetFile>,
}

impl ManifestFile {
    /// Reads the manifest of a plugin.
    pub(crate) fn read(text: &str) -> Self {
        serde_json::from_str(text).expect("the manifest is a constant that the plugin's tests read")
    }
}

#[derive(Deserialize)]
struct DatasetFile {
    name: String,
    columns: Vec<ColumnFile>,
}

#[derive(Deserialize)]
struct ColumnFile {
    name: String,
    data_type: String,
    nullable: bool,
}

impl<L: Layout> Guest for Component<L> {
    type Plan = Opened<L>;

    fn describe() -> Manifest {
        let file = ManifestFile::read(L::MANIFEST);
        let column = |c: ColumnFile| Column { name: c.name, data_type: c.data_type, nullable: c.nullable, doc: None };
        let dataset =
            |d: DatasetFile| Dataset { name: d.name, columns: d.columns.into_iter().map(column).collect(), doc: None };
        Manifest {
            name: file.name,
            version: file.version,
            summary: file.summary,
            config_schema: file.config_schema.get().to_string(),
            requires: file.requires.into_iter().map(dataset).collect(),
            extras: Vec::new(),
        }
    }
}

impl<L: Layout> GuestPlan for Opened<L> {
    fn open(config: String, run: Run) -> Result<Plan, Vec<Diagnostic>> {
        open_text::<L>(&config, run).map(|layout| Plan::new(Opened(layout)))
    }

    fn outputs(&self, inputs: Vec<Dataset>) -> Result<Vec<Output>, Vec<Diagnostic>> {
        self.0.outputs(&inputs)
    }

    fn name_files(&self, files: Vec<FileIntent>) -> Result<Vec<FileName>, String> {
        files.iter().map(|file| self.0.name_file(file)).collect()
    }

    fn files_written(&self, files: Vec<Written>) -> Result<Vec<Artifact>, String> {
        self.0.files_written(&files)
    }

    fn run_written(&self, files: Vec<Written>) -> Result<Vec<Artifact>, String> {
        self.0.run_written(&files)
    }
}

/// Opens a layout from the text of its options.
pub(crate) fn open_text<L: Layout>(options: &str, run: Run) -> Result<L, Vec<Diagnostic>> {
    L::open(read(options)?, run)
}

/// Reads the text of options.
pub(crate) fn read<O: serde::de::DeserializeOwned>(options: &str) -> Result<O, Vec<Diagnostic>> {
    serde_json::from_str(options)
        .map_err(|error| vec![Diagnostic::error("plugin/options", "", format!("options do not read: {error}"))])
}
