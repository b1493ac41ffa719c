//! Readers that owe nothing to outflow read what it writes: Python's csv, DuckDB, PyArrow, unzip, Java's
//! ZipInputStream and jq. One run writes the same rows in every format; each reader must find those rows again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::{Outflow, repository, run};
use crate::support::python::python;

const PIPELINE: &str = r#"
version: 1
name: readers
source:
  files: {path: in.jsonl}
layout:
  files:
    path: "{{ output }}_{{ at | date('%Y%m%d') }}.out"
    format: csv
    outputs:
      - {name: commas}
      - {name: tabs, format: tsv}
      - {name: semicolons, csv: {delimiter: ";", quote_mode: always, terminator: crlf, bom: true}}
      - {name: utf16, csv: {encoding: utf-16le, bom: true}}
      - {name: lines, format: jsonl}
      - {name: array, format: json_array}
      - {name: object, format: json_object, json: {key: id, root: people}}
      - {name: parquet, format: parquet}
sink:
  local: {path: out}
"#;

const ARCHIVE: &str = r#"
version: 1
name: archive
source:
  files: {path: in.jsonl}
layout:
  files:
    path: "feed_{{ at | date('%Y%m%d') }}.zip"
    format: csv
    compression: zip
    outputs:
      - {name: people}
      - {name: names, columns: [id, text], entry: "sub/names_{{ at | date('%d') }}.csv"}
      - {name: lines, format: jsonl}
sink:
  local: {path: out}
"#;

/// The columns as DuckDB is told of them.
const TEXTS: &str = "{id: 'VARCHAR', text: 'VARCHAR', city: 'VARCHAR'}";

/// What a reader can stumble over: quotes, delimiters, line breaks, signs beyond the first plane, zeros in front.
fn rows() -> Vec<Value> {
    let text = |id: &str, text: &str| json!({"id": id, "text": text, "city": "Liège"});
    vec![
        text("007", "He said \"x\", then\nleft; \\o/"),
        text("008", "tab\tpipe|quote'👟"),
        text("009", "  spaces kept  "),
        text("010", "NULL"),
    ]
}

fn delivered(pipeline: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    let lines: String = rows().iter().map(|row| format!("{row}\n")).collect();
    fs::write(folder.path().join("in.jsonl"), lines).unwrap();
    let arguments = ["run", "feed.yaml", "--at", "2026-03-14T09:26:53Z"];
    Outflow::in_folder(folder.path()).args(arguments).run().expect_code(0);
    let out = folder.path().join("out");
    (folder, out)
}

/// What a program prints, as JSON. A program that is not there fails the test.
fn told(command: &mut Command) -> Value {
    let outcome = run(command, Duration::from_secs(120)).expect_code(0);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.stdout))
}

fn script(script: &str, file: &Path) -> Value {
    told(python().command().arg("-c").arg(script).arg(file))
}

#[test]
fn every_format_is_read_back_by_others() {
    let (_folder, out) = delivered(PIPELINE);
    let file = |output: &str| out.join(format!("{output}_20260314.out"));
    let csv = |encoding: &str, delimiter: &str| {
        format!(
            "import csv, json, sys; f = open(sys.argv[1], newline='', encoding='{encoding}'); \
             print(json.dumps(list(csv.DictReader(f, delimiter='{delimiter}'))))"
        )
    };
    let duckdb = |read: &str| {
        let read = read.replace("FILE", "'\" + sys.argv[1] + \"'").replace("TEXTS", TEXTS);
        format!(
            "import duckdb, json, sys; c = duckdb.sql(\"SELECT * FROM {read}\"); names = [d[0] for d in c.description]; \
             print(json.dumps([dict(zip(names, row)) for row in c.fetchall()]))"
        )
    };
    let cases = [
        ("commas", csv("utf-8", ",")),
        ("tabs", csv("utf-8", "\\t")),
        ("semicolons", csv("utf-8-sig", ";")),
        ("utf16", csv("utf-16", ",")),
        ("commas", duckdb("read_csv(FILE, all_varchar=true, header=true)")),
        ("lines", duckdb("read_json(FILE, format='newline_delimited', columns=TEXTS)")),
        ("array", duckdb("read_json(FILE, format='array', columns=TEXTS)")),
        ("parquet", duckdb("read_parquet(FILE)")),
        (
            "parquet",
            "import pyarrow.parquet as m, json, sys; print(json.dumps(m.read_table(sys.argv[1]).to_pylist()))"
                .to_owned(),
        ),
        (
            "commas",
            "import pyarrow as a, pyarrow.csv as m, json, sys; t = {n: a.string() for n in ('id', 'text', 'city')}; \
             print(json.dumps(m.read_csv(sys.argv[1], parse_options=m.ParseOptions(newlines_in_values=True), \
             convert_options=m.ConvertOptions(column_types=t)).to_pylist()))"
                .to_owned(),
        ),
    ];
    for (output, text) in cases {
        assert_eq!(script(&text, &file(output)), Value::Array(rows()), "{output}: {text}");
    }
    let jq = |arguments: &[&str], output: &str| told(Command::new("jq").args(arguments).arg(file(output)));
    assert_eq!(jq(&["-s", "."], "lines"), Value::Array(rows()));
    assert_eq!(jq(&["."], "array"), Value::Array(rows()));
    let members = jq(&[".people | to_entries | map({id: .key} + .value)"], "object");
    assert_eq!(members, Value::Array(rows()), "the key names the member and is not repeated in it");
}

#[test]
fn an_archive_of_several_entries_is_read_by_others() {
    let (_folder, out) = delivered(ARCHIVE);
    let archive = out.join("feed_20260314.zip");
    run(Command::new("unzip").arg("-tq").arg(&archive), Duration::from_secs(60))
        .expect_code(0)
        .expect_stdout("No errors detected");
    let java = repository().join("tests/it/support/Entries.java");
    let entries = told(Command::new("java").arg(java).arg(&archive));
    let names: Vec<&String> = entries.as_object().unwrap().keys().collect();
    assert_eq!(names, ["people.csv", "sub/names_14.csv", "lines.jsonl"]);
    for (entry, text) in entries.as_object().unwrap() {
        let unzipped = run(Command::new("unzip").arg("-p").arg(&archive).arg(entry), Duration::from_secs(60));
        assert_eq!(Value::String(unzipped.expect_code(0).stdout), *text, "{entry}");
    }
    let lines: Vec<Value> =
        entries["lines.jsonl"].as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, rows());
    let read = "import csv, io, json, sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); \
                print(json.dumps(list(csv.DictReader(io.TextIOWrapper(z.open('people.csv'), 'utf-8', newline='')))))";
    assert_eq!(script(read, &archive), Value::Array(rows()));
}
