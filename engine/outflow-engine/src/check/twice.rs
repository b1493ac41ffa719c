//! Whether a layout that is asked the same again gives the same answer: the guest that has answered already, and one
//! that begins anew. A run draws names and plans once and pins them with the seal, so one that does not cannot harm a
//! delivery; but a window that is made again, before its seal or to put a file back, comes out otherwise.

use outflow_formats::digest::Algorithm;
use outflow_layout::layout::{Dataset, FileFacts, FileIntent, FileName, Layout, Output, RunInfo};

use crate::pipeline::Pipeline;

/// Which answer differs, if one does. `outputs` is what the layout has answered for `rows`.
pub(super) async fn difference(
    pipeline: &Pipeline,
    info: &RunInfo,
    layout: &mut dyn Layout,
    rows: &Dataset,
    outputs: &[Output],
) -> Option<&'static str> {
    let first = names(layout, outputs).await;
    let mut other = pipeline.layout_for(info).await.ok()?;
    for again in [layout, other.as_mut()] {
        if !again.outputs(std::slice::from_ref(rows)).await.is_ok_and(|answer| answer == outputs) {
            return Some("outputs");
        }
        if names(again, outputs).await != first {
            return Some("names of files");
        }
    }
    None
}

/// The names of one file of each output; a refusal is an answer too.
async fn names(layout: &mut dyn Layout, outputs: &[Output]) -> Result<Vec<FileName>, String> {
    let files = outputs.iter().map(|output| {
        let facts = FileFacts {
            rows: 1,
            bytes: 1,
            digest: Algorithm::Sha256.of(b""),
            header: output.fields.iter().map(|field| field.name.clone()).collect(),
        };
        let intent = FileIntent {
            dataset: output.dataset.clone(),
            partition: output.partition_by.iter().map(|key| (key.name.clone(), "a".to_owned())).collect(),
            part: 1,
            nonce: "0".repeat(32),
            counters: output.counters.iter().map(|counter| (counter.name.clone(), 1)).collect(),
        };
        (intent, output.name_after.then_some(facts))
    });
    layout.name_files(&files.collect::<Vec<_>>()).await.map_err(|error| error.to_string())
}
