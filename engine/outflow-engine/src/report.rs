//! What a run tells afterwards: the report that `--report` writes and `runs show` prints. It only grows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    /// Logical instant of the delivery.
    pub scheduled: jiff::Timestamp,
    /// What identifies the delivered window.
    pub window: String,
    /// Where the files are.
    pub target: String,
    /// The layout.
    pub layout: LayoutReport,
    /// Rows.
    pub rows: RowsReport,
    /// Rejected rows.
    pub rejects: RejectsReport,
    /// Delivered files, in order of publication.
    pub files: Vec<FileReport>,
    /// Deliveries of earlier runs that this run found unfinished and finished.
    pub recovered: Vec<String>,
    /// Files read.
    pub inputs: Vec<String>,
    /// Phases in order.
    pub phases: Vec<PhaseReport>,
    /// Warnings in words.
    pub warnings: Vec<String>,
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
}

/// Rejected rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RejectsReport {
    /// The dead-letter file, when there is one.
    pub path: Option<String>,
    /// Count by code.
    pub codes: BTreeMap<String, u64>,
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
    /// Records, for data files.
    pub rows: Option<u64>,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
}

/// A phase and its duration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Its name.
    pub name: String,
    /// Milliseconds.
    pub millis: u64,
}
