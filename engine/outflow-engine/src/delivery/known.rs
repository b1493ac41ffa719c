//! What is known of a slot's files before more is sent: which of them the target shows, and which it showed until their
//! reader took them away. Such a file was published; it is not sent again, whoever took it.

use std::collections::BTreeSet;

use super::publish::{Publication, Stop};
use crate::error::{Error, Result};
use crate::ledger::{FileState, Role, SealedFile, Slot};
use crate::store::{Proof, Trust};

/// See the module.
pub(super) struct Known<'f> {
    /// The data files, in order of publication.
    pub(super) data: Vec<&'f SealedFile>,
    /// Ordinals of files that the target shows, or showed.
    pub(super) shown: BTreeSet<u32>,
    /// Ordinals of companions that may have been shown: their answers got lost.
    pub(super) unclear: BTreeSet<u32>,
    /// Files that the target shows.
    pub(super) there: u64,
    /// Whether a reader may take data away by now: it waits for no companion, or may have seen one.
    pub(super) may_be_taken: bool,
}

impl<'f> Known<'f> {
    /// Of a slot that this process sealed: nothing was sent yet.
    pub(super) fn nothing(files: &'f [SealedFile]) -> Self {
        let data: Vec<_> = files.iter().filter(|file| file.role == Role::Data).collect();
        let may_be_taken = data.len() == files.len();
        Self { data, shown: BTreeSet::new(), unclear: BTreeSet::new(), there: 0, may_be_taken }
    }

    /// Those of the files that are still to be sent.
    pub(super) fn unsent(&self, files: &[&'f SealedFile]) -> Vec<&'f SealedFile> {
        files.iter().copied().filter(|file| !self.shown.contains(&file.ordinal)).collect()
    }
}

impl Publication<'_> {
    /// Looks at every file before anything is sent: the target shows nothing else, a reader took nothing that it was
    /// not told of, and what the target lacks can be had from the spool, unaltered.
    pub(super) async fn inspect<'f>(&self, slot: &Slot, files: &'f [SealedFile]) -> Result<Known<'f>, Stop> {
        let states = self.ledger.file_states(slot).await?;
        let state = |file: &SealedFile| states.get(&file.ordinal).copied().unwrap_or(FileState::Sealed);
        let mut known = Known::nothing(files);
        let (mut there, mut gone, mut absent) = (vec![], vec![], vec![]);
        for file in files {
            match self.sink.compare(file, self.trust).await? {
                Proof::Same => there.push(file),
                Proof::Different(how) => return Err(Stop::Foreign(format!("`{}` {how}", file.path))),
                Proof::Absent if state(file).was_shown() => gone.push(file),
                Proof::Absent => absent.push(file),
            }
        }
        let is_data = |file: &SealedFile| file.role == Role::Data;
        let announced = there.iter().chain(&gone).any(|file| !is_data(file));
        let unclear = |file: &SealedFile| !is_data(file) && state(file) != FileState::Sealed;
        known.unclear = absent.iter().filter(|file| unclear(file)).map(|file| file.ordinal).collect();
        known.may_be_taken |= announced || !known.unclear.is_empty();
        if let Some(file) = absent.iter().find(|file| announced && is_data(file)) {
            return Err(Stop::Foreign(format!("`{}` is gone from the target, but a companion is there", file.path)));
        }
        if let Some(&taken) = gone.iter().find(|file| is_data(file)) {
            // Nobody takes all data without its companion: where the answer to that got lost, the companion was there.
            if self.all_gone(&known).await? {
                gone.extend(absent.extract_if(.., |file| unclear(file)));
            }
            if absent.iter().any(|file| !is_data(file)) {
                return Err(taken_early(taken));
            }
        }
        known.there = there.len() as u64;
        known.shown = there.iter().chain(&gone).map(|file| file.ordinal).collect();
        let new = there.into_iter().filter(|file| !state(file).was_shown()).collect::<Vec<_>>();
        self.sink.persist(&new).await?;
        let marks = new.iter().map(|file| (file.ordinal, FileState::Uploaded));
        let marks = marks.chain(gone.iter().map(|file| (file.ordinal, FileState::Collected)));
        self.ledger.mark_files(slot, &marks.collect::<Vec<_>>()).await?;
        for file in absent {
            unaltered(file).await?;
        }
        Ok(known)
    }

    /// Whether the target shows no data file any more.
    pub(super) async fn all_gone(&self, known: &Known<'_>) -> Result<bool> {
        for file in &known.data {
            if self.sink.compare(file, Trust::Nothing).await? != Proof::Absent {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A data file went before a companion could speak of it. Sent again it may be read twice, and a companion without it
/// would lie: a person has to look.
pub(super) fn taken_early(file: &SealedFile) -> Stop {
    Stop::Foreign(format!(
        "`{}` was at the target and is gone before its companion is there; its reader must wait for that, and nobody \
         else may move it",
        file.path
    ))
}

/// Makes sure that the spool holds what was sealed.
async fn unaltered(file: &SealedFile) -> Result<(), Stop> {
    let spool = file.spool_path.clone();
    let digest = file.digest.clone();
    let compared = tokio::task::spawn_blocking(move || digest.is_of_file(&spool)).await;
    let place = file.spool_path.display();
    match compared.map_err(|error| Error::internal(format!("hashing stopped: {error}")))? {
        Ok(true) => Ok(()),
        Ok(false) => Err(Stop::Damaged(format!("spool file `{place}` was changed after it was sealed"))),
        Err(error) => Err(Stop::Damaged(format!("spool file `{place}` cannot be read: {error}"))),
    }
}
