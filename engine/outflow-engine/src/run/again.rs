//! Published files that have gone from their target are made again and put back: only the very bytes that were sealed,
//! and only where nothing else has taken the name. What is delivered does not change, so the ledger is only told that
//! it was done.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use serde::Serialize;

use super::attempt::{Place, timestamp};
use super::due::{Due, Range};
use super::phases::Phases;
use super::{RunOptions, Work, open_sinks};
use crate::delivery::is_same;
use crate::error::{Error, Result};
use crate::ledger::{LastNumbers, Ledger, Manifest, Role, SealedFile, Slot, SlotState, StateLock, spool_folder};
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::source::arrivals::Wanted;
use crate::store::{Proof, Put, Sink, Trust};
use crate::window::Window;

/// What became of a file that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redelivered {
    /// Path below the target.
    pub path: String,
    /// The target.
    pub target: String,
    /// `delivered` again, `there` as it was sealed, or how it differs: then nothing was done.
    pub outcome: String,
}

/// Puts published files back that their targets lack; all files of these paths, at every sink of the pipeline.
pub async fn redeliver(
    pipeline: &Pipeline,
    options: &RunOptions,
    paths: &[String],
    progress: &Arc<dyn Progress>,
) -> Result<Vec<Redelivered>> {
    let lock = StateLock::acquire(&options.state)?;
    let ledger = Ledger::open(options.ledger.as_ref(), &options.state).await?.hiding(&options.hidden);
    let ledger = ledger.hold(&lock, &pipeline.name()).await?;
    let (run_id, extractions) = (super::run_id(options.now), AtomicU32::new(0));
    let work = Work { pipeline, options, ledger: &ledger, run_id: &run_id, progress, extractions: &extractions };
    let mut told = Vec::new();
    let sinks = open_sinks(pipeline, options.local_sink.as_deref())?;
    for slot in ledger.slots_in(&pipeline.name(), SlotState::Published, None).await? {
        let Some(sink) = sinks.iter().find(|sink| sink.identity() == slot.key.target) else { continue };
        let manifest = ledger.manifest(&slot).await?;
        if manifest.files.iter().any(|file| paths.contains(&file.path)) {
            work.put_back(&slot, sink, &manifest, paths, &mut told).await?;
        }
    }
    ledger.close().await;
    match paths.iter().find(|path| told.iter().all(|told| told.path != **path)) {
        Some(path) => Err(Error::user(format!("`{path}` was never delivered to a sink of this pipeline"))
            .hint("`outflow files list` tells what was")),
        None => Ok(told),
    }
}

impl Work<'_> {
    async fn put_back(
        &self,
        slot: &Slot,
        sink: &Arc<dyn Sink>,
        manifest: &Manifest,
        paths: &[String],
        told: &mut Vec<Redelivered>,
    ) -> Result<()> {
        let mut absent = Vec::new();
        // Data before what speaks of it, as in any delivery.
        let ordered = manifest.of(Role::Data).into_iter().chain(manifest.of(Role::Companion));
        for file in ordered.filter(|file| paths.contains(&file.path)) {
            let outcome = match sink.compare(file, Trust::Nothing).await? {
                Proof::Same => "there".to_owned(),
                Proof::Different(how) => how,
                Proof::Absent => {
                    absent.push(file);
                    continue;
                }
            };
            told.push(Redelivered { path: file.path.clone(), target: sink.identity().to_owned(), outcome });
        }
        if absent.is_empty() {
            return Ok(());
        }
        let put = self.make_and_put(slot, sink, manifest, &absent).await;
        crate::delivery::discard_spool(&self.options.state, slot).await?;
        put?;
        told.extend(absent.into_iter().map(|file| Redelivered {
            path: file.path.clone(),
            target: sink.identity().to_owned(),
            outcome: "delivered".to_owned(),
        }));
        Ok(())
    }

    async fn make_and_put(
        &self,
        slot: &Slot,
        sink: &Arc<dyn Sink>,
        manifest: &Manifest,
        absent: &[&SealedFile],
    ) -> Result<()> {
        let made = self.made_again(slot, sink, manifest).await?;
        let mut same = Vec::new();
        for file in absent {
            let again = match made.iter().find(|again| again.path == file.path) {
                Some(again) if is_same(file, again)? => Some(again),
                _ => None,
            };
            same.push(again.ok_or_else(|| {
                Error::user(format!("`{}` cannot be made again as it was; nothing was delivered", file.path))
                    .hint("the input, the pipeline or a plugin is not what it was; a backup of the target may have it")
            })?);
        }
        for file in same {
            self.put(slot, sink.as_ref(), file).await?;
        }
        Ok(())
    }

    /// The files of a delivery, extracted once more under the names of the first time.
    async fn made_again(&self, slot: &Slot, sink: &Arc<dyn Sink>, manifest: &Manifest) -> Result<Vec<SealedFile>> {
        if self.pipeline.compares() {
            return Err(Error::user("what `changes` delivered cannot be made again: members were remembered since"));
        }
        let found = self.pipeline.input().await?;
        let window = Window::of_key(&slot.key.window);
        let range = window.zip(self.pipeline.schedule()).map(|(window, schedule)| Range {
            high: window.hi.clone(),
            wanted: Wanted {
                cursor: schedule.cursor.clone(),
                window,
                late_from: None,
                seen: Arc::default(),
                overlap: None,
            },
        });
        let due = Due {
            key: slot.key.window.clone(),
            input: String::new(),
            last: None,
            range,
            scope: String::new(),
            scheduled: timestamp(slot.plan.scheduled_ms)?,
            goals: vec![0],
        };
        let place = Place { goal: 0, sink: sink.clone(), slot: slot.clone(), numbers: numbers_before(manifest) };
        let letters = spool_folder(&self.options.state, slot).with_extension("rejects");
        let mut clock = Phases::new(self.progress.as_ref());
        let places = std::slice::from_ref(&place);
        let made = self.extract(&due, places, &found, letters.clone(), &mut clock).await;
        // The rows that were rejected then were told then.
        let _ = std::fs::remove_file(&letters);
        self.files(&due, &mut made?, &place, true).await
    }

    async fn put(&self, slot: &Slot, sink: &dyn Sink, file: &SealedFile) -> Result<()> {
        let staging = format!(".outflow-{}-{}-{}.part", self.run_id, slot.attempt, file.ordinal);
        let put = sink.put(file, &staging, self.progress.as_ref()).await?;
        match (sink.compare(file, Trust::Nothing).await?, put) {
            (Proof::Same, _) => {
                sink.persist(&[file]).await?;
                self.ledger.note(slot, "redeliver", &file.path).await
            }
            (Proof::Different(how), _) => Err(Error::external(format!("`{}` {how}", file.path))),
            (Proof::Absent, Put::Unknown(error)) => Err(error),
            (Proof::Absent, _) => Err(Error::transient(format!("`{}` was sent, but is not there", file.path))),
        }
    }
}

/// Counters as they stood before a delivery, so that its files get the same numbers again.
pub(super) fn numbers_before(manifest: &Manifest) -> LastNumbers {
    let mut numbers = LastNumbers::default();
    for file in manifest.of(Role::Data) {
        let Ok(intent) = serde_json::from_str::<outflow_layout::layout::FileIntent>(&file.details) else {
            continue;
        };
        for (name, value) in intent.counters {
            for key in [serde_json::json!([name]).to_string(), serde_json::json!([intent.dataset, name]).to_string()] {
                let last = value.saturating_sub(1);
                let known = numbers.values.entry(key).or_insert(last);
                *known = last.min(*known);
            }
        }
    }
    numbers
}
