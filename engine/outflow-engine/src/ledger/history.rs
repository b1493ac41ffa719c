//! What earlier runs of a pipeline tell: how many failed in a row, and when the last one succeeded. Notices and the
//! breaker go by it; deliveries do not.

use super::Ledger;
use crate::error::{Error, Result};

/// Runs that are looked at, newest first: nobody counts further.
const LOOK_BACK: i64 = 1000;

/// How a run that ended went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It delivered, or found nothing to deliver.
    Ok,
    /// It failed.
    Failed,
    /// It was not tried.
    Held,
}

/// A run that ended.
#[derive(Clone, Debug)]
pub struct PastRun {
    /// Its id.
    pub id: String,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// How it went.
    pub ending: Ending,
    /// Of one that failed: its report.
    pub report: Option<serde_json::Value>,
}

/// The runs of a pipeline that ended.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The latest, newest first.
    pub runs: Vec<PastRun>,
    /// When the last successful one began.
    pub last_success: Option<jiff::Timestamp>,
}

impl History {
    /// Failures since the last success; runs that were not tried do not count.
    pub fn failures(&self) -> impl Iterator<Item = &PastRun> {
        let since = self.runs.iter().take_while(|run| run.ending != Ending::Ok);
        since.filter(|run| run.ending == Ending::Failed)
    }
}

impl Ledger {
    /// How the latest runs of a pipeline ended.
    pub async fn history(&self, pipeline: &str) -> Result<History> {
        let runs: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT id, started_at, status, CASE WHEN status IN ('failed', 'partial') THEN report END FROM run
             WHERE pipeline = $1 AND status IN ('ok', 'partial', 'failed', 'held') ORDER BY started_at DESC, id DESC LIMIT $2",
        )
        .bind(pipeline)
        .bind(LOOK_BACK)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let last: Option<String> =
            sqlx::query_scalar("SELECT max(started_at) FROM run WHERE pipeline = $1 AND status = 'ok'")
                .bind(pipeline)
                .fetch_one(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let runs = runs.into_iter().map(|(id, started_at, status, report)| {
            let ending = match status.as_str() {
                "ok" => Ending::Ok,
                "held" => Ending::Held,
                _ => Ending::Failed,
            };
            let report = report.map(|text| self.parse(&text)).transpose()?;
            Ok(PastRun { id, started_at: instant(&started_at)?, ending, report })
        });
        Ok(History { runs: runs.collect::<Result<_>>()?, last_success: last.as_deref().map(instant).transpose()? })
    }
}

fn instant(text: &str) -> Result<jiff::Timestamp> {
    let wrong = |cause: jiff::Error| Error::internal("the ledger holds an impossible time").caused_by(cause);
    text.parse().map_err(wrong)
}
