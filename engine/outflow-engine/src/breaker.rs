//! Leaves a client alone whose access is broken. Each further try could lock an account or flood somebody's logs, and
//! none can work before the client, or the pipeline, has changed something. What is counted is in the ledger.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::error::{Class, Error, Result};
use crate::ledger::{History, Ledger, PastRun};
use crate::pipeline::{Pipeline, hex};

/// Member of a failed run's report that tells which configuration failed.
pub const CONFIG: &str = "config";

/// Why the pipeline is not to be tried now; nothing when it is.
pub async fn hold(
    ledger: &Ledger,
    pipeline: &Pipeline,
    hidden: &[(String, String)],
    now: Timestamp,
) -> Result<Option<Error>> {
    match pipeline.spec.delivery.breaker {
        None => Ok(None),
        Some(breaker) => {
            let history = ledger.history(&pipeline.name()).await?;
            let wait = SignedDuration::try_from(breaker.retry_after.as_std()).unwrap_or(SignedDuration::MAX);
            Ok(open(&history, breaker.failures, wait, &config(pipeline, hidden), now))
        }
    }
}

/// What tells a configuration from another, filled values included. It has too few bits to guess any of them from.
pub fn config(pipeline: &Pipeline, hidden: &[(String, String)]) -> String {
    let mut digest = Sha256::new();
    digest.update(&pipeline.digest);
    for (value, shown) in hidden {
        digest.update(format!("{}:{value}={shown};", value.len()));
    }
    hex(&digest.finalize()[..3])
}

fn open(history: &History, failures: u32, wait: SignedDuration, config: &str, now: Timestamp) -> Option<Error> {
    let same = |run: &&PastRun| {
        let told = |member: &str| run.report.as_ref().and_then(|report| report[member].as_str());
        told("class") == Some(Class::ClientServiceError.name()) && told(CONFIG) == Some(config)
    };
    let count = history.failures().take_while(same).count();
    let last = history.failures().next()?;
    let next = last.started_at.saturating_add(wait).unwrap_or(Timestamp::MAX);
    if count < failures as usize || now >= next {
        return None;
    }
    let why = last.report.as_ref().and_then(|report| report["error"].as_str()).unwrap_or("no reason is recorded");
    let error =
        format!("not tried: the last {count} runs failed at what only the client can mend; the last one: {why}");
    let hint = format!(
        "it is tried again after {next:.0}, when the pipeline or a value that fills it changes, or with `--force`"
    );
    Some(Error::external(error).fault_of_client().hint(hint))
}

#[cfg(test)]
mod tests;
