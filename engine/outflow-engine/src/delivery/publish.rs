//! Publishing a sealed slot. The target decides what is there: before and after each write the final name is read
//! back, so an answer that got lost, a crash and a name taken by somebody else all end in the right state.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;

use super::known::{Known, taken_early};
use crate::error::{Error, Result, Retry};
use crate::kill_point;
use crate::ledger::{FileState, Ledger, Role, SealedFile, Slot, SlotState, spool_folder};
use crate::membership;
use crate::progress::Progress;
use crate::store::{Proof, Put, Sink, Trust};

/// Files whose progress the ledger is told in one transaction.
const GROUP: usize = 256;
/// Time after which the ledger is told of files within a group: a process that dies forgets no more than that, and
/// sends again what a reader took in the meantime.
const TELLING: Duration = Duration::from_secs(1);
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
    /// Files that their reader took away before they were read back.
    pub collected: u64,
}

impl Published {
    /// What is to be told of files that were gone before they were read back.
    pub fn warning(&self) -> Option<String> {
        (self.collected > 0).then(|| {
            format!("{} files were gone before they were read back: their reader has taken them", self.collected)
        })
    }
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
    Publication { ledger, sink, state, trust: Trust::Spool, progress }.conclude(slot).await
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
    /// Some of it may be at the target, and its sealed bytes are gone or on another machine.
    Unspooled(String),
}

/// Why a file did not get published.
pub(super) enum Stop {
    Failed(Error),
    /// Failed, and nobody knows what the target holds.
    Unknown(Error),
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

/// What is done with each file of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Sends it.
    Send,
    /// Reads it back.
    Verify,
    /// Both, one file after the other.
    Show,
}

/// What became of a file in a step.
struct Done<'f> {
    /// The file.
    file: &'f SealedFile,
    /// How far it has come, if that is known to have changed.
    state: Option<FileState>,
    /// Whether it was at the target already.
    result: Result<bool, Stop>,
}

impl Publication<'_> {
    /// Finishes a slot; anything else than its publication is an error.
    pub(super) async fn conclude(&self, slot: &mut Slot) -> Result<Published> {
        match self.finish(slot).await? {
            Outcome::Published(published) => Ok(published),
            Outcome::Quarantined(reason) => Err(quarantined(slot, &reason)),
            Outcome::Reopened(reason) | Outcome::Unspooled(reason) => {
                Err(Error::transient(format!("the delivery is not complete: {reason}"))
                    .hint("run again: the files are made anew"))
            }
        }
    }

    /// Brings a sealed slot from wherever it is to `Published`, or sets it aside. What the target cannot take for now
    /// waits; once the lease is lost nothing more is sent.
    pub(super) async fn finish(&self, slot: &mut Slot) -> Result<Outcome> {
        let advanced = tokio::select! {
            biased;
            advanced = self.advance(slot) => advanced,
            error = self.ledger.lost() => Err(Stop::Failed(error)),
        };
        match advanced {
            Ok(published) => {
                discard_spool(self.state, slot).await?;
                membership::sweep(self.ledger, self.state).await?;
                Ok(Outcome::Published(published))
            }
            Err(Stop::Failed(error)) => Err(self.postpone(slot, false, error).await),
            Err(Stop::Unknown(error)) => Err(self.postpone(slot, true, error).await),
            Err(Stop::Foreign(reason)) => {
                self.ledger.quarantine(slot, &reason).await?;
                Ok(Outcome::Quarantined(reason))
            }
            Err(Stop::Damaged(reason)) => self.reopen(slot, reason).await,
        }
    }

    /// Notes that the delivery waits. A worker that lost it to another leaves that to the other one.
    async fn postpone(&self, slot: &mut Slot, unknown: bool, error: Error) -> Error {
        // Whatever fails after that, as connections that grew old do, fails because of it.
        let error = self.ledger.is_lost().unwrap_or(error);
        if error.retry() != Retry::Locked {
            // Where not even that can be noted, the delivery is found in the state that it has.
            let _ = self.ledger.defer(slot, unknown, &error.to_string()).await;
        }
        error
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
            collected: 0,
        };
        let known = match self.trust {
            Trust::Nothing => self.inspect(slot, &manifest.files).await?,
            _ => Known::nothing(&manifest.files),
        };
        published.adopted += known.there;
        if slot.state == SlotState::Sealed {
            self.ledger.transition(slot, SlotState::Uploading).await?;
            kill_point!("uploading-recorded");
        }
        if slot.state == SlotState::Uploading {
            published.adopted += self.each(slot, &known.unsent(&data), Step::Send, &known).await?;
            self.ledger.transition(slot, SlotState::Uploaded).await?;
            kill_point!("uploaded-recorded");
        }
        if slot.state == SlotState::Uploaded {
            self.each(slot, &data, Step::Verify, &known).await?;
            self.ledger.transition(slot, SlotState::Verified).await?;
            kill_point!("verified-recorded");
        }
        if slot.state == SlotState::Verified {
            self.ledger.transition(slot, SlotState::Publishing).await?;
            kill_point!("publishing-recorded");
        }
        published.adopted += self.each(slot, &known.unsent(&companions), Step::Show, &known).await?;
        let states = self.ledger.file_states(slot).await?;
        published.collected = states.values().filter(|state| **state == FileState::Collected).count() as u64;
        self.ledger.commit(slot).await?;
        Ok(published)
    }

    /// Does a step with files, a few at a time, and tells the ledger of them in groups: before anything is sent,
    /// and how it ended. Says how many were at the target already.
    async fn each(&self, slot: &Slot, files: &[&SealedFile], step: Step, known: &Known<'_>) -> Result<u64, Stop> {
        let mut adopted = 0;
        for group in files.chunks(GROUP) {
            if step != Step::Verify {
                let marks: Vec<_> = group.iter().map(|file| (file.ordinal, FileState::Sending)).collect();
                self.ledger.mark_files(slot, &marks).await?;
            }
            // After a failure no file is begun, but those on their way are awaited: nothing lands behind our back.
            let failed = AtomicBool::new(false);
            let work = group.iter().map(async |&file| {
                let done = self.one(slot, file, step, known, failed.load(Ordering::Relaxed)).await;
                failed.fetch_or(done.result.is_err(), Ordering::Relaxed);
                done
            });
            let work: Vec<_> = work.collect();
            let at_once = if step == Step::Show { 1 } else { self.sink.files_at_once() };
            let mut work = futures::stream::iter(work).buffered(at_once);
            let (mut stop, mut unknown, mut news, mut told) = (None, false, vec![], Instant::now());
            // Why the ledger is told no more: a sync that failed may only seem to succeed the next time.
            let mut untold = None;
            while let Some(Done { file, state, result }) = work.next().await {
                unknown |= state == Some(FileState::Unknown);
                news.extend(state.map(|state| (file, state)));
                match result {
                    Ok(there) => adopted += u64::from(there),
                    Err(error) => stop = stop.or(Some(error)),
                }
                if told.elapsed() > TELLING && untold.is_none() {
                    untold = self.tell(slot, step, &std::mem::take(&mut news)).await.err();
                    failed.fetch_or(untold.is_some(), Ordering::Relaxed);
                    told = Instant::now();
                }
            }
            if untold.is_none() {
                untold = self.tell(slot, step, &news).await.err();
            }
            match untold.map(Stop::Failed).or(stop) {
                Some(Stop::Failed(error)) if unknown => return Err(Stop::Unknown(error)),
                Some(stop) => return Err(stop),
                None => {}
            }
        }
        Ok(adopted)
    }

    /// Tells the ledger how far files have come, once a power cut does not take that back. What is only read back now
    /// was told of before.
    async fn tell(&self, slot: &Slot, step: Step, news: &[(&SealedFile, FileState)]) -> Result<()> {
        if step != Step::Verify {
            let shown = news.iter().filter(|(_, state)| state.was_shown()).map(|(file, _)| *file);
            self.sink.persist(&shown.collect::<Vec<_>>()).await?;
            kill_point!("files-persisted");
        }
        let marks = news.iter().map(|(file, state)| (file.ordinal, *state)).collect::<Vec<_>>();
        self.ledger.mark_files(slot, &marks).await
    }

    async fn one<'f>(&self, slot: &Slot, file: &'f SealedFile, step: Step, known: &Known<'_>, skip: bool) -> Done<'f> {
        // Nobody else ever sent anything of what this process sealed.
        let untouched = (step != Step::Verify && self.trust == Trust::Spool).then_some(FileState::Sealed);
        if skip {
            return Done { file, state: untouched, result: Ok(false) };
        }
        let mut state = untouched;
        let result = match step {
            Step::Send => self.place(slot, file, known, &mut state).await,
            Step::Verify => self.verify(file, known, &mut state).await.map(|()| false),
            Step::Show => match self.place(slot, file, known, &mut state).await {
                Ok(there) if state != Some(FileState::Collected) => {
                    self.verify(file, known, &mut state).await.map(|()| there)
                }
                ended => ended,
            },
        };
        if step == Step::Show && result.is_ok() {
            kill_point!("companion-verified");
        }
        Done { file, state, result }
    }

    /// Makes a file visible under its final name; says whether it was there already. An unclear answer is settled by
    /// reading back; where that fails too, the file stays `Unknown`.
    async fn place(
        &self,
        slot: &Slot,
        file: &SealedFile,
        known: &Known<'_>,
        state: &mut Option<FileState>,
    ) -> Result<bool, Stop> {
        let staging = staging_name(slot, file);
        let may_be_taken = |turn| file.role == Role::Companion && (turn > 0 || known.unclear.contains(&file.ordinal));
        let mut before = *state;
        let mut last: Option<Error> = None;
        for turn in 0..=TRIES {
            if turn > 0 {
                // Not all at once: whoever failed together does not come back together.
                pause(Duration::from_millis(100 << turn).mul_f64(0.5 + rand::random::<f64>())).await;
            }
            match self.sink.compare(file, self.trust).await? {
                Proof::Same => {
                    *state = Some(FileState::Uploaded);
                    return Ok(turn == 0);
                }
                Proof::Different(how) => return Err(Stop::Foreign(format!("`{}` {how}", file.path))),
                // It was there, and its reader took it along with the data that it speaks of.
                Proof::Absent if may_be_taken(turn) && self.all_gone(known).await? => {
                    *state = Some(FileState::Collected);
                    return Ok(false);
                }
                Proof::Absent if turn == TRIES || last.as_ref().is_some_and(|e| e.retry() == Retry::Never) => break,
                Proof::Absent => {}
            }
            self.ledger.ensure_held()?;
            kill_point!("file-before-put");
            *state = Some(FileState::Unknown);
            match self.sink.put(file, &staging, self.progress).await? {
                Put::Stored => {
                    kill_point!("file-put");
                    *state = Some(FileState::Uploaded);
                    return Ok(false);
                }
                Put::Taken => last = None,
                Put::Unknown(error) => last = Some(error),
                Put::Damaged(how) => {
                    *state = before;
                    return Err(Stop::Damaged(how));
                }
            }
            before = Some(FileState::Sending);
        }
        // It was read back, and is not there.
        *state = Some(FileState::Sending);
        Err(Stop::Failed(last.unwrap_or_else(|| {
            Error::transient(format!("the target says `{}` is in use, but shows nothing there", file.path))
        })))
    }

    /// Reads back a file that the target has confirmed: it is equal in size and content, or its reader has it already.
    async fn verify(&self, file: &SealedFile, known: &Known<'_>, state: &mut Option<FileState>) -> Result<(), Stop> {
        self.ledger.ensure_held()?;
        match self.sink.compare(file, self.trust).await? {
            Proof::Same => *state = Some(FileState::Verified),
            Proof::Different(how) => return Err(Stop::Foreign(format!("`{}` {how} after it was sent", file.path))),
            Proof::Absent if file.role == Role::Data && !known.may_be_taken => return Err(taken_early(file)),
            Proof::Absent => *state = Some(FileState::Collected),
        }
        Ok(())
    }

    /// The sealed bytes are gone, or on another machine. If the target never had any of them the slot can start anew. If
    /// it may have, the delivery waits for equal bytes; where other ones are made, a person must look.
    async fn reopen(&self, slot: &mut Slot, reason: String) -> Result<Outcome> {
        let manifest = self.ledger.manifest(slot).await?;
        let mut touched =
            !matches!(slot.state, SlotState::Sealed | SlotState::Uploading) || self.ledger.any_sent(slot).await?;
        for file in &manifest.files {
            touched = touched || self.sink.compare(file, Trust::Nothing).await? != Proof::Absent;
        }
        if touched {
            self.ledger.defer(slot, false, &reason).await?;
            discard_spool(self.state, slot).await?;
            return Ok(Outcome::Unspooled(reason));
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

/// Waits before another try.
#[cfg(not(test))]
use tokio::time::sleep as pause;

/// Time is virtual in tests: to wait is to let others go first.
#[cfg(test)]
async fn pause(_: Duration) {
    tokio::task::yield_now().await;
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
