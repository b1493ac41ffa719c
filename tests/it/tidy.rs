//! Rules of the repository that are tests: sizes, opening paragraphs, the direction of dependencies.

use std::path::{Path, PathBuf};

use crate::support::process::repository as root;

/// Every Rust source of the project.
pub fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() && !entry.ends_with("target") {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    ["engine", "plugins", "tests"].iter().for_each(|folder| walk(&root().join(folder), &mut found));
    assert!(found.len() > 50, "the sources were not found");
    // Folders list their files in an order of their own.
    found.sort();
    found
}

#[test]
fn sources_are_short_and_say_what_they_are_for() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        if text.lines().count() > 500 {
            faults.push(format!("{}: {} lines, 500 are enough", path.display(), text.lines().count()));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{}: opens without a `//!` paragraph", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn dependencies_point_down() {
    let allowed = [
        ("outflow-spec", vec![]),
        ("outflow-formats", vec![]),
        ("outflow-sftp", vec![]),
        ("outflow-layout", vec!["outflow-spec", "outflow-formats"]),
        ("outflow-engine", vec!["outflow-spec", "outflow-formats", "outflow-layout", "outflow-sftp"]),
        ("outflow", vec!["outflow-spec", "outflow-formats", "outflow-layout", "outflow-engine"]),
    ];
    for (name, below) in allowed {
        let manifest = std::fs::read_to_string(root().join("engine").join(name).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines().filter(|line| line.starts_with("outflow-")) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap();
            assert!(below.contains(&dependency), "`{name}` must not depend on `{dependency}`");
        }
    }
}

#[test]
fn the_spec_crate_stays_pure() {
    let manifest = std::fs::read_to_string(root().join("engine/outflow-spec/Cargo.toml")).unwrap();
    for foreign in ["arrow", "tokio", "wasmtime", "object_store", "datafusion", "reqwest"] {
        assert!(!manifest.contains(foreign), "outflow-spec must not depend on `{foreign}`");
    }
    for path in sources().iter().filter(|path| path.starts_with(root().join("engine/outflow-spec/src"))) {
        let text = std::fs::read_to_string(path).unwrap();
        for call in ["std::fs", "std::env", "SystemTime::now", "Timestamp::now", "std::net"] {
            assert!(!text.contains(call), "{} uses `{call}`", path.display());
        }
    }
}
