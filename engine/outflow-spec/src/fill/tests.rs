//! Tests of the filling of `${…}`.

use crate::fill::{Lookup, fill};
use crate::yaml::parse;

struct Table;

impl Lookup for Table {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            "YAML" => Some("{a: [1]}".to_owned()),
            _ => None,
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        match path {
            "key" => Ok("line\r\n".to_owned()),
            _ => Err("no such file".to_owned()),
        }
    }

    fn param(&self, name: &str) -> Option<String> {
        (name == "day-1").then(|| "monday".to_owned())
    }
}

#[test]
fn placeholders_are_filled() {
    for (written, filled) in [
        ("${env:SET}", "value"),
        ("a${env:SET}b${param:day-1}", "avaluebmonday"),
        ("${file:key}", "line"),
        ("${env:NONE:-other}", "other"),
        ("${env:NONE:-}", ""),
        ("${env:EMPTY:-other}", "other"),
        ("${env:EMPTY}", ""),
        ("${env:SET:-other}", "value"),
        ("${env:SET:?why}", "value"),
        ("${env:NONE:-a:?b}", "a:?b"),
        ("${env:YAML}", "{a: [1]}"),
        ("$${env:SET}", "${env:SET}"),
        ("{{ x }} ${env:SET}", "{{ x }} value"),
    ] {
        let text = format!("key: '{written}'\n");
        let mut root = parse(&text).root.expect("a mapping");
        let result = fill(&mut root, &text, &Table);
        assert!(result.findings.is_empty(), "{written}");
        assert_eq!(root.to_value()["key"], filled, "{written}");
    }
}

#[test]
fn what_cannot_be_filled_is_under_the_caret() {
    for (written, code, caret, says) in [
        ("x ${env:NONE} y", "OF201", "${env:NONE}", "environment variable `NONE` is not set"),
        ("${env:NONE:?set it}", "OF201", "${env:NONE:?set it}", "`NONE` is not set"),
        ("${env:EMPTY:?set it}", "OF201", "${env:EMPTY:?set it}", "`EMPTY` is empty"),
        ("${file:gone}", "OF201", "${file:gone}", "file `gone` cannot be read: no such file"),
        ("${env:SET} ${param:no}", "OF201", "${param:no}", "parameter `no` is not given"),
        ("${env:SET", "OF202", "${env:SET", "closing"),
        ("${env:}", "OF202", "${env:}", "names nothing"),
        ("${env:1A}", "OF202", "${env:1A}", "character"),
        ("${env:A:-${env:B}}", "OF202", "${env:A:-${env:B}", "inside"),
        ("${HOME}", "OF203", "${HOME}", "no place"),
    ] {
        let text = format!("key: \"{written}\"\n");
        let mut root = parse(&text).root.expect("a mapping");
        let result = fill(&mut root, &text, &Table);
        assert_eq!(result.findings.len(), 1, "{written}");
        let finding = &result.findings[0];
        assert_eq!((finding.code.code, finding.span.of(&text)), (code, caret), "{written}");
        assert!(finding.message.contains(says), "{written}: {}", finding.message);
    }
}
