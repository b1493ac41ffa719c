//! What a plugin's native tests are built from: a run, inputs, and written files, with plain values.

use crate::columns::{Columns, TextBuilder};
use crate::{
    Column, Dataset, Diagnostic, FileFacts, FileIntent, FileName, Layout, Run, Stamp, Step, Target, Transform, Written,
};

/// The instant, in UTC.
pub fn stamp(epoch_ms: i64) -> Stamp {
    Stamp::at(epoch_ms)
}

/// A run at an instant, to `scheme://container/prefix`.
pub fn run(epoch_ms: i64, scheme: &str, container: &str, prefix: &str) -> Run {
    Run {
        pipeline: "test".to_string(),
        run_id: "00000000-0000-7000-8000-000000000000".to_string(),
        scheduled: stamp(epoch_ms),
        window_start: stamp(epoch_ms),
        window_end: stamp(epoch_ms),
        target: Target {
            scheme: scheme.to_string(),
            container: container.to_string(),
            prefix: prefix.to_string(),
            extras: Vec::new(),
        },
        extras: Vec::new(),
    }
}

/// Opens a layout as the host does, from the JSON of its options.
pub fn open<L: Layout>(options: &serde_json::Value, run: Run) -> Result<L, Vec<Diagnostic>> {
    crate::component::open_text(&options.to_string(), run)
}

/// The dataset `input` with nullable text columns.
pub fn input(columns: &[&str]) -> Dataset {
    let column =
        |name: &&str| Column { name: name.to_string(), data_type: "Utf8View".to_string(), nullable: true, doc: None };
    Dataset { name: "input".to_string(), columns: columns.iter().map(column).collect(), doc: None }
}

/// The first file of a partition; the nonce starts `1a2b3c4d`.
pub fn intent(dataset: &str, partition: &[(&str, &str)]) -> FileIntent {
    FileIntent {
        dataset: dataset.to_string(),
        partition: partition.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        part: 1,
        nonce: "1a2b3c4d5e6f70819293a4b5c6d7e8f9".to_string(),
        counters: Vec::new(),
        facts: None,
    }
}

/// A file of `rows` rows as the host reports it.
pub fn written(run: &Run, intent: FileIntent, name: FileName, rows: u64) -> Written {
    let target = &run.target;
    let prefix = if target.prefix.is_empty() { String::new() } else { format!("{}/", target.prefix) };
    let url = format!("{}://{}/{prefix}{}", target.scheme, target.container, name.path);
    let facts = FileFacts { rows, bytes: 0, sha256: "0".repeat(64), md5: String::new(), header: Vec::new() };
    Written { intent, name, facts, url }
}

/// Opens a transform as the host does, from the JSON of its options, for rows with these nullable text columns.
pub fn open_transform<T: Transform>(options: &serde_json::Value, columns: &[&str]) -> Result<T, Vec<Diagnostic>> {
    T::open(crate::component::read(&options.to_string())?, &input(columns).columns)
}

/// A batch of these columns of text, as a transform gets it.
pub fn texts(columns: &[&[Option<&str>]]) -> Columns {
    let rows = columns.first().map_or(0, |column| column.len());
    let text = |step: Step, column: &&[Option<&str>]| step.column(column.iter().copied().collect::<TextBuilder>());
    Columns::new(columns.iter().fold(Step::new(rows), text).batch)
}
