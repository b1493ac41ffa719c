//! `outflow backfill PIPELINE --from --to`: windows that no live run delivers, listed, asked about, delivered.

use std::process::ExitCode;

use outflow_engine::run::{Backfill, backfill};

use super::one::{Manner, One};
use super::{block_on, confirm};
use crate::drain::drained;
use crate::failure::Failure;
use crate::progress::Watchers;
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
    #[command(flatten)]
    one: One,
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
    #[command(flatten)]
    manner: Manner,
}

/// Lists the windows, asks, delivers them.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = args.one.load()?;
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
    let memory = args.manner.memory / usize::from(args.parallel);
    let options = args.one.run_options(&pipeline, &redaction, memory);
    let progress = Watchers::new(args.manner.progress).watch(&pipeline.name());
    let told = block_on(drained(backfill(&pipeline, &options, &range, &progress)))?;
    args.manner.print(&told.map_err(|error| Failure::Engine(error, redaction))?)
}
