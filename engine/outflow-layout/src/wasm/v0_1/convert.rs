//! Between the records of the interface and those of the engine, where nothing can go wrong.

use super::bindings::exports::outflow::plugin::layout as guest;
use super::bindings::outflow::plugin::types;
use crate::layout::{self, Diagnostic, Severity};

pub use guest::Artifact;
pub use types::Column;

/// Text of a guest that people will read: bounded, and without control characters that a terminal would obey.
pub fn readable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(4000).collect()
}

/// What a guest says of its options.
pub fn diagnostics(found: Vec<types::Diagnostic>) -> Vec<Diagnostic> {
    let severity = |severity| match severity {
        types::Severity::Error => Severity::Error,
        types::Severity::Warning => Severity::Warning,
        types::Severity::Note => Severity::Note,
    };
    let one = |d: types::Diagnostic| Diagnostic {
        severity: severity(d.severity),
        code: readable(&d.code),
        path: readable(&d.path),
        message: readable(&d.message),
        help: d.help.as_deref().map(readable),
    };
    found.into_iter().map(one).collect()
}

/// The run as guests see it.
pub fn run(run: &layout::RunInfo) -> guest::Run {
    guest::Run {
        pipeline: run.pipeline.clone(),
        run_id: run.run_id.clone(),
        scheduled: stamp(&run.scheduled),
        window_start: stamp(&run.window_start),
        window_end: stamp(&run.window_end),
        target: guest::Target {
            scheme: run.target.scheme.clone(),
            container: run.target.container.clone(),
            prefix: run.target.prefix.clone(),
            extras: Vec::new(),
        },
        extras: Vec::new(),
    }
}

fn stamp(stamp: &layout::Stamp) -> types::Stamp {
    types::Stamp {
        epoch_ms: stamp.epoch_ms,
        year: stamp.year,
        month: stamp.month,
        day: stamp.day,
        hour: stamp.hour,
        minute: stamp.minute,
        second: stamp.second,
        offset_minutes: stamp.offset_minutes,
        zone: stamp.zone.clone(),
    }
}

/// An input as guests see it: without the engine's own columns.
pub fn dataset(dataset: &layout::Dataset) -> types::Dataset {
    let column = |column: &layout::Column| types::Column {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        nullable: column.nullable,
        doc: None,
    };
    let visible = dataset.columns.iter().filter(|column| !column.name.starts_with(layout::HIDDEN_PREFIX));
    types::Dataset { name: dataset.name.clone(), columns: visible.map(column).collect(), doc: None }
}

/// A file to name, with its facts once it is written.
pub fn intent(intent: &layout::FileIntent, known: Option<&layout::FileFacts>) -> guest::FileIntent {
    guest::FileIntent {
        dataset: intent.dataset.clone(),
        partition: intent.partition.clone(),
        part: intent.part,
        nonce: intent.nonce.clone(),
        counters: intent.counters.clone(),
        facts: known.map(facts),
    }
}

fn facts(facts: &layout::FileFacts) -> guest::FileFacts {
    guest::FileFacts {
        rows: facts.rows,
        bytes: facts.bytes,
        sha256: facts.digest.sha256().unwrap_or_default().to_owned(),
        md5: String::new(),
        header: facts.header.to_vec(),
    }
}

/// A name that a guest gave, unchecked.
pub fn name(name: guest::FileName) -> layout::FileName {
    layout::FileName {
        path: name.path,
        archive_entry: name.archive_entry,
        content_type: name.content_type,
        metadata: name.metadata,
    }
}

/// A written file as guests see it.
pub fn written(file: &layout::Written) -> guest::Written {
    guest::Written {
        intent: intent(&file.intent, Some(&file.facts)),
        name: guest::FileName {
            path: file.name.path.clone(),
            archive_entry: file.name.archive_entry.clone(),
            content_type: file.name.content_type.clone(),
            metadata: file.name.metadata.clone(),
        },
        facts: facts(&file.facts),
        url: file.url.clone(),
    }
}
