//! Arguments that commands share: which pipeline, or instance of it, they are about, and how they deliver.

use std::path::PathBuf;

use jiff::Timestamp;
use outflow_engine::pipeline::Pipeline;
use outflow_engine::report::{RunReport, Status};
use outflow_engine::run::RunOptions;

use super::Format;
use crate::drain::STOP;
use crate::failure::Failure;
use crate::progress::Show;
use crate::project::{self, Parameter};
use crate::redaction::Redaction;
use crate::{output, report};

/// One pipeline, or one instance of it.
#[derive(Clone, clap::Args)]
pub struct One {
    /// Pipeline file
    pub pipeline: PathBuf,
    /// The instance of a pipeline with a `matrix`
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Value of `${param:NAME}` in the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub parameters: Vec<Parameter>,
    /// Folder of the ledger, spool and dead letters. Default: `.outflow` beside the pipeline file
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
}

impl One {
    /// Loads it, with what must not show of it.
    pub fn load(&self) -> Result<(Pipeline, Redaction), Failure> {
        project::load_instance(&self.pipeline, &self.parameters, self.instance.as_ref())
    }

    /// What lets the engine deliver it now, to its own sinks.
    pub fn run_options(&self, pipeline: &Pipeline, redaction: &Redaction, memory: usize) -> RunOptions {
        RunOptions {
            now: Timestamp::now(),
            at: None,
            state: project::state(pipeline, self.state.as_ref()),
            ledger: pipeline.project.ledger.clone(),
            local_sink: None,
            max_rejects: None,
            memory,
            hidden: redaction.pairs(),
            fixed_id: None,
            stop: STOP.clone(),
        }
    }
}

/// How a command delivers, and tells of it.
#[derive(Clone, clap::Args)]
pub struct Manner {
    /// Memory of the command, shared by what runs at the same time: half of it for rows that operators and files hold before
    /// they spill and for transform plugins, the rest for batches on their way
    #[arg(long, default_value = "512MiB", value_parser = project::size)]
    pub memory: usize,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    pub progress: Show,
}

impl Manner {
    /// Prints what a run came to; the exit code of a run that did not fail.
    pub fn print(&self, told: &RunReport) -> Result<std::process::ExitCode, Failure> {
        output::print(&match self.format {
            Format::Human => report::human(told),
            Format::Json => format!("{}\n", serde_json::json!(told)),
        })?;
        Ok(if told.status == Status::Partial { 5 } else { 0 }.into())
    }
}
