//! `outflow run PIPELINE…`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use outflow_engine::report::RunReport;
use outflow_engine::run::{RunOptions, run};

use super::{Format, block_on};
use crate::failure::Failure;
use crate::progress::{Show, watcher};
use crate::project::{self, Parameter};
use crate::report;

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

/// Runs each pipeline. One failure among several is a partial result.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let mut reports = Vec::new();
    let mut failures = Vec::new();
    for path in &args.pipelines {
        match deliver(args, path) {
            Ok(report) => reports.push(report),
            Err(failure) if args.pipelines.len() == 1 => return Err(failure),
            Err(failure) => {
                failure.report();
                failures.push(failure.code());
            }
        }
    }
    if let Some(path) = &args.report {
        let text = match reports.as_slice() {
            [one] => serde_json::to_string_pretty(one),
            many => serde_json::to_string_pretty(many),
        };
        let text = text.context("cannot write the report")?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write the report `{}`", path.display()))?;
    }
    Ok(match failures.iter().max() {
        None => ExitCode::SUCCESS,
        Some(_) if !reports.is_empty() => ExitCode::from(5),
        Some(code) => ExitCode::from(*code),
    })
}

#[expect(clippy::print_stdout, reason = "the binary prints")]
fn deliver(args: &Args, path: &Path) -> Result<RunReport, Failure> {
    let pipeline = project::load(path, &args.parameters)?;
    let options = RunOptions {
        now: Timestamp::now(),
        at: args.at,
        state: args.state.clone().unwrap_or_else(|| pipeline.base.join(".outflow")),
        local_sink: args.sink.clone(),
        max_rejects: args.max_rejects,
        memory: args.memory,
    };
    let progress = watcher(args.progress, &pipeline.spec.name);
    let result = block_on(run(&pipeline, &options, &progress))?;
    drop(progress);
    let report = result?;
    match args.format {
        Format::Human => print!("{}", report::human(&report)),
        Format::Json => println!("{}", serde_json::json!(report)),
    }
    Ok(report)
}

fn local_sink(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("local:") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => Err("write `local:` and a folder, such as `local:/tmp/look`".to_owned()),
    }
}
