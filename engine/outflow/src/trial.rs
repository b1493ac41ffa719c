//! Runs of a pipeline for the sake of looking at what they deliver: the engine and its order of side effects as
//! always, but into a folder that goes away, at a fixed instant and with a fixed id, so that the bytes never vary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use outflow_engine::pipeline::Pipeline;
use outflow_engine::progress::{Progress, Quiet};
use outflow_engine::report::RunReport;
use outflow_engine::run::{RunOptions, run};

use crate::commands::block_on;
use crate::drain::STOP;
use crate::failure::Failure;
use crate::project::{self, Parameter};
use crate::redaction::Redaction;

/// The logical instant of trials.
pub const AT: &str = "2026-03-14T09:26:53Z";

/// The id of trials, which nonces come from.
const ID: &str = "00000000-0000-7000-8000-000000000000";

/// A finished trial; its files go away with it.
pub struct Trial {
    /// What the run tells.
    pub report: RunReport,
    scratch: tempfile::TempDir,
}

impl Trial {
    /// The folder with what was delivered.
    pub fn delivered(&self) -> PathBuf {
        self.scratch.path().join("delivered")
    }
}

/// Runs a pipeline file, which is one pipeline.
pub fn run_file(path: &Path, parameters: &[Parameter]) -> Result<Trial, Failure> {
    run_pipeline(project::load(path, parameters)?)
}

/// Runs a pipeline, or an instance of one.
pub fn run_pipeline((pipeline, redaction): (Pipeline, Redaction)) -> Result<Trial, Failure> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let at: Timestamp = AT.parse().context("the instant of trials")?;
    let options = RunOptions {
        now: at,
        at: Some(at),
        state: scratch.path().join("state"),
        ledger: None,
        local_sink: Some(scratch.path().join("delivered")),
        max_rejects: None,
        memory: 512 << 20,
        hidden: redaction.pairs(),
        fixed_id: Some(ID.to_owned()),
        stop: STOP.clone(),
    };
    let report = deliver(&pipeline, &options)?.map_err(|error| Failure::Engine(error, redaction))?;
    Ok(Trial { report, scratch })
}

fn deliver(pipeline: &Pipeline, options: &RunOptions) -> anyhow::Result<outflow_engine::error::Result<RunReport>> {
    let progress: Arc<dyn Progress> = Arc::new(Quiet);
    block_on(run(pipeline, options, &progress))
}
