//! The layout as plain Rust: what each type of call is made of, and how its files are called.

use outflow_plugin_sdk::testing::{input, intent, open, run};
use outflow_plugin_sdk::{Field, WhenEmpty};
use serde_json::{Value, json};

use super::*;

const AT: i64 = 1_449_720_600_000; // 2015-12-10T04:10:00Z

/// The fields of a call as the API names them.
const CALL: [&str; 18] = [
    "type",
    "messageId",
    "anonymousId",
    "userId",
    "context",
    "originalTimestamp",
    "sentAt",
    "receivedAt",
    "timestamp",
    "traits",
    "groupId",
    "event",
    "properties",
    "name",
    "category",
    "previousId",
    "integrations",
    "version",
];

fn options(changes: Value) -> Value {
    let mut options = json!({"integration_id": 2184, "action_id": "13699", "format": "json"});
    for (key, value) in changes.as_object().expect("an object") {
        options[key] = value.clone();
    }
    options
}

fn customerio(changes: Value) -> Customerio {
    open(&options(changes), run(AT, "s3", "acme-cdp", "calls")).expect("good options")
}

fn plan(changes: Value, columns: &[&str]) -> Vec<Output> {
    customerio(changes).outputs(&[input(columns)]).expect("a plan")
}

fn file(dataset: &str, counter: &str, position: u64) -> FileIntent {
    let mut file = intent(dataset, &[]);
    file.counters = vec![("other".to_string(), 77), (counter.to_string(), position)];
    file
}

fn name(layout: &Customerio, call: &str, position: u64) -> String {
    layout.name_file(&file(call, &layout.counter(), position)).expect("a name").path
}

/// CIO-1, CIO-4, CIO-10, CIO-23, CIO-24: six outputs, each with the calls of its type, and none without any.
#[test]
fn one_output_a_type() {
    let outputs = plan(json!({}), &CALL);
    let taken: Vec<_> = outputs.iter().map(|o| (o.dataset.as_str(), o.filter.as_deref().unwrap_or_default())).collect();
    let expected = [
        ("identify", "\"type\" = 'identify'"),
        ("group", "\"type\" = 'group'"),
        ("track", "\"type\" = 'track'"),
        ("page", "\"type\" = 'page'"),
        ("screen", "\"type\" = 'screen'"),
        ("alias", "\"type\" = 'alias'"),
    ];
    assert_eq!(taken, expected);
    let rule = "\"type\" IN ('identify', 'group', 'track', 'page', 'screen', 'alias')";
    for output in &outputs {
        assert_eq!(output.when_empty, WhenEmpty::Skip);
        assert!(!output.pass_through && output.partition_by.is_empty() && output.order_by.is_empty());
        let (key, text) = &output.extras[0];
        let kept: Value = serde_json::from_str(text).expect("a rule");
        assert_eq!((key.as_str(), kept["condition"].as_str()), ("input-rule", Some(rule)));
        assert_eq!(kept["code"], "customerio/type");
    }
    // A type that is left out is still a type: its calls are not rejected.
    let some = plan(json!({"types": ["track", "identify"]}), &CALL);
    assert_eq!(some.iter().map(|o| o.dataset.as_str()).collect::<Vec<_>>(), ["identify", "track"]);
    assert_eq!(some[0].extras, outputs[0].extras);
}

/// CIO-13, CIO-15, CIO-16, CIO-17, CIO-18, CIO-19, CIO-20: columns in order, snake case; objects are JSON fields.
#[test]
fn columns_of_each_type() {
    let common = "id,anonymous_id,user_id,{context},original_timestamp,sent_at,received_at,timestamp";
    let alias = common.replace("anonymous_id,", "");
    for (output, own) in plan(json!({}), &CALL).iter().zip([
        "{traits}",
        "group_id,{traits}",
        "event,event_text,{properties}",
        "name,category,{properties}",
        "name,{properties}",
        "previous_id",
    ]) {
        let shown = |field: &Field| if field.json { format!("{{{}}}", field.name) } else { field.name.clone() };
        let fields = output.fields.iter().map(shown).collect::<Vec<_>>().join(",");
        let common = if output.dataset == "alias" { &alias } else { common };
        assert_eq!(fields, format!("{common},{own}"), "{}", output.dataset);
    }
}

/// What the columns are computed from, in either spelling; what the rows lack is null, what is beyond is not taken.
#[test]
fn columns_are_found_by_name() {
    let exprs = |columns: &[&str], call: usize| -> Vec<(String, String)> {
        plan(json!({}), columns).remove(call).fields.into_iter().map(|f| (f.name, f.expr)).collect()
    };
    let is = |found: &[(String, String)], name: &str, expr: &str| {
        let found = found.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no `{name}`"));
        assert_eq!(found.1, expr, "{name}");
    };
    let camel = exprs(&CALL, 2);
    is(&camel, "id", "\"messageId\" || ''");
    is(&camel, "user_id", "\"userId\" || ''");
    is(&camel, "received_at", "\"receivedAt\"");
    is(&camel, "event", "snake_case(\"event\" || '')");
    is(&camel, "event_text", "\"event\" || ''");
    is(&camel, "properties", "json_raw(\"properties\")");
    let snake = ["type", "id", "user_id", "received_at", "event", "event_text", "new_upstream"];
    let snake = exprs(&snake, 2);
    is(&snake, "id", "\"id\" || ''");
    is(&snake, "event", "snake_case(coalesce(\"event_text\", \"event\") || '')");
    is(&snake, "event_text", "coalesce(\"event_text\", \"event\") || ''");
    is(&snake, "anonymous_id", "CAST(NULL AS VARCHAR)");
    is(&snake, "properties", "CAST(NULL AS VARCHAR)");
    assert_eq!(snake.len(), camel.len(), "a new column upstream changes nothing");
    is(
        &exprs(&["type", "messageId", "id", "message_id"], 0),
        "id",
        "coalesce(\"messageId\", \"message_id\", \"id\") || ''",
    );
}

/// CIO-7, CIO-10, CIO-11, CIO-2: the vendor's example, and the other formats.
#[test]
fn names() {
    assert_eq!(name(&customerio(json!({})), "track", 1), "2184.13699.1.track.json");
    assert_eq!(name(&customerio(json!({"format": "csv"})), "identify", 12), "2184.13699.12.identify.csv");
    assert_eq!(name(&customerio(json!({"format": "parquet"})), "alias", 3), "2184.13699.3.alias.parquet");
    // CIO-25: the older names, whose types are plural.
    let older = customerio(json!({"naming": "v1", "workspace": "production", "format": "csv"}));
    assert_eq!(name(&older, "track", 1), "production_tracks_1.csv");
    assert_eq!(name(&older, "identify", 1), "production_identifies_1.csv");
    assert_eq!(name(&older, "alias", 2), "production_aliases_2.csv");
    let layout = customerio(json!({}));
    let error = layout.name_file(&intent("track", &[])).expect_err("no counter");
    assert_eq!(error, "the file has no counter `2184.13699`");
    assert_eq!(layout.name_file(&file("tracks", "2184.13699", 1)).expect_err("no type"), "`tracks` is no type of call");
}

/// CIO-5, CIO-9: one number from 1 for all files of a sync; who shares it is an option.
#[test]
fn counters() {
    for (changes, expected) in [(json!({}), "2184.13699"), (json!({"counter_scope": "integration"}), "2184")] {
        for output in plan(changes, &CALL) {
            let counter =
                Counter { name: expected.to_string(), scope: outflow_plugin_sdk::CounterScope::Run, first: 1 };
            assert_eq!(output.counters, [counter]);
        }
    }
}

/// CIO-8: ids that are not pinned are the same in every run, and tell targets and pipelines apart.
#[test]
fn ids_are_stable() {
    let ids = |pipeline: &str, bucket: &str, run_id: &str| {
        let mut run = run(AT, "s3", bucket, "calls");
        (run.pipeline, run.run_id) = (pipeline.to_string(), run_id.to_string());
        let layout: Customerio = open(&json!({"format": "json"}), run).expect("good options");
        (layout.ids.integration, layout.ids.action)
    };
    let (integration, action) = ids("calls", "acme", "preview");
    assert_eq!(ids("calls", "acme", "0193"), (integration.clone(), action.clone()));
    assert_eq!((integration.as_str(), action.as_str()), ("5635910218", "9403030167"));
    let (same, other) = ids("more-calls", "acme", "0193");
    assert_eq!(same, integration, "two pipelines to one place are actions of one integration");
    assert_ne!(other, action);
    let (other, another) = ids("calls", "acme-2", "0193");
    assert!(other != integration && another != action);
    for id in [other, another] {
        assert!(id.len() == 10 && id.chars().all(|c| c.is_ascii_digit()), "{id}");
    }
}

/// CIO-2, CIO-14, CIO-22: the formats and their options.
#[test]
fn formats() {
    let format = |changes: Value| plan(changes, &CALL).remove(2).format;
    let media = |changes: Value| {
        let layout = customerio(changes);
        layout.name_file(&file("track", &layout.counter(), 1)).expect("a name").content_type.expect("a type")
    };
    assert_eq!(format(json!({})), Format::JsonLines(Json::default()));
    assert_eq!(media(json!({})), "application/x-ndjson");
    assert_eq!(format(json!({"json": "array"})), Format::JsonArray(Json::default()));
    assert_eq!(media(json!({"json": "array"})), "application/json");
    assert_eq!(format(json!({"format": "csv"})), Format::Csv(Csv::default()));
    assert_eq!(media(json!({"format": "csv"})), "text/csv");
    let Format::Csv(csv) = format(json!({"format": "csv", "escape": "backslash"})) else { panic!("not CSV") };
    assert_eq!((csv.escape, csv.quote), ('\\', '"'));
    assert_eq!(format(json!({"format": "parquet"})), Format::Parquet(Vec::new()));
    assert_eq!(media(json!({"format": "parquet"})), "application/vnd.apache.parquet");
}

#[test]
fn wrong_options() {
    for (changes, expected) in [
        (
            json!({"integration_id": "a.b", "action_id": ""}),
            vec![("customerio/id", "/integration_id"), ("customerio/id", "/action_id")],
        ),
        (json!({"format": "csv", "json": "array"}), vec![("customerio/json", "/json")]),
        (json!({"escape": "backslash"}), vec![("customerio/escape", "/escape")]),
        (json!({"workspace": "production"}), vec![("customerio/workspace", "/workspace")]),
        (json!({"naming": "v1"}), vec![("customerio/workspace", "/workspace")]),
        (json!({"naming": "v1", "workspace": "../x"}), vec![("customerio/workspace", "/workspace")]),
        (json!({"types": []}), vec![("customerio/types", "/types")]),
        (json!({"types": ["tracks"]}), vec![("plugin/options", "")]), // CIO-10
        (json!({"format": "avro"}), vec![("plugin/options", "")]),    // CIO-2
        (json!({"action_id": -1}), vec![("plugin/options", "")]),
    ] {
        let found = open::<Customerio>(&options(changes), run(AT, "file", "out", "")).err().expect("wrong options");
        let found: Vec<_> = found.iter().map(|d| (d.code.as_str(), d.path.as_str())).collect();
        assert_eq!(found, expected);
    }
    let found = customerio(json!({})).outputs(&[input(&["messageId"])]).expect_err("no type");
    assert_eq!(found[0].message, "the rows have no column `type`");
}

/// CIO-15: the contracts promise the very columns that are written.
#[test]
fn contracts_have_these_columns() {
    let contracts = [
        include_str!("../../../schemas/events/customerio/identify.json"),
        include_str!("../../../schemas/events/customerio/group.json"),
        include_str!("../../../schemas/events/customerio/track.json"),
        include_str!("../../../schemas/events/customerio/page.json"),
        include_str!("../../../schemas/events/customerio/screen.json"),
        include_str!("../../../schemas/events/customerio/alias.json"),
    ];
    for (output, contract) in plan(json!({}), &CALL).iter().zip(contracts) {
        let contract: Value = serde_json::from_str(contract).expect("a contract");
        assert_eq!(contract["name"], output.dataset.as_str());
        let columns = contract["columns"].as_array().expect("columns");
        let promised: Vec<_> = columns.iter().map(|c| (c["name"].as_str(), c["type"] == "json")).collect();
        let written: Vec<_> = output.fields.iter().map(|f| (Some(f.name.as_str()), f.json)).collect();
        assert_eq!(promised, written);
    }
}
