//! `outflow state show`, `set` and `reset`: how far windows have come, and moving that by hand.

use std::process::ExitCode;

use outflow_engine::operate::{self, Move};

use super::one::One;
use super::runs::{State, ledgers};
use super::{Format, block_on, confirm};
use crate::failure::Failure;
use crate::{output, project};

/// Commands on the state of windows.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Tell where the next window of each pipeline and sink begins, and what was changed by hand
    Show(Show),
    /// Let the next window begin somewhere else
    Set(Set),
    /// Forget how far deliveries have come: the next window begins at `incremental.start`
    Reset(Reset),
}

/// Arguments of `state show`.
#[derive(clap::Args)]
pub struct Show {
    #[command(flatten)]
    state: State,
    /// Only of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
}

/// Which pipeline's state is changed.
#[derive(clap::Args)]
pub struct At {
    #[command(flatten)]
    one: One,
    /// Only of the sink whose identity holds this text. Default: all sinks of the pipeline
    #[arg(long, value_name = "TEXT")]
    target: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Arguments of `state set`.
#[derive(clap::Args)]
pub struct Set {
    #[command(flatten)]
    at: At,
    /// Where the next window begins: an instant, or a date in the pipeline's time zone
    #[arg(long, value_name = "POSITION")]
    watermark: String,
}

/// Arguments of `state reset`.
#[derive(clap::Args)]
pub struct Reset {
    #[command(flatten)]
    at: At,
}

/// Shows or changes the state.
pub fn execute(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Show(args) => show(args),
        Command::Set(args) => change(&args.at, Some(&args.watermark)),
        Command::Reset(args) => change(&args.at, None),
    }
}

fn show(args: &Show) -> Result<ExitCode, Failure> {
    let (positions, audit) = block_on(async {
        let (mut positions, mut audit) = (Vec::new(), Vec::new());
        for ledger in ledgers(&args.state).await? {
            positions.extend(ledger.positions(args.pipeline.as_deref()).await?);
            audit.extend(ledger.audits().await?);
        }
        Ok::<_, Failure>((positions, audit))
    })??;
    output::print(&match args.state.format {
        Format::Json => {
            let told = serde_json::json!({"schema": "outflow/state/v1", "positions": positions, "audit": audit});
            format!("{told}\n")
        }
        Format::Human => {
            let position = |told: &outflow_engine::ledger::Position| {
                format!("{}  next window from {}  {}\n", told.at.pipeline, told.watermark.position, told.at.target)
            };
            let line = |record: &outflow_engine::ledger::AuditRecord| {
                let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
                let (before, after) = (or_none(&record.before), or_none(&record.after));
                format!("{}  {}  {}: {before} became {after}\n", record.at, record.pipeline, record.action)
            };
            positions.iter().map(position).chain(audit.iter().map(line)).collect()
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn change(at: &At, position: Option<&str>) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = at.one.load()?;
    let state = project::state(&pipeline, at.one.state.as_ref());
    let ledger = pipeline.project.ledger.as_ref();
    let moves = block_on(operate::moves(&pipeline, ledger, &state, position, at.target.as_deref()))?;
    let moves = match moves {
        Ok(moves) => moves,
        Err(error) => return Err(Failure::Engine(error, redaction)),
    };
    let line = |one: &Move| {
        let told = |mark: &Option<outflow_engine::window::Watermark>| match mark {
            Some(mark) => mark.position.clone(),
            None => "the start".to_owned(),
        };
        format!("{}  from {} to {}  {}\n", one.at.pipeline, told(&one.before), told(&one.after), one.at.target)
    };
    output::tell(&moves.iter().map(line).collect::<String>());
    confirm("Change where the next window begins? Rows may be delivered again, or not at all", at.yes)?;
    block_on(operate::apply(ledger, &state, &moves))?.map_err(|error| Failure::Engine(error, redaction))?;
    Ok(ExitCode::SUCCESS)
}
