//! Several sinks of one run: read once, the same names and bytes everywhere, companions that speak of their own place,
//! and one that fails holds back no other.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::process::{Outcome, Outflow, files_below};

const PIPELINE: &str = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nlayout:\n  simon: {client: acme, \
                        segment_name: All, flow: {id: 7, name: Flow, actions: [mail]}, format: csv}\nsinks:\n  \
                        - local: {path: one}\n  - local: {path: two}\n  - local: {path: three}\n";

fn feed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path(), "a@x.be,,add\nb@x.be,,remove\n");
    std::fs::write(folder.path().join("feed.yaml"), PIPELINE).unwrap();
    folder
}

fn rows(folder: &Path, rows: &str) {
    std::fs::write(folder.join("in.csv"), format!("identifier,variant,operation\n{rows}")).unwrap();
}

fn run(folder: &Path) -> Outcome {
    Outflow::in_folder(folder).args(["run", "feed.yaml", "--report", "report.json"]).run()
}

fn report(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

fn files(folder: &Path, sink: &str) -> BTreeMap<String, Vec<u8>> {
    files_below(&folder.join(sink)).into_iter().collect()
}

/// Without the control files, which name their own place.
fn data(folder: &Path, sink: &str) -> BTreeMap<String, Vec<u8>> {
    files(folder, sink).into_iter().filter(|(name, _)| !name.contains("control_")).collect()
}

#[test]
fn every_sink_gets_the_same_files_from_one_reading() {
    let folder = feed();
    let folder = folder.path();
    run(folder).expect_code(0).expect_stdout("two: 4 files");
    let report = report(folder);
    assert_eq!(
        (&report["reads"], &report["rows"]["read"], &report["rows"]["written"]),
        (&1.into(), &2.into(), &4.into())
    );
    assert_eq!(report["deliveries"].as_array().map(Vec::len), Some(3), "{report:#}");
    assert_eq!(report["outputs"][0]["files"], 2, "{report:#}");
    let one = data(folder, "one");
    assert_eq!((one.len(), files(folder, "one").len()), (2, 4));
    for sink in ["two", "three"] {
        assert_eq!(data(folder, sink), one, "{sink}");
        assert_eq!(files(folder, sink).keys().collect::<Vec<_>>(), files(folder, "one").keys().collect::<Vec<_>>());
        for (name, bytes) in files(folder, sink).iter().filter(|(name, _)| name.contains("control_")) {
            let control: Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(control["files"][0]["bucket"], sink, "{name}");
        }
    }
    run(folder).expect_code(0).expect_stdout("already delivered");
    assert!(!folder.join(".outflow/spool").read_dir().unwrap().any(|_| true), "no spool is left");
}

/// SHA-256 where the layout or a reader may look at it, else what is quick; both find a changed byte.
#[test]
fn digests_are_those_that_somebody_asks_for() {
    let plain = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nsink: {local: {path: out}}\nlayout:\n  \
                 files:\n    path: \"{{ nonce }}.csv\"\n    format: csv\n";
    let companions = plain.to_owned()
        + "    companions: [{path: \"{{ file.name }}.done\", scope: file, body: \"{{ file.sha256 }}\"}]\n";
    let checksums = format!("{plain}delivery: {{checksums: sha256}}\n");
    let two = plain.replace("sink: {local: {path: out}}", "sinks:\n  - local: {path: out}\n  - local: {path: two}");
    for (pipeline, algorithm) in
        [(plain, "xxh3:"), (&two, "xxh3:"), (&companions, "sha256:"), (&checksums, "sha256:"), (PIPELINE, "sha256:")]
    {
        let folder = feed();
        let folder = folder.path();
        std::fs::write(folder.join("feed.yaml"), pipeline).unwrap();
        run(folder).expect_code(0);
        let told = report(folder);
        let file = told.pointer("/files/0").or(told.pointer("/deliveries/0/files/0")).unwrap();
        let digest = file["digest"].as_str().unwrap_or_else(|| panic!("{told:#}"));
        assert!(digest.starts_with(algorithm), "{digest} of\n{pipeline}");
        let verify = || Outflow::in_folder(folder).args(["files", "verify", "feed.yaml"]).run();
        verify().expect_code(0);
        if pipeline == companions {
            let (_, done) = files(folder, "out").into_iter().find(|(name, _)| name.ends_with(".done")).unwrap();
            assert_eq!(digest.strip_prefix("sha256:").unwrap().as_bytes(), done);
        }
        if pipeline != PIPELINE {
            let path = folder.join("out").join(file["path"].as_str().unwrap());
            let altered = std::fs::read_to_string(&path).unwrap().replace("b@x.be", "c@x.be");
            std::fs::write(&path, altered).unwrap();
            verify().expect_code(3).expect_stdout("has other content");
        }
    }
}

/// A sink whose folder cannot be entered fails, exit code 5; the next run gives it the bytes that were sealed, though
/// the input has changed, and then what is new.
#[test]
fn a_failing_sink_holds_back_no_other() {
    let folder = feed();
    let folder = folder.path();
    let year = jiff::Timestamp::now().to_string()[..4].to_owned();
    std::fs::create_dir(folder.join("two")).unwrap();
    std::fs::write(folder.join("two").join(&year), "in the way").unwrap();
    run(folder).expect_code(5).expect_stdout("some deliveries failed").expect_stdout("two: failed: ");
    let told = report(folder);
    assert_eq!(told["status"], "partial");
    let failed = &told["deliveries"].as_array().unwrap().iter().find(|one| one["status"] == "failed").unwrap();
    assert!(failed["target"].as_str().unwrap().ends_with("/two") && failed["failure"]["error"].is_string(), "{failed}");
    let first = data(folder, "one");
    assert_eq!((first.len(), &data(folder, "three")), (2, &first));
    assert_eq!(Outflow::in_folder(folder).args(["runs", "list"]).run().stdout.matches("partial").count(), 1);

    std::fs::remove_file(folder.join("two").join(&year)).unwrap();
    rows(folder, "c@x.be,,add\n");
    run(folder).expect_code(0).expect_stdout("recovered");
    let all = data(folder, "one");
    assert_eq!(all.len(), 3);
    assert!(first.iter().all(|(name, bytes)| all[name] == *bytes));
    assert_eq!((&data(folder, "two"), &data(folder, "three")), (&all, &all), "each has the old files and the new");
}

/// One that is out of order before anything is read takes no part, and gets the same names later.
#[test]
fn a_sink_that_cannot_be_used_is_left_out() {
    let folder = feed();
    let folder = folder.path();
    std::fs::write(folder.join("three"), "not a folder").unwrap();
    run(folder).expect_code(5);
    let first = files(folder, "one");
    assert_eq!((first.len(), files(folder, "two").len()), (4, 4));
    std::fs::remove_file(folder.join("three")).unwrap();
    run(folder).expect_code(0);
    assert_eq!(data(folder, "three"), data(folder, "one"));
}

#[test]
fn nothing_achieved_is_a_failure() {
    let folder = feed();
    for sink in ["one", "two", "three"] {
        std::fs::write(folder.path().join(sink), "not a folder").unwrap();
    }
    run(folder.path()).expect_code(3);
}

/// Death at every step that several sinks pass: the next run converges to the same files at each.
#[test]
fn a_run_killed_between_sinks_converges() {
    for point in ["plan-committed", "seal-committed", "file-put", "companion-verified", "commit-before", "commit-done"]
    {
        for number in 1..=3 {
            let folder = feed();
            let folder = folder.path();
            let kill = format!("{point}#{number}");
            let killed = Outflow::in_folder(folder).args(["run", "feed.yaml"]).env("OUTFLOW_KILL_AT", &kill).run();
            assert_eq!(killed.signal, Some(9), "{kill}: {killed:?}");
            run(folder).expect_code(0);
            let one = data(folder, "one");
            assert_eq!(one.len(), 2, "{kill}");
            for sink in ["two", "three"] {
                assert_eq!((files(folder, sink).len(), &data(folder, sink)), (4, &one), "{kill}: {sink}");
            }
        }
    }
}
