//! What a `changes` transform remembers from delivery to delivery: a snapshot of the members, a Parquet file in the
//! state folder. A snapshot is written while a delivery is made and counts from the moment that the delivery is
//! committed; the ledger says which one does. Others are left-overs, and are removed.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ledger::{Ledger, Slot, make_private};

/// The name under which the ledger remembers which snapshot counts.
const NAME: &str = "changes";

/// The snapshot that counts for a pipeline and its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// Its file, below the folder of snapshots.
    file: String,
    /// The input that it is of.
    input: String,
    /// The window that delivered it.
    window: String,
}

impl Delivered {
    /// The snapshot of the last delivery, if there was one.
    pub async fn last(ledger: &Ledger, pipeline: &str, target: &str) -> Result<Option<Self>> {
        let text = ledger.remembered(pipeline, target, NAME).await?;
        text.map(|text| read(&text)).transpose()
    }

    /// The window of an input. What changes depends on what was delivered last, so an input that comes back after
    /// another one is a window of its own.
    pub fn window(last: Option<&Self>, input: String) -> String {
        match last {
            None => input,
            Some(last) if last.input == input => last.window.clone(),
            Some(last) => format!("{input} after {}", last.file.trim_end_matches(".parquet")),
        }
    }
}

fn read(text: &str) -> Result<Delivered> {
    serde_json::from_str(text)
        .map_err(|cause| Error::internal(format!("the ledger's note about the last snapshot cannot be read: {cause}")))
}

/// The snapshots of one run: the one to compare with, and the one to write. Without either nothing is known and
/// nothing is kept, as in a preview.
#[derive(Debug, Default)]
pub struct Membership {
    /// The members of the last delivery.
    pub previous: Option<PathBuf>,
    /// Where the members of this one go.
    pub next: Option<PathBuf>,
    complete: AtomicBool,
}

impl Membership {
    /// The snapshots of an attempt at a delivery.
    pub fn of(state: &Path, last: Option<&Delivered>, slot: &Slot) -> Result<Self> {
        let folder = folder(state);
        make_private(&folder)?;
        Ok(Self {
            previous: last.map(|last| folder.join(&last.file)),
            next: Some(folder.join(format!("{}.parquet", slot.attempt))),
            complete: AtomicBool::new(false),
        })
    }

    /// Notes whether the new snapshot holds every member.
    pub fn set_complete(&self, complete: bool) {
        self.complete.store(complete, Ordering::SeqCst);
    }

    /// What the commit of the delivery has to remember.
    pub fn remembered(&self, input: &str, window: &str) -> Result<Vec<(String, String)>> {
        let Some(next) = &self.next else { return Ok(Vec::new()) };
        if !self.complete.load(Ordering::SeqCst) {
            return Err(Error::user("not all changes of the members reached the layout, so nothing is delivered")
                .hint("remove the `LIMIT` after the transform `changes`: it compares the whole input"));
        }
        let file = next.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let delivered = Delivered { file, input: input.to_owned(), window: window.to_owned() };
        let text = serde_json::to_string(&delivered)
            .map_err(|cause| Error::internal("a note about a snapshot cannot be written").caused_by(cause))?;
        Ok(vec![(NAME.to_owned(), text)])
    }
}

/// Removes the snapshots that neither count nor wait for the commit of a sealed delivery.
pub async fn sweep(ledger: &Ledger, state: &Path) -> Result<()> {
    let folder = folder(state);
    let failed = |cause: std::io::Error| Error::external(format!("cannot tidy `{}`: {cause}", folder.display()));
    let mut entries = match tokio::fs::read_dir(&folder).await {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(failed(cause)),
    };
    let notes = ledger.all_remembered(NAME).await?;
    let kept = notes.iter().map(|text| Ok(read(text)?.file)).collect::<Result<HashSet<_>>>()?;
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(".parquet") && !kept.contains(name)) {
            tokio::fs::remove_file(entry.path()).await.map_err(failed)?;
        }
    }
    Ok(())
}

fn folder(state: &Path) -> PathBuf {
    state.join("changes")
}
