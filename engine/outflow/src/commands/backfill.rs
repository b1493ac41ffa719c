//! `outflow backfill PIPELINE --from --to`: windows that no live run delivers, listed, asked about, delivered.

use std::path::PathBuf;
use std::process::ExitCode;

use outflow_engine::report::Status;
use outflow_engine::run::{Backfill, backfill};

use super::{Format, block_on, confirm};
use crate::drain::drained;
use crate::failure::Failure;
use crate::progress::{Show, Watchers};
use crate::project::{self, Parameter};
use crate::{output, report};

/// Windows that are named one by one.
const SHOWN: usize = 20;

/// Arguments of `backfill`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow backfill feed.yaml --from 2025-12-01 --to 2026-01-01
  outflow backfill feed.yaml --from 2025-12-01 --to 2026-01-01 --parallel 4 --yes")]
pub struct Args {
    /// Pipeline file
    pipeline: PathBuf,
    /// The instance of a pipeline with a `matrix`
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Where the first window begins: an instant, or a date in the pipeline's time zone
    #[arg(long, value_name = "POSITION")]
    from: String,
    /// Where the last window ends, not included
    #[arg(long, value_name = "POSITION")]
    to: String,
    /// Windows that are extracted at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallel: u16,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Value of `${param:NAME}` in the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// Folder of the ledger, spool and dead letters. Default: `.outflow` beside the pipeline file
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Memory that sorts, joins and aggregates may use before they spill, of all windows together
    #[arg(long, default_value = "256MiB", value_parser = project::size)]
    memory: usize,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    progress: Show,
}

/// Lists the windows, asks, delivers them.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = project::load_instance(&args.pipeline, &args.parameters, args.instance.as_ref())?;
    let range = Backfill { from: args.from.clone(), to: args.to.clone(), parallel: args.parallel.into() };
    let windows = match range.windows(&pipeline) {
        Ok(windows) => windows,
        Err(error) => return Err(Failure::Engine(error, redaction)),
    };
    let mut text = format!("{}: {} to deliver\n", pipeline.name(), report::counted(windows.len(), "window"));
    for window in windows.iter().take(SHOWN) {
        text += &format!("  {} to {}\n", window.lo.as_deref().unwrap_or_default(), window.hi);
    }
    if windows.len() > SHOWN {
        text += &format!("  … and {} more\n", windows.len() - SHOWN);
    }
    output::tell(&text);
    confirm("Deliver them?", args.yes)?;
    let options =
        super::run_options(&pipeline, &redaction, args.state.as_ref(), args.memory / usize::from(args.parallel));
    let progress = Watchers::new(args.progress).watch(&pipeline.name());
    let told = block_on(drained(backfill(&pipeline, &options, &range, &progress)))?;
    let told = told.map_err(|error| Failure::Engine(error, redaction))?;
    output::print(&match args.format {
        Format::Human => report::human(&told),
        Format::Json => format!("{}\n", serde_json::json!(told)),
    })?;
    Ok(if told.status == Status::Partial { ExitCode::from(5) } else { ExitCode::SUCCESS })
}
