//! Tests of the columns once the source is known.

use crate::lint::check_columns;
use crate::{Language, LoadOptions, fill::NoLookup, load};

fn codes(transforms: &str, source: &[&str]) -> Vec<String> {
    let language = Language::new(&[]).expect("the built-in schema is one");
    let text = format!(
        "version: 1\nname: a\nsource: {{files: {{path: a.csv}}}}\ntransforms:\n{transforms}\
         layout: {{files: {{path: '{{{{ nonce }}}}', format: csv}}}}\nsink: {{local: {{path: out}}}}\n"
    );
    let mut loaded = load(&text, &LoadOptions { language: &language, lookup: &NoLookup, project: None });
    assert!(loaded.spec.is_some(), "{:?}", loaded.findings);
    let columns: Vec<String> = source.iter().map(|name| (*name).to_owned()).collect();
    let after = [(1, vec!["a".to_owned(), "p".to_owned()])].into();
    let more = check_columns(&loaded, &columns, &after);
    loaded.add(more);
    loaded.findings.iter().map(|finding| format!("{} {}", finding.code.code, finding.span.of(&text))).collect()
}

#[test]
fn columns_are_followed_through_transforms() {
    for (transforms, source, expected) in [
        ("  - hash: {columns: [a]}\n", vec!["a", "b"], vec![]),
        ("  - hash: {columns: [c]}\n", vec!["a", "b"], vec!["OF205 c"]),
        ("  - select: {columns: [a, c], on_missing: 'null'}\n  - hash: {columns: [c]}\n", vec!["a"], vec![]),
        ("  - select: {columns: [a]}\n  - hash: {columns: [b]}\n", vec!["a", "b"], vec!["OF205 b"]),
        ("  - select: {columns: [a], on_new: append}\n  - hash: {columns: [b]}\n", vec!["a", "b"], vec![]),
        ("  - sql: SELECT 1 AS z\n  - hash: {columns: [z]}\n", vec!["a"], vec![]),
        ("  - plugin: {component: a.wasm}\n  - hash: {columns: [z]}\n", vec!["a"], vec![]),
        ("  - filter: a\n  - plugin: {component: a.wasm}\n  - hash: {columns: [p, b]}\n", vec!["b"], vec!["OF205 b"]),
        ("  - derive: {c: a}\n  - hash: {columns: [c]}\n", vec!["a"], vec![]),
        ("  - contexts: {c: '{{ a[:2] }}{{ b }}'}\n", vec!["a"], vec!["OF205 b"]),
        ("  - contexts: {c: {template: '{{ b }}', on_undefined: keep}}\n", vec!["a"], vec![]),
        ("  - contexts: {c: '{% for x in a %}{{ x }}{% endfor %}'}\n", vec!["a"], vec![]),
        ("  - contexts: {a: '{{ a }}'}\n", vec!["a"], vec!["OF210 a"]),
        ("  - hash: {columns: [email]}\n", vec!["email", "phone"], vec!["OF303 files"]),
        ("  - select: {columns: [email]} # outflow: ignore[OF303] known\n", vec!["email"], vec![]),
        ("  - hash: {columns: [a]}\n  - filter: \"a = 'x'\"\n", vec!["a"], vec!["OF306 a"]),
        ("  - hash: {columns: [a]}\n  - filter: \"b = 'a'\"\n", vec!["a", "b"], vec![]),
    ] {
        assert_eq!(codes(transforms, &source), expected, "{transforms}");
    }
}
