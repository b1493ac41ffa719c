//! Places where a test may kill this process outright, to show that the next run sets everything right.
//! Without the feature `kill-points` there is no code behind them.

/// Every place, in the order a delivery passes them. A place in the sources that is missing here fails a test.
pub const ALL: &[&str] = &[
    "plan-before-commit",
    "plan-committed",
    "spool-batch",
    "spool-written",
    "spool-finished",
    "seal-before-sync",
    "seal-synced",
    "seal-before-commit",
    "seal-committed",
    "uploading-recorded",
    "file-before-put",
    "folder-before-link",
    "folder-copied",
    "folder-copy-linked",
    "folder-linked",
    "multipart-begun",
    "multipart-part",
    "multipart-sent",
    "sftp-written",
    "sftp-before-rename",
    "sftp-renamed",
    "ftps-sent",
    "ftps-before-rename",
    "ftps-renamed",
    "file-put",
    "files-persisted",
    "uploaded-recorded",
    "verified-recorded",
    "publishing-recorded",
    "companion-verified",
    "commit-before",
    "commit-in-transaction",
    "commit-done",
    "spool-before-discard",
    "spool-discarded",
    "recover-started",
    "recover-slot",
];

/// Kills the process here if `OUTFLOW_KILL_AT` is `name`, or `name#n` and this is the n-th passage; `OUTFLOW_FREEZE_AT`
/// stops it in the same way until it is told to go on.
#[macro_export]
macro_rules! kill_point {
    ($name:literal) => {
        #[cfg(feature = "kill-points")]
        $crate::kill_point::reach($name);
    };
}

/// Dies by SIGKILL, or freezes by SIGSTOP, when the environment asks for it.
#[cfg(feature = "kill-points")]
#[allow(unsafe_code)]
pub fn reach(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static DEATHS: AtomicU64 = AtomicU64::new(0);
    static FREEZES: AtomicU64 = AtomicU64::new(0);
    for (variable, signal, passages) in
        [("OUTFLOW_KILL_AT", libc::SIGKILL, &DEATHS), ("OUTFLOW_FREEZE_AT", libc::SIGSTOP, &FREEZES)]
    {
        let Ok(wanted) = std::env::var(variable) else { continue };
        let (place, nth) = match wanted.split_once('#') {
            Some((place, nth)) => (place, nth.parse().unwrap_or(1)),
            None => (wanted.as_str(), 1),
        };
        if place == name && passages.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            // SAFETY: sends a signal to this very process; no memory is involved.
            unsafe { libc::kill(libc::getpid(), signal) };
        }
    }
}

#[cfg(test)]
mod tests;
