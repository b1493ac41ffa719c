//! Runs whole cases of `tests/runs`: a pipeline, its input, and what must lie below the sink afterwards.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::process::{Outflow, copy_folder, repository};
use crate::support::tree;

#[test]
fn every_case_delivers_what_it_expects() {
    let cases = folders(&repository().join("tests/runs"));
    assert!(cases.len() >= 15, "the cases were not found");
    let faults = cases.iter().filter_map(|case| fault(case).map(|fault| format!("{}:\n{fault}", case.display())));
    let faults = faults.collect::<Vec<_>>();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn fault(case: &Path) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(case, folder.path());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let outflow = Outflow::in_folder(folder.path()).env("XDG_CACHE_HOME", cache);
    let outcome =
        outflow.args(["run", "pipeline.yaml", "--at", "2026-03-14T09:26:53Z", "--report", "report.json"]).run();
    let code = std::fs::read_to_string(case.join("code")).map_or(0, |code| code.trim().parse().unwrap());
    if outcome.code != Some(code) {
        return Some(format!("exit code {:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr));
    }
    let expected = match std::fs::read_to_string(case.join("same_as")) {
        Ok(other) => case.parent().unwrap().join(other.trim()).join("expected"),
        Err(_) => case.join("expected"),
    };
    tree::difference(&expected, &folder.path().join("out")).or_else(|| rejects(case, folder.path()))
}

/// What is wrong with the dead-letter file of a case that was run in a folder.
pub fn rejects(case: &Path, folder: &Path) -> Option<String> {
    let mut expected = json_lines(&case.join("rejects.jsonl"));
    let letters = std::fs::read_dir(folder.join(".outflow/rejects")).into_iter().flatten();
    let mut found = letters.flat_map(|entry| json_lines(&entry.unwrap().path())).collect::<Vec<_>>();
    // Rules are kept one after the other, so a later row may be rejected first.
    expected.sort_by_key(|reject| reject["row"].as_u64());
    found.sort_by_key(|reject| reject["row"].as_u64());
    if let Ok(report) = std::fs::read_to_string(folder.join("report.json")) {
        let report: Value = serde_json::from_str(&report).unwrap();
        // A run that failed tells no rows.
        if let Some(rejected) = report["rows"]["rejected"].as_u64() {
            assert_eq!(rejected, found.len() as u64, "{}", case.display());
        }
    }
    let agree =
        expected.len() == found.len() && expected.iter().zip(&found).all(|(expected, found)| includes(expected, found));
    (!agree).then(|| format!("rejects\n  expected {expected:#?}\n  found    {found:#?}"))
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each named member is equal; the file by its end, since folders differ.
fn includes(expected: &Value, found: &Value) -> bool {
    expected.as_object().unwrap().iter().all(|(name, value)| match name.as_str() {
        "file" => found[name].as_str().unwrap_or_default().ends_with(value.as_str().unwrap()),
        _ => found[name] == *value,
    })
}
