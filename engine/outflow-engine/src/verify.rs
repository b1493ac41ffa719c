//! Delivered files read back from the target and compared with what the ledger says was sealed. Repairs nothing.

use serde::Serialize;

use crate::error::Result;
use crate::ledger::{FileFilter, Ledger, SlotState};
use crate::pipeline::Pipeline;
use crate::store::{self, Proof, Trust};

/// A delivered file, and what the target shows of it.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Path below the target.
    pub path: String,
    /// SHA-256 that was sealed.
    pub sha256: String,
    /// `intact`, `absent` (a consumer may have collected it), or how it differs.
    pub outcome: String,
}

impl Verified {
    /// Whether the target shows the sealed bytes.
    pub fn is_intact(&self) -> bool {
        self.outcome == "intact"
    }
}

/// Reads back every published file of a pipeline that belongs to its present targets.
pub async fn verify(pipeline: &Pipeline, ledger: &Ledger) -> Result<Vec<Verified>> {
    let sinks = pipeline.spec.all_sinks().map(|sink| store::open_sink(sink, &pipeline.base));
    let sinks = sinks.collect::<Result<Vec<_>>>()?;
    let filter = FileFilter { pipeline: Some(pipeline.spec.name.clone()), run: None, limit: 0 };
    let mut verified = Vec::new();
    for record in ledger.files(&filter).await? {
        let sink = sinks.iter().find(|sink| sink.identity() == record.key.target);
        let Some(sink) = sink.filter(|_| record.state == SlotState::Published) else { continue };
        let outcome = match sink.compare(&record.file, Trust::Bytes).await? {
            Proof::Same => "intact".to_owned(),
            Proof::Absent => "absent".to_owned(),
            Proof::Different(how) => how,
        };
        verified.push(Verified { path: record.file.path, sha256: record.file.sha256, outcome });
    }
    Ok(verified)
}
