//! The layout as plain Rust; the host's tests run the same through the component.

use outflow_plugin_sdk::testing::{input, intent, open, run};
use outflow_plugin_sdk::{Column, WhenEmpty};
use serde_json::{Value, json};

use super::*;

const AT: i64 = 1_569_888_000_000; // 2019-10-01T00:00:00Z
const CLICK: &str = "client_id,event_id,event_time,send_time,message_id,profile_id,campaign_id,list_id,signup_time,\
                     engagement,browser,user_agent,ip,ip_type,url,index,count,url_count,is_real_click,email_md5,\
                     email_sha256";

fn sailthru(options: Value) -> Sailthru {
    open(&options, run(AT, "s3", "example-bucket", "")).expect("good options")
}

fn plan(options: Value, columns: &[&str]) -> Vec<Output> {
    sailthru(options).outputs(&[input(columns)]).expect("a plan")
}

fn names(output: &Output) -> Vec<&str> {
    output.fields.iter().map(|field| field.name.as_str()).collect()
}

fn expr<'a>(output: &'a Output, name: &str) -> &'a str {
    &output.fields.iter().find(|field| field.name == name).expect("the field").expr
}

/// Code and condition of the rules of one kind.
fn rules(output: &Output, wanted: &str) -> Vec<(String, String)> {
    let read = |(_, text): &(String, String)| {
        let rule: Value = serde_json::from_str(text).expect("a rule");
        let text = |key: &str| rule[key].as_str().expect("text").to_string();
        (text("code"), text("condition"))
    };
    output.extras.iter().filter(|(key, _)| key == wanted).map(read).collect()
}

/// SAIL-1: three families, each table with the contract that is published for it.
#[test]
fn tables_and_contracts_agree() {
    for known in &tables::KNOWN {
        let contract = Contract::read(known.contract);
        assert_eq!(contract.name, known.name);
        assert_eq!(serde_json::from_value::<Kind>(json!(contract.kind)).expect("a kind"), known.kind);
        let required: Vec<_> = contract.columns.iter().filter(|c| c.required).map(|c| c.name.as_str()).collect();
        assert!(required.contains(&"client_id"), "{}", known.name);
        let output = plan(json!({"tables": [known.name]}), &required).remove(0);
        let expected: Vec<_> = contract.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names(&output), expected, "{}", known.name);
        assert_eq!(names(&output)[0], "client_id", "SAIL-21: the folder's client is also a column");
    }
    let schema: Value = serde_json::from_str(Sailthru::MANIFEST).expect("JSON");
    let listed = &schema["config_schema"]["properties"]["tables"]["items"]["oneOf"][0]["enum"];
    assert_eq!(*listed, json!(tables::KNOWN.iter().map(|known| known.name).collect::<Vec<_>>()));
}

/// SAIL-2, SAIL-3, SAIL-4: columns are found by name; new ones ride along, absent ones are empty.
#[test]
fn columns() {
    let shuffled = ["event_time", "app_version", "url", "client_id", "is_bot"];
    let output = plan(json!({"tables": ["campaign_click"]}), &shuffled).remove(0);
    assert_eq!(names(&output).join(","), format!("{CLICK},app_version,is_bot"));
    assert_eq!((expr(&output, "url"), expr(&output, "browser")), ("\"url\"", "CAST(NULL AS VARCHAR)"));
    assert_eq!(output.when_empty, WhenEmpty::Skip);
    let Format::Csv(csv) = &output.format else { panic!("not CSV") };
    assert_eq!(*csv, Csv::default(), "SAIL-21: RFC 4180 with a header");
}

/// SAIL-22, SAIL-23: ids stay what they are; times are read in both shapes and written in the vendor's.
#[test]
fn sail_22_23_ids_and_times() {
    let columns = ["client_id", "event_time", "send_time", "message_id"];
    let output = plan(json!({"tables": ["campaign_send"]}), &columns).remove(0);
    assert_eq!((expr(&output, "client_id"), expr(&output, "message_id")), ("\"client_id\"", "\"message_id\""));
    let read = "TRY_CAST(\"event_time\" AS TIMESTAMP)";
    assert_eq!(expr(&output, "event_time"), format!("to_char({read}, '%Y-%m-%dT%H:%M:%S%.3fZ')"));
    let sent = "to_char(TRY_CAST(\"send_time\" AS TIMESTAMP), '%Y-%m-%d %H:%M:%S')";
    assert_eq!(expr(&output, "send_time"), sent);
    assert_eq!(output.partition_by[0].value, format!("to_char({read}, '%Y%m%d')"), "SAIL-10");
    let rules = rules(&output, "rule");
    assert_eq!(rules[0], ("sailthru/event-time".into(), format!("{read} IS NOT NULL")));
    assert_eq!(rules[1].0, "sailthru/time");
    let zoned = Column { data_type: "Timestamp(µs, \"Europe/Brussels\")".into(), ..input(&["t"]).columns.remove(0) };
    assert!(times::instant(&zoned).contains("+00:00"));
}

/// SAIL-1: many tables of one input; each takes its rows and leaves the columns of the others.
#[test]
fn several_tables() {
    let columns = ["kind_of_row", "client_id", "event_time", "url", "subject", "campaign_id", "extra"];
    let options = json!({"tables": ["campaign_click", "campaign"], "table_column": "kind_of_row"});
    let outputs = plan(options, &columns);
    assert_eq!(names(&outputs[0]).join(","), format!("{CLICK},extra"));
    assert!(names(&outputs[1]).contains(&"subject") && !names(&outputs[1]).contains(&"event_time"));
    assert_eq!(outputs[1].filter.as_deref(), Some("\"kind_of_row\" = 'campaign'"));
    for output in &outputs {
        let expected = [
            ("sailthru/client-id".to_string(), "regexp_like(CAST(\"client_id\" AS VARCHAR), '^[0-9]+$')".to_string()),
            ("sailthru/table".to_string(), "\"kind_of_row\" IN ('campaign_click', 'campaign')".to_string()),
        ];
        assert_eq!(rules(output, "input-rule"), expected);
    }
}

/// SAIL-6, SAIL-7, SAIL-8, SAIL-9, SAIL-10, SAIL-11, SAIL-12: folders and names, and nothing beside them.
#[test]
fn names_of_files() {
    let own = json!({"name": "mobile_opens", "kind": "mobile"});
    let layout = sailthru(json!({"tables": ["campaign_click", "campaign", own]}));
    let event = [("dt", "20190926"), ("client_id", "0000")];
    for (table, partition, path) in [
        ("campaign_click", &event[..], "campaign_click/dt=20190926/client_id=0000/part-1a2b3c4d.csv"),
        ("mobile_opens", &event[..], "mobile_opens/dt=20190926/client_id=0000/part-1a2b3c4d.csv"),
        ("campaign", &event[1..], "campaign/dt=20191001/hr=00/client_id=0000/part-1a2b3c4d.csv"),
    ] {
        let name = layout.name_file(&intent(table, partition)).expect("a name");
        assert_eq!(name.path, path);
        assert_eq!(layout.files_written(&[]).expect("no companions"), [], "SAIL-12");
        assert_eq!(layout.run_written(&[]).expect("no companions"), [], "SAIL-12");
    }
}

/// SAIL-24: mobile events older than the cutoff are rejected; other late events go to the folder of their day.
#[test]
fn late_events() {
    let late = |changes: Value| {
        let mut options = json!({"tables": ["mobile_notifications", "campaign_open"]});
        options.as_object_mut().expect("options").extend(changes.as_object().expect("changes").clone());
        let outputs = plan(options, &["table", "client_id", "event_time"]);
        let late = |output: &Output| rules(output, "rule").into_iter().find(|(code, _)| code == "sailthru/late-event");
        assert_eq!(late(&outputs[1]), None, "SAIL-10");
        late(&outputs[0]).map(|(_, condition)| condition)
    };
    let since = |text: &str| Some(format!("TRY_CAST(\"event_time\" AS TIMESTAMP) >= CAST('{text}' AS TIMESTAMP)"));
    assert_eq!(late(json!({})), since("2019-09-29T00:00:00.000"));
    assert_eq!(late(json!({"late_event_cutoff": "3d"})), since("2019-09-28T00:00:00.000"));
    assert_eq!(late(json!({"late_event_cutoff": "none"})), None);
}

/// SAIL-20: no limit on what a delivery holds; parts, where they are wanted.
#[test]
fn parts() {
    let options = json!({"tables": ["campaign_open"], "max_rows": 1000});
    let roll = plan(options, &["client_id", "event_time"])[0].roll;
    assert_eq!((roll.max_rows, roll.max_bytes), (Some(1000), None));
}

#[test]
fn wrong_options() {
    for (options, message) in [
        (json!({"tables": ["campaign", "campaign"]}), "`campaign` is listed twice"),
        (json!({"tables": ["blast"]}), "the vendor has no table `blast`"),
        (
            json!({"tables": [{"name": "campaign", "kind": "event"}]}),
            "`campaign` is a table of the vendor, whose kind is known",
        ),
    ] {
        let found = open::<Sailthru>(&options, run(AT, "file", "out", "")).err().expect("wrong options");
        assert_eq!((found[0].code.as_str(), found[0].message.as_str()), ("sailthru/tables", message));
    }
    assert!(open::<Sailthru>(&json!({"tables": [], "companion": true}), run(AT, "s3", "b", "")).is_err());
}

/// SAIL-22: an id that is a floating-point number is rounded already.
#[test]
fn wrong_columns() {
    let found = |options: Value, input: Dataset| {
        let found = sailthru(options).outputs(&[input]).expect_err("wrong columns");
        found.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>()
    };
    let one = || json!({"tables": ["campaign_open"]});
    let message = "the rows have no column `client_id`, `event_time`, which `campaign_open` needs";
    assert_eq!(found(one(), input(&["url"])), [message]);
    let two = json!({"tables": ["campaign_open", "campaign_send"]});
    let message = "the rows have no column `table`, which tells where each belongs";
    assert_eq!(found(two, input(&["client_id", "event_time"])), [message]);
    let mut rounded = input(&["client_id", "event_time", "message_id"]);
    rounded.columns[1].data_type = "Int64".into();
    rounded.columns[2].data_type = "Float64".into();
    let expected =
        ["`event_time` is of type Int64, not a time", "`message_id` is a number of type Float64, which rounds ids"];
    assert_eq!(found(one(), rounded), expected);
}
