//! The layout as plain Rust; the host's tests run the same through the component.

use outflow_plugin_sdk::contract::{ColumnType, Contract};
use outflow_plugin_sdk::testing::{input, intent, open, run};
use serde_json::{Value, json};

use super::*;

const AT: i64 = 1_714_611_600_000; // 2024-05-02T01:00:00Z
const SENT: &str = "interactionMoment;profileId;emailAddress;campaignId;campaignName;messageId";

fn actito(options: Value) -> Actito {
    open(&options, run(AT, "file", "out", "")).expect("good options")
}

fn plan(options: Value, columns: &[&str]) -> Vec<Output> {
    actito(options).outputs(&[input(columns)]).expect("a plan")
}

fn header(output: &Output) -> String {
    output.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(";")
}

fn expr<'a>(output: &'a Output, name: &str) -> &'a str {
    &output.fields.iter().find(|field| field.name == name).expect("the field").expr
}

fn rules(output: &Output, wanted: &str) -> Vec<(String, String)> {
    let read = |(_, text): &(String, String)| {
        let rule: Value = serde_json::from_str(text).expect("a rule");
        let text = |key: &str| rule[key].as_str().expect("text").to_string();
        (text("code"), text("condition"))
    };
    output.extras.iter().filter(|(key, _)| key == wanted).map(read).collect()
}

fn codes(found: Vec<Diagnostic>) -> Vec<(String, String, String)> {
    found.into_iter().map(|d| (d.code, d.path, d.message)).collect()
}

/// ACT-22, ACT-23, ACT-24, ACT-25, ACT-26, ACT-27, ACT-28, ACT-29: each flow with the contract published for it.
#[test]
fn flows_and_contracts_agree() {
    for (name, text) in flows::KNOWN {
        let contract = Contract::read(text);
        assert_eq!(contract.name, name);
        let required: Vec<_> = contract.columns.iter().filter(|c| c.required).map(|c| c.name.as_str()).collect();
        let options = json!({"flows": [name], "profile_tables": ["Customers"], "write_profile_table": true});
        let output = plan(options, &required).remove(0);
        let expected: Vec<_> = contract.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(header(&output), expected.join(";"), "{name}");
    }
    let survey = Contract::read(flows::contract("survey_answers").expect("a flow"));
    let answers = survey.columns.iter().find(|column| column.name == "answers").expect("answers");
    assert_eq!(answers.kind, ColumnType::List);
    let schema: Value = serde_json::from_str(Actito::MANIFEST).expect("JSON");
    let listed = &schema["config_schema"]["properties"]["flows"]["items"]["oneOf"][0]["enum"];
    assert_eq!(*listed, json!(flows::KNOWN.map(|(name, _)| name)));
}

/// ACT-2, ACT-3, ACT-30: one file for each enabled flow and profile table, rows or not.
#[test]
fn files_of_a_day() {
    let flows = json!(["email_sent", {"name": "email_click", "enabled": false}, {"name": "survey_vip"}]);
    let options = json!({"flows": flows, "profile_tables": ["Customers", "it's"]});
    let outputs = plan(options, &["flow", "profileTable", "interactionMoment", "profileId"]);
    let files: Vec<_> = outputs.iter().map(|output| (output.dataset.as_str(), output.filter.as_deref())).collect();
    let expected = [
        ("email_sent_Customers", Some("\"flow\" = 'email_sent' AND \"profileTable\" = 'Customers'")),
        ("email_sent_it-s", Some("\"flow\" = 'email_sent' AND \"profileTable\" = 'it''s'")),
        ("survey_vip_Customers", Some("\"flow\" = 'survey_vip' AND \"profileTable\" = 'Customers'")),
        ("survey_vip_it-s", Some("\"flow\" = 'survey_vip' AND \"profileTable\" = 'it''s'")),
    ];
    assert_eq!(files, expected);
    for output in &outputs {
        assert_eq!(output.when_empty, WhenEmpty::Write);
        let expected = [
            ("actito/flow", "\"flow\" IN ('email_sent', 'email_click', 'survey_vip')"),
            ("actito/profile-table", "\"profileTable\" IN ('Customers', 'it''s') OR \"flow\" IN ('email_click')"),
        ];
        assert_eq!(rules(output, "input-rule"), expected.map(|(code, condition)| (code.into(), condition.into())));
    }
}

/// ACT-11, ACT-12, ACT-13, ACT-14, ACT-15, ACT-16, ACT-17, ACT-18, ACT-20: the dialect and the container.
#[test]
fn dialect_and_container() {
    let options = json!({"flows": ["email_sent"], "profile_tables": ["Customers"]});
    let output = plan(options, &["interactionMoment", "profileId"]).remove(0);
    let Format::Csv(csv) = &output.format else { panic!("not CSV") };
    assert_eq!((csv.delimiter, csv.quote, csv.escape, csv.terminator.as_str()), (';', '"', '"', "\n"));
    assert_eq!((csv.encoding.as_str(), csv.bom, csv.header, csv.decimal_point), ("utf-8", false, true, '.'));
    assert_eq!(output.compression, Compression::Zip);
    assert_eq!(output.roll.max_rows.or(output.roll.max_bytes), None, "ACT-2: never several parts");
    let options = json!({"flows": ["email_sent"], "profile_tables": ["Customers"], "quote": "always"});
    let output = plan(options, &["interactionMoment", "profileId"]).remove(0);
    assert!(output.extras.contains(&("quote-mode".to_string(), "always".to_string())));
}

/// ACT-21: the date is that of the run in the pipeline's zone.
#[test]
fn names() {
    let mut at = run(AT, "file", "out", "");
    at.scheduled = Stamp { day: 3, hour: 3, offset_minutes: 120, zone: "Europe/Brussels".into(), ..at.scheduled };
    let options = json!({"flows": ["email_sent"], "profile_tables": ["Customers"]});
    let layout: Actito = open(&options, at).expect("good options");
    let name = layout.name_file(&intent("email_sent_Customers", &[])).expect("a name");
    assert_eq!(name.path, "email_sent_Customers_20240503.zip");
    assert_eq!(name.archive_entry.as_deref(), Some("email_sent_Customers_20240503.csv"));
    let second = FileIntent { part: 2, ..intent("email_sent_Customers", &[]) };
    assert!(layout.name_file(&second).is_err(), "ACT-2");
    assert_eq!(layout.files_written(&[]).expect("no companions"), []);
}

#[test]
fn columns_of_each_flow() {
    let flows = json!(["email_sent", {"name": "goal_transaction", "columns": ["basket"]}]);
    let options = json!({"flows": flows, "profile_tables": ["Customers"]});
    let columns = ["segments", "profileId", "flow", "amount", "interactionMoment", "basket"];
    let outputs = plan(options.clone(), &columns);
    assert_eq!(header(&outputs[0]), format!("{SENT};segments"));
    assert_eq!(header(&outputs[1]), format!("{SENT};goalName;goalMoment;amount;currency;basket;segments"));
    assert_eq!((expr(&outputs[1], "amount"), expr(&outputs[1], "currency")), ("\"amount\"", "CAST(NULL AS VARCHAR)"));
    // ACT-18: a number is a plain decimal; the writer makes one of binary fractions.
    let condition = "\"amount\" IS NULL OR regexp_like(\"amount\", '^(-?[0-9]+([.][0-9]+)?)?$')";
    assert_eq!(rules(&outputs[1], "rule"), [("actito/number".to_string(), condition.to_string())]);
    let mut with_table = options;
    with_table["write_profile_table"] = json!(true);
    let outputs = plan(with_table, &columns);
    assert!(header(&outputs[0]).starts_with("interactionMoment;profileTable;profileId"));
    assert_eq!(expr(&outputs[0], "profileTable"), "'Customers'");
}

/// ACT-19: several values, and what becomes of one that cannot be told from two.
#[test]
fn act_19_several_values() {
    let columns = ["interactionMoment", "profileId", "answers", "segments"];
    let of = |changes: Value| {
        let mut options = json!({"flows": ["survey_answers"], "profile_tables": ["Customers"],
            "multi_value_columns": ["segments"]});
        options.as_object_mut().expect("options").extend(changes.as_object().expect("changes").clone());
        plan(options, &columns).remove(0)
    };
    let output = of(json!({}));
    assert_eq!(expr(&output, "answers"), "list_join(\"answers\", ',')");
    assert_eq!(expr(&output, "segments"), "list_join(\"segments\", ',')");
    let expected = ["answers", "segments"].map(|c| ("actito/multi-value".into(), format!("list_fits(\"{c}\", ',')")));
    assert_eq!(rules(&output, "rule"), expected);
    let output = of(json!({"on_conflict": "replace", "replacement": "/"}));
    let replaced = "replace(replace(list_join(\"answers\", chr(31)), ',', '/'), chr(31), ',')";
    assert_eq!(expr(&output, "answers"), replaced);
    assert_eq!(rules(&output, "rule"), []);
}

#[test]
fn wrong_options() {
    let wrong = |changes: Value| {
        let mut options = json!({"flows": ["email_sent"], "profile_tables": ["Customers"]});
        options.as_object_mut().expect("options").extend(changes.as_object().expect("changes").clone());
        codes(open::<Actito>(&options, run(AT, "file", "out", "")).err().expect("wrong options")).remove(0)
    };
    for (changes, code, path) in [
        (json!({"compression": "none"}), "plugin/options", ""), // ACT-20
        (json!({"delimiter": ","}), "plugin/options", ""),      // ACT-14
        (json!({"flows": ["email_sent", "email_sent"]}), "actito/flows", "/flows/1"),
        (json!({"flows": [{"name": "email_sent", "enabled": false}]}), "actito/flows", "/flows"),
        (json!({"profile_tables": ["a b", "a-b"]}), "actito/names", "/profile_tables"),
        (json!({"replacement": " "}), "actito/replacement", "/replacement"),
        (json!({"on_conflict": "replace", "replacement": ","}), "actito/replacement", "/replacement"),
    ] {
        let found = wrong(changes.clone());
        assert_eq!((found.0.as_str(), found.1.as_str()), (code, path), "{changes}");
    }
}

#[test]
fn wrong_columns() {
    let found = |options: Value, columns: &[&str]| {
        codes(actito(options).outputs(&[input(columns)]).expect_err("wrong columns"))
    };
    let several = json!({"flows": ["email_sent", "email_open"], "profile_tables": ["Customers"]});
    let first = found(several, &["profileId", "interactionMoment"]).remove(0);
    assert_eq!(first.2, "the rows have no column `flow`, which tells where each belongs");
    let flow = json!({"name": "email_sent", "columns": ["campaignId"]});
    let options = json!({"flows": [flow], "profile_tables": ["A"], "multi_value_columns": ["tags"]});
    let messages: Vec<_> = found(options, &["profileId"]).into_iter().map(|(_, path, text)| (path, text)).collect();
    let expected = [
        ("/flows/0", "the rows have no column `interactionMoment`, which `email_sent` needs"),
        ("/flows/0/columns", "`campaignId` is a column of `email_sent` already"),
        ("/multi_value_columns/0", "the rows have no column `tags`"),
    ];
    assert_eq!(messages, expected.map(|(path, text)| (path.to_string(), text.to_string())));
}
