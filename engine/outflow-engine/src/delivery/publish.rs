//! Publishing a sealed slot. The target decides what is there: before and after each write the final name is read
//! back, so an answer that got lost, a crash and a name taken by somebody else all end in the right state.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};

use crate::error::{Error, Result, Retry};
use crate::kill_point;
use crate::ledger::{Ledger, Role, SealedFile, Slot, SlotState, spool_folder};
use crate::membership;
use crate::progress::Progress;
use crate::store::digest::hash_file;
use crate::store::{Proof, Put, Sink, Trust};

/// Times a file is sent before the run gives up; the client has its own retries within each.
const TRIES: u32 = 4;

/// What a publication amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Published {
    /// Files, companions included.
    pub files: u64,
    /// Records in data files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files found at the target already, equal byte for byte.
    pub adopted: u64,
}

/// Publishes and commits a slot this process has just sealed; its spool folder is removed afterwards.
/// On error the slot stays where it got to and the next run's `recover` goes on from there, or it is quarantined.
pub async fn publish(
    ledger: &Ledger,
    sink: &dyn Sink,
    state: &Path,
    slot: &mut Slot,
    progress: &dyn Progress,
) -> Result<Published> {
    let publication = Publication { ledger, sink, state, trust: Trust::Spool, progress };
    match publication.finish(slot).await? {
        Outcome::Published(published) => Ok(published),
        Outcome::Quarantined(reason) => Err(quarantined(slot, &reason)),
        Outcome::Reopened(reason) => {
            Err(Error::transient(format!("nothing was published: {reason}")).hint("run again: the files are made anew"))
        }
    }
}

/// The error of a delivery that waits for a person.
fn quarantined(slot: &Slot, reason: &str) -> Error {
    Error::external(format!("delivery {} of pipeline `{}` is set aside: {reason}", slot.id, slot.key.pipeline))
        .hint("look at what the target holds, outflow leaves it as it is; `--at` delivers the window anew")
}

/// How the attempt to finish a slot ended.
pub(super) enum Outcome {
    Published(Published),
    Quarantined(String),
    Reopened(String),
}

/// Why a file did not get published.
enum Stop {
    Failed(Error),
    Foreign(String),
    Damaged(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

pub(super) struct Publication<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) sink: &'a dyn Sink,
    pub(super) state: &'a Path,
    pub(super) trust: Trust,
    pub(super) progress: &'a dyn Progress,
}

impl Publication<'_> {
    /// Brings a sealed slot from wherever it is to `Published`, or sets it aside.
    pub(super) async fn finish(&self, slot: &mut Slot) -> Result<Outcome> {
        match self.advance(slot).await {
            Ok(published) => {
                discard_spool(self.state, slot).await?;
                membership::sweep(self.ledger, self.state).await?;
                Ok(Outcome::Published(published))
            }
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Foreign(reason)) => {
                self.ledger.quarantine(slot, &reason).await?;
                Ok(Outcome::Quarantined(reason))
            }
            Err(Stop::Damaged(reason)) => self.reopen(slot, reason).await,
        }
    }

    async fn advance(&self, slot: &mut Slot) -> Result<Published, Stop> {
        let manifest = self.ledger.manifest(slot).await?;
        let data = manifest.of(Role::Data);
        let companions = manifest.of(Role::Companion);
        let mut published = Published {
            files: manifest.files.len() as u64,
            rows: data.iter().map(|file| file.rows).sum(),
            bytes: manifest.files.iter().map(|file| file.bytes).sum(),
            adopted: 0,
        };
        if self.trust == Trust::Nothing {
            let absent = self.inspect(&manifest.files).await?;
            if matches!(slot.state, SlotState::Uploaded | SlotState::Verified | SlotState::Publishing) {
                published.adopted += self.restore(slot, &absent, companions.len()).await?;
            }
        }
        if slot.state == SlotState::Sealed {
            self.ledger.transition(slot, SlotState::Uploading).await?;
            kill_point!("uploading-recorded");
        }
        if slot.state == SlotState::Uploading {
            published.adopted += self.upload(slot, &data).await?;
            self.ledger.transition(slot, SlotState::Uploaded).await?;
            kill_point!("uploaded-recorded");
        }
        if slot.state == SlotState::Uploaded {
            self.verify(slot, &data).await?;
            self.ledger.transition(slot, SlotState::Verified).await?;
            kill_point!("verified-recorded");
        }
        if slot.state == SlotState::Verified {
            self.ledger.transition(slot, SlotState::Publishing).await?;
            kill_point!("publishing-recorded");
        }
        for &companion in &companions {
            published.adopted += u64::from(self.place(slot, companion).await?);
            self.verify(slot, &[companion]).await?;
            kill_point!("companion-verified");
        }
        self.ledger.commit(slot).await?;
        Ok(published)
    }

    /// Makes sure before anything is sent that the target shows nothing else, and that what it lacks can be had from
    /// the spool, unaltered. Returns what it lacks.
    async fn inspect<'f>(&self, files: &'f [SealedFile]) -> Result<Vec<&'f SealedFile>, Stop> {
        let mut absent = vec![];
        for file in files {
            match self.sink.compare(file, self.trust).await? {
                Proof::Same => continue,
                Proof::Different(how) => return Err(Stop::Foreign(format!("`{}` {how}", file.path))),
                Proof::Absent => absent.push(file),
            }
            let spool = file.spool_path.clone();
            let hashed = tokio::task::spawn_blocking(move || hash_file(&spool)).await;
            let place = file.spool_path.display();
            match hashed.map_err(|error| Error::internal(format!("hashing stopped: {error}")))? {
                Ok(sha256) if sha256 == file.sha256 => {}
                Ok(_) => return Err(Stop::Damaged(format!("spool file `{place}` was changed after it was sealed"))),
                Err(error) => return Err(Stop::Damaged(format!("spool file `{place}` cannot be read: {error}"))),
            }
        }
        Ok(absent)
    }

    /// Sends again what data the target lost since it was uploaded, unless a companion already speaks of it.
    async fn restore(&self, slot: &Slot, absent: &[&SealedFile], companions: usize) -> Result<u64, Stop> {
        let (lost, unsent): (Vec<&SealedFile>, Vec<_>) = absent.iter().partition(|file| file.role == Role::Data);
        if let Some(file) = lost.first()
            && unsent.len() < companions
        {
            return Err(Stop::Foreign(format!("`{}` is gone from the target, but a companion is there", file.path)));
        }
        let placed = self.upload(slot, &lost).await?;
        self.verify(slot, &lost).await?;
        Ok(placed)
    }

    /// Sends the data files, a few at a time; says how many were there already.
    async fn upload(&self, slot: &Slot, data: &[&SealedFile]) -> Result<u64, Stop> {
        // After a failure no file is begun, but those on their way are awaited: nothing lands behind our back.
        let failed = AtomicBool::new(false);
        let uploads = data.iter().map(async |&file| {
            if failed.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let placed = self.place(slot, file).await;
            failed.fetch_or(placed.is_err(), Ordering::Relaxed);
            placed
        });
        let uploads: Vec<_> = uploads.collect();
        let placed: Vec<Result<bool, Stop>> =
            futures::stream::iter(uploads).buffered(self.sink.files_at_once()).collect().await;
        placed.into_iter().try_fold(0, |sum, adopted| Ok(sum + u64::from(adopted?)))
    }

    /// Makes a file visible under its final name; says whether it was there already.
    async fn place(&self, slot: &Slot, file: &SealedFile) -> Result<bool, Stop> {
        let staging = staging_name(slot, file);
        let mut last: Option<Error> = None;
        for turn in 0..=TRIES {
            if turn > 0 {
                tokio::time::sleep(Duration::from_millis(100 << turn)).await;
            }
            match self.sink.compare(file, self.trust).await? {
                Proof::Same => {
                    self.ledger.mark_file(slot, file.ordinal, "uploaded").await?;
                    return Ok(turn == 0);
                }
                Proof::Different(how) => return Err(Stop::Foreign(format!("`{}` {how}", file.path))),
                Proof::Absent if turn == TRIES || last.as_ref().is_some_and(|e| e.retry() == Retry::Never) => break,
                Proof::Absent => {}
            }
            kill_point!("file-before-put");
            match self.sink.put(file, &staging, self.progress).await? {
                Put::Stored => {
                    kill_point!("file-put");
                    self.ledger.mark_file(slot, file.ordinal, "uploaded").await?;
                    return Ok(false);
                }
                Put::Taken => last = None,
                Put::Unknown(error) => last = Some(error),
                Put::Damaged(how) => return Err(Stop::Damaged(how)),
            }
        }
        Err(Stop::Failed(last.unwrap_or_else(|| {
            Error::transient(format!("the target says `{}` is in use, but shows nothing there", file.path))
        })))
    }

    /// Reads files back; all of them must be there, equal in size and content.
    async fn verify(&self, slot: &Slot, files: &[&SealedFile]) -> Result<(), Stop> {
        let checks: Vec<_> = files.iter().map(|&file| self.verify_one(slot, file)).collect();
        futures::stream::iter(checks).buffered(self.sink.files_at_once()).try_collect::<()>().await
    }

    async fn verify_one(&self, slot: &Slot, file: &SealedFile) -> Result<(), Stop> {
        match self.sink.compare(file, self.trust).await? {
            Proof::Same => Ok(self.ledger.mark_file(slot, file.ordinal, "verified").await?),
            Proof::Different(how) => Err(Stop::Foreign(format!("`{}` {how} after it was sent", file.path))),
            Proof::Absent => Err(Stop::Failed(
                Error::transient(format!(
                    "`{}` was sent to {}, but is not there any more",
                    file.path,
                    self.sink.identity()
                ))
                .hint("nothing may move or delete files of a delivery before it is complete"),
            )),
        }
    }

    /// The sealed bytes are gone. If the target never had any of them the slot can start anew, else a person must look.
    async fn reopen(&self, slot: &mut Slot, reason: String) -> Result<Outcome> {
        let manifest = self.ledger.manifest(slot).await?;
        let mut touched =
            !matches!(slot.state, SlotState::Sealed | SlotState::Uploading) || self.ledger.any_uploaded(slot).await?;
        for file in &manifest.files {
            touched = touched || self.sink.compare(file, Trust::Nothing).await? != Proof::Absent;
        }
        if touched {
            self.ledger.quarantine(slot, &reason).await?;
            return Ok(Outcome::Quarantined(reason));
        }
        self.sweep(slot, &manifest.files).await?;
        self.ledger.transition(slot, SlotState::Planned).await?;
        discard_spool(self.state, slot).await?;
        Ok(Outcome::Reopened(reason))
    }

    /// Removes what interrupted attempts left beside the final names.
    pub(super) async fn sweep(&self, slot: &Slot, files: &[SealedFile]) -> Result<()> {
        for file in files {
            self.sink.sweep(file, &staging_name(slot, file)).await?;
        }
        Ok(())
    }
}

/// Equal for every attempt at a file, and used by no other: what is found under it is ours.
fn staging_name(slot: &Slot, file: &SealedFile) -> String {
    format!(".outflow-{}-{}-{}.part", slot.plan.run_id, slot.attempt, file.ordinal)
}

/// Removes a slot's spool folder; that it is gone already is fine.
pub(crate) async fn discard_spool(state: &Path, slot: &Slot) -> Result<()> {
    let folder = spool_folder(state, slot);
    kill_point!("spool-before-discard");
    match tokio::fs::remove_dir_all(&folder).await {
        Ok(()) => {
            kill_point!("spool-discarded");
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::external(format!("cannot remove the spool folder `{}`: {error}", folder.display()))),
    }
}
