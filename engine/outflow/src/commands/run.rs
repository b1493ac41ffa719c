//! `outflow run PIPELINE…`.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use outflow_engine::pipeline::Pipeline;
use outflow_engine::report::{RunReport, Status};
use outflow_engine::run::{Backfill, RunOptions, backfill, run};

use super::{Format, block_on};
use crate::failure::Failure;
use crate::progress::{Show, watcher};
use crate::project::{self, Parameter};
use crate::redaction::Redaction;
use crate::{output, report};

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow run pipelines/simon/welcome-flow.yaml
  outflow run feed.yaml --at 2026-11-22T02:00:00Z --report report.json
  outflow run feed.yaml --sink local:/tmp/look     write to a folder in place of the sink")]
pub struct Args {
    /// Pipeline files
    #[arg(required = true, value_name = "PIPELINE")]
    pipelines: Vec<PathBuf>,
    /// Logical instant of the delivery, with zone. Default: now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// With `incremental`: deliver what lies between this position and `--to`, in place of what is due
    #[arg(long, value_name = "POSITION", requires = "to")]
    from: Option<String>,
    /// Where the last of these windows ends, not included
    #[arg(long, value_name = "POSITION", requires = "from")]
    to: Option<String>,
    /// Value of `${param:NAME}` in the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// Deliver to a folder in place of the pipeline's sink
    #[arg(long, value_name = "local:DIR", value_parser = local_sink)]
    sink: Option<PathBuf>,
    /// Fail before anything is published when more rows than this are rejected
    #[arg(long, value_name = "N")]
    max_rejects: Option<u64>,
    /// Folder of the ledger, spool and dead letters. Default: `.outflow` beside the pipeline file
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Memory that sorts, joins and aggregates may use before they spill
    #[arg(long, default_value = "256MiB", value_parser = project::size)]
    memory: usize,
    /// Write the report as JSON to a file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    progress: Show,
}

/// Runs each pipeline. One failure among several is a partial result. What happened outweighs where it is told: a
/// stream that cannot be written to stops no pipeline.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let report = args.report.as_deref().map(create).transpose()?;
    let mut told = Vec::new();
    let mut failures = Vec::new();
    let mut printed = Ok(());
    let mut partial = false;
    for path in &args.pipelines {
        let loaded = project::load(path, &args.parameters);
        let name = match &loaded {
            Ok((pipeline, _)) => pipeline.spec.name.clone(),
            Err(_) => path.display().to_string(),
        };
        let result = loaded.and_then(|(pipeline, redaction)| deliver(args, &pipeline, redaction));
        let (value, human) = match &result {
            Ok(report) => {
                partial |= report.status == Status::Partial;
                (serde_json::json!(report), report::human(report))
            }
            Err(failure) => {
                failure.report();
                failures.push(failure.code());
                (failure.told(&name), String::new())
            }
        };
        printed = printed.and(output::print(&match args.format {
            Format::Human => human,
            Format::Json => format!("{value}\n"),
        }));
        told.push(value);
    }
    if let Some((path, mut file)) = report {
        let text = match told.as_slice() {
            [one] => format!("{one:#}\n"),
            many => format!("{:#}\n", serde_json::json!(many)),
        };
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write the report `{}`", path.display()))?;
    }
    Ok(match failures.iter().max() {
        None if !partial => printed.map(|()| ExitCode::SUCCESS)?,
        Some(code) if failures.len() == told.len() => ExitCode::from(*code),
        _ => ExitCode::from(5),
    })
}

/// Creates the file of the report, before there is anything to report: where that fails, nothing runs.
fn create(path: &Path) -> anyhow::Result<(&Path, File)> {
    let file = File::create(path).with_context(|| format!("cannot write the report `{}`", path.display()))?;
    Ok((path, file))
}

fn deliver(args: &Args, pipeline: &Pipeline, redaction: Redaction) -> Result<RunReport, Failure> {
    let options = RunOptions {
        now: Timestamp::now(),
        at: args.at,
        state: args.state.clone().unwrap_or_else(|| pipeline.base.join(".outflow")),
        local_sink: args.sink.clone(),
        max_rejects: args.max_rejects,
        memory: args.memory,
        hidden: redaction.pairs(),
        fixed_id: None,
    };
    let progress = watcher(args.progress, &pipeline.spec.name);
    let range = args.from.clone().zip(args.to.clone()).map(|(from, to)| Backfill { from, to, parallel: 1 });
    let work = async {
        match &range {
            Some(range) => backfill(pipeline, &options, range, &progress).await,
            None => run(pipeline, &options, &progress).await,
        }
    };
    block_on(work)?.map_err(|error| Failure::Engine(error, redaction))
}

fn local_sink(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("local:") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => Err("write `local:` and a folder, such as `local:/tmp/look`".to_owned()),
    }
}
