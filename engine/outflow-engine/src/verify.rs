//! Delivered files read back from the target and compared with what the ledger says was sealed. Repairs nothing.

use outflow_formats::digest::Digest;
use serde::Serialize;

use crate::error::Result;
use crate::ledger::{Fate, FileFilter, Ledger, SlotState};
use crate::pipeline::Pipeline;
use crate::store::{self, Proof, Trust};

/// A delivered file, and what the target shows of it.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Path below the target.
    pub path: String,
    /// Digest that was sealed.
    pub digest: Digest,
    /// `intact`, `retired` (taken away when its time was over), `collected` (gone since the target showed it: whoever
    /// took it, it is not sent again), or how it differs.
    pub outcome: String,
}

impl Verified {
    /// Whether the target shows the sealed bytes, or is not to show them any more.
    pub fn is_intact(&self) -> bool {
        matches!(self.outcome.as_str(), "intact" | "retired" | "collected")
    }
}

/// Reads back every published file of a pipeline that belongs to its present targets.
pub async fn verify(pipeline: &Pipeline, ledger: &Ledger) -> Result<Vec<Verified>> {
    let sinks = pipeline.spec.all_sinks().map(|sink| store::open_sink(sink, &pipeline.base));
    let sinks = sinks.collect::<Result<Vec<_>>>()?;
    let filter = FileFilter { pipeline: Some(pipeline.name()), run: None, limit: 0 };
    let mut verified = Vec::new();
    let fates = ledger.fates(&pipeline.name()).await?;
    for record in ledger.files(&filter).await? {
        let sink = sinks.iter().find(|sink| sink.identity() == record.key.target);
        let Some(sink) = sink.filter(|_| record.state == SlotState::Published) else { continue };
        if let Some(fate) = fates.get(&(record.slot, record.file.ordinal)) {
            let outcome = fate.name().to_owned();
            verified.push(Verified { path: record.file.path, digest: record.file.digest, outcome });
            continue;
        }
        let outcome = match sink.compare(&record.file, Trust::Bytes).await? {
            Proof::Same => "intact".to_owned(),
            Proof::Absent => Fate::Collected.name().to_owned(),
            Proof::Different(how) => how,
        };
        verified.push(Verified { path: record.file.path, digest: record.file.digest, outcome });
    }
    Ok(verified)
}
