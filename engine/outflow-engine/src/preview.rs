//! The files that a run would deliver, from the first rows of the input: made as a run makes them, in a folder
//! that goes away. The ledger tells which window would be due and is not written; no target is asked.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use outflow_formats::digest::Algorithm;
use outflow_spec::ledger::LedgerSpec;
use serde::Serialize;

use crate::dead_letter::{DeadLetter, Reject};
use crate::error::{Error, Result};
use crate::extract::{self, Extraction, View};
use crate::ledger::{LastNumbers, Ledger, Whose};
use crate::pipeline::Pipeline;
use crate::progress::{Progress, Quiet};
use crate::run::{open_sinks, parameters};
use crate::source::Input;
use crate::source::arrivals::Wanted;
use crate::spool::{self, Spool};
use crate::window::Schedule;

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
    /// Folder of the ledger that tells how far windows have come.
    pub state: PathBuf,
    /// A ledger that several workers share, in place of the state folder's own.
    pub ledger: Option<LedgerSpec>,
}

/// What would be delivered.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// `outflow/preview/v1`.
    pub schema: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The window that is due at the first sink, where the pipeline has windows; rows are of it alone.
    pub window: Option<String>,
    /// Whether nothing is due: then there are no files.
    pub nothing_due: bool,
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
    let wanted = match pipeline.schedule() {
        Some(schedule) => match due(pipeline, schedule, &input, options).await? {
            None => return Ok(nothing_due(pipeline)),
            wanted => wanted,
        },
        None => None,
    };
    let window = wanted.as_ref().map(|wanted| &wanted.window);
    let scheduled = window.and_then(|window| window.end()).unwrap_or(options.at);
    let told = window.map(|window| window.key());
    let info = pipeline.run_info_of("preview", scheduled, window);
    let mut layout = pipeline.open_layout(&info).await?;
    let progress: Arc<dyn Progress> = Arc::new(Quiet);
    let extraction = Extraction {
        pipeline,
        input: &input,
        wanted,
        scheduled,
        memory: options.memory,
        limit: Some(options.rows),
        view: if options.reveal { View::Bare } else { View::Masked },
        // Counters show their first values.
        numbers: &LastNumbers::default(),
        notes: Arc::default(),
        progress: &progress,
    };
    let dead = Arc::new(DeadLetter::create(scratch.path().join("rejects"), None));
    let folder = scratch.path().join("spool");
    std::fs::create_dir(&folder)
        .map_err(|cause| Error::external(format!("cannot make a temporary folder: {cause}")))?;
    let spool = Spool::new(&folder, "preview", Algorithm::Sha256, progress.as_ref());
    let extracted = extract::extract(&extraction, &spool, layout.as_mut(), &dead).await?;
    let (spooled, rows_read) = (extracted.files, extracted.rows);
    let mut artifacts = spool::checksums(pipeline.spec.delivery.checksums, &spooled)?;
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
    Ok(Preview { window: told, nothing_due: false, rows_read, files, rejects, ..nothing_due(pipeline) })
}

/// The window that a run would deliver first to the first sink; none where nothing is due.
async fn due(
    pipeline: &Pipeline,
    schedule: &Schedule,
    input: &Input,
    options: &PreviewOptions,
) -> Result<Option<Wanted>> {
    let target = open_sinks(pipeline, None)?[0].identity().to_owned();
    let whose = Whose { pipeline: pipeline.name(), target, scope: parameters(pipeline) };
    let (mut mark, mut seen) = (None, Default::default());
    if let Some(ledger) = Ledger::open_existing(options.ledger.as_ref(), &options.state).await? {
        (mark, seen) = (ledger.watermark(&whose).await?, ledger.seen(&whose).await?);
        ledger.close().await;
    }
    let Some(high) = input.high(schedule, options.at).await? else { return Ok(None) };
    let (position, floor) = match mark {
        Some(mark) => (mark.position, mark.floor),
        None => (schedule.start.clone(), schedule.start.clone()),
    };
    Ok(schedule.next(&position, &high)?.map(|window| Wanted {
        cursor: schedule.cursor.clone(),
        window,
        late_from: Some(floor),
        seen: Arc::new(seen),
        overlap: schedule.overlap.clone(),
    }))
}

fn nothing_due(pipeline: &Pipeline) -> Preview {
    Preview {
        schema: "outflow/preview/v1".to_owned(),
        pipeline: pipeline.spec.name.clone(),
        window: None,
        nothing_due: true,
        rows_read: 0,
        files: Vec::new(),
        rejects: Vec::new(),
    }
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
