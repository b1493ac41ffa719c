//! A pipeline file: loading ends in findings that every renderer can show, and what YAML means as JSON it means again.

use std::sync::LazyLock;

use outflow_spec::fill::NoLookup;
use outflow_spec::render::{self, Report};
use outflow_spec::{Language, LoadOptions, load, yaml};

static LANGUAGE: LazyLock<Language> = LazyLock::new(|| Language::new(&[]).expect("no layout, no schema to be wrong"));

/// Loads the bytes as a pipeline file.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let loaded = load(&text, &LoadOptions { language: &LANGUAGE, lookup: &NoLookup, project: None });
    assert!(loaded.spec.is_some() || loaded.has_errors(), "no pipeline, and nothing wrong");
    let findings = [Report { path: "fuzz.yaml", text: &text, findings: &loaded.findings }];
    for shown in [
        render::human(&findings, true),
        render::concise(&findings),
        render::github(&findings),
        render::json(&findings),
        render::sarif(&findings),
    ] {
        assert!(!shown.is_empty() || loaded.findings.is_empty());
    }
    let document = yaml::parse(&text);
    if let Some(root) = document.root.filter(|_| document.findings.is_empty()) {
        let value = root.to_value();
        let again = yaml::parse(&value.to_string());
        if let Some(root) = again.root.filter(|_| again.findings.is_empty()) {
            assert_eq!(root.to_value(), value, "as JSON it means something else");
        }
    }
}
