//! What plugins cost: a transform against the same logic in the program, a call of a layout, and the first and later
//! uses of a component. To be run on its own: `cargo run --release --example plugin_cost`. It checks no limit.

#![allow(clippy::print_stdout, reason = "it is a program that prints numbers")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, StringViewBuilder};
use outflow_layout::builtin;
use outflow_layout::layout::{FileIntent, Layout, LayoutError, RunInfo, Stamp, Target};
use outflow_layout::wasm::{Host, Limits};
use serde_json::json;

#[allow(dead_code, reason = "the build script calls more of it")]
#[path = "../build/nested.rs"]
mod nested;

/// The very code that the plugin runs.
#[path = "../../../plugins/normalise/src/spelling.rs"]
mod spelling;

const ROWS: usize = 65_536;
const ROUNDS: usize = 25;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As the program does.
    outflow_formats::memory::keep();
    let target = Path::new(env!("OUT_DIR")).join("plugins-target");
    let wasm = std::fs::read(nested::build(&target, &["normalise"])?.join("normalise.wasm"))?;
    tokio::runtime::Runtime::new()?.block_on(async {
        transform(&wasm).await?;
        layout().await?;
        for (name, wasm) in [("normalise", wasm.as_slice()), ("simon", component())] {
            first_use(name, wasm).await?;
        }
        Ok(())
    })
}

fn component() -> &'static [u8] {
    builtin::component("simon").unwrap_or_default()
}

fn host(cache: &Path) -> Result<Host, LayoutError> {
    Host::new(Limits::default(), Some(cache.to_owned()))
}

async fn transform(wasm: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let batch = contacts()?;
    let plugin = host(folder.path())?.load_transform("normalise", wasm)?;
    let options = json!({"emails": ["email"], "phones": ["phone"]});
    let mut transform = plugin.open(&options, &batch.schema(), None).await?;
    let (mut native, mut guest) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let from = Instant::now();
        let expected = [normalised(&batch, 1, true), normalised(&batch, 2, false)];
        native.push(from.elapsed());
        let from = Instant::now();
        let applied = transform.apply(&batch).await?;
        guest.push(from.elapsed());
        assert_eq!(applied.columns, expected, "both do the same");
    }
    let (native, guest) = (median(native), median(guest));
    println!("normalise, {ROWS} rows x {} columns, 2 of them read and written", batch.num_columns());
    println!("  native            {:8.2} ms", millis(native));
    println!("  plugin            {:8.2} ms", millis(guest));
    println!("  plugin : native   {:8.2}", guest.as_secs_f64() / native.as_secs_f64());
    Ok(())
}

async fn layout() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let plugin = host(folder.path())?.load("simon", component())?;
    let mut simon = plugin.open(&simon_options(), &run()).await?;
    let mut calls = Vec::new();
    for part in 0..2000 {
        let intent = FileIntent {
            dataset: "data_feed".to_owned(),
            partition: vec![("operation".to_owned(), format!("o{part}"))],
            part: 1,
            nonce: "1a2b3c4d5e6f70819293a4b5c6d7e8f9".to_owned(),
            counters: vec![],
        };
        let from = Instant::now();
        simon.name_files(&[(intent, None)]).await?;
        calls.push(from.elapsed());
    }
    println!("layout\n  naming a file     {:8.1} us", median(calls).as_secs_f64() * 1e6);
    Ok(())
}

async fn first_use(name: &str, wasm: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let (folder, schema) = (tempfile::tempdir()?, contacts()?.schema());
    println!("{name}, {} KiB", wasm.len() >> 10);
    for use_of in ["first use", "later use"] {
        // A host of its own, as each process has one.
        let host = host(folder.path())?;
        let from = Instant::now();
        if name == "simon" {
            host.load(name, wasm)?.open(&simon_options(), &run()).await?;
        } else {
            let plugin = host.load_transform(name, wasm)?;
            plugin.open(&json!({"emails": ["email"]}), &schema, None).await?;
        }
        println!("  {use_of}         {:8.2} ms", millis(from.elapsed()));
    }
    Ok(())
}

/// What the plugin does, without a plugin.
fn normalised(batch: &RecordBatch, column: usize, email: bool) -> ArrayRef {
    let texts = batch.column(column).as_string_view();
    let mut built = StringViewBuilder::with_capacity(texts.len());
    let mut out = String::new();
    for text in texts {
        let Some(text) = text else {
            built.append_null();
            continue;
        };
        out.clear();
        let valid = if email { spelling::email(text, true, &mut out) } else { spelling::phone(text, &mut out) };
        if !valid && !email {
            out.push_str(text);
        }
        built.append_value(&out);
    }
    Arc::new(built.finish())
}

/// Rows as a feed has them: every third address at Gmail, every tenth without phone.
fn contacts() -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |value: &dyn Fn(usize) -> Option<String>| {
        Arc::new((0..ROWS).map(value).collect::<StringViewArray>()) as ArrayRef
    };
    let email = text(&|row| {
        let domain = if row % 3 == 0 { "GMail.com" } else { "mail.Example.org" };
        Some(format!(" Ann.Lee{row}+news@{domain} "))
    });
    let phone = text(&|row| (row % 10 > 0).then(|| format!("+32 (0)2 {:03}.{:02}", row % 1000, row % 100)));
    let mut columns = vec![
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS as i64)) as ArrayRef),
        ("email", email),
        ("phone", phone),
    ];
    for name in ["first_name", "last_name", "city", "country", "street", "segment", "variant", "source", "note"] {
        columns.push((name, text(&|row| Some(format!("{name} {}", row % 500)))));
    }
    RecordBatch::try_from_iter(columns)
}

fn simon_options() -> serde_json::Value {
    json!({"client": "c", "segment_name": "s", "format": "csv", "flow": {"id": 1, "name": "f"}})
}

fn run() -> RunInfo {
    let stamp = Stamp {
        epoch_ms: 1_489_514_053_000,
        year: 2017,
        month: 3,
        day: 14,
        hour: 17,
        minute: 54,
        second: 13,
        offset_minutes: 0,
        zone: "UTC".to_owned(),
    };
    RunInfo {
        pipeline: "cost".to_owned(),
        run_id: "019377a0-0000-7000-8000-000000000000".to_owned(),
        scheduled: stamp.clone(),
        window_start: stamp.clone(),
        window_end: stamp,
        target: Target { scheme: "s3".to_owned(), container: "b".to_owned(), prefix: String::new() },
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
