//! `outflow runs list`, `outflow runs show` and `outflow runs retry`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::anyhow;
use outflow_engine::error::Error;
use outflow_engine::ledger::{Ledger, RunFilter, RunRecord, Slot, SlotState};
use outflow_engine::operate;
use outflow_engine::pipeline::INSTANCES;
use outflow_engine::report::RunReport;

use super::one::{Manner, One};
use super::{Format, block_on};
use crate::drain::drained;
use crate::failure::Failure;
use crate::progress::Watchers;
use crate::{output, project, report};

/// Commands on runs.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List runs, newest first
    List(List),
    /// Tell one run in full
    Show(Show),
    /// Try again what was set aside, once its target is in order
    Retry(Retry),
}

/// Where the ledger is.
#[derive(clap::Args)]
pub struct State {
    /// Folder of the ledger
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR", default_value = ".outflow")]
    pub state: PathBuf,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Arguments of `runs list`.
#[derive(clap::Args)]
pub struct List {
    #[command(flatten)]
    state: State,
    /// Only runs of this pipeline
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// At most so many; 0 for all
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
}

/// Arguments of `runs show`.
#[derive(clap::Args)]
pub struct Show {
    /// Id of the run, or the beginning of it
    id: String,
    #[command(flatten)]
    state: State,
}

/// Arguments of `runs retry`.
#[derive(clap::Args)]
pub struct Retry {
    #[command(flatten)]
    one: One,
    /// Id of the run whose deliveries were set aside, or the beginning of it. Default: all that were
    run: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

/// Prints runs.
pub fn execute(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
        Command::Retry(args) => retry(args),
    }
}

fn retry(args: &Retry) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = args.one.load()?;
    let options = args.one.run_options(&pipeline, &redaction, args.manner.memory);
    let progress = Watchers::new(args.manner.progress).watch(&pipeline.name());
    let told = block_on(drained(operate::retry(&pipeline, &options, args.run.as_deref(), &progress)))?;
    args.manner.print(&told.map_err(|error| Failure::Engine(error, redaction))?)
}

fn list(args: &List) -> Result<ExitCode, Failure> {
    let filter = RunFilter { pipeline: args.pipeline.clone(), status: None, limit: args.limit };
    let mut runs = block_on(async {
        let mut runs = Vec::new();
        for ledger in ledgers(&args.state).await? {
            runs.extend(ledger.runs(&filter).await?);
        }
        Ok::<_, Failure>(runs)
    })??;
    runs.sort_by(|one, other| (&other.started_at, &other.id).cmp(&(&one.started_at, &one.id)));
    runs.truncate(if args.limit == 0 { usize::MAX } else { args.limit as usize });
    let line = |run: &RunRecord| {
        let files = run.report.as_ref().and_then(|report| report["files"].as_array()).map_or(0, Vec::len);
        let told = |key: &str| run.report.as_ref().and_then(|report| report[key].as_str());
        let status = told("status").unwrap_or(&run.status);
        let class = told("class").map(|class| format!("  {class}")).unwrap_or_default();
        format!("{}  {}  {:<18} {files:>3} files  {}{class}\n", run.id, run.started_at, status, run.pipeline)
    };
    output::print(&match args.state.format {
        Format::Json => format!("{}\n", serde_json::json!({"schema": "outflow/runs/v1", "runs": runs})),
        Format::Human => runs.iter().map(line).collect(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(args: &Show) -> Result<ExitCode, Failure> {
    let mut found = block_on(async {
        let mut found = Vec::new();
        for ledger in ledgers(&args.state).await? {
            if let Some(run) = ledger.run(&args.id).await? {
                let deliveries = ledger.deliveries(&run.id).await?;
                found.push((run, deliveries));
            }
        }
        Ok::<_, Failure>(found)
    })??;
    let (run, deliveries) = found.pop().filter(|_| found.is_empty()).ok_or_else(|| {
        anyhow!("no single run has an id that begins with `{}`\nhint: see `outflow runs list`", args.id)
    })?;
    output::print(&match args.state.format {
        Format::Json => {
            let told = serde_json::json!({"schema": "outflow/run-record/v1", "run": run, "deliveries": deliveries});
            format!("{told}\n")
        }
        Format::Human => human(&run) + &deliveries.iter().map(delivery).collect::<String>(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn human(run: &RunRecord) -> String {
    let head = format!("run {} of {}: {} since {}\n", run.id, run.pipeline, run.status, run.started_at);
    let Some(value) = &run.report else { return head };
    match serde_json::from_value::<RunReport>(value.clone()) {
        Ok(told) => head + &report::human(&told),
        Err(_) => head + &format!("{value:#}\n"),
    }
}

/// The ledger that the project file above a state folder names; else those of the folder and of the instances below
/// it, of which one at least must exist.
pub async fn ledgers(args: &State) -> Result<Vec<Ledger>, Failure> {
    let absent = || {
        Error::user(format!("no ledger is in `{}`", args.state.display()))
            .hint("it is in `.outflow` beside the pipeline file: name that folder with `--state`")
    };
    let (shared, redaction) = project::shared_ledger(&project::folder(&args.state))?;
    let open = async {
        let mut ledgers = Vec::from_iter(Ledger::open_existing(shared.as_ref(), &args.state).await?);
        if shared.is_none() {
            for pipeline in folders(&args.state.join(INSTANCES)) {
                for instance in folders(&pipeline) {
                    ledgers.extend(Ledger::open_existing(None, &instance).await?);
                }
            }
        }
        if ledgers.is_empty() { Err(absent()) } else { Ok(ledgers) }
    };
    open.await.map_err(|error| Failure::Engine(error, redaction))
}

/// The folders in a folder, in order; none where there is no such folder.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut folders = entries.filter(|path| path.is_dir()).collect::<Vec<_>>();
    folders.sort();
    folders
}

/// Where a delivery of the run stands now; nothing of one that is published, for the report tells that.
fn delivery(slot: &Slot) -> String {
    if slot.state == SlotState::Published {
        return String::new();
    }
    let waits = slot.deferral.as_ref().filter(|_| slot.state.is_waiting()).map(|deferral| {
        format!(", tried {} times since {}, again from {} on", deferral.tries, deferral.since, deferral.next)
    });
    let reason = slot.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("delivery {} of {}: {}{}{reason}\n", slot.id, slot.key.window, slot.state, waits.unwrap_or_default())
}
