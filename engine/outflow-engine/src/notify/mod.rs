//! Tells people of failures and recoveries, by what the ledger knows of earlier runs. A notice that cannot be sent is a
//! warning: it never fails a run, and nothing it says shows where it was sent.

mod decide;
mod send;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use jiff::Timestamp;
use outflow_spec::ledger::LedgerSpec;
use outflow_spec::notify::NotifySpec;
use serde::Serialize;

use crate::error::{Class, Result};
use crate::ledger::{Ledger, StateLock};
use crate::report;
use crate::run::run_id;
use decide::Member;

/// Name of the schema of notices.
pub const SCHEMA: &str = "outflow/notice/v1";

/// A run that ended, of a pipeline or one of its instances.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The instance, for a pipeline that has some.
    pub instance: Option<String>,
    /// Name in the ledger.
    pub name: String,
    /// Its state folder.
    pub state: PathBuf,
    /// Its ledger, where that is not in the state folder.
    pub ledger: Option<LedgerSpec>,
    /// When it was begun.
    pub since: Timestamp,
    /// Its failure: whose it is, and what may be shown of it.
    pub failure: Option<(Class, String)>,
}

/// A notice as webhooks get it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// `outflow/notice/v1`.
    pub schema: &'static str,
    /// `failure`, `recovery`, `partial` or `late`.
    pub event: &'static str,
    /// Name of the pipeline.
    pub pipeline: String,
    /// When it was written.
    pub at: Timestamp,
    /// Instances that fail now; 1 for a pipeline without instances that fails.
    pub failed: usize,
    /// Instances that were run.
    pub total: usize,
    /// Whom the notice is about.
    pub instances: Vec<InstanceNotice>,
    /// All of it in words.
    pub text: String,
}

/// What a notice says of an instance, or of a pipeline without instances.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceNotice {
    /// Its name.
    pub instance: Option<String>,
    /// `failed` or `ok`.
    pub status: &'static str,
    /// Whose failure it is.
    pub class: Option<&'static str>,
    /// What went wrong.
    pub error: Option<String>,
    /// Failures in a row, the last one included.
    pub consecutive: usize,
    /// When the last successful run before this one began.
    pub last_success: Option<Timestamp>,
}

/// Sends what there is to tell of runs that have just ended, all of one pipeline. Gives warnings.
pub async fn tell(pipeline: &str, specs: &[NotifySpec], runs: &[Ended], now: Timestamp) -> Vec<String> {
    if specs.is_empty() {
        return Vec::new();
    }
    let mut members = Vec::new();
    for run in runs {
        match member(run).await {
            Ok(member) => members.push(member),
            Err(error) => return vec![format!("nobody is notified, for the ledger cannot be read: {error}")],
        }
    }
    let mut warnings = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        for notice in decide::notices(spec, pipeline, &members, now) {
            for why in send::send(spec, &notice).await {
                warnings.push(format!("the notice of `notify[{index}]` was not sent: {why}"));
            }
        }
    }
    warnings
}

/// Notes a failure that kept a run from beginning, so that it counts as one. A ledger that is in use, or cannot be
/// written, counts for itself.
pub async fn note(run: &Ended) -> Result<()> {
    let Some((class, error)) = &run.failure else { return Ok(()) };
    let _lock = StateLock::acquire(&run.state)?;
    let ledger = Ledger::open(run.ledger.as_ref(), &run.state).await?;
    let id = run_id(run.since);
    let told = serde_json::json!({
        "schema": report::SCHEMA, "run_id": id, "pipeline": run.name, "status": "failed", "error": error, "class": class,
    });
    ledger.begin_run(&id, &run.name).await?;
    ledger.finish_run(&id, "failed", &told).await?;
    ledger.close().await;
    Ok(())
}

async fn member(run: &Ended) -> Result<Member> {
    let history = match Ledger::open_existing(run.ledger.as_ref(), &run.state).await? {
        Some(ledger) => {
            let history = ledger.history(&run.name).await;
            ledger.close().await;
            history?
        }
        None => Default::default(),
    };
    Ok(Member::new(run, history))
}
