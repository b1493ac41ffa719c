//! What a run tells afterwards: the report that `--report` writes and `runs show` prints. It only grows.

mod telling;

use std::collections::BTreeMap;

use outflow_formats::digest::Digest;
use outflow_layout::layout::FileIntent;
use serde::{Deserialize, Serialize};

use crate::error::{Class, Domain, Retry};
use crate::ledger::{Role, SealedFile};
use crate::spool::{SpooledFile, SpooledPart};
use crate::store::Sink;

/// Name of the report's schema.
pub const SCHEMA: &str = "outflow/run/v1";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its files were published by this run.
    Delivered,
    /// Its files had been published before; nothing was written.
    AlreadyDelivered,
    /// The window holds no rows to deliver; nothing was written.
    Empty,
    /// Some deliveries of the run failed, others did not.
    Partial,
    /// The delivery failed; the next run tries again.
    Failed,
}

/// A run, told in full.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// `outflow/run/v1`.
    pub schema: String,
    /// Id of the run (UUID v7).
    pub run_id: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// How it ended.
    pub status: Status,
    /// Logical instant of the delivery; of the last one, where there are several.
    pub scheduled: jiff::Timestamp,
    /// What identifies the delivered window; the last one, where there are several.
    pub window: String,
    /// Where the files are; the first of the sinks.
    pub target: String,
    /// What became of each window at each sink, in the order in which they were dealt with.
    #[serde(default)]
    pub deliveries: Vec<DeliveryReport>,
    /// The layout.
    pub layout: LayoutReport,
    /// Rows.
    pub rows: RowsReport,
    /// What transforms counted of the rows they left out or found nothing for.
    #[serde(default)]
    pub transforms: Vec<TransformReport>,
    /// Rejected rows.
    pub rejects: RejectsReport,
    /// Outputs of the layout, in order, those without files too.
    #[serde(default)]
    pub outputs: Vec<OutputReport>,
    /// Delivered files, in order of publication.
    pub files: Vec<FileReport>,
    /// Deliveries of earlier runs that this run found unfinished and finished.
    pub recovered: Vec<String>,
    /// Files read.
    pub inputs: Vec<String>,
    /// Times the input was read from its beginning: once for all outputs, unless its rows turned out to hold more
    /// columns than its head tells.
    #[serde(default)]
    pub reads: u64,
    /// Phases in order.
    pub phases: Vec<PhaseReport>,
    /// Delivered files that were taken away from the target, for `delivery.retention` is over.
    #[serde(default)]
    pub retired: u64,
    /// Warnings in words.
    pub warnings: Vec<String>,
}

/// What became of a window at a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReport {
    /// What identifies the window.
    pub window: String,
    /// The sink.
    pub target: String,
    /// What became of it.
    pub status: Status,
    /// Logical instant of the delivery, once it is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<jiff::Timestamp>,
    /// Its files, companions included.
    pub files: u64,
    /// Records in its data files.
    pub rows: u64,
    /// Where the next window begins, once this one is delivered; only with `incremental`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    /// The error in words.
    pub error: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Who has to act.
    pub domain: Domain,
    /// Whether trying again can help.
    pub retry: Retry,
    /// Whose failure it is.
    #[serde(default)]
    pub class: Class,
}

/// Identity of the layout.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayoutReport {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its component.
    pub digest: String,
}

/// Counts of rows.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RowsReport {
    /// Rows read from the source, rejected ones included.
    pub read: u64,
    /// Rows that went to the dead-letter file.
    pub rejected: u64,
    /// Rows in the delivered data files.
    pub written: u64,
    /// Of the rows read, those that turned up after their window was delivered; only with `incremental`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_rows: Option<u64>,
}

/// What a transform counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TransformReport {
    /// Its place in the pipeline, from 1.
    pub transform: u64,
    /// Its name.
    pub name: String,
    /// Rows by what became of them: `duplicates` were left out, those `not_found` did as `on_missing` says.
    pub rows: BTreeMap<String, u64>,
}

/// Rejected rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RejectsReport {
    /// The dead-letter file, when there is one.
    pub path: Option<String>,
    /// Count by code.
    pub codes: BTreeMap<String, u64>,
}

/// What one output of the layout came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputReport {
    /// Its dataset.
    pub dataset: String,
    /// Its data files.
    pub files: u64,
    /// Records in them.
    pub rows: u64,
}

/// A delivered file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileReport {
    /// Path below the target.
    pub path: String,
    /// Its URL.
    pub url: String,
    /// `data` or `companion`.
    pub role: String,
    /// Dataset of its output, for data files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The values that its rows share, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partition: BTreeMap<String, String>,
    /// Its number among the files of these values, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// Its numbers, by counter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// What the archive holds, if several files share it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<EntryReport>,
    /// Records, for data files.
    pub rows: Option<u64>,
    /// Bytes.
    pub bytes: u64,
    /// Digest of the bytes, after the name of its algorithm.
    pub digest: Digest,
}

/// A file inside an archive of several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryReport {
    /// Its name in the archive.
    pub entry: String,
    /// Dataset of its output.
    pub dataset: String,
    /// Records in it.
    pub rows: u64,
}

/// What the ledger keeps of a data file so that it can be told: what it was meant to be, or its entries.
pub fn details(file: &SpooledFile) -> String {
    let entry = |part: &SpooledPart| EntryReport {
        entry: part.name.archive_entry.clone().unwrap_or_default(),
        dataset: part.intent.dataset.clone(),
        rows: part.facts.rows,
    };
    let told = match file.parts.as_slice() {
        [part] => serde_json::to_string(&part.intent),
        parts => serde_json::to_string(&parts.iter().map(entry).collect::<Vec<_>>()),
    };
    told.expect("intents and entries have names as keys")
}

/// A phase and its duration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Its name.
    pub name: String,
    /// Milliseconds.
    pub millis: u64,
}

impl FileReport {
    fn of(file: &SealedFile, sink: &dyn Sink) -> Self {
        let intent = serde_json::from_str::<FileIntent>(&file.details).ok();
        let entries = serde_json::from_str(&file.details).unwrap_or_default();
        let (dataset, part) = intent.as_ref().map(|intent| (intent.dataset.clone(), intent.part)).unzip();
        let (partition, counters) = intent.map(|intent| (intent.partition, intent.counters)).unwrap_or_default();
        Self {
            path: file.path.clone(),
            // A folder is told by where it is, whatever target it stands in for.
            url: match sink.identity() {
                folder if folder.starts_with("file://") => format!("{folder}/{}", file.path),
                _ => sink.target().url(&file.path),
            },
            role: file.role.name().to_owned(),
            dataset,
            partition: partition.into_iter().collect(),
            part,
            counters: counters.into_iter().collect(),
            entries,
            rows: (file.role == Role::Data).then_some(file.rows),
            bytes: file.bytes,
            digest: file.digest.clone(),
        }
    }
}
