//! Plans, names, companions and refusals of the `files` layout.

use outflow_formats::digest::Algorithm;
use outflow_formats::format::{Compression, Format, JsonObject, JsonStyle, QuoteMode, Terminator};

use super::*;
use crate::layout::{Column, Counter, CounterScope, Roll, Stamp, Target};

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
    FileIntent { dataset: "files".into(), partition, part, nonce, counters: vec![("position".into(), 7)] }
}

fn facts() -> FileFacts {
    FileFacts { rows: 42, bytes: 7, digest: Algorithm::Sha256.of(b""), header: Default::default() }
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
    let counters = [serde_json::json!({"name": "position"})];
    name(serde_json::json!({"path": template, "split_by": columns, "counters": counters}), partition)
        .map(|name| name.path)
}

#[test]
fn names() {
    for (template, expected) in [
        ("{{ at | date('%Y/%m/%d') }}/{{ nonce[:8] }}.csv", "2017/03/14/1a2b3c4d.csv"),
        ("{{ at | date('%Y%m%d%H%M%S%z') }}", "20170314185413+0100"),
        ("{{ window_end }}", "2017-03-14T18:54:13+01:00"),
        ("{{ pipeline | slug }}_{{ part | pad(4) }}", "welcome-flow_0003"),
        ("{{ rows }}_{{ bytes }}_{{ sha256[:3] }}", "42_7_e3b"),
        ("{{ at | date('%Y%m%d%H%M', zone='Asia/Tokyo') }}", "201703150254"),
        ("{{ at | unix // 86400 * 86400 }}", "1489449600"),
        ("{{ output }}_{{ counter.position | pad(6) }}", "files_000007"),
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
        ("{{ files }}", "files/template at `/path`: there is no value `files`"),
        ("{{ counter.other }}", "files/template at `/path`: there is no counter `other`"),
        (
            "{{ at | date('%Y', zone='Mars/Base') }}",
            "the template at `layout.files/path`: invalid operation: `date`: there",
        ),
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
        (serde_json::json!({"path": "{{ sha256[:8] }}.csv"}), true),
        (serde_json::json!({"path": "{{ nonce }}.csv", "metadata": {"size": "{{ bytes }}"}}), true),
        (serde_json::json!({"path": "x.zip", "compression": "zip", "entry": "{{ part }}"}), false),
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
    assert!(output.rules.is_empty());
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
        (serde_json::json!({"columns": ["x"]}), "files/columns at `/columns/0`: the rows have no column `x`"),
        (serde_json::json!({"columns": [{"header": "x"}]}), "files/columns at `/columns/0`: has either"),
        (
            serde_json::json!({"format": "jsonl", "columns": ["a", {"header": "a", "value": "1"}]}),
            "files/columns at `/columns/1`: `a` is written twice",
        ),
        (serde_json::json!({"split_by": [{"column": "a"}]}), "files/split-by at `/split_by/0`: is neither"),
        (
            serde_json::json!({"split_by": [{"column": "a", "by": "day", "zone": "Mars/Base"}]}),
            "files/split-by at `/split_by/0/zone`: ",
        ),
        (
            serde_json::json!({"split_by": [{"column": "a", "by": "day", "format": "%!"}]}),
            "files/split-by at `/split_by/0/format`: ",
        ),
        (serde_json::json!({"rotate": {"rows": 1}}), "files/part at `/path`: is the same for every part"),
        (serde_json::json!({"format": "json_object"}), "files/json at `/format`: "),
        (serde_json::json!({"format": "json_object", "json": {"key": "z"}}), "files/json at `/json/key`: "),
        (serde_json::json!({"json": {"key": "a"}}), "files/json at `/json`: shapes a `json_object`"),
        (serde_json::json!({"path": "{{ rows }}", "compression": "zip"}), "files/zip at `/path`: a zip file is named"),
        (
            serde_json::json!({"path": "{{ part }}", "format": "parquet", "rotate": {"bytes": 1}}),
            "files/rotate at `/rotate/bytes`: the size of a Parquet file",
        ),
        (
            serde_json::json!({"compression": "zip", "entry": "{{ rows }}"}),
            "files/template at `/entry`: there is no value `rows`",
        ),
        (serde_json::json!({"content_encoding": "gzip"}), "files/content-encoding at `/content_encoding`: "),
        (serde_json::json!({"metadata": {"a b": "x"}}), "files/metadata at `/metadata/a b`: "),
        (
            serde_json::json!({"companions": [{"scope": "run", "path": "x", "body": "{{ rows }}"}]}),
            "files/template at `/companions/0/body`: there is no value `rows`",
        ),
        (
            serde_json::json!({"outputs": [{"name": "x", "columns": ["z"]}]}),
            "files/columns at `/outputs/0/columns/0`: the rows have no column `z`",
        ),
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
    let line = format!("42 {}\n", Algorithm::Sha256.of(b"").hex());
    assert_eq!(artifacts, [("be/1.csv.count", line.as_bytes()), ("be/2.csv.count", line.as_bytes())]);
}

#[test]
fn two_files_of_one_name() {
    let mut layout = open(&spec(serde_json::json!({})), &run()).expect("good options");
    let files = [(intent(&[], 1), None), (intent(&[], 2), None)];
    let error = ready(layout.name_files(&files)).expect_err("a clash").to_string();
    assert!(error.starts_with("two files of the run are both named `a.csv`"), "{error}");
}

#[test]
fn listed_columns_and_computed_splits() {
    let json = serde_json::json!({
        "path": "{{ partition.day }}/{{ partition.initial }}/{{ part }}",
        "columns": ["a", {"header": "Email", "column": "b"}, {"header": "Email", "value": "upper(b)"}],
        "split_by": [
            {"name": "day", "column": "at", "by": "day", "format": "%s"},
            {"name": "initial", "value": "substr(a, 1, 1)"},
        ],
        "csv": {"newline_in_cell": "space", "list_separator": "|"},
        "rotate": {"rows": 10, "bytes": "2MiB"},
        "counters": [{"name": "position", "scope": "file", "first": 0}],
    });
    let output = outputs(json, &["a", "b", "at"]).expect("a plan");
    let fields: Vec<_> = output.fields.iter().map(|field| (field.name.as_str(), field.expr.as_str())).collect();
    assert_eq!(
        fields,
        [("a", "list_join(\"a\", '|')"), ("Email", "list_join(\"b\", '|')"), ("Email", "list_join(upper(b), '|')"),]
    );
    let bucket = "time_bucket(\"at\", 'day', 'Europe/Brussels', '%s')";
    let keys: Vec<_> = output.partition_by.iter().map(|key| (key.name.as_str(), key.value.as_str())).collect();
    assert_eq!(keys, [("day", bucket), ("initial", "substr(a, 1, 1)")]);
    assert_eq!(output.rules[0].condition, format!("{bucket} IS NOT NULL"));
    assert_eq!(output.rules.len(), 4, "one a column for the separator");
    assert_eq!(output.roll, Roll { max_rows: Some(10), max_bytes: Some(2 << 20) });
    assert_eq!(output.counters, [Counter { name: "position".into(), scope: CounterScope::File, first: 0 }]);
}

#[test]
fn several_outputs_take_what_they_leave_out_from_the_layout() {
    let json = serde_json::json!({
        "path": "{{ at }}/{{ output }}.zip",
        "compression": "zip",
        "outputs": [
            {"name": "clicks", "filter": "event = 'click'", "columns": ["id"]},
            {"name": "people", "format": "json_object", "json": {"key": "id", "root": "people"}, "path": "p.zip"},
        ],
    });
    let mut layout = open(&spec(json), &run()).expect("good options");
    let column = |name: &str| Column { name: name.into(), data_type: "Utf8".into(), nullable: true };
    let input = Dataset { name: "input".into(), columns: vec![column("id"), column("event")] };
    let planned = ready(layout.outputs(&[input])).expect("a plan");
    let summary: Vec<_> =
        planned.iter().map(|one| (one.dataset.as_str(), one.filter.as_deref(), one.fields.len())).collect();
    assert_eq!(summary, [("clicks", Some("event = 'click'"), 1), ("people", None, 2)]);
    let style = JsonStyle { omit_null: false };
    let object = JsonObject { key: "id".into(), root: Some("people".into()), style };
    assert_eq!(planned[1].format, Format::JsonObject(object));
    let intents = ["clicks", "people"].map(|dataset| (FileIntent { dataset: dataset.into(), ..intent(&[], 1) }, None));
    let names = ready(layout.name_files(&intents)).expect("names");
    let names: Vec<_> = names.iter().map(|name| (name.path.as_str(), name.archive_entry.as_deref())).collect();
    assert_eq!(names[0], ("2017-03-14T18:54:13+01:00/clicks.zip", Some("clicks.csv")));
    assert_eq!(names[1], ("p.zip", Some("people.json")));
}

#[test]
fn headers_for_stores() {
    let json = serde_json::json!({
        "compression": "gzip", "content_encoding": "gzip", "metadata": {"Source": "{{ pipeline }}"},
    });
    let named = name(json, &[]).expect("a name");
    assert_eq!(named.content_type.as_deref(), Some("text/csv"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(named.metadata, [pair("Source", "Welcome Flow"), pair("content-encoding", "gzip")]);
    let named = name(serde_json::json!({"compression": "gzip", "content_type": "text/plain"}), &[]).expect("a name");
    assert_eq!((named.content_type.as_deref(), named.metadata.len()), (Some("text/plain"), 0));
}

#[test]
fn a_companion_of_the_run_tells_all_files() {
    let body = "{\"files\":{{ files | tojson }},\"rows\":{{ files | map(attribute='rows') | sum }}}";
    let json = serde_json::json!({
        "path": "{{ partition.c }}/{{ part }}.csv",
        "split_by": ["c"],
        "companions": [{"scope": "run", "path": "manifest_{{ at | date('%Y%m%d') }}.json", "body": body,
            "content_type": "application/json"}],
    });
    let mut layout = open(&spec(json), &run()).expect("good options");
    let written = |part| {
        let intent = intent(&[("c", "a/b&c")], part);
        let name = ready(layout.name_files(&[(intent.clone(), None)])).expect("a name").remove(0);
        Written { intent, name, facts: facts(), url: "file://out/x".into() }
    };
    let files: Vec<_> = [1, 2].into_iter().map(written).collect();
    assert!(ready(layout.files_written(&files)).expect("companions").is_empty());
    let artifacts = ready(layout.run_written(&files)).expect("companions");
    let [manifest] = artifacts.as_slice() else { panic!("one companion") };
    assert_eq!(
        (manifest.path.as_str(), manifest.content_type.as_str()),
        ("manifest_20170314.json", "application/json")
    );
    let told: serde_json::Value = serde_json::from_slice(&manifest.body).expect("JSON");
    assert_eq!((&told["rows"], &told["files"][1]["path"]), (&84.into(), &"a%2Fb&c/2.csv".into()));
    assert_eq!(told["files"][0]["partition"]["c"], "a/b&c");
}
