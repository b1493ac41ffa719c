//! What SIGINT and SIGTERM do to a run: the first lets it come to a safe end, the second ends it at once. Either way
//! nothing is lost, for the next run goes on from what the ledger knows.

use std::sync::LazyLock;
use std::time::Duration;

use outflow_engine::error::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::output;

/// How long files that are on their way may take to arrive after the first signal.
const PATIENCE: Duration = Duration::from_secs(8);

/// Cancelled by the first signal: what has sent nothing yet ends then.
pub static STOP: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// Does the work of a run, or ends it as a signal asks to.
pub async fn drained<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let failed = |cause| Error::internal("signals cannot be received").caused_by(cause);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        // Another pipeline of the same command was told first.
        () = STOP.cancelled() => {}
        () = either(&mut terminate, &mut interrupt) => {
            if !STOP.is_cancelled() {
                output::tell("stopping: files on their way are finished; another signal ends at once\n");
                STOP.cancel();
            }
        }
    }
    tokio::select! {
        done = work => done,
        () = either(&mut terminate, &mut interrupt) => Err(cut_short()),
        () = tokio::time::sleep(PATIENCE) => Err(cut_short()),
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

fn cut_short() -> Error {
    Error::transient("stopped by a signal while files were on their way")
        .hint("run again: what was sealed is finished, and no file is published twice")
}
