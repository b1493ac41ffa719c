//! Plugins through the WebAssembly host: what the built-in ones deliver, and that no guest harms its host.

#[path = "../../build/nested.rs"]
mod nested;

mod actito;
mod evil;
mod evil_transform;
mod inspect;
mod load;
mod sailthru;
mod simon;
mod transform;
mod vendors;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use outflow_formats::digest::Algorithm;
use outflow_layout::layout::{Column, Dataset, FileFacts, FileIntent, FileName, RunInfo, Stamp, Target, Written};
use outflow_layout::wasm::{Host, Limits};

/// One host for all tests; compiled guests are kept beside the build. A call may take longer than by default:
/// the host's own code is not optimised here.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    let five = Duration::from_secs(5);
    let limits = Limits { start: five, call: five, ..Limits::default() };
    let transforms = Limits { start: five, call: five, ..Limits::of_transforms() };
    let host = Host::new(limits, Some(Path::new(env!("OUT_DIR")).join("compiled"))).expect("an engine");
    host.with_transforms(transforms)
});

/// Guests that are not part of the program, built once.
fn guest(file: &str) -> Vec<u8> {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let target = Path::new(env!("OUT_DIR")).join("plugins-target");
        let guests =
            ["evil", "evil-start", "evil-transform", "future", "future-minor", "future-transform", "normalise"];
        nested::build(&target, &guests).expect("the guests build")
    });
    std::fs::read(FOLDER.join(file)).expect("the guest is there")
}

/// A host with these limits for layouts.
fn host(limits: Limits) -> Host {
    Host::new(limits, Some(Path::new(env!("OUT_DIR")).join("compiled"))).expect("an engine")
}

/// The layout that attacks.
fn evil() -> &'static [u8] {
    static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| guest("evil.wasm"));
    &WASM
}

/// The transform that attacks.
fn evil_transform() -> &'static [u8] {
    static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| guest("evil_transform.wasm"));
    &WASM
}

/// The transform of the guide.
fn normalise() -> &'static [u8] {
    static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| guest("normalise.wasm"));
    &WASM
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
    Written {
        intent,
        name,
        facts: FileFacts { rows, bytes: 1, digest: Algorithm::Sha256.of(b""), header: Default::default() },
        url,
    }
}
