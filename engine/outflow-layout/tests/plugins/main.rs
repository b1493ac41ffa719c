//! Layout plugins through the WebAssembly host: what the built-in ones deliver, and that no guest harms its host.

#[path = "../../build/nested.rs"]
mod nested;

mod actito;
mod evil;
mod load;
mod sailthru;
mod simon;
mod vendors;

use std::path::Path;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use outflow_layout::layout::{Column, Dataset, FileFacts, FileIntent, FileName, RunInfo, Stamp, Target, Written};
use outflow_layout::wasm::{Host, Limits};

/// One host for all tests; compiled guests are kept beside the build. A call may take longer than by default:
/// the host's own code is not optimised here.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    let limits = Limits { call: Duration::from_secs(5), ..Limits::default() };
    Host::new(limits, Some(Path::new(env!("OUT_DIR")).join("compiled"))).expect("an engine")
});

/// The guest that attacks, built once.
fn evil() -> &'static [u8] {
    static WASM: OnceLock<Vec<u8>> = OnceLock::new();
    WASM.get_or_init(|| {
        let target = Path::new(env!("OUT_DIR")).join("plugins-target");
        let folder = nested::build(&target, &["evil"]).expect("the guest builds");
        std::fs::read(folder.join("evil.wasm")).expect("the guest is there")
    })
}

/// Runs a future with timers, on several threads.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(future)
}

/// 2017-03-14T17:54:13Z, as a wall clock one hour ahead shows it.
fn stamp() -> Stamp {
    Stamp {
        epoch_ms: 1_489_514_053_000,
        year: 2017,
        month: 3,
        day: 14,
        hour: 18,
        minute: 54,
        second: 13,
        offset_minutes: 60,
        zone: "Europe/Brussels".into(),
    }
}

fn run(scheme: &str) -> RunInfo {
    RunInfo {
        pipeline: "welcome-flow".into(),
        run_id: "019377a0-0000-7000-8000-000000000000".into(),
        scheduled: stamp(),
        window_start: stamp(),
        window_end: stamp(),
        target: Target { scheme: scheme.into(), container: "acme-feeds".into(), prefix: "exports/simon".into() },
    }
}

fn input(columns: &[&str]) -> Dataset {
    let column = |name: &&str| Column { name: name.to_string(), data_type: "Utf8View".into(), nullable: true };
    Dataset { name: "input".into(), columns: columns.iter().map(column).collect() }
}

fn intent(operation: &str, part: u32) -> FileIntent {
    FileIntent {
        dataset: "data_feed".into(),
        partition: vec![("operation".into(), operation.into())],
        part,
        nonce: "1a2b3c4d5e6f70819293a4b5c6d7e8f9".into(),
        counters: vec![],
    }
}

fn written(run: &RunInfo, intent: FileIntent, name: FileName, rows: u64) -> Written {
    let url = run.target.url(&name.path);
    Written { intent, name, facts: FileFacts { rows, bytes: 1, sha256: "00".into(), header: vec![] }, url }
}
