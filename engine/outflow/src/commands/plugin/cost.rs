//! What a plugin costs beside its limits. Layouts are measured by the call, transforms by the row; the figures are of
//! this machine and this build, and tell an expensive plugin from a cheap one, no more. Instructions are not counted:
//! the host limits time and memory, and a plugin that counts them is another one, compiled once more.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use indicatif::HumanCount;
use outflow_engine::pipeline::Pipeline;
use outflow_formats::digest::Algorithm;
use outflow_layout::layout::{Column, Dataset, FileFacts, FileIntent, Written};
use outflow_layout::transform::MemoryAccount;
use outflow_layout::wasm::{Host, Inspection, Limits, World};
use outflow_spec::transform::TransformSpec;
use serde_json::Value;

use super::told;
use crate::commands::block_on;
use crate::failure::Failure;
use crate::project;
use crate::trial::AT;

/// Calls that are averaged.
const CALLS: u32 = 200;

/// Rows that a transform is measured with.
const ROWS: usize = 65_536;

/// Measures the plugin in a fixture's pipeline, which has passed.
pub fn measured(found: &Inspection, wasm: &[u8], pipeline: &Path) -> Result<String, Failure> {
    let rows = rows(&pipeline.with_file_name("input.jsonl"))?;
    let (pipeline, _) = project::load(pipeline, &[])?;
    Ok(match found.world {
        World::Layout => block_on(layout(&pipeline, &rows))??,
        World::Transform => block_on(transform(&pipeline, wasm, &rows))??,
    })
}

/// The objects of a JSON Lines file.
fn rows(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    text.lines().map(|line| serde_json::from_str(line).context("a row of the fixture does not read")).collect()
}

/// Names of the columns, in order of first appearance.
fn columns(rows: &[Value]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys());
    names.filter(|name| seen.insert(name.as_str())).cloned().collect()
}

async fn layout(pipeline: &Pipeline, rows: &[Value]) -> anyhow::Result<String> {
    let info = pipeline.run_info("cost", AT.parse().context("the instant of trials")?);
    let started = Instant::now();
    let mut layout = pipeline.layout_for(&info).await.map_err(told)?;
    let opened = started.elapsed();
    let column = |name: String| Column { name, data_type: "Utf8View".to_owned(), nullable: true };
    let input = Dataset { name: "input".to_owned(), columns: columns(rows).into_iter().map(column).collect() };
    let inputs = std::slice::from_ref(&input);
    let outputs = layout.outputs(inputs).await.map_err(told)?;
    let planned = Instant::now();
    for _ in 0..CALLS {
        layout.outputs(inputs).await.map_err(told)?;
    }
    let planned = planned.elapsed() / CALLS;
    let Some(output) = outputs.first() else { return Ok(String::new()) };
    let intent = |part: u32| FileIntent {
        dataset: output.dataset.clone(),
        partition: output.partition_by.iter().map(|key| (key.name.clone(), format!("value-{part}"))).collect(),
        part,
        nonce: format!("{part:08x}").repeat(4),
        counters: output.counters.iter().map(|counter| (counter.name.clone(), counter.first)).collect(),
    };
    let facts = FileFacts { rows: 1, bytes: 1, digest: Algorithm::Sha256.of(b""), header: Default::default() };
    let started = Instant::now();
    let mut written = Vec::new();
    for part in 1..=CALLS {
        let file = (intent(part), output.name_after.then(|| facts.clone()));
        let names = layout.name_files(std::slice::from_ref(&file)).await.map_err(told)?;
        let name = names.into_iter().next().context("the plugin names no file")?;
        let url = info.target.url(&name.path);
        written.push(Written { intent: file.0, name, facts: facts.clone(), url });
    }
    let named = started.elapsed() / CALLS;
    let followed = Instant::now();
    for file in &written {
        layout.files_written(std::slice::from_ref(file)).await.map_err(told)?;
    }
    let followed = followed.elapsed() / CALLS;
    let limits = Limits::default();
    // The memory of a guest never shrinks, so what it has now is the most it had.
    let memory = layout.memory_bytes().map(|bytes| memory(bytes, &limits)).unwrap_or_default();
    Ok(format!(
        "cost       open {}, outputs {}, name a file {}, files written {}{memory}\n",
        micros(opened),
        micros(planned),
        micros(named),
        micros(followed)
    ) + &limit(&limits))
}

async fn transform(pipeline: &Pipeline, wasm: &[u8], rows: &[Value]) -> anyhow::Result<String> {
    let Some(TransformSpec::Plugin(spec)) = pipeline.spec.transforms.first() else { return Ok(String::new()) };
    let batch = batch(rows)?;
    let account = Arc::new(Peak::default());
    let plugin = Host::shared().and_then(|host| host.load_transform(&spec.component, wasm)).map_err(told)?;
    let options = Value::Object(spec.options.clone());
    let lender: Arc<dyn MemoryAccount> = account.clone();
    let mut transform = plugin.open(&options, &batch.schema(), Some(lender)).await.map_err(told)?;
    let most = transform.io().rows_per_batch.clamp(1, batch.num_rows().max(1));
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        for from in (0..batch.num_rows()).step_by(most) {
            transform.apply(&batch.slice(from, most.min(batch.num_rows() - from))).await.map_err(told)?;
        }
        best = best.min(started.elapsed());
    }
    let nanos = best.as_nanos() / batch.num_rows().max(1) as u128;
    let limits = Limits::of_transforms();
    let memory = memory(account.peak.load(Ordering::Relaxed), &limits);
    Ok(format!("cost       {nanos} ns a row, over {} rows{memory}\n", HumanCount(batch.num_rows() as u64))
        + &limit(&limits))
}

/// The rows of a fixture over and over, as columns of text.
fn batch(rows: &[Value]) -> anyhow::Result<RecordBatch> {
    let text = |row: &Value, name: &str| match &row[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let column = |name: &String| {
        let values = rows.iter().cycle().take(if rows.is_empty() { 0 } else { ROWS }).map(|row| text(row, name));
        Arc::new(values.collect::<StringArray>()) as ArrayRef
    };
    let columns = columns(rows).into_iter().map(|name| (name.clone(), column(&name), true));
    RecordBatch::try_from_iter_with_nullable(columns).context("the fixture's rows make no batch")
}

/// Lends whatever is asked for and remembers the most that was out.
#[derive(Default)]
struct Peak {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl MemoryAccount for Peak {
    fn grow(&self, bytes: usize) -> Result<(), String> {
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(now, Ordering::Relaxed);
        Ok(())
    }

    fn shrink(&self, bytes: usize) {
        self.now.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_nanos() as f64 / 1000.0)
}

fn memory(bytes: usize, limits: &Limits) -> String {
    format!("; peak memory {:.1} of {} MiB", bytes as f64 / f64::from(1 << 20), limits.memory_bytes >> 20)
}

fn limit(limits: &Limits) -> String {
    let (call, start) = (limits.call.as_millis(), limits.start.as_millis());
    format!("limit      {call} ms a call, {start} ms to start, {} MiB\n", limits.memory_bytes >> 20)
}
