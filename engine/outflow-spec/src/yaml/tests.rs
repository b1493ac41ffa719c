//! Tests of the reading of YAML.

use serde_json::json;

use crate::text::position;
use crate::yaml::{MAX_BYTES, MAX_DEPTH, parse};

#[test]
fn scalars_follow_the_core_schema_and_lose_no_digit() {
    for (written, value) in [
        ("no", json!("no")),
        ("017", json!("017")),
        ("1_000", json!("1_000")),
        ("1e5x", json!("1e5x")),
        ("2026-01-01", json!("2026-01-01")),
        (".inf", json!(".inf")),
        ("0o17", json!(15)),
        ("0xFF", json!(255)),
        ("-12", json!(-12)),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ("1.50", json!(1.5)),
        ("1e3", json!(1000.0)),
        (".5", json!(0.5)),
        (".", json!(".")),
        ("e5", json!("e5")),
        ("true", json!(true)),
        ("~", json!(null)),
        ("\"22\"", json!("22")),
        ("'null'", json!("null")),
    ] {
        let document = parse(&format!("key: {written}\n"));
        assert!(document.findings.is_empty(), "{written}: {:?}", document.findings);
        assert_eq!(document.root.expect("a mapping").to_value()["key"], value, "{written}");
    }
}

#[test]
fn every_key_and_value_knows_its_place() {
    let text = "a:\n  - été: [x, 'y z']\n    b:   plain text   # note\nc: |\n  block\n";
    let document = parse(text);
    let places = document.root.expect("a mapping").places();
    let value = |pointer: &str| places[pointer].value.of(text);
    assert_eq!(value("/a/0/été/1"), "'y z'");
    assert_eq!(value("/a/0/b"), "plain text");
    assert_eq!(value("/a/0/été"), "[x, 'y z']");
    assert_eq!(places["/a/0/b"].key.expect("a key").of(text), "b");
    let at = position(text, places["/a/0/été/0"].value.start);
    assert_eq!((at.line, at.column), (2, 11), "columns count characters");
    assert_eq!(document.comments.len(), 1);
    assert_eq!(document.comments[0].of(text), "# note");
}

#[test]
fn all_findings_come_at_once() {
    let document = parse("a: &x 1\na: 2\nb: *x\nc: !!str 3\n<<: {}\n");
    let codes: Vec<&str> = document.findings.iter().map(|finding| finding.code.code).collect();
    assert_eq!(codes, ["OF003", "OF002", "OF003", "OF004", "OF005"]);
}

#[test]
fn hostile_input_ends_in_a_finding() {
    let deep = "[".repeat(100_000);
    let wide = "a: b\n".repeat(300_000);
    for text in [
        "",
        "\u{feff}",
        "\0",
        "a: \"\\x",
        "- - - -\n:",
        "{",
        "? ",
        "%YAML 9.9\n",
        "*",
        "&",
        "!",
        "|",
        deep.as_str(),
        wide.as_str(),
    ] {
        let document = parse(text);
        assert!(document.root.is_some() || !document.findings.is_empty(), "{:?}", text.get(..10));
    }
}

/// Limits hold at their edge: what is just small enough is read, one more is not.
#[test]
fn limits() {
    let nested = |depth: usize| format!("a: {}{}\n", "[".repeat(depth), "]".repeat(depth));
    let long = |bytes: usize| format!("a: b\n{}", "#".repeat(bytes - 5));
    let laughs: String = (0..40).map(|n| format!("k{}: &a{n} [*a{}, *a{}]\n", n, n.max(1) - 1, n.max(1) - 1)).collect();
    for (text, code) in [
        // The mapping is a level too.
        (nested(MAX_DEPTH - 1), None),
        (nested(MAX_DEPTH), Some("OF007")),
        (long(MAX_BYTES), None),
        (long(MAX_BYTES + 1), Some("OF006")),
        (laughs, Some("OF003")),
    ] {
        let document = parse(&text);
        let found = document.findings.first().map(|finding| finding.code.code);
        assert_eq!(found, code, "{:?}", text.get(..40));
    }
}
