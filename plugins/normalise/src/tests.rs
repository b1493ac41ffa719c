//! The rules on values, and the transform over a small batch.

use outflow_plugin_sdk::columns::{Columns, Text};
use outflow_plugin_sdk::testing::{open_transform, texts};
use serde_json::json;

use super::*;

#[test]
fn spellings() {
    for (raw, gmail, expected, valid) in [
        (" Ann.Lee@Example.ORG\t", true, "ann.lee@example.org", true),
        ("A.n.n+news@GMail.com", true, "ann@gmail.com", true),
        ("a+b.c@googlemail.com", true, "a@googlemail.com", true),
        ("A.n.n+news@GMail.com", false, "a.n.n+news@gmail.com", true),
        ("ÉLISE@Exämple.be", true, "élise@exämple.be", true),
        ("no address", true, "no address", false),
        ("@gmail.com", true, "@gmail.com", false),
        ("ann@", true, "ann@", false),
        ("", true, "", false),
    ] {
        let mut out = "before|".to_string();
        assert_eq!(spelling::email(raw, gmail, &mut out), valid, "{raw}");
        assert_eq!(out, format!("before|{expected}"));
    }
    for (raw, expected, valid) in [("+32 (0)2 555.12.12", "32025551212", true), ("٣", "", false), ("", "", false)] {
        let mut out = String::new();
        assert_eq!(spelling::phone(raw, &mut out), valid, "{raw}");
        assert_eq!(out, expected);
    }
}

fn column(step: Step, index: usize) -> Vec<Option<String>> {
    let columns = Columns::new(step.batch);
    let text: Text = columns.column(index).expect("a column of text");
    text.iter().map(|text| text.map(str::to_string)).collect()
}

#[test]
fn batches() {
    let input = || texts(&[&[Some(" A@B.be"), None, Some("x")], &[Some("02 3"), Some("none"), Some("y")]]);
    let options = json!({"emails": ["mail"], "phones": ["tel"]});
    let normalise: Normalise = open_transform(&options, &["id", "mail", "tel"]).expect("good options");
    let io = normalise.io();
    assert_eq!(io.reads, io.writes);
    let step = normalise.apply(&input()).expect("an answer");
    assert!(step.rejects.is_empty());
    assert_eq!(column(step, 0), [Some("a@b.be".to_string()), None, Some("x".to_string())]);
    let step = normalise.apply(&input()).expect("an answer");
    assert_eq!(column(step, 1), ["023", "none", "y"].map(|text| Some(text.to_string())));

    let options = json!({"emails": ["mail"], "phones": ["tel"], "reject_invalid": true});
    let strict: Normalise = open_transform(&options, &["mail", "tel"]).expect("good options");
    let rejects = strict.apply(&input()).expect("an answer").rejects;
    let seen: Vec<_> = rejects.iter().map(|reject| (reject.row, reject.code.as_str())).collect();
    assert_eq!(seen, [(1, "normalise/phone"), (2, "normalise/email")]);
}

#[test]
fn options() {
    for (options, path) in [
        (json!({"emails": ["mail", "mial"]}), "/emails/1"),
        (json!({"emails": ["mail"], "phones": ["mail"]}), "/phones"),
        (json!({"mails": []}), ""),
    ] {
        let found = open_transform::<Normalise>(&options, &["mail"]).err().expect("wrong options");
        assert_eq!(found[0].path, path, "{options}");
    }
    serde_json::from_str::<serde_json::Value>(Normalise::MANIFEST).expect("the manifest is JSON");
}
