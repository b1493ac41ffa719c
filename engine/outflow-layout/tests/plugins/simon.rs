//! The `simon` plugin as the engine meets it: its manifest, its plan, its names and control files.

use std::fs;

use outflow_formats::format::Format;
use outflow_layout::builtin;
use outflow_layout::layout::{Layout, LayoutError};
use serde_json::{Value, json};

use crate::*;

fn options(changes: Value) -> Value {
    let mut options = json!({
        "client": "acme", "segment_name": "New buyers", "format": "csv",
        "flow": {"id": "4711", "name": "Welcome flow", "actions": ["email_welcome", "list_sync"]},
    });
    for (key, value) in changes.as_object().expect("an object") {
        options[key] = value.clone();
    }
    options
}

async fn open(changes: Value) -> Result<Box<dyn Layout>, LayoutError> {
    let plugin = HOST.load("simon", builtin::component("simon").expect("built in"))?;
    Ok(Box::new(plugin.open(&options(changes), &run("s3")).await?))
}

const COLUMNS: [&str; 5] = ["_outflow_row", "identifier", "full_name", "variant", "operation"];

#[test]
fn manifest_is_what_the_component_says() {
    let plugin = HOST.load("simon", builtin::component("simon").expect("built in")).expect("it loads");
    let described = wait(plugin.describe()).expect("a manifest");
    let manifest = builtin::manifests().iter().find(|manifest| manifest.name == "simon").expect("built in");
    assert_eq!(format!("{described:?}"), format!("{manifest:?}"));
    assert_eq!(manifest.name, "simon");
    // SIMON-4: the format must be chosen, out of three.
    let schema = &manifest.config_schema;
    assert_eq!(schema["properties"]["format"]["enum"], json!(["csv", "tsv", "jsonl"]));
    assert!(schema["required"].as_array().expect("required").contains(&json!("format")));
    for (name, option) in schema["properties"].as_object().expect("properties") {
        assert!(option["description"].is_string(), "`{name}` has no description");
    }
}

/// Path and control file of the golden delivery, byte for byte: SIMON-9, SIMON-11, SIMON-12, SIMON-13, SIMON-14,
/// SIMON-16, SIMON-25, SIMON-26, SIMON-27, SIMON-28, SIMON-29, SIMON-30, SIMON-31, SIMON-32, SIMON-33, SIMON-34,
/// SIMON-35, SIMON-36, SIMON-37.
#[test]
fn golden() {
    let golden =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/golden/simon/exports/simon");
    let data = "2017/03/14/acme_welcome-flow_add_1a2b3c4d_20170314175413.csv";
    let control = "2017/03/14/control_acme_welcome-flow_add_1a2b3c4d_20170314175413.json";
    let rows = fs::read_to_string(golden.join(data)).expect("the golden data file").lines().count() - 1;
    wait(async {
        let mut simon = open(json!({})).await.expect("good options");
        let name = simon.name_files(&[(intent("add", 1), None)]).await.expect("a name").remove(0);
        assert_eq!(name.path, data);
        let file = written(&run("s3"), intent("add", 1), name, rows as u64);
        let artifacts = simon.files_written(&[file]).await.expect("a control file");
        assert_eq!(artifacts.len(), 1);
        assert_eq!(artifacts[0].path, control);
        assert_eq!(artifacts[0].body, fs::read(golden.join(control)).expect("the golden control file"));
    });
}

/// What the engine is told to select, split, reject and leave unwritten: SIMON-5, SIMON-6, SIMON-10, SIMON-15,
/// SIMON-18, SIMON-19, SIMON-20, SIMON-22, SIMON-23, SIMON-24, SIMON-40.
#[test]
fn plan() {
    wait(async {
        let mut simon = open(json!({"hash_identity": true})).await.expect("good options");
        let output = simon.outputs(&[input(&COLUMNS)]).await.expect("a plan").remove(0);
        let fields: Vec<_> = output.fields.iter().map(|f| (f.name.as_str(), f.expr.as_str())).collect();
        let expected = [
            ("identifier", "sha256_identity(\"identifier\")"),
            ("timestamp", "'2017-03-14 17:54:13'"),
            ("segment_name", "'New buyers'"),
            ("flow_name", "'Welcome flow'"),
            ("action", "\"action\""),
            ("variant", "\"variant\""),
            ("operation", "\"operation\""),
            ("full_name", "\"full_name\""),
        ];
        assert_eq!(fields, expected);
        let expand = output.expand.expect("a row an action");
        assert_eq!(expand.elements, "make_array('data_feed', 'email_welcome', 'list_sync')");
        assert_eq!(output.rules[0].condition, "\"operation\" IN ('add', 'remove')");
        assert_eq!(output.rules[0].code, "simon/operation");
        assert_eq!(output.partition_by[0].value, "\"operation\"");
        assert!(!output.write_when_empty && !output.name_after && !output.pass_through);
        // SIMON-23: null is the empty cell, and an empty text is quoted.
        let Format::Csv(dialect) = output.format else { panic!("not CSV") };
        assert_eq!((dialect.delimiter, dialect.null_text.as_str()), (b',', ""));
    });
}

/// SIMON-17, SIMON-32: what each format makes of the name and the control file; SIMON-38: one control file each.
#[test]
fn formats() {
    for (changes, extension, file_type) in [
        (json!({"format": "jsonl"}), "jsonl", "jsonl"),
        (json!({"format": "tsv"}), "tsv", "tsv"),
        (json!({"format": "tsv", "tsv_as": "csv"}), "csv", "csv"),
    ] {
        wait(async {
            let mut simon = open(changes).await.expect("good options");
            let intents = [(intent("add", 1), None), (intent("remove", 1), None)];
            let names = simon.name_files(&intents).await.expect("names");
            assert!(names.iter().all(|name| name.path.ends_with(&format!(".{extension}"))), "{names:?}");
            let named = intents.into_iter().zip(names);
            let files: Vec<_> = named.map(|((intent, _), name)| written(&run("s3"), intent, name, 1)).collect();
            let artifacts = simon.files_written(&files).await.expect("control files");
            assert_eq!(artifacts.len(), 2);
            for artifact in artifacts {
                let control: Value = serde_json::from_slice(&artifact.body).expect("JSON");
                assert_eq!(control["files"][0]["file_type"], file_type);
            }
        });
    }
}

/// SIMON-1, SIMON-30, SIMON-31, SIMON-33: the target as configured, and a URL for each kind of sink.
#[test]
fn urls() {
    for (scheme, start) in
        [("s3", "s3://acme-feeds/exports/"), ("sftp", "sftp://acme-feeds/exports/"), ("file", "file://")]
    {
        wait(async {
            let plugin = HOST.load("simon", builtin::component("simon").expect("built in")).expect("it loads");
            let mut simon = plugin.open(&options(json!({})), &run(scheme)).await.expect("good options");
            let name = simon.name_files(&[(intent("add", 1), None)]).await.expect("a name").remove(0);
            let file = written(&run(scheme), intent("add", 1), name, 3);
            let artifact = simon.files_written(&[file]).await.expect("a control file").remove(0);
            let control: Value = serde_json::from_slice(&artifact.body).expect("JSON");
            let file = &control["files"][0];
            assert!(file["file"].as_str().is_some_and(|url| url.starts_with(start)), "{file}");
            assert_eq!((&file["bucket"], &file["path"]), (&json!("acme-feeds"), &json!("exports/simon")));
        });
    }
}

#[test]
fn wrong_options_and_columns() {
    let refused = wait(open(json!({"client": " "}))).err().expect("wrong options");
    let LayoutError::Options(found) = refused else { panic!("{refused}") };
    assert_eq!((found[0].code.as_str(), found[0].path.as_str()), ("simon/empty", "/client"));
    wait(async {
        let mut simon = open(json!({})).await.expect("good options");
        // SIMON-10: names that the feed fills itself, and names that it needs.
        let refused = simon.outputs(&[input(&["identifier", "timestamp"])]).await.expect_err("wrong columns");
        let text = refused.to_string();
        assert!(text.contains("no column `variant`, `operation`") && text.contains("a column `timestamp`"), "{text}");
        assert!(simon.outputs(&[input(&COLUMNS)]).await.is_ok(), "the same instance answers the next call");
    });
}

#[test]
fn through_the_shared_host() {
    wait(async {
        let mut simon = builtin::open("simon", &options(json!({})), &run("s3")).await.expect("good options");
        assert!(simon.outputs(&[input(&COLUMNS)]).await.is_ok());
        let unknown = builtin::open("simom", &json!({}), &run("s3")).await.err().expect("no such plugin");
        let unknown = unknown.to_string();
        assert!(unknown.starts_with("plugin/unknown: there is no built-in plugin `simom`; there is "), "{unknown}");
        assert!(unknown.contains("`simon`"), "{unknown}");
    });
}
