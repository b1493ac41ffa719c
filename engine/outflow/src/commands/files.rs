//! `outflow files list`, `outflow files verify` and `outflow files redeliver`.

use std::process::ExitCode;

use outflow_engine::error::Error;
use outflow_engine::ledger::{FileFilter, FileRecord, Ledger, SlotState};
use outflow_engine::run::{Redelivered, redeliver};
use outflow_engine::verify::{Verified, verify};

use super::one::{Manner, One};
use super::runs::{State, ledgers};
use super::{Format, block_on};
use crate::drain::drained;
use crate::failure::Failure;
use crate::progress::Watchers;
use crate::{output, project};

/// Commands on files.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List delivered files, newest first
    List(List),
    /// Read delivered files back and compare them with the ledger
    Verify(Verify),
    /// Put delivered files back that have gone from their target, the very bytes or none
    Redeliver(Redeliver),
}

/// Arguments of `files list`.
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    state: State,
    /// Only files of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

/// Arguments of `files verify`.
#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    one: One,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Arguments of `files redeliver`.
#[derive(clap::Args)]
pub struct Redeliver {
    #[command(flatten)]
    one: One,
    /// Paths below the target, as `files list` tells them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    manner: Manner,
}

/// Prints files.
pub fn execute(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List(args) => list(args),
        Command::Verify(args) => check(args),
        Command::Redeliver(args) => again(args),
    }
}

fn list(args: &List) -> Result<ExitCode, Failure> {
    let filter = FileFilter { pipeline: args.pipeline.clone(), run: None, limit: args.limit };
    let mut files = block_on(async {
        let mut files = Vec::new();
        for ledger in ledgers(&args.state).await? {
            files.extend(ledger.files(&filter).await?);
        }
        Ok::<_, Failure>(files)
    })??;
    files.truncate(if args.limit == 0 { usize::MAX } else { args.limit as usize });
    let line = |record: &FileRecord| {
        let file = &record.file;
        // Of a delivery that is on its way or waits, how far the file itself has come.
        let alone = match record.state {
            SlotState::Published => String::new(),
            _ => format!("  ({})", record.progress.name()),
        };
        format!(
            "{:<11} {:>10} rows  {:>12} bytes  {}  {}{alone}\n",
            record.state.name(),
            file.rows,
            file.bytes,
            &file.digest.hex()[..12],
            file.path
        )
    };
    output::print(&match args.state.format {
        Format::Json => format!("{}\n", serde_json::json!({"schema": "outflow/files/v1", "files": files})),
        Format::Human => files.iter().map(line).collect(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn check(args: &Verify) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = args.one.load()?;
    let state = project::state(&pipeline, args.one.state.as_ref());
    let files = block_on(async {
        let opened = Ledger::open_existing(pipeline.project.ledger.as_ref(), &state).await?;
        let absent = || Error::user(format!("no ledger is in `{}`", state.display())).hint("nothing was delivered yet");
        verify(&pipeline, &opened.ok_or_else(absent)?).await
    })?
    .map_err(|error| Failure::Engine(error, redaction))?;
    let line = |Verified { path, outcome, .. }: &Verified| format!("{outcome:<10} {path}\n");
    output::print(&match args.format {
        Format::Json => format!("{}\n", serde_json::json!({"schema": "outflow/verify/v1", "files": files})),
        Format::Human => files.iter().map(line).collect(),
    })?;
    let bad = files.iter().any(|file| !file.is_intact());
    Ok(if bad { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn again(args: &Redeliver) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = args.one.load()?;
    let options = args.one.run_options(&pipeline, &redaction, args.manner.memory);
    let progress = Watchers::new(args.manner.progress).watch(&pipeline.name());
    let files = block_on(drained(redeliver(&pipeline, &options, &args.paths, &progress)))?;
    let files = files.map_err(|error| Failure::Engine(error, redaction))?;
    let line = |file: &Redelivered| format!("{:<10} {}  {}\n", file.outcome, file.path, file.target);
    output::print(&match args.manner.format {
        Format::Json => format!("{}\n", serde_json::json!({"schema": "outflow/redeliver/v1", "files": files})),
        Format::Human => files.iter().map(line).collect(),
    })?;
    let foreign = files.iter().any(|file| !matches!(file.outcome.as_str(), "there" | "delivered"));
    Ok(if foreign { ExitCode::from(3) } else { ExitCode::SUCCESS })
}
