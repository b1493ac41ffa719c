//! `outflow plugin test`: each fixture is a whole run of the engine around the plugin, from rows to files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use outflow_layout::wasm::{Inspection, World};

use super::cost;
use crate::commands::test::{blessed, judge};
use crate::failure::Failure;
use crate::trial::{self, Trial};
use crate::{embedded, output};

/// Arguments of `plugin test`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow plugin test                  the project in this folder
  outflow plugin test acme --update    take what it delivers now as expected

A fixture is a folder below `fixtures/`: `options.yaml`, `input.jsonl`, and `expected/` with every file that
must be delivered; `rejects.jsonl` there has the rows that must be refused. It is run at 2026-03-14T09:26:53Z.

Exit codes: 0 all as expected, 1 something differs, 2 usage or configuration, 3 or 4 a run failed")]
pub struct Args {
    /// Folder of the project, or a component with `fixtures/` beside it
    #[arg(default_value = ".")]
    plugin: PathBuf,
    /// Write what is delivered now as expected; `BLESS=1` in the environment does the same
    #[arg(long)]
    update: bool,
}

/// Runs every fixture and tells what differs, then what a call costs.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let file = component(&args.plugin)?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let wasm = super::read(&file)?;
    let found = super::inspect(&file.display().to_string(), &wasm)?;
    let cases = cases(&folder.join("fixtures"))?;
    let update = args.update || blessed();
    let mut different = 0;
    let mut costs = None;
    for case in &cases {
        let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
        let pipeline = lay_out(&name, case, &found, &wasm, scratch.path())?;
        let trial = trial::run_file(&pipeline, &[])?;
        keep_rejects(&trial)?;
        different += usize::from(!judge(&name, &case.join("expected"), &trial, update)?);
        if costs.is_none() {
            costs = Some(cost::measured(&found, &wasm, &pipeline)?);
        }
    }
    output::print(&costs.unwrap_or_default())?;
    Ok(ExitCode::from(u8::from(different > 0)))
}

/// The component that is named, or the only one of a project.
fn component(named: &Path) -> anyhow::Result<PathBuf> {
    if named.is_file() {
        return Ok(named.to_owned());
    }
    let entries = fs::read_dir(named).with_context(|| format!("cannot read the folder `{}`", named.display()))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = files.filter(|file| file.extension().is_some_and(|extension| extension == "wasm")).collect::<Vec<_>>();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(anyhow::anyhow!("there is no plugin in `{0}`\nhint: outflow plugin build {0}", named.display())),
        _ => Err(anyhow::anyhow!("there are {} plugins in `{}`\nhint: name one", found.len(), named.display())),
    }
}

/// The fixtures, by name.
fn cases(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("there are no fixtures: cannot read `{}`", folder.display()))?;
    let mut cases =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect::<Vec<_>>();
    cases.sort();
    anyhow::ensure!(!cases.is_empty(), "there is no fixture in `{}`", folder.display());
    Ok(cases)
}

/// Makes a folder with the fixture's rows, the plugin, and a pipeline of both, whose path is returned.
fn lay_out(name: &str, case: &Path, found: &Inspection, wasm: &[u8], folder: &Path) -> anyhow::Result<PathBuf> {
    let input = case.join("input.jsonl");
    fs::copy(&input, folder.join("input.jsonl")).with_context(|| format!("cannot read `{}`", input.display()))?;
    embedded::write(&folder.join("plugin.wasm"), wasm)?;
    let pipeline = folder.join(format!("{name}.yaml"));
    embedded::write(&pipeline, pipeline_text(name, &options(case)?, found).as_bytes())?;
    Ok(pipeline)
}

/// The text of a fixture's options; without the file there are none.
fn options(case: &Path) -> anyhow::Result<String> {
    let path = case.join("options.yaml");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// A pipeline with the plugin in its place: rows in, files or rows out.
fn pipeline_text(name: &str, options: &str, found: &Inspection) -> String {
    let says = options.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let told = |indent: usize| match says {
        true => options.lines().map(|line| format!("\n{:indent$}{line}", "")).collect::<String>(),
        false => " {}".to_owned(),
    };
    let head = format!("version: 1\nname: {name}\nsource: {{files: {{path: input.jsonl}}}}\n");
    let pinned = format!("component: plugin.wasm, sha256: \"{}\"", found.digest).replace(", ", "\n      ");
    let tail = "sink: {local: {path: out}}\n";
    match found.world {
        World::Layout => format!("{head}layout:\n  plugin:\n      {pinned}\n      options:{}\n{tail}", told(8)),
        World::Transform => format!(
            "{head}transforms:\n  - plugin:\n      {pinned}\n      options:{}\n\
             layout: {{files: {{path: \"rows_{{{{ at | date('%Y%m%d') }}}}.jsonl\", format: jsonl}}}}\n{tail}",
            told(8)
        ),
    }
}

/// Puts what the run refused beside what it delivered: row, code and message of each.
fn keep_rejects(trial: &Trial) -> anyhow::Result<()> {
    let Some(path) = &trial.report.rejects.path else { return Ok(()) };
    let letters = fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?;
    let mut text = String::new();
    for line in letters.lines() {
        let letter: serde_json::Value = serde_json::from_str(line).context("a dead letter does not read")?;
        let told = serde_json::json!({"row": letter["row"], "code": letter["code"], "message": letter["message"]});
        text += &format!("{told}\n");
    }
    embedded::write(&trial.delivered().join("rejects.jsonl"), text.as_bytes())
}
