//! `outflow files list` and `outflow files verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use outflow_engine::ledger::{FileFilter, FileRecord, Ledger};
use outflow_engine::verify::{Verified, verify};

use super::runs::{State, ledger};
use super::{Format, block_on};
use crate::failure::Failure;
use crate::output;
use crate::project::{self, Parameter};

/// Commands on files.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List delivered files, newest first
    List(List),
    /// Read delivered files back and compare them with the ledger
    Verify(Verify),
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
    /// Pipeline file
    pipeline: PathBuf,
    /// Value of `${param:NAME}` in the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// Folder of the ledger. Default: `.outflow` beside the pipeline file
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints files.
pub fn execute(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List(args) => list(args),
        Command::Verify(args) => check(args),
    }
}

fn list(args: &List) -> Result<ExitCode, Failure> {
    let filter = FileFilter { pipeline: args.pipeline.clone(), run: None, limit: args.limit };
    let files = block_on(async { ledger(&args.state).await?.files(&filter).await })??;
    let line = |record: &FileRecord| {
        let file = &record.file;
        format!(
            "{:<11} {:>10} rows  {:>12} bytes  {}  {}\n",
            record.state.name(),
            file.rows,
            file.bytes,
            &file.sha256[..12],
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
    let (pipeline, redaction) = project::load(&args.pipeline, &args.parameters)?;
    let state = args.state.clone().unwrap_or_else(|| pipeline.base.join(".outflow"));
    let files = block_on(async {
        let at = State { state, format: args.format };
        let opened: Ledger = ledger(&at).await?;
        verify(&pipeline, &opened).await
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
