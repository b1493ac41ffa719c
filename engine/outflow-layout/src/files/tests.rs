//! Plans, names, companions and refusals of the `files` layout.

use super::*;
use crate::layout::{Column, Stamp, Target};

fn stamp() -> Stamp {
    Stamp {
        epoch_ms: 1_489_514_053_000, // 2017-03-14T17:54:13Z
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

fn run() -> RunInfo {
    let target = Target { scheme: "file".into(), container: "out".into(), prefix: String::new() };
    RunInfo {
        pipeline: "Welcome Flow".into(),
        run_id: "r".into(),
        scheduled: stamp(),
        window_start: stamp(),
        window_end: stamp(),
        target,
    }
}

fn spec(json: serde_json::Value) -> FilesLayout {
    let mut full = serde_json::json!({"path": "a.csv", "format": "csv"});
    for (key, value) in json.as_object().expect("an object") {
        full[key] = value.clone();
    }
    serde_json::from_value(full).expect("a spec")
}

fn intent(partition: &[(&str, &str)], part: u32) -> FileIntent {
    let partition = partition.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let nonce = "1a2b3c4d5e6f70819293a4b5c6d7e8f9".to_string();
    FileIntent { dataset: "files".into(), partition, part, nonce, counters: vec![] }
}

fn facts() -> FileFacts {
    FileFacts { rows: 42, bytes: 7, sha256: "00ff".into(), header: vec![] }
}

fn name(json: serde_json::Value, partition: &[(&str, &str)]) -> Result<FileName, String> {
    let mut layout = open(&spec(json), &run()).map_err(|error| error.to_string())?;
    let names = ready(layout.name_files(&[(intent(partition, 3), Some(facts()))]));
    names.map(|mut names| names.remove(0)).map_err(|error| error.to_string())
}

/// The layout computes at once, so its futures are ready when first asked.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the layout waits for something"),
    }
}

fn path(template: &str, partition: &[(&str, &str)]) -> Result<String, String> {
    let columns: Vec<_> = partition.iter().map(|(key, _)| key).collect();
    name(serde_json::json!({"path": template, "split_by": columns}), partition).map(|name| name.path)
}

#[test]
fn names() {
    for (template, expected) in [
        ("{{ at | date('%Y/%m/%d') }}/{{ nonce[:8] }}.csv", "2017/03/14/1a2b3c4d.csv"),
        ("{{ at | date('%Y%m%d%H%M%S%z') }}", "20170314185413+0100"),
        ("{{ window_end }}", "2017-03-14T18:54:13+01:00"),
        ("{{ pipeline | slug }}_{{ part | pad(4) }}", "welcome-flow_0003"),
        ("{{ rows }}", "42"),
        ("{{ partition.country }}/{{ partition['size'] | lower }}", "be/xl"),
    ] {
        assert_eq!(path(template, &[("country", "be"), ("size", "XL")]).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn values_from_data_cannot_leave_their_folder() {
    for (value, expected) in [
        ("../../etc/passwd", "x/..%2F..%2Fetc%2Fpasswd/y"),
        ("..", "x/%2E%2E/y"),
        ("a\r\nb\0", "x/a%0D%0Ab%00/y"),
        ("a\\b", "x/a%5Cb/y"),
        ("100%", "x/100%25/y"),
        ("{{ pipeline }}", "x/{{ pipeline }}/y"),
    ] {
        assert_eq!(path("x/{{ partition.c }}/y", &[("c", value)]).as_deref(), Ok(expected));
    }
    let empty = path("x/{{ partition.c }}/y", &[("c", "")]).expect_err("an empty part");
    assert_eq!(empty, "the file name `x//y` has an empty part between slashes");
    let long = path("{{ partition.c }}", &[("c", &"é".repeat(200))]).expect_err("a long part");
    assert!(long.ends_with("has a part of 400 bytes; at most 255 are allowed"), "{long}");
    assert!(path("{{ partition.c }}{{ partition.d }}/x", &[("c", "."), ("d", ".")]).is_ok_and(|p| p == "%2E%2E/x"));
}

#[test]
fn templates_are_checked_before_any_row() {
    for (template, expected) in [
        ("{{ at ", "files/template at `/path`: syntax error: "),
        ("{{ clock }}", "files/template at `/path`: there is no value `clock`"),
        ("{{ partition.city }}", "files/template at `/path`: `city` does not split the rows"),
        ("{{ file.path }}", "files/template at `/path`: there is no value `file`"),
        ("{{ part | date('%Y') }}", "the template at `layout.files/path`: invalid operation: `date` is for"),
        ("{{ at | date('%!') }}", "the template at `layout.files/path`: invalid operation: `date('%!')`: "),
        (
            "{% for i in range(9999) %}{% for j in range(99) %}{% endfor %}{% endfor %}",
            "the template at `layout.files/path`: it runs too long",
        ),
        ("../x", "the file name `../x` has a part `..`"),
        ("/x", "the file name `/x` starts with `/`"),
    ] {
        let error = path(template, &[("country", "be")]).expect_err(template);
        assert!(error.starts_with(expected), "{template}: {error}");
    }
}

#[test]
fn rows_in_a_name_ask_for_the_written_file() {
    for (json, expected) in [
        (serde_json::json!({"path": "{{ rows }}.csv"}), true),
        (serde_json::json!({"path": "{{ nonce }}.csv"}), false),
        (serde_json::json!({"path": "x.zip", "compression": "zip", "entry": "{{ rows }}"}), true),
        (serde_json::json!({"companions": [{"path": "c", "body": "{{ rows }}"}]}), false),
    ] {
        assert_eq!(outputs(json, &["a"]).expect("a plan").name_after, expected);
    }
}

fn outputs(json: serde_json::Value, columns: &[&str]) -> Result<Output, String> {
    let column = |name: &&str| Column { name: name.to_string(), data_type: "Utf8View".into(), nullable: true };
    let input = Dataset { name: "input".into(), columns: columns.iter().map(column).collect() };
    let mut layout = open(&spec(json), &run()).map_err(|error| error.to_string())?;
    let outputs = ready(layout.outputs(&[input]));
    outputs.map(|mut outputs| outputs.remove(0)).map_err(|error| error.to_string())
}

#[test]
fn plans() {
    let columns = ["b", "odd \"name\"", "a", "_outflow_row"];
    let output = outputs(serde_json::json!({}), &columns).expect("a plan");
    let exprs: Vec<_> = output.fields.iter().map(|field| field.expr.as_str()).collect();
    assert_eq!(exprs, ["\"b\"", "\"odd \"\"name\"\"\"", "\"a\""]);
    assert!(!output.write_when_empty && !output.name_after && output.partition_by.is_empty());

    let json = serde_json::json!({
        "split_by": ["a"], "keep_split_columns": false, "when_empty": "write", "compression": "gzip", "format": "tsv",
        "csv": {"quote_mode": "always", "terminator": "crlf", "null_text": "NULL", "encoding": "latin1"},
    });
    let output = outputs(json, &columns).expect("a plan");
    assert_eq!(output.fields.len(), 2);
    assert_eq!(output.partition_by[0].value, "\"a\"");
    assert!(output.write_when_empty && output.compression == Compression::Gzip);
    let Format::Csv(dialect) = output.format else { panic!("not CSV") };
    assert_eq!((dialect.delimiter, dialect.quote_mode), (b'\t', QuoteMode::Always));
    assert_eq!((dialect.terminator, dialect.null_text.as_str()), (Terminator::Crlf, "NULL"));
    assert_eq!(dialect.encoding.name(), "windows-1252");
}

#[test]
fn wrong_options() {
    for (json, expected) in [
        (serde_json::json!({"split_by": ["x"]}), "files/split-by at `/split_by/0`: the rows have no column `x`"),
        (serde_json::json!({"split_by": ["a", "a"]}), "files/split-by at `/split_by/1`: `a` is listed twice"),
        (serde_json::json!({"entry": "x"}), "files/entry at `/entry`: names the entry of a zip archive"),
        (serde_json::json!({"csv": {"delimiter": "☃"}}), "files/csv at `/csv/delimiter`: the delimiter '☃' is not"),
        (serde_json::json!({"csv": {"delimiter": "\n"}}), "files/csv at `/csv/delimiter`: the delimiter '\\n' is not"),
        (serde_json::json!({"csv": {"quote": ","}}), "files/csv at `/csv/quote`: the quote is the delimiter too"),
        (serde_json::json!({"csv": {"encoding": "utf8000"}}), "files/csv at `/csv/encoding`: there is no encoding"),
        (
            serde_json::json!({"csv": {"encoding": "iso-2022-kr"}}),
            "files/csv at `/csv/encoding`: the encoding `replacement` can",
        ),
        (
            serde_json::json!({"csv": {"encoding": "latin1", "bom": true}}),
            "files/csv at `/csv/bom`: `windows-1252` has",
        ),
        (serde_json::json!({"format": "jsonl", "csv": {"bom": true}}), "files/csv at `/csv`: the files are `jsonl`"),
        (serde_json::json!({"omit_null": true}), "files/omit-null at `/omit_null`: "),
    ] {
        let error = outputs(json, &["a"]).expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn zip_entries() {
    for (path, entry, expected) in [
        ("x/flow_2024.zip", None, "flow_2024.csv"),
        ("x/flow.csv.zip", None, "flow.csv"),
        ("flow", None, "flow.csv"),
        ("flow.zip", Some("{{ part }}.txt"), "3.txt"),
    ] {
        let json = serde_json::json!({"path": path, "compression": "zip", "entry": entry});
        let name = name(json, &[]).expect("a name");
        assert_eq!(name.archive_entry.as_deref(), Some(expected));
    }
}

#[test]
fn companions_follow_each_file() {
    let json = serde_json::json!({
        "path": "{{ partition.c }}/{{ part }}.csv",
        "split_by": ["c"],
        "companions": [{"path": "{{ file.folder }}/{{ file.name }}.count", "body": "{{ rows }} {{ file.sha256 }}\n"}],
    });
    let mut layout = open(&spec(json), &run()).expect("good options");
    let written = |part| {
        let intent = intent(&[("c", "be")], part);
        let name = ready(layout.name_files(&[(intent.clone(), None)])).expect("a name").remove(0);
        Written { intent, name, facts: facts(), url: "file://out/x".into() }
    };
    let files: Vec<_> = [1, 2].into_iter().map(written).collect();
    let artifacts = ready(layout.files_written(&files)).expect("companions");
    let artifacts: Vec<_> = artifacts.iter().map(|a| (a.path.as_str(), a.body.as_slice())).collect();
    assert_eq!(artifacts, [("be/1.csv.count", &b"42 00ff\n"[..]), ("be/2.csv.count", b"42 00ff\n")]);
}

#[test]
fn two_files_of_one_name() {
    let mut layout = open(&spec(serde_json::json!({})), &run()).expect("good options");
    let files = [(intent(&[], 1), None), (intent(&[], 2), None)];
    let error = ready(layout.name_files(&files)).expect_err("a clash").to_string();
    assert!(error.starts_with("two files of the run are both named `a.csv`"), "{error}");
}
