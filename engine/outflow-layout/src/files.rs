//! The built-in `files` layout: paths and companions as templates, columns as they come or as they are listed.
//! It knows no vendor; what a vendor needs beyond templates and expressions is a plugin's business.

mod filters;
mod format;
mod options;
mod output;
mod template;

use outflow_spec::layout::{CompanionScope, FilesLayout};

use crate::layout::{
    Artifact, Dataset, Diagnostic, FileFacts, FileIntent, FileName, Layout, LayoutError, Manifest, Output, RunInfo,
    Severity, Written,
};
use crate::name::Register;
use options::FileOptions;
use template::Templates;

/// Media type of a companion that names none.
const PLAIN: &str = "text/plain; charset=utf-8";

/// Identity of the layout. Its options are part of the pipeline schema, so it brings no schema of its own.
pub fn manifest() -> Manifest {
    Manifest {
        name: "files".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: "Rows to files as the pipeline describes them".to_owned(),
        config_schema: serde_json::Value::Null,
        requires: Vec::new(),
        digest: crate::wasm::sha256(concat!("files ", env!("CARGO_PKG_VERSION")).as_bytes()),
    }
}

/// Checks the layout's options and readies it for a run.
pub fn open(spec: &FilesLayout, run: &RunInfo) -> Result<Box<dyn Layout>, LayoutError> {
    let outputs = FileOptions::all(spec);
    let templates = Templates::new(run);
    let mut found = Vec::new();
    for output in &outputs {
        output.check(&templates, &mut found);
    }
    options::check_companions(spec, &outputs, &templates, &mut found);
    if !found.is_empty() {
        return Err(LayoutError::Options(found));
    }
    Ok(Box::new(Files { spec: spec.clone(), outputs, templates, names: Register::default() }))
}

struct Files {
    spec: FilesLayout,
    outputs: Vec<FileOptions>,
    templates: Templates,
    names: Register,
}

impl Files {
    fn name(&self, intent: &FileIntent, facts: Option<&FileFacts>) -> Result<FileName, LayoutError> {
        let Some(output) = self.outputs.iter().find(|output| output.name == intent.dataset) else {
            return Err(LayoutError::Refused(format!("there is no output `{}`", intent.dataset)));
        };
        let values = self.templates.of_file(intent, facts);
        output.file_name(&self.templates, &values)
    }
}

#[async_trait::async_trait]
impl Layout for Files {
    /// Names and companions may tell it.
    fn needs_sha256(&self) -> bool {
        !self.spec.companions.is_empty() || self.outputs.iter().any(FileOptions::name_after)
    }

    async fn outputs(&mut self, inputs: &[Dataset]) -> Result<Vec<Output>, LayoutError> {
        let Some(input) = inputs.iter().find(|dataset| dataset.name == "input") else {
            return Err(LayoutError::Refused("there is no dataset `input`".to_string()));
        };
        let mut found = Vec::new();
        let planned = self.outputs.iter().map(|options| output::plan(options, input, &self.templates, &mut found));
        let planned = planned.collect();
        if found.is_empty() { Ok(planned) } else { Err(LayoutError::Options(found)) }
    }

    async fn name_files(&mut self, files: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>, LayoutError> {
        let mut names = Vec::with_capacity(files.len());
        for (intent, facts) in files {
            names.push(self.name(intent, facts.as_ref())?);
        }
        let named = files.iter().map(|(intent, _)| intent).zip(&names);
        self.names.data_files(named).map_err(LayoutError::Refused)?;
        Ok(names)
    }

    async fn files_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        let mut artifacts = Vec::new();
        if !self.has_companions(CompanionScope::File) {
            return Ok(artifacts);
        }
        for file in files {
            let values = self.templates.of_written(file);
            self.companions(CompanionScope::File, &values, &mut artifacts)?;
        }
        self.names.artifacts(files, &artifacts).map_err(LayoutError::Refused)?;
        Ok(artifacts)
    }

    async fn run_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        let mut artifacts = Vec::new();
        if !self.has_companions(CompanionScope::Run) {
            return Ok(artifacts);
        }
        self.templates.allow(files.len());
        let values = self.templates.of_run(files);
        self.companions(CompanionScope::Run, &values, &mut artifacts)?;
        self.names.artifacts(files, &artifacts).map_err(LayoutError::Refused)?;
        Ok(artifacts)
    }
}

impl Files {
    /// Whether there is something to describe files for, of which there may be very many.
    fn has_companions(&self, scope: CompanionScope) -> bool {
        self.spec.companions.iter().any(|companion| companion.scope == scope)
    }

    /// The companions of one scope.
    fn companions(
        &self,
        scope: CompanionScope,
        values: &minijinja::Value,
        artifacts: &mut Vec<Artifact>,
    ) -> Result<(), LayoutError> {
        for (index, companion) in self.spec.companions.iter().enumerate().filter(|(_, one)| one.scope == scope) {
            let at = |member| format!("/companions/{index}/{member}");
            artifacts.push(Artifact {
                path: self.templates.render(&at("path"), &companion.path, values)?,
                content_type: companion.content_type.clone().unwrap_or_else(|| PLAIN.to_owned()),
                body: self.templates.render(&at("body"), &companion.body, values)?.into_bytes(),
            });
        }
        Ok(())
    }
}

fn error(code: &str, path: &str, message: &str, help: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: code.to_string(),
        path: path.to_string(),
        message: message.to_string(),
        help: Some(help.to_string()),
    }
}

#[cfg(test)]
mod tests;
