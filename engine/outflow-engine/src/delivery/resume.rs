//! A sealed delivery whose files were lost with the machine that made them, and of which the target may hold some:
//! the files are made again, and only if they are equal byte for byte is the delivery finished from them.

use std::path::Path;

use super::publish::{Publication, Published};
use super::seal::force;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, Manifest, SealedFile, Slot, spool_folder};
use crate::progress::Progress;
use crate::store::{Sink, Trust};

/// Finishes a slot that [`super::recover`] found without its spool, from files made anew in the slot's spool folder.
/// Other bytes than were sealed are never published: the delivery is set aside.
pub async fn resume(
    ledger: &Ledger,
    sink: &dyn Sink,
    state: &Path,
    slot: &mut Slot,
    anew: &[SealedFile],
    progress: &dyn Progress,
) -> Result<Published> {
    let Manifest { files: sealed, .. } = ledger.manifest(slot).await?;
    if slot.state.is_waiting() {
        ledger.transition(slot, crate::ledger::SlotState::Sealed).await?;
    }
    if let Some(reason) = difference(&sealed, anew)? {
        let reason = format!("some of it may be at the target, and made anew {reason}");
        ledger.quarantine(slot, &reason).await?;
        return Err(Error::external(format!("delivery {} is set aside: {reason}", slot.id))
            .hint("the input changed since; look at what the target holds, `--at` delivers the window anew"));
    }
    let moves = sealed.iter().zip(anew).map(|(old, new)| (new.spool_path.clone(), old.spool_path.clone()));
    put_in_place(&moves.collect::<Vec<_>>())?;
    force(sealed.iter().map(|file| (file.spool_path.clone(), file.bytes)).collect(), spool_folder(state, slot)).await?;
    Publication { ledger, sink, state, trust: Trust::Nothing, progress }.conclude(slot).await
}

fn difference(sealed: &[SealedFile], anew: &[SealedFile]) -> Result<Option<String>> {
    if sealed.len() != anew.len() {
        return Ok(Some(format!("it has {} files, not {}", anew.len(), sealed.len())));
    }
    for (old, new) in sealed.iter().zip(anew) {
        if (&old.path, old.role, old.bytes) != (&new.path, new.role, new.bytes) || !is_same(old, new)? {
            return Ok(Some(format!("`{}` is not the same", old.path)));
        }
    }
    Ok(None)
}

/// Whether a file that was made anew has the sealed bytes. Another version may have sealed them with another digest.
pub fn is_same(old: &SealedFile, new: &SealedFile) -> Result<bool> {
    if old.digest.algorithm() == new.digest.algorithm() {
        return Ok(old.digest == new.digest);
    }
    let place = new.spool_path.display();
    let same = old.digest.is_of_file(&new.spool_path);
    same.map_err(|error| Error::transient(format!("cannot read the spool file `{place}`: {error}")))
}

/// Gives the new files the names that the ledger knows; by way of others, for the two may overlap.
fn put_in_place(moves: &[(std::path::PathBuf, std::path::PathBuf)]) -> Result<()> {
    let failed = |error: std::io::Error| Error::external(format!("cannot name the spool files: {error}"));
    let between = |to: &Path| to.with_extension("anew");
    for (from, to) in moves {
        std::fs::rename(from, between(to)).map_err(failed)?;
    }
    moves.iter().try_for_each(|(_, to)| std::fs::rename(between(to), to)).map_err(failed)
}
