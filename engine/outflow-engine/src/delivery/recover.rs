//! Recovery at the start of a run: every unfinished delivery of the pipeline is finished from its sealed bytes, or
//! discarded when nothing was sealed. Doing it twice, or dying in the middle of it, changes nothing.

use std::path::Path;
use std::sync::Arc;

use super::publish::{Outcome, Publication, Published, discard_spool};
use crate::error::{Error, Result, Retry};
use crate::kill_point;
use crate::ledger::{Ledger, Slot, SlotState};
use crate::membership;
use crate::progress::Progress;
use crate::store::{Sink, Trust};

/// Staging files younger than this may belong to a process that is still at work.
const LEFT_ALONE: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// What was found and done.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Finished: sealed by a run that died, now published.
    pub published: Vec<(Slot, Published)>,
    /// Discarded: nothing of them was published; the same window is planned again under the same names.
    pub replanned: Vec<Slot>,
    /// Some of them may be at the target, and their sealed bytes are gone or on another machine: the caller makes the files again
    /// and gives them to [`super::resume`], else they keep waiting.
    pub unspooled: Vec<Slot>,
    /// Set aside just now, `reason` says why.
    pub quarantined: Vec<Slot>,
    /// Sealed for a target the pipeline does not have any more; untouched.
    pub stranded: Vec<Slot>,
    /// Not finished, with the error. They stay as they are; the next run tries again.
    pub failed: Vec<(Slot, Error)>,
}

/// Brings every unfinished delivery of a pipeline to its end. The caller holds the state lock.
/// A target that cannot be reached for now is not asked again; what was not finished stays for the next run.
pub async fn recover(
    ledger: &Ledger,
    sinks: &[Arc<dyn Sink>],
    state: &Path,
    pipeline: &str,
    progress: &dyn Progress,
) -> Result<Recovery> {
    let mut recovery = Recovery::default();
    kill_point!("recover-started");
    for mut slot in ledger.unfinished(pipeline).await? {
        kill_point!("recover-slot");
        let gone =
            |(failed, error): &(Slot, Error)| failed.key.target == slot.key.target && error.retry() == Retry::Later;
        if slot.state.is_pinned() && recovery.failed.iter().any(gone) {
            continue;
        }
        match settle(ledger, sinks, state, &mut slot, progress).await {
            Ok(Some(Outcome::Published(published))) => recovery.published.push((slot, published)),
            Ok(Some(Outcome::Reopened(_))) => recovery.replanned.push(slot),
            Ok(Some(Outcome::Unspooled(_))) => recovery.unspooled.push(slot),
            Ok(Some(Outcome::Quarantined(_))) => recovery.quarantined.push(slot),
            Ok(None) => recovery.stranded.push(slot),
            Err(error) if error.retry() == Retry::Locked => return Err(error),
            Err(error) => recovery.failed.push((slot, error)),
        }
    }
    collect(ledger, state).await?;
    for sink in sinks {
        // A target that cannot be reached is tidied another time.
        let _ = tidy(ledger, sink.as_ref(), state, pipeline, progress).await;
    }
    membership::sweep(ledger, state).await?;
    Ok(recovery)
}

/// Brings one delivery to its end; `None` when its target is not among `sinks`.
async fn settle(
    ledger: &Ledger,
    sinks: &[Arc<dyn Sink>],
    state: &Path,
    slot: &mut Slot,
    progress: &dyn Progress,
) -> Result<Option<Outcome>> {
    if !slot.state.is_pinned() {
        ledger.take_over(slot).await?;
        discard_spool(state, slot).await?;
        ledger.transition(slot, SlotState::Planned).await?;
        return Ok(Some(Outcome::Reopened("it was not sealed".to_owned())));
    }
    let Some(sink) = sinks.iter().find(|sink| sink.identity() == slot.key.target) else {
        return Ok(None);
    };
    ledger.take_over(slot).await?;
    if slot.state.is_waiting() {
        ledger.transition(slot, SlotState::Sealed).await?;
    }
    let publication = Publication { ledger, sink: sink.as_ref(), state, trust: Trust::Nothing, progress };
    let files = ledger.manifest(slot).await?.files;
    publication.sweep(slot, &files).await?;
    publication.finish(slot).await.map(Some)
}

/// Removes what attempts of long ago left at a target under staging names, a frozen process's among them. Final names
/// are never touched.
async fn tidy(ledger: &Ledger, sink: &dyn Sink, state: &Path, pipeline: &str, progress: &dyn Progress) -> Result<()> {
    let before = jiff::Timestamp::now().saturating_sub(LEFT_ALONE).unwrap_or(jiff::Timestamp::MIN);
    for slot in ledger.leftovers(pipeline, sink.identity(), before).await? {
        let publication = Publication { ledger, sink, state, trust: Trust::Nothing, progress };
        let files = ledger.manifest(&slot).await?.files;
        publication.sweep(&slot, &files).await?;
        ledger.swept(&slot).await?;
    }
    Ok(())
}

/// Removes spool folders of published deliveries, left by a process that died after its commit.
async fn collect(ledger: &Ledger, state: &Path) -> Result<()> {
    let spool = state.join("spool");
    let failed =
        |error: std::io::Error| Error::external(format!("cannot read the spool `{}`: {error}", spool.display()));
    let mut entries = match tokio::fs::read_dir(&spool).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(slot) = ledger.slot_by_id(id).await?
            && slot.state == SlotState::Published
        {
            discard_spool(state, &slot).await?;
        }
    }
    Ok(())
}
