//! Rows and bytes a second of the transforms that touch every row: `cargo bench -p outflow-engine`. One thread, one
//! batch in memory after another, planned and run by the query engine as a pipeline is.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::datasource::MemTable;
use datafusion::physical_plan::collect;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use outflow_engine::dead_letter::DeadLetter;
use outflow_engine::plan;
use outflow_engine::transform::{Notes, TransformContext};
use outflow_spec::transform::TransformSpec;
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const ROWS: usize = 8192;
const BATCHES: usize = 8;

/// Addresses, a fifth with capitals and blanks to take away, and three columns of names.
fn batch(number: usize) -> RecordBatch {
    let text = |of: &dyn Fn(usize) -> Option<String>| {
        Arc::new((0..ROWS).map(|row| of(number * ROWS + row)).collect::<StringViewArray>()) as ArrayRef
    };
    let email = |row: usize| match row % 5 {
        0 => format!(" Person.{row}@Example{}.com ", row % 50),
        _ => format!("person.{row}@example{}.com", row % 50),
    };
    RecordBatch::try_from_iter_with_nullable([
        ("email", text(&|row| Some(email(row))), true),
        ("flow", text(&|row| Some(format!("Welcome flow {}", row % 17))), true),
        ("variant", text(&|row| (row % 3 != 0).then(|| format!("variant-{}", row % 4))), true),
        ("action", text(&|row| Some(["email_welcome", "list_sync"][row % 2].to_owned())), true),
    ])
    .expect("columns of one length")
}

fn run(bencher: Bencher<'_, '_>, specs: &Value) {
    let batches = (0..BATCHES).map(batch).collect::<Vec<_>>();
    let bytes = batches.iter().map(RecordBatch::get_array_memory_size).sum::<usize>();
    let folder = tempfile::tempdir().expect("a folder");
    let context = TransformContext {
        index: 0,
        at: Timestamp::UNIX_EPOCH,
        timezone: TimeZone::UTC,
        rejects: Arc::new(DeadLetter::create(folder.path().join("rejects.jsonl"), None)),
        base: folder.path().to_owned(),
        notes: Arc::new(Notes::default()),
        offline: false,
    };
    let specs = serde_json::from_value::<Vec<TransformSpec>>(specs.clone()).expect("transforms");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let table = Arc::new(MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table"));
    let frame = runtime.block_on(async {
        let session = plan::session(256 << 20).expect("a session");
        plan::rows(&session, table, &specs, &context).await.expect("a plan")
    });
    let tasks = Arc::new(frame.task_ctx());
    let plan = runtime.block_on(frame.create_physical_plan()).expect("a plan");
    bencher
        .counter(ItemsCount::new(ROWS * BATCHES))
        .counter(BytesCount::new(bytes))
        .bench(|| runtime.block_on(collect(plan.clone(), tasks.clone())).expect("rows"));
}

#[divan::bench]
fn nothing(bencher: Bencher<'_, '_>) {
    run(bencher, &json!([]));
}

#[divan::bench]
fn hash(bencher: Bencher<'_, '_>) {
    run(bencher, &json!([{"hash": {"columns": ["email"]}}]));
}

#[divan::bench]
fn hash_of_many_steps(bencher: Bencher<'_, '_>) {
    run(bencher, &json!([{"hash": {"columns": ["email"], "normalize": ["trim", "lowercase", "nfc", "strip_plus"]}}]));
}

#[divan::bench]
fn contexts_joined(bencher: Bencher<'_, '_>) {
    run(bencher, &json!([{"contexts": {"label": "{{ flow }}/{{ variant | default('none') }}/{{ action }}"}}]));
}

#[divan::bench]
fn contexts_rendered(bencher: Bencher<'_, '_>) {
    run(bencher, &json!([{"contexts": {"label": "{{ flow | upper }}/{{ variant | default('none') }}"}}]));
}
