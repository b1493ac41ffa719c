//! The layout as plain Rust; the host's tests run the same through the component.

use outflow_plugin_sdk::testing::{input, intent, open, run, written};
use serde_json::{Value, json};

use super::*;

const AT: i64 = 1_489_514_053_000; // 2017-03-14T17:54:13Z

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

fn simon(changes: Value) -> Simon {
    open(&options(changes), run(AT, "s3", "acme-feeds", "exports/simon")).expect("good options")
}

fn plan(changes: Value, columns: &[&str]) -> Output {
    simon(changes).outputs(&[input(columns)]).expect("a plan").remove(0)
}

fn codes(found: Vec<Diagnostic>) -> Vec<(String, String)> {
    found.into_iter().map(|d| (d.code, d.path)).collect()
}

#[test]
fn simon_18_19_20_22_columns_and_rows() {
    let output = plan(json!({}), &["full_name", "operation", "variant", "identifier", "city"]);
    let fields: Vec<_> = output.fields.iter().map(|f| (f.name.as_str(), f.expr.as_str())).collect();
    let expected = [
        ("identifier", "\"identifier\""), // SIMON-21: the address itself unless it is hashed
        ("timestamp", "'2017-03-14 17:54:13'"),
        ("segment_name", "'New buyers'"),
        ("flow_name", "'Welcome flow'"),
        ("action", "\"action\""),
        ("variant", "\"variant\""),
        ("operation", "\"operation\""),
        ("full_name", "\"full_name\""), // SIMON-10: contexts follow, in input order
        ("city", "\"city\""),
    ];
    assert_eq!(fields, expected);
    let expand = output.expand.expect("one row an action");
    assert_eq!(expand.elements, "make_array('data_feed', 'email_welcome', 'list_sync')");
    assert_eq!(output.when_empty, outflow_plugin_sdk::WhenEmpty::Skip); // SIMON-40
    assert_eq!(output.partition_by[0].value, "\"operation\""); // SIMON-15
    let rule: Value = serde_json::from_str(&output.extras[0].1).expect("a rule"); // SIMON-24
    assert_eq!(rule["condition"], "\"operation\" IN ('add', 'remove')");
}

/// SIMON-20: the columns are those of the published contract, which says what rows must bring.
#[test]
fn the_contract_agrees() {
    let text = include_str!("../../../schemas/events/simon/data_feed.json");
    let contract = outflow_plugin_sdk::contract::Contract::read(text);
    assert_eq!(contract.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), COLUMNS);
    assert_eq!(contract.missing(&input(&[])).collect::<Vec<_>>(), FROM_INPUT);
}

#[test]
fn simon_5_6_hashing() {
    let columns = ["identifier", "variant", "operation", "phone"];
    let exprs = |changes| {
        let output = plan(changes, &columns);
        (output.fields[0].expr.clone(), output.fields[7].expr.clone())
    };
    let hashed = exprs(json!({"hash_identity": true, "identity_columns": ["phone"]}));
    assert_eq!(hashed, ("sha256_identity(\"identifier\")".into(), "sha256_identity(\"phone\")".into()));
    let exact = exprs(json!({"hash_identity": true, "hash_normalize": false}));
    assert_eq!(exact, ("sha256_exact(\"identifier\")".into(), "\"phone\"".into()));
}

#[test]
fn options_cannot_escape_their_literal() {
    let output = plan(
        json!({"segment_name": "it's", "flow": {"id": 1, "name": "a'b", "actions": ["c'd"]}}),
        &["identifier", "variant", "operation", "odd \"name\""],
    );
    assert_eq!(output.fields[2].expr, "'it''s'");
    assert_eq!(output.fields[3].expr, "'a''b'");
    assert_eq!(output.fields[7].expr, "\"odd \"\"name\"\"\"");
    assert_eq!(output.expand.expect("rows").elements, "make_array('data_feed', 'c''d')");
}

#[test]
fn simon_9_12_13_14_16_17_names() {
    let name =
        |changes: Value| simon(changes).name_file(&intent("data_feed", &[("operation", "add")])).expect("a name").path;
    let flow = json!({"id": 47, "name": "Wel_come/flow é"});
    for (changes, expected) in [
        (json!({}), "2017/03/14/acme_welcome-flow_add_1a2b3c4d_20170314175413.csv"),
        (json!({"format": "jsonl"}), "2017/03/14/acme_welcome-flow_add_1a2b3c4d_20170314175413.jsonl"),
        (json!({"format": "tsv"}), "2017/03/14/acme_welcome-flow_add_1a2b3c4d_20170314175413.tsv"),
        (json!({"format": "tsv", "tsv_as": "csv"}), "2017/03/14/acme_welcome-flow_add_1a2b3c4d_20170314175413.csv"),
        (
            json!({"client": "../a_b", "flow": flow}),
            "2017/03/14/---a-b_wel-come-flow--_add_1a2b3c4d_20170314175413.csv",
        ),
        (json!({"flow": flow, "flow_token": "id"}), "2017/03/14/acme_47_add_1a2b3c4d_20170314175413.csv"),
    ] {
        let path = name(changes);
        assert_eq!(path, expected);
        assert_eq!(path.split('_').count(), 5, "SIMON-13: {path}");
    }
}

#[test]
fn simon_25_to_38_control_file() {
    let control = |scheme: &str, changes: Value| {
        let run = run(AT, scheme, "acme-feeds", "exports/simon x");
        let simon: Simon = open(&options(changes), run.clone()).expect("good options");
        let file = intent("data_feed", &[("operation", "remove")]);
        let name = simon.name_file(&file).expect("a name");
        let file = written(&run, file, name, 6);
        let artifacts = simon.files_written(&[file.clone(), file]).expect("control files");
        assert_eq!(artifacts.len(), 2, "SIMON-38: one for each data file");
        let artifact = &artifacts[0];
        (artifact.path.clone(), String::from_utf8(artifact.body.clone()).expect("UTF-8"))
    };
    let (path, body) = control("s3", json!({}));
    assert_eq!(path, "2017/03/14/control_acme_welcome-flow_remove_1a2b3c4d_20170314175413.json");
    // SIMON-26 to -37: one line, this order of keys, `path` as configured.
    let expected = concat!(
        r#"{"delta":true,"file_count":1,"files":[{"bucket":"acme-feeds","path":"exports/simon x","file_type":"csv","#,
        r#""file":"s3://acme-feeds/exports/simon x/2017/03/14/acme_welcome-flow_remove_1a2b3c4d_20170314175413.csv","#,
        r#""rows":6,"flow_ID":"4711","flow_name":"Welcome flow"}]}"#,
        "\n"
    );
    assert_eq!(body, expected);
    let (_, body) = control("sftp", json!({"flow": {"id": 4711, "name": "W & <f>"}, "format": "tsv"}));
    assert!(body.contains(r#""file":"sftp://acme-feeds/exports/"#), "SIMON-33: {body}");
    assert!(body.contains(r#""flow_ID":4711,"flow_name":"W & <f>""#), "SIMON-35, SIMON-36: {body}");
    assert!(body.contains(r#""file_type":"tsv""#), "SIMON-17, SIMON-32: {body}");
    let (path, body) = control("s3", json!({"url_style": "https", "control_extension": "same"}));
    assert!(path.ends_with(".csv"), "SIMON-25: {path}");
    assert!(body.contains(r#""file":"https://acme-feeds.s3.amazonaws.com/exports/simon%20x/2017/"#), "{body}");
}

#[test]
fn wrong_options() {
    for (changes, expected) in [
        (json!({"client": " "}), vec![("simon/empty", "/client")]),
        (json!({"flow": {"id": true, "name": "f"}}), vec![("simon/flow-id", "/flow/id")]),
        (json!({"flow": {"id": 1.5, "name": "f"}}), vec![("simon/flow-id", "/flow/id")]),
        (json!({"flow": {"id": "", "name": ""}}), vec![("simon/empty", "/flow/name"), ("simon/flow-id", "/flow/id")]),
        (
            json!({"flow": {"id": 1, "name": "f", "actions": ["a", "data_feed", "a"]}}),
            vec![("simon/action", "/flow/actions/1"), ("simon/action", "/flow/actions/2")],
        ),
        (json!({"identity_columns": ["phone"]}), vec![("simon/identity-columns", "/identity_columns")]),
        (json!({"url_style": "https"}), vec![("simon/url-style", "/url_style")]),
        (json!({"format": "xml"}), vec![("plugin/options", "")]), // SIMON-4
        (json!({"fromat": "csv"}), vec![("plugin/options", "")]),
    ] {
        let found = open::<Simon>(&options(changes), run(AT, "file", "out", "")).err().expect("wrong options");
        let found = codes(found);
        let found: Vec<_> = found.iter().map(|(code, path)| (code.as_str(), path.as_str())).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn simon_10_wrong_columns() {
    let found = |columns: &[&str]| simon(json!({})).outputs(&[input(columns)]).expect_err("wrong columns");
    let missing = found(&["operation"]);
    assert_eq!(missing[0].message, "the rows have no column `identifier`, `variant`");
    let clash = found(&["identifier", "variant", "operation", "action", "timestamp"]);
    let messages: Vec<_> = clash.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the rows have a column `timestamp`, which the feed fills itself",
            "the rows have a column `action`, which the feed fills itself",
        ]
    );
}
