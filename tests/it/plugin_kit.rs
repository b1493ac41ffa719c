//! The plugin kit: from an empty folder to a plugin that delivers, in each language that there is a template for.
//! The guide is run word for word; what it does not show, such as faults, is here.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::console::run_blocks;
use crate::support::kits::kits;
use crate::support::process::{Outcome, Outflow, files_below, repository, run};

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    let call = Outflow::in_folder(folder).args(arguments).patience(Duration::from_secs(580));
    kits().environment().into_iter().fold(call, |call, (name, value)| call.env(name, value)).run()
}

/// From nothing to a delivered file in Rust, JavaScript and Python.
#[test]
fn the_guide_says_what_happens() {
    let guide = std::fs::read_to_string(repository().join("plugins/GUIDE.md")).unwrap();
    assert!(guide.lines().count() < 300, "the guide is too long");
    let folder = tempfile::tempdir().unwrap();
    let commands = run_blocks(&guide, folder.path(), |shell| kits().prepare(shell));
    assert!(commands >= 12, "the guide shows only {commands} commands");
    // The same layout in three languages delivers the same bytes.
    let rust = files_below(&folder.path().join("acme/fixtures/contacts/expected"));
    assert_eq!(rust.len(), 3, "{rust:?}");
    for other in ["acme-js", "acme-py"] {
        let theirs = files_below(&folder.path().join(other).join("fixtures/contacts/expected"));
        assert_eq!(theirs.len(), rust.len());
        for ((name, bytes), (their_name, their_bytes)) in rust.iter().zip(&theirs) {
            assert_eq!(name, their_name);
            assert!(name == "rejects.jsonl" || bytes == their_bytes, "{other}: {name} differs");
        }
    }
}

/// The same transform in each language: its fixture, which all share, has signs of one to four bytes.
#[test]
fn transforms() {
    for lang in ["rust", "js", "python"] {
        let folder = tempfile::tempdir().unwrap();
        let new = ["plugin", "new", "tidy", "--lang", lang, "--world", "transform"];
        let told = outflow(folder.path(), &new).expect_code(0).stdout;
        for step in told.lines().filter_map(|line| line.trim().strip_prefix('(')?.strip_suffix(')')) {
            let mut shell = Command::new("sh");
            kits().prepare(shell.args(["-ec", step]).current_dir(folder.path()));
            run(&mut shell, Duration::from_secs(580)).expect_code(0);
        }
        outflow(folder.path(), &["plugin", "build", "tidy"]).expect_code(0).expect_stdout("tidy 0.1.0, a transform");
        let mut told = outflow(folder.path(), &["plugin", "test", "tidy"]).expect_code(0);
        for expected in [
            "ok         contacts: 3 rows, 1 files",
            " ns a row, over 65,536 rows; peak memory ",
            "limit      10000 ms a call, 10000 ms to start, 256 MiB",
        ] {
            told = told.expect_stdout(expected);
        }
        let options = folder.path().join("tidy/fixtures/contacts/options.yaml");
        std::fs::write(options, "column: nom").unwrap();
        let refused = outflow(folder.path(), &["plugin", "test", "tidy"]);
        assert!(refused.code.is_some_and(|code| code >= 2), "{lang}: {}", refused.stderr);
        refused.expect_stderr("the rows have no column `nom` (at `/column`), tidy/column");
    }
}

/// A fixture that differs is told by its lines, and `--update` takes what is delivered as expected.
#[test]
fn a_changed_plugin_fails_its_fixture_until_that_is_updated() {
    let folder = tempfile::tempdir().unwrap();
    outflow(folder.path(), &["plugin", "new", "beacon", "--lang", "rust"]).expect_code(0);
    let source = folder.path().join("beacon/src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, text.replace("{day}/{}_{random}.csv", "{day}/all-{}_{random}.csv")).unwrap();
    outflow(folder.path(), &["plugin", "build", "beacon"]).expect_code(0);
    let told = outflow(folder.path(), &["plugin", "test", "beacon"]).expect_code(1).stdout;
    for line in ["FAILED     contacts", "missing    acme/20260314/contacts_", "unexpected acme/20260314/all-contacts_"]
    {
        assert!(told.contains(line), "`{line}` is missing in\n{told}");
    }
    outflow(folder.path(), &["plugin", "test", "beacon", "--update"])
        .expect_code(0)
        .expect_stdout("updated    contacts");
    outflow(folder.path(), &["plugin", "test", "beacon/beacon.wasm"])
        .expect_code(0)
        .expect_stdout("ok         contacts");
    std::fs::write(&source, "mistake").unwrap();
    outflow(folder.path(), &["plugin", "build", "beacon"]).expect_code(3).expect_stderr("`cargo` could not build");
}

/// The built-in plugins use nothing but the log and what Rust's panics are written to.
#[test]
fn inspect_tells_what_a_plugin_may_use() {
    let folder = tempfile::tempdir().unwrap();
    let told = outflow(folder.path(), &["plugin", "inspect", "simon"]).expect_code(0).stdout;
    for line in ["simon 0.1.0", "  world   layout, interface 0.1.0", "May use of its host:", "Options:", "  client "] {
        assert!(told.contains(line), "`{line}` is missing in\n{told}");
    }
    assert!(!told.contains("unknown to this host") && !told.contains("wasi:sockets"), "{told}");
    let told = outflow(folder.path(), &["plugin", "inspect", "simon", "--format", "json"]).expect_code(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["schema"], &told["world"]), (&"outflow/plugin/v1".into(), &"layout".into()));
    assert_eq!(told["sha256"].as_str().map(str::len), Some(64));
    assert!(told["config_schema"]["properties"]["client"].is_object(), "{told:#}");
}

#[test]
fn faults_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::create_dir(folder.path().join("js")).unwrap();
    std::fs::write(folder.path().join("js/package.json"), "{}").unwrap();
    std::fs::write(folder.path().join("no.wasm"), "no").unwrap();
    for (arguments, told) in [
        (&["plugin", "new", "Acme", "--lang", "js"] as &[&str], "write lower-case letters, digits and hyphens"),
        (&["plugin", "new", "simon", "--lang", "js"], "`simon` is a layout that outflow has already"),
        (&["plugin", "build", "empty"], "hint: `outflow plugin new NAME"),
        (&["plugin", "build", "js"], "hint: (cd js && npm install)"),
        (&["plugin", "test", "empty"], "hint: outflow plugin build empty"),
        (&["plugin", "test", "no.wasm"], "plugin/load"),
        (&["plugin", "inspect", "nobody"], "is neither a file nor a built-in plugin"),
        (&["plugin", "inspect", "no.wasm"], "plugin/load"),
    ] {
        outflow(folder.path(), arguments).expect_code(2).expect_stderr(told);
    }
    std::fs::create_dir(folder.path().join("acme")).unwrap();
    std::fs::write(folder.path().join("acme/plugin.js"), "mine").unwrap();
    let refused = outflow(folder.path(), &["plugin", "new", "acme", "--lang", "js"]).expect_code(2);
    refused.expect_stderr("`acme/plugin.js` is there already");
    assert_eq!(files_below(&folder.path().join("acme")).len(), 1);
}
