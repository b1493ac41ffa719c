//! Names of files: whatever a template and the values of the data are, a name that is given stays below the target.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use outflow_formats::digest::Algorithm;
use outflow_layout::layout::{FileFacts, FileIntent, RunInfo, Stamp, Target};
use outflow_layout::{files, name};
use outflow_spec::layout::FilesLayout;

/// Parts of the bytes: the template, then values that split the rows.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\u{1f}');
    let template = parts.next().unwrap_or_default();
    let values: Vec<&str> = parts.take(4).collect();
    let spec = serde_json::json!({
        "path": template, "format": "csv", "split_by": ["c"], "counters": [{"name": "n"}],
        "companions": [{"path": "{{ file.path }}.ok", "body": "{{ rows }}"}],
    });
    let Ok(spec) = serde_json::from_value::<FilesLayout>(spec) else { return };
    let Ok(mut layout) = files::open(&spec, &run_info()) else { return };
    for (part, value) in (1..).zip(&values) {
        let facts = FileFacts { rows: 42, bytes: 7, digest: Algorithm::Sha256.of(b""), header: Default::default() };
        let file = (intent(value, part), Some(facts));
        if let Ok(names) = at_once(layout.name_files(std::slice::from_ref(&file))) {
            names.iter().for_each(|name| stays_below(&name.path));
        }
    }
    for value in &values {
        let safe = name::escaped(value);
        assert!(!safe.contains(['/', '\\', '\0', '\n']) && safe != ".." && safe != ".", "{safe:?}");
    }
}

/// As a store or a file system reads a path, which owes nothing to the check of names.
fn stays_below(path: &str) {
    let mut depth = 0;
    for part in std::path::Path::new(path).components() {
        match part {
            std::path::Component::Normal(_) => depth += 1,
            other => panic!("{other:?} in {path:?}"),
        }
    }
    assert!(depth > 0 && path.len() <= 1024 && !path.ends_with('/'), "{path:?}");
    assert!(path.bytes().all(|byte| byte >= 0x20 && byte != 0x7f && byte != b'\\'), "{path:?}");
}

fn intent(value: &str, part: u32) -> FileIntent {
    FileIntent {
        dataset: "files".into(),
        partition: vec![("c".into(), value.into())],
        part,
        nonce: "1a2b3c4d5e6f70819293a4b5c6d7e8f9".into(),
        counters: vec![("n".into(), u64::from(part))],
    }
}

fn run_info() -> RunInfo {
    let stamp = || Stamp {
        epoch_ms: 1_489_514_053_000,
        year: 2017,
        month: 3,
        day: 14,
        hour: 18,
        minute: 54,
        second: 13,
        offset_minutes: 60,
        zone: "Europe/Brussels".into(),
    };
    RunInfo {
        pipeline: "Welcome Flow".into(),
        run_id: "r".into(),
        scheduled: stamp(),
        window_start: stamp(),
        window_end: stamp(),
        target: Target { scheme: "s3".into(), container: "feeds".into(), prefix: "exports".into() },
    }
}

/// The layout waits for nothing, so its futures are ready when first asked.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the layout waits for something"),
    }
}
