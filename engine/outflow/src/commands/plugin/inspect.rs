//! `outflow plugin inspect`: what a component is by its bytes and by its own word, for people and for programs.

use std::path::Path;
use std::process::ExitCode;

use indicatif::HumanCount;
use outflow_layout::builtin;
use outflow_layout::wasm::Inspection;
use serde_json::{Value, json};

use crate::commands::Format;
use crate::failure::Failure;
use crate::output;

/// Arguments of `plugin inspect`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow plugin inspect simon
  outflow plugin inspect acme/acme.wasm --format json

Exit codes: 0 it is a plugin, 2 it is none, or cannot be read")]
pub struct Args {
    /// A component's file, or the name of a built-in plugin
    #[arg(value_name = "FILE|NAME")]
    plugin: String,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints what the plugin is.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let wasm = match builtin::component(&args.plugin) {
        Some(wasm) => wasm.to_owned(),
        None if !Path::new(&args.plugin).exists() => {
            let known = builtin::manifests().iter().map(|manifest| format!("`{}`", manifest.name)).collect::<Vec<_>>();
            return Err(anyhow::anyhow!(
                "`{}` is neither a file nor a built-in plugin\nhint: built in are {}",
                args.plugin,
                known.join(", ")
            )
            .into());
        }
        None => super::read(Path::new(&args.plugin))?,
    };
    let found = super::inspect(&args.plugin, &wasm)?;
    output::print(&match args.format {
        Format::Human => human(&found),
        Format::Json => format!("{:#}\n", told(&found)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn told(found: &Inspection) -> Value {
    json!({
        "schema": "outflow/plugin/v1",
        "name": found.name, "version": found.version, "summary": found.summary,
        "world": found.world.name(), "interface": found.interface,
        "imports": found.imports, "bytes": found.bytes, "sha256": found.digest,
        "config_schema": found.config_schema,
    })
}

fn human(found: &Inspection) -> String {
    let mut text = format!(
        "{} {}\n{}\n\n  world   {}, interface {}\n  size    {} bytes\n  sha256  {}\n\nMay use of its host:\n",
        found.name,
        found.version,
        found.summary,
        found.world.name(),
        found.interface,
        HumanCount(found.bytes as u64),
        found.digest
    );
    for import in found.imports.iter().filter(|import| !is_vocabulary(import)) {
        text += &format!("  {import:<36}  {}\n", meaning(import));
    }
    text += "\nOptions:\n";
    let required = found.config_schema["required"].as_array().cloned().unwrap_or_default();
    for (name, option) in found.config_schema["properties"].as_object().into_iter().flatten() {
        let need = if required.contains(&json!(name)) { "required" } else { "" };
        let description = option["description"].as_str().unwrap_or_default();
        text += &format!("  {name:<18} {:<10} {need:<8}  {description}\n", kind(option));
    }
    if found.config_schema["properties"].as_object().is_none_or(serde_json::Map::is_empty) {
        text += "  none\n";
    }
    text
}

/// An interface of records only gives nothing to use.
fn is_vocabulary(import: &str) -> bool {
    ["outflow:plugin/types@", "outflow:plugin/columns@"].iter().any(|prefix| import.starts_with(prefix))
}

/// What an import comes to in this host.
fn meaning(import: &str) -> &'static str {
    let meanings = [
        ("outflow:plugin/host", "lines for the log"),
        ("wasi:cli/stderr", "text, shown when the plugin fails"),
        ("wasi:cli/exit", "to end itself, and the run with it"),
        ("wasi:cli", "an empty environment: no arguments, no variables, no input"),
        ("wasi:io", "streams of the above"),
        ("wasi:clocks", "a clock that stands at the run's instant"),
        ("wasi:random", "the same bytes in every run"),
        ("wasi:filesystem", "an empty file system"),
        ("wasi:sockets", "no network: every call is refused"),
    ];
    meanings.iter().find(|(prefix, _)| import.starts_with(prefix)).map_or("unknown to this host", |(_, what)| what)
}

fn kind(option: &Value) -> String {
    match (&option["type"], &option["enum"]) {
        (Value::String(kind), _) => kind.clone(),
        (Value::Array(kinds), _) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        (_, Value::Array(values)) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        _ => "any".to_owned(),
    }
}
