//! The contracts of `schemas/events`: each reads, and none takes back what the last release promised.
//! `RELEASE=1` writes what is released now, unless a promise is broken.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::process::repository;

/// What a column may be.
const TYPES: [&str; 7] = ["text", "integer", "number", "boolean", "timestamp", "list", "json"];

/// The contracts by `<vendor>/<name>`.
pub fn contracts() -> BTreeMap<String, Value> {
    let folder = repository().join("schemas/events");
    let below = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let vendors = below(folder.clone()).filter(|path| path.is_dir());
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&folder).unwrap().with_extension("").to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        (name, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    vendors.flat_map(below).map(read).collect()
}

fn released_file() -> PathBuf {
    repository().join("schemas/events/released.json")
}

/// What a release promises of a contract: its columns with type and `required`, in order.
fn promise(contract: &Value) -> Value {
    let column = |column: &Value| json!([column["name"], column["type"], column["required"]]);
    contract["columns"].as_array().unwrap().iter().map(column).collect()
}

/// The promises of `released` that `current` breaks, for people.
fn broken(released: &BTreeMap<String, Value>, current: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, old) in released {
        match current.get(name) {
            None => found.push(format!("`{name}` is gone")),
            Some(new) => found.extend(broken_columns(name, old.as_array().unwrap(), new.as_array().unwrap())),
        }
    }
    found
}

fn broken_columns(contract: &str, old: &[Value], new: &[Value]) -> Vec<String> {
    let named = |columns: &[Value], name: &Value| columns.iter().find(|column| column[0] == *name).cloned();
    let mut found = Vec::new();
    for (index, was) in old.iter().enumerate() {
        let name = &was[0];
        let Some(is) = named(new, name) else {
            let renamed = new.get(index).filter(|column| named(old, &column[0]).is_none() && column[1] == was[1]);
            found.push(match renamed {
                Some(column) => format!("`{contract}`: column {name} was renamed to {}", column[0]),
                None => format!("`{contract}`: column {name} is gone"),
            });
            continue;
        };
        if is[1] != was[1] {
            found.push(format!("`{contract}`: column {name} was {} and is {}", was[1], is[1]));
        }
        if is[2] != was[2] {
            found.push(format!("`{contract}`: `required` of column {name} was {} and is {}", was[2], is[2]));
        }
    }
    for column in new.iter().filter(|column| column[2] == true && named(old, &column[0]).is_none()) {
        found.push(format!("`{contract}`: new column {} is required, which no row has yet", column[0]));
    }
    found
}

/// SAIL-2: schemas grow additively; a removal or another name fails here.
#[test]
fn contracts_only_grow() {
    let current: BTreeMap<_, _> = contracts().into_iter().map(|(name, contract)| (name, promise(&contract))).collect();
    let released = std::fs::read_to_string(released_file()).unwrap_or_else(|_| "{}".to_owned());
    let released = serde_json::from_str(&released).unwrap();
    let broken = broken(&released, &current);
    assert!(broken.is_empty(), "compared with schemas/events/released.json:\n{}", broken.join("\n"));
    if std::env::var_os("RELEASE").is_some() {
        let lines = current.iter().map(|(name, promise)| format!("  {}: {promise}", json!(name)));
        let text = format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"));
        std::fs::write(released_file(), text).unwrap();
    }
}

/// SAIL-2, SAIL-5: what counts as breaking, and how it is told.
#[test]
fn each_breaking_change_is_told() {
    let contract = |columns: Value| BTreeMap::from([("acme/clicks".to_owned(), columns)]);
    let released = contract(json!([["id", "text", true], ["url", "text", false], ["count", "integer", false]]));
    let id = json!(["id", "text", true]);
    let url = json!(["url", "text", false]);
    let count = json!(["count", "integer", false]);
    for (current, told) in [
        (json!([id, url, count]), vec![]),
        (json!([id, ["place", "text", false], count, url]), vec![]), // SAIL-4: places and numbers are no promise
        (json!([id, url]), vec!["`acme/clicks`: column \"count\" is gone"]),
        (json!([id, ["link", "text", false], count]), vec!["`acme/clicks`: column \"url\" was renamed to \"link\""]),
        (
            json!([id, url, ["count", "text", false]]),
            vec!["`acme/clicks`: column \"count\" was \"integer\" and is \"text\""],
        ),
        (
            json!([["id", "text", false], url, count]),
            vec!["`acme/clicks`: `required` of column \"id\" was true and is false"],
        ),
        (
            json!([id, url, count, ["app", "text", true]]),
            vec!["`acme/clicks`: new column \"app\" is required, which no row has yet"],
        ),
    ] {
        assert_eq!(broken(&released, &contract(current.clone())), told, "{current}");
    }
    assert_eq!(broken(&released, &BTreeMap::new()), ["`acme/clicks` is gone"]);
}

#[test]
fn contracts_say_what_they_must() {
    let contracts = contracts();
    assert!(contracts.len() >= 52, "the contracts were not found");
    for (name, contract) in contracts {
        assert_eq!(contract["name"], name.split_once('/').unwrap().1, "{name}");
        let columns = contract["columns"].as_array().unwrap();
        for member in ["kind", "doc", "source"] {
            assert!(contract[member].as_str().is_some_and(|text| !text.is_empty()), "{name}: `{member}`");
        }
        for (index, column) in columns.iter().enumerate() {
            let text = |member: &str| column[member].as_str().unwrap_or_default();
            assert!(TYPES.contains(&text("type")) && column["required"].is_boolean(), "{name}: {column}");
            assert!(!text("name").is_empty() && !text("doc").is_empty(), "{name}: {column}");
            let twice = columns[..index].iter().any(|other| other["name"] == column["name"]);
            assert!(!twice, "{name}: {column} is there twice");
        }
    }
}

/// The sets that the vendors describe are all there.
#[test]
fn every_data_set_has_a_contract() {
    let contracts = contracts();
    for (vendor, names) in [
        ("simon", "data_feed"), // SIMON-20
        (
            "sailthru", // SAIL-1
            "campaign_send campaign_open campaign_click campaign_bounce campaign_unsubscribe triggered_send \
             triggered_open triggered_click triggered_bounce triggered_unsubscribe campaign template client \
             lifecycle_optimizer_flow mobile_notifications",
        ),
        (
            "actito", // ACT-22, ACT-23, ACT-24, ACT-25, ACT-26, ACT-27, ACT-28, ACT-29
            "email_sent email_not_sent email_hardbounce email_softbounce email_open email_click email_unsubscribe \
             sms_sent sms_not_sent sms_delivered sms_bounce print_ready print_not_sent print_download \
             custom_audience_ready custom_audience_not_sent custom_audience_download call_center_ready \
             call_center_not_sent call_center_download goal_webvisit goal_transaction survey_answers \
             subscription_update email_complaint email_do_not_contact",
        ),
        ("customerio", "identify group track page screen alias"), // CIO-1, CIO-15
        ("apsis", "profiles sections attributes events"),         // APSIS-17, APSIS-18, APSIS-19
    ] {
        for name in names.split_whitespace() {
            assert!(contracts.contains_key(&format!("{vendor}/{name}")), "{vendor}/{name}");
        }
    }
}
