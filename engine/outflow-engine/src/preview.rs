//! The files that a run would deliver, from the first rows of the input: made as a run makes them, in a folder
//! that goes away. No ledger, no target.

use std::io::Read;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::dead_letter::{DeadLetter, Reject};
use crate::error::{Error, Result};
use crate::extract::{self, Extraction, View};
use crate::ledger::LastNumbers;
use crate::pipeline::Pipeline;
use crate::progress::{Progress, Quiet};
use crate::spool::{self, Spool};

/// What the caller decides of a preview.
#[derive(Clone, Debug)]
pub struct PreviewOptions {
    /// The logical instant.
    pub at: Timestamp,
    /// Rows of the source.
    pub rows: usize,
    /// Shows personal values as they are.
    pub reveal: bool,
    /// Bytes of each file that are shown.
    pub bytes: u64,
    /// Bytes that operators which hold rows may use.
    pub memory: usize,
}

/// What would be delivered.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// `outflow/preview/v1`.
    pub schema: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Rows of the source that were looked at.
    pub rows_read: u64,
    /// The files, in order of publication.
    pub files: Vec<PreviewFile>,
    /// Rows that would go to the dead letter.
    pub rejects: Vec<Reject>,
}

/// A file that would be delivered.
#[derive(Clone, Debug, Serialize)]
pub struct PreviewFile {
    /// Its path below the target.
    pub path: String,
    /// Its URL.
    pub url: String,
    /// `data` or `companion`.
    pub role: String,
    /// Name of the entry, when the file is an archive.
    pub entry: Option<String>,
    /// Records, for data files.
    pub rows: Option<u64>,
    /// The first bytes, before any container; Parquet is told by its columns.
    pub content: String,
    /// Whether there is more.
    pub truncated: bool,
}

/// Makes the preview.
pub async fn preview(pipeline: &Pipeline, options: &PreviewOptions) -> Result<Preview> {
    let scratch =
        tempfile::tempdir().map_err(|cause| Error::external(format!("cannot make a temporary folder: {cause}")))?;
    let input = pipeline.input().await?;
    let info = pipeline.run_info("preview", options.at);
    let mut layout = pipeline.open_layout(&info).await?;
    let progress: Arc<dyn Progress> = Arc::new(Quiet);
    let extraction = Extraction {
        pipeline,
        input: &input,
        wanted: None,
        scheduled: options.at,
        memory: options.memory,
        limit: Some(options.rows),
        view: if options.reveal { View::Bare } else { View::Masked },
        // No ledger is asked: counters show their first values.
        numbers: &LastNumbers::default(),
        notes: Arc::default(),
        progress: &progress,
    };
    let dead = Arc::new(DeadLetter::create(scratch.path().join("rejects"), None));
    let folder = scratch.path().join("spool");
    std::fs::create_dir(&folder)
        .map_err(|cause| Error::external(format!("cannot make a temporary folder: {cause}")))?;
    let spool = Spool::new(&folder, "preview", progress.as_ref());
    let extracted = extract::extract(&extraction, &spool, layout.as_mut(), &dead).await?;
    let (spooled, rows_read) = (extracted.files, extracted.rows);
    let mut artifacts = spool::checksums(pipeline.spec.delivery.checksums, &spooled);
    artifacts.extend(spool::companions(layout.as_mut(), &spooled, &info.target).await?);
    let mut files = Vec::new();
    for file in spooled {
        let (content, truncated) = head(&file, options.bytes)?;
        // Without containers, every file has one part.
        files.extend(file.parts.into_iter().map(|part| PreviewFile {
            url: info.target.url(&part.name.path),
            path: part.name.path,
            role: "data".to_owned(),
            entry: part.name.archive_entry,
            rows: Some(part.facts.rows),
            content: content.clone(),
            truncated,
        }));
    }
    files.extend(artifacts.into_iter().map(|artifact| PreviewFile {
        url: info.target.url(&artifact.path),
        path: artifact.path,
        role: "companion".to_owned(),
        entry: None,
        rows: None,
        content: String::from_utf8_lossy(&artifact.body).into_owned(),
        truncated: false,
    }));
    let mut rejects = dead.first();
    if !options.reveal {
        rejects.iter_mut().for_each(|reject| reject.record = serde_json::Value::Null);
    }
    Ok(Preview {
        schema: "outflow/preview/v1".to_owned(),
        pipeline: pipeline.spec.name.clone(),
        rows_read,
        files,
        rejects,
    })
}

fn head(file: &spool::SpooledFile, bytes: u64) -> Result<(String, bool)> {
    let mut content = Vec::new();
    let read = std::fs::File::open(&file.path).and_then(|file| file.take(bytes).read_to_end(&mut content));
    read.map_err(|cause| Error::external(format!("cannot read a temporary file: {cause}")))?;
    let facts = file.parts.first().map(|part| &part.facts);
    if let (true, Some(facts)) = (file.is_parquet, facts) {
        return Ok((format!("Parquet with the columns {}\n", facts.header.join(", ")), false));
    }
    let truncated = content.len() as u64 == bytes && facts.is_some_and(|facts| facts.bytes > bytes);
    Ok((String::from_utf8_lossy(&content).into_owned(), truncated))
}
