//! Customer.io's Amazon S3 (Advanced), byte for byte: the vendor's example, and six types of calls in every format.
//! Beyond the bytes: positions over several syncs, one reading of the input, and what other readers make of the files.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::process::{Outflow, copy_folder, files_below, repository};
use crate::support::python::python;
use crate::support::tree::difference;

const AT: &str = "2026-03-14T09:30:00Z";
const TYPES: [&str; 6] = ["identify", "group", "track", "page", "screen", "alias"];

/// A folder with the golden inputs and the pipeline of a case.
fn case(name: &str) -> tempfile::TempDir {
    let golden = repository().join("tests/golden/customerio");
    let folder = tempfile::tempdir().unwrap();
    for input in ["calls.jsonl", "example.jsonl"] {
        fs::copy(golden.join(input), folder.path().join(input)).unwrap();
    }
    fs::copy(golden.join(name).join("pipeline.yaml"), folder.path().join("pipeline.yaml")).unwrap();
    folder
}

/// One sync; gives its report.
fn sync(folder: &Path, at: &str) -> Value {
    let arguments = ["run", "pipeline.yaml", "--at", at, "--sink", "local:delivered", "--report", "report.json"];
    Outflow::in_folder(folder).args(arguments).run().expect_code(0);
    serde_json::from_str(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

/// Runs one golden case in an empty folder, compares what lies there afterwards, and gives the run's report.
fn check(name: &str) -> Value {
    let folder = case(name);
    let report = sync(folder.path(), AT);
    let expected = repository().join("tests/golden/customerio").join(name).join("expected");
    let found = difference(&expected, &folder.path().join("delivered"));
    assert_eq!(found, None, "{name}:\n{}", found.as_deref().unwrap_or_default());
    report
}

/// Names of what was delivered so far.
fn delivered(folder: &Path) -> Vec<String> {
    files_below(&folder.join("delivered")).into_iter().map(|(name, _)| name).collect()
}

/// Changes a line of the pipeline.
fn change(folder: &Path, from: &str, to: &str) {
    let path = folder.join("pipeline.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// CIO-7, CIO-10, CIO-11, CIO-13, CIO-17, CIO-22: the vendor's example, as JSON and as CSV.
#[test]
fn the_vendors_example() {
    check("example-json");
    check("example-csv");
}

/// CIO-1, CIO-2, CIO-4, CIO-13, CIO-15, CIO-16, CIO-17, CIO-18, CIO-19, CIO-20, CIO-24: six types, objects kept. Rows of
/// no type go to the dead letter, and the input is read once for all six.
#[test]
fn json_of_every_type() {
    let report = check("json");
    assert_eq!(report["rows"], json!({"read": 10, "rejected": 2, "written": 8}));
    assert_eq!(report["rejects"]["codes"], json!({"customerio/type": 2}));
    assert_eq!(report["reads"], 1, "one pass");
    let outputs = [("identify", 1), ("group", 1), ("track", 2), ("page", 2), ("screen", 1), ("alias", 1)];
    let outputs = outputs.map(|(dataset, rows)| json!({"dataset": dataset, "files": 1, "rows": rows}));
    assert_eq!(report["outputs"], json!(outputs));
    let files = report["files"].as_array().unwrap();
    assert!(files.iter().all(|file| file["counters"] == json!({"2184.13699": 1})), "one position: {files:?}");
}

/// CIO-13, CIO-14, CIO-16: objects and lists as compact text, quotes doubled; a null cell is empty, an empty text is not.
#[test]
fn csv_of_every_type() {
    check("csv");
}

/// CIO-14: the other escape, which the vendor's text shows.
#[test]
fn csv_with_back_slashes() {
    check("backslash");
}

/// CIO-22: one array in place of lines.
#[test]
fn json_arrays() {
    check("array");
}

/// CIO-25: the older names.
#[test]
fn older_names() {
    check("v1");
}

/// CIO-5, CIO-9, CIO-23: syncs count 1, 2, 3; one without calls writes nothing and takes no number.
#[test]
fn positions_follow_one_another() {
    let folder = case("json");
    let folder = folder.path();
    sync(folder, "2026-03-14T09:30:00Z");
    assert_eq!(delivered(folder).len(), 6);
    let again = sync(folder, "2026-03-14T09:30:00Z");
    assert_eq!(again["status"], "already_delivered", "the same window has its position already");
    // Nothing came in, then only what no file takes.
    fs::write(folder.join("calls.jsonl"), "").unwrap();
    change(folder, "{path: calls.jsonl}", "{path: calls.jsonl, columns: [type]}");
    assert_eq!(sync(folder, "2026-03-14T09:40:00Z")["status"], "empty");
    fs::write(folder.join("calls.jsonl"), "{\"type\":\"nonsense\"}\n").unwrap();
    assert_eq!(sync(folder, "2026-03-14T09:50:00Z")["status"], "empty");
    assert_eq!(delivered(folder).len(), 6);
    for (position, minute, call) in [(2, "10:00", "alias"), (3, "10:10", "track")] {
        let text = format!("{{\"type\":\"{call}\",\"messageId\":\"later-{position}\"}}\n");
        fs::write(folder.join("calls.jsonl"), text).unwrap();
        sync(folder, &format!("2026-03-14T{minute}:00Z"));
        let name = format!("2184.13699.{position}.{call}.json");
        assert!(delivered(folder).contains(&name), "{name} is not among {:?}", delivered(folder));
    }
    assert_eq!(delivered(folder).len(), 8);
}

/// CIO-9: an action of another id begins anew, or goes on where the integration is.
#[test]
fn positions_belong_to_the_action_or_the_integration() {
    for (scope, position) in [("action", 1), ("integration", 2)] {
        let folder = case("json");
        change(folder.path(), "    format: json", &format!("    format: json\n    counter_scope: {scope}"));
        sync(folder.path(), "2026-03-14T09:30:00Z");
        change(folder.path(), "action_id: 13699", "action_id: 13700");
        fs::write(folder.path().join("calls.jsonl"), "{\"type\":\"alias\"}\n").unwrap();
        sync(folder.path(), "2026-03-14T09:40:00Z");
        let name = format!("2184.13700.{position}.alias.json");
        assert!(delivered(folder.path()).contains(&name), "{name}: {:?}", delivered(folder.path()));
    }
}

/// CIO-21: a name that is taken by somebody else's file is never written over.
#[test]
fn files_are_only_created() {
    let folder = case("json");
    let taken = folder.path().join("delivered/2184.13699.1.track.json");
    fs::create_dir(folder.path().join("delivered")).unwrap();
    fs::write(&taken, "not ours\n").unwrap();
    let arguments = ["run", "pipeline.yaml", "--at", AT, "--sink", "local:delivered"];
    let outcome = Outflow::in_folder(folder.path()).args(arguments).run();
    assert_ne!(outcome.code, Some(0), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("2184.13699.1.track.json"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(taken).unwrap(), "not ours\n");
}

/// CIO-8: ids that are not pinned show in a preview, and the run uses the same.
#[test]
fn computed_ids_are_shown_and_stay() {
    let folder = case("json");
    let folder = folder.path();
    change(folder, "    integration_id: 2184\n    action_id: 13699\n", "");
    let preview =
        Outflow::in_folder(folder).args(["preview", "pipeline.yaml", "--at", AT, "--rows", "100"]).run().expect_code(0);
    sync(folder, AT);
    let names = delivered(folder);
    assert_eq!(names.len(), 6);
    for name in names {
        let tokens: Vec<_> = name.split('.').collect();
        let digits = |text: &str| text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        assert!(digits(tokens[0]) && digits(tokens[1]) && tokens.len() == 5, "{name}");
        assert!(preview.stdout.contains(&name), "{name} is not in\n{}", preview.stdout);
    }
}

/// CIO-3: the files of the reference pipeline, in each format, are the calls to whoever loads them.
#[test]
fn other_readers_agree() {
    for format in ["json", "csv", "parquet"] {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&repository().join("pipelines/customerio"), folder.path());
        let path = folder.path().join("calls.yaml");
        let pipeline = fs::read_to_string(&path).unwrap().replace("format: json", &format!("format: {format}"));
        fs::write(&path, pipeline).unwrap();
        Outflow::in_folder(folder.path()).args(["run", "calls.yaml", "--at", AT]).run().expect_code(0);
        let names = TYPES.map(|call| format!("2184.13699.1.{call}.{format}"));
        for name in &names {
            assert!(folder.path().join("out").join(name).is_file(), "{name}");
        }
        let out = folder.path().join("out");
        let calls = folder.path().join("data/calls.jsonl");
        python().file("calls.py", &[out.to_str().unwrap(), format, calls.to_str().unwrap()]).expect_code(0);
    }
}
