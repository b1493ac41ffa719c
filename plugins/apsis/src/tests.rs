//! The layout as plain Rust: the request and its limits, and what is asked of the host. The document itself is
//! compared by the host's tests, which run the query.

use outflow_plugin_sdk::testing::{input, intent, open, run};
use serde_json::{Value, json};

use super::*;
use crate::instant::Instant;

const AT: i64 = 1_578_441_600_000; // 2020-01-08T00:00:00Z
const SECTION: &str = "usercreated.sections.europe-r6tz73a27t";
const COLUMNS: [&str; 9] =
    ["profile", "section", "kind", "id", "value", "correlation_id", "source_event_time", "created_at", "data"];

fn request(section: Value, changes: Value) -> Value {
    let mut request = json!({"sections": [{"section": SECTION}]});
    for (key, value) in section.as_object().expect("an object") {
        request["sections"][0][key] = value.clone();
    }
    for (key, value) in changes.as_object().expect("an object") {
        request[key] = value.clone();
    }
    request
}

fn apsis(section: Value, changes: Value) -> Result<Apsis, Vec<(String, String)>> {
    let found = open(&request(section, changes), run(AT, "s3", "acme", "apsis"));
    found.map_err(|found: Vec<Diagnostic>| found.into_iter().map(|d| (d.code, d.path)).collect())
}

fn plan(section: Value, changes: Value) -> Output {
    apsis(section, changes).expect("good options").outputs(&[input(&COLUMNS)]).expect("a plan").remove(0)
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("id-{number}")).collect()
}

/// APSIS-14, APSIS-15, APSIS-17: one document, whose profiles stand below `profiles`; gzip and its name by option.
#[test]
fn one_document() {
    let output = plan(json!({"tags": ["vip"]}), json!({}));
    assert_eq!(output.format, Format::JsonObject(("profile".to_string(), Json::default())));
    assert_eq!(output.extras[0], ("json-root".to_string(), "profiles".to_string()));
    assert_eq!(output.when_empty, WhenEmpty::Write);
    let fields: Vec<_> = output.fields.iter().map(|field| (field.name.as_str(), field.json)).collect();
    assert_eq!(fields, [("profile", false), ("sections", true)]);
    for (changes, name, container) in [
        (json!({}), "test_20200108T000000Z.json", Container::None),
        (json!({"file_name": "europe", "compression": "gzip"}), "europe_20200108T000000Z.json.gz", Container::Gzip),
    ] {
        assert_eq!(plan(json!({"tags": ["vip"]}), changes.clone()).compression, container);
        let layout = apsis(json!({"tags": ["vip"]}), changes).expect("good options");
        assert_eq!(layout.name_file(&intent("profiles", &[])).expect("a name").path, name);
    }
}

/// APSIS-3, APSIS-4, APSIS-21: what is not requested is not in the query; events alone bring no profile.
#[test]
fn only_what_is_requested() {
    let query = |section: Value, changes: Value| plan(section, changes).query.expect("a query");
    let time = json!({"start_at": "2020-01-01T00:00:00Z"});
    let tags = query(json!({"tags": ["vip"]}), json!({}));
    assert!(tags.contains("kind = 'tag'") && !tags.contains("kind = 'event'"), "{tags}");
    assert!(!tags.contains("'events', json_raw"), "{tags}");
    let both = query(json!({"tags": ["vip"], "events": ["open"]}), time.clone());
    assert!(both.contains("'events', json_raw(coalesce(json_array_agg(member)"), "{both}");
    assert!(both.contains("created_at >= 1577836800000 AND created_at < 1578441600000"), "APSIS-6, APSIS-25: {both}");
    let alone = query(json!({"events": ["open"]}), time);
    assert!(alone.contains("WHERE false"), "{alone}");
    // Ids cannot leave their literal.
    let quoted = query(json!({"tags": ["it's"]}), json!({}));
    assert!(quoted.contains("IN ('it''s')"), "{quoted}");
}

/// APSIS-5, APSIS-6, APSIS-25, APSIS-27: the time of events, to the millisecond.
#[test]
fn windows() {
    let window = |changes: Value| apsis(json!({"tags": ["vip"], "events": ["open"]}), changes);
    for (start, end, passes) in [
        ("2020-01-31T12:00:00Z", "2020-04-30T12:00:00Z", true),
        ("2020-01-31T12:00:00Z", "2020-04-30T12:00:00.001Z", false),
        ("2019-11-30T00:00:00Z", "2020-02-29T00:00:00Z", true),
        ("2019-11-30T00:00:00Z", "2020-02-29T00:00:01Z", false),
        ("2020-03-01T00:00:00+01:00", "2020-06-01T00:00:00+01:00", true), // 29 February in UTC
        ("2020-10-15T00:00:00Z", "2021-01-15T00:00:00Z", true),
    ] {
        let found = window(json!({"start_at": start, "end_at": end}));
        let code = found.err().map(|found| found[0].clone());
        let expected = (!passes).then(|| ("apsis/window".to_string(), "/end_at".to_string()));
        assert_eq!(code, expected, "{start} {end}");
    }
    for (changes, path) in [
        (json!({}), "/start_at"),
        (json!({"end_at": "2020-01-01T00:00:00Z"}), "/start_at"),
        (json!({"start_at": "yesterday"}), "/start_at"),
        (json!({"start_at": "2020-02-30T00:00:00Z"}), "/start_at"),
        (json!({"start_at": "2020-01-01T00:00:00"}), "/start_at"),
        (json!({"start_at": "2020-01-01T00:00:00Z", "end_at": "2020-01-01T00:00:00Z"}), "/end_at"),
    ] {
        let found = window(changes.clone()).err().expect("a wrong window");
        assert_eq!(found, [("apsis/window".to_string(), path.to_string())], "{changes}");
    }
    let layout = window(json!({"start_at": "2020-01-01T00:00:00Z"})).expect("good options");
    let week = Window { start: 1_577_836_800_000, end: 1_577_836_800_000 + 7 * 86_400_000 };
    assert_eq!(layout.window, Some(week));
    let none = apsis(json!({"tags": ["vip"]}), json!({})).expect("good options");
    assert_eq!(none.window, None);
    let found = apsis(json!({"tags": ["vip"]}), json!({"end_at": "2020-01-01T00:00:00Z"})).err();
    assert_eq!(found.expect("no start")[0].1, "/end_at");
}

#[test]
fn instants() {
    for (text, millis) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59.999Z", Some(-1)),
        ("2020-02-29t12:34:56.7891Z", Some(1_582_979_696_789)),
        ("2017-03-14 18:54:13+01:00", Some(1_489_514_053_000)),
        ("2017-03-14T09:54:13-08:00", Some(1_489_514_053_000)),
        ("2100-02-29T00:00:00Z", None),
        ("2020-13-01T00:00:00Z", None),
        ("2020-01-01T24:00:00Z", None),
        ("2020-01-01T00:00:00+1", None),
        ("2020-01-01T00:00:00.Z", None),
        ("2020-01-01", None),
        ("２020-01-01T00:00:00Z", None),
        ("+020-01-01T00:00:00Z", None),
        ("", None),
    ] {
        assert_eq!(Instant::parse(text).map(|instant| instant.millis), millis, "{text}");
    }
}

/// APSIS-28: 75 attributes and 25 tags pass, one more does not; sections count together.
#[test]
fn limits() {
    let good = apsis(json!({"attributes": ids(75), "tags": ids(100)[75..]}), json!({}));
    assert!(good.is_ok(), "{:?}", good.err());
    for wrong in [json!({"attributes": ids(76)}), json!({"tags": ids(26)})] {
        let found = apsis(wrong, json!({})).err().expect("too many");
        assert_eq!(found, [("apsis/limit".to_string(), "/sections".to_string())]);
    }
    let two = json!({"sections": [
        {"section": "a", "attributes": ids(38)}, {"section": "b", "attributes": ids(38)},
    ]});
    assert_eq!(apsis(json!({}), two).err().expect("too many")[0].0, "apsis/limit");
}

#[test]
fn wrong_options() {
    for (section, changes, code, path) in [
        (json!({}), json!({}), "apsis/sections", "/sections"),
        (json!({"topics": ["news"]}), json!({}), "apsis/sections", "/sections"),
        (json!({"tags": ["a", "a"]}), json!({}), "apsis/twice", "/sections/0/tags/1"),
        (json!({"attributes": ["a"], "tags": ["a"]}), json!({}), "apsis/twice", "/sections/0/tags/0"),
        (json!({"attributes": [{"id": "", "type": "text"}]}), json!({}), "apsis/empty", "/sections/0/attributes/0"),
        (json!({"section": "", "tags": ["a"]}), json!({}), "apsis/empty", "/sections/0/section"),
        (json!({"tags": ["a"]}), json!({"file_name": ""}), "apsis/empty", "/file_name"),
        (json!({"tags": ["a"]}), json!({"compression": "zip"}), "plugin/options", ""),
        (json!({"attributes": [{"id": "a", "type": "date"}]}), json!({}), "plugin/options", ""),
        (json!({"attribute": ["a"]}), json!({}), "plugin/options", ""),
    ] {
        let found = apsis(section.clone(), changes).err().expect("wrong options");
        assert_eq!(found, [(code.to_string(), path.to_string())], "{section}");
    }
    let twice = json!({"sections": [{"section": "a", "tags": ["x"]}, {"section": "a", "tags": ["x"]}]});
    let found = apsis(json!({}), twice).err().expect("a section twice");
    assert_eq!(found, [("apsis/twice".to_string(), "/sections/1/section".to_string())]);
}

#[test]
fn wrong_columns() {
    let missing = |section: Value, columns: &[&str]| {
        let layout = apsis(section, json!({"start_at": "2020-01-01T00:00:00Z"})).expect("good options");
        layout.outputs(&[input(columns)]).err().map(|found| found[0].message.clone())
    };
    assert_eq!(missing(json!({"tags": ["a"]}), &COLUMNS[..4]), None);
    let message = "the rows have no column `value`";
    assert_eq!(missing(json!({"attributes": ["a"]}), &COLUMNS[..4]).as_deref(), Some(message));
    let message = "the rows have no column `id`, `created_at`";
    assert_eq!(missing(json!({"tags": ["a"], "events": ["e"]}), &COLUMNS[..3]).as_deref(), Some(message));
}

/// Rows that the document could not hold are rejected; what is checked follows from the request.
#[test]
fn rules() {
    let codes = |section: Value, changes: Value| -> Vec<String> {
        let extras = plan(section, changes).extras;
        let rules = extras.iter().filter(|(key, _)| key == "input-rule");
        let code = |(_, text): &(String, String)| {
            let rule: Value = serde_json::from_str(text).expect("a rule");
            rule["code"].as_str().expect("a code").to_string()
        };
        rules.map(code).collect()
    };
    assert_eq!(codes(json!({"attributes": ["a"]}), json!({})), ["apsis/key", "apsis/kind"]);
    let typed = json!({"attributes": [{"id": "n", "type": "number"}, {"id": "b", "type": "boolean"}]});
    assert_eq!(codes(typed, json!({})), ["apsis/key", "apsis/kind", "apsis/number", "apsis/boolean"]);
    let events = codes(json!({"tags": ["a"], "events": ["e"]}), json!({"start_at": "2020-01-01T00:00:00Z"}));
    assert_eq!(events, ["apsis/key", "apsis/kind", "apsis/created-at", "apsis/source-event-time", "apsis/data"]);
}
