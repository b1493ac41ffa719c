//! `outflow doctor [PIPELINE…] [--connection NAME]`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use outflow_engine::store::probe::{self, Abilities};
use outflow_engine::store::{Sink, open_sink};

use super::{Format, block_on};
use crate::failure::Failure;
use crate::output;
use crate::project::{self, Parameter};
use crate::redaction::Redaction;

/// Arguments of `doctor`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow doctor feed.yaml                what the sink of a pipeline can do
  outflow doctor --connection acme_sftp   one of the connections in outflow.yaml
  outflow doctor                          all of them

Small files are written, read, written over in vain and deleted; nothing stays behind. What is found for the sink of
a pipeline is what later runs with `delivery: {preflight: true}` insist on.

Exit codes: 0 all targets work, 2 usage or configuration, 3 or 4 a target does not, 5 some do not")]
pub struct Args {
    /// Pipeline files, for their sinks
    #[arg(value_name = "PIPELINE")]
    pipelines: Vec<PathBuf>,
    /// Only these instances of a pipeline with a `matrix`. Default: all
    #[arg(long = "instance", value_name = "NAME", requires = "pipelines")]
    instances: Vec<String>,
    /// Connections of the project file in this folder or above
    #[arg(long = "connection", value_name = "NAME")]
    connections: Vec<String>,
    /// Value of `${param:NAME}` in the files
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// Folder that remembers what targets can do. Default: `.outflow` beside the pipeline file
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A target to look at.
struct Patient {
    sink: Arc<dyn Sink>,
    redaction: Redaction,
    /// Where its abilities are remembered.
    state: Option<PathBuf>,
}

/// Probes each target and tells what it can do. One that fails keeps no other from being looked at.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let patients = patients(args)?;
    let mut failures = Vec::new();
    let (mut human, mut told) = (String::new(), Vec::new());
    for patient in &patients {
        let identity = patient.sink.identity();
        match block_on(examine(patient))? {
            Ok(abilities) => {
                human += &table(identity, &abilities);
                told.push(value(identity, &abilities));
            }
            Err(error) => {
                let failure = Failure::Engine(error, patient.redaction.clone());
                failure.report();
                told.push(serde_json::json!({"target": identity, "error": failure.told(identity)["error"]}));
                failures.push(failure.code());
            }
        }
    }
    output::print(&match args.format {
        Format::Human => human,
        Format::Json => format!("{}\n", serde_json::json!({"schema": "outflow/doctor/v1", "targets": told})),
    })?;
    Ok(match failures.iter().max() {
        None => ExitCode::SUCCESS,
        Some(_) if failures.len() < patients.len() => ExitCode::from(5),
        Some(code) => ExitCode::from(*code),
    })
}

fn patients(args: &Args) -> Result<Vec<Patient>, Failure> {
    let mut patients = Vec::new();
    for path in &args.pipelines {
        for member in project::load_every(path, &args.parameters, &args.instances)? {
            let (pipeline, redaction) = member.loaded?;
            let state = project::state(&pipeline, args.state.as_ref());
            for target in pipeline.spec.all_sinks() {
                let sink = open_sink(target, &pipeline.base);
                let sink = sink.map_err(|error| Failure::Engine(error, redaction.clone()))?;
                patients.push(Patient { sink, redaction: redaction.clone(), state: Some(state.clone()) });
            }
        }
    }
    if args.pipelines.is_empty() || !args.connections.is_empty() {
        let (spec, base, redaction) = project::load_project(Path::new("."), &args.parameters)?;
        let unknown = args.connections.iter().find(|name| !spec.connections.contains_key(*name));
        if let Some(name) = unknown {
            let known = spec.connections.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(anyhow::anyhow!("unknown connection `{name}`\nhint: declared are {known}").into());
        }
        for (name, target) in &spec.connections {
            if args.connections.is_empty() || args.connections.contains(name) {
                let sink = open_sink(target, &base).map_err(|error| Failure::Engine(error, redaction.clone()))?;
                patients.push(Patient { sink, redaction: redaction.clone(), state: args.state.clone() });
            }
        }
    }
    if patients.is_empty() {
        return Err(anyhow::anyhow!("no target to look at\nhint: name a pipeline, or declare `connections`").into());
    }
    Ok(patients)
}

async fn examine(patient: &Patient) -> outflow_engine::error::Result<Abilities> {
    patient.sink.check().await?;
    let abilities = probe::probe(patient.sink.as_ref()).await?;
    if let Some(state) = &patient.state {
        probe::remember(state, patient.sink.as_ref(), &abilities)?;
    }
    Ok(abilities)
}

fn table(identity: &str, abilities: &Abilities) -> String {
    let clock = match abilities.clock_skew {
        None => "not told".to_owned(),
        Some(0) => "in step with this machine's".to_owned(),
        Some(ahead @ 1..) => format!("{ahead} s ahead of this machine's"),
        Some(behind) => format!("{} s behind this machine's", -behind),
    };
    let yes = |yes| if yes { "yes" } else { "no" };
    let mut text = format!("{identity}\n");
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:<18}{value}");
    };
    line("put, get, delete", "yes");
    line("create if absent", yes(abilities.create_if_absent));
    line("verified by", abilities.verified_by);
    line("clock", &clock);
    for (what, value) in &abilities.facts {
        line(what, value);
    }
    line("guarantee", abilities.guarantee().explanation());
    text
}

fn value(identity: &str, abilities: &Abilities) -> serde_json::Value {
    serde_json::json!({
        "target": identity,
        "put_get_delete": true,
        "create_if_absent": abilities.create_if_absent,
        "verified_by": abilities.verified_by,
        "clock_skew_seconds": abilities.clock_skew,
        "facts": abilities.facts.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "guarantee": abilities.guarantee(),
    })
}
