//! `outflow files list` and `outflow files verify`.

use std::path::PathBuf;
use std::process::ExitCode;

use outflow_engine::ledger::{FileFilter, Ledger};
use outflow_engine::verify::{Verified, verify};

use super::runs::{State, ledger};
use super::{Format, block_on};
use crate::failure::Failure;
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

#[expect(clippy::print_stdout, reason = "the binary prints")]
fn list(args: &List) -> Result<ExitCode, Failure> {
    let filter = FileFilter { pipeline: args.pipeline.clone(), run: None, limit: args.limit };
    let files = block_on(async { ledger(&args.state).await?.files(&filter).await })??;
    match args.state.format {
        Format::Json => println!("{}", serde_json::json!({"schema": "outflow/files/v1", "files": files})),
        Format::Human => files.iter().for_each(|record| {
            let file = &record.file;
            println!(
                "{:<11} {:>10} rows  {:>12} bytes  {}  {}",
                record.state.name(),
                file.rows,
                file.bytes,
                &file.sha256[..12],
                file.path
            );
        }),
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the binary prints")]
fn check(args: &Verify) -> Result<ExitCode, Failure> {
    let pipeline = project::load(&args.pipeline, &args.parameters)?;
    let state = args.state.clone().unwrap_or_else(|| pipeline.base.join(".outflow"));
    let files = block_on(async {
        let at = State { state, format: args.format };
        let opened: Ledger = ledger(&at).await?;
        verify(&pipeline, &opened).await
    })??;
    match args.format {
        Format::Json => println!("{}", serde_json::json!({"schema": "outflow/verify/v1", "files": files})),
        Format::Human => files.iter().for_each(|Verified { path, outcome, .. }| println!("{outcome:<10} {path}")),
    }
    let bad = files.iter().any(|file| !file.is_intact());
    Ok(if bad { ExitCode::from(3) } else { ExitCode::SUCCESS })
}
