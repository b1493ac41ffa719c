//! What an engineer sees of `run` and the commands around it: exit codes, reports, dead letters, locks, previews.

use std::path::Path;

use serde_json::Value;

use crate::support::process::{Outcome, Outflow, copy_folder, files_below, repository};

const PIPELINE: &str = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nlayout:\n  simon: {client: acme, segment_name: All, \
                        flow: {id: 7, name: Flow, actions: [mail]}, format: csv}\nsink: {local: {path: out}}\n";

fn feed(rows: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.csv"), format!("identifier,variant,operation\n{rows}")).unwrap();
    std::fs::write(folder.path().join("feed.yaml"), PIPELINE).unwrap();
    folder
}

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    Outflow::in_folder(folder).args(arguments).env("XDG_CACHE_HOME", cache).run()
}

/// SIMON-2, SIMON-24: rows whose operation is neither add nor remove wait in the dead-letter file, with their line.
#[test]
fn bad_rows_are_kept_told_and_counted() {
    let folder = feed("a@x.be,,add\nb@x.be,,update\nc@x.be,add\nd@x.be,,remove\n");
    let told = outflow(folder.path(), &["run", "feed.yaml", "--format", "json"]).expect_code(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&report["rows"]["read"], &report["rows"]["rejected"]), (&4.into(), &2.into()), "{report:#}");
    assert_eq!(report["rejects"]["codes"], serde_json::json!({"csv/columns": 1, "simon/operation": 1}));
    let letters = std::fs::read_to_string(folder.path().join(report["rejects"]["path"].as_str().unwrap())).unwrap();
    let rows = letters.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["row"].as_u64().unwrap());
    assert_eq!(rows.collect::<std::collections::BTreeSet<_>>(), [3, 4].into(), "{letters}");
    let again = outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    again.expect_stdout("already delivered");
}

#[test]
fn too_many_rejects_fail_before_anything_is_published() {
    let folder = feed("a@x.be,,add\nb@x.be,,update\n");
    outflow(folder.path(), &["run", "feed.yaml", "--max-rejects", "0"]).expect_code(3).expect_stderr("reject");
    assert!(!folder.path().join("out").exists());
    outflow(folder.path(), &["run", "feed.yaml", "--max-rejects", "1"]).expect_code(0);
    assert_eq!(files_below(&folder.path().join("out")).len(), 2);
}

#[test]
fn a_second_process_on_the_same_state_is_refused() {
    let folder = feed("a@x.be,,add\n");
    let state = folder.path().join(".outflow");
    std::fs::create_dir(&state).unwrap();
    let _held = outflow_engine::ledger::StateLock::acquire(&state).unwrap();
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(6);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn runs_and_files_tell_what_happened() {
    let folder = feed("a@x.be,,add\nb@x.be,,remove\n");
    outflow(folder.path(), &["run", "feed.yaml", "--report", "report.json"]).expect_code(0);
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["files"].as_array().unwrap().len(), 4);
    let id = report["run_id"].as_str().unwrap();
    outflow(folder.path(), &["runs", "list"]).expect_code(0).expect_stdout(id);
    outflow(folder.path(), &["runs", "show", &id[..20]]).expect_code(0).expect_stdout("control_acme_flow_add");
    outflow(folder.path(), &["files", "list"]).expect_code(0).expect_stdout("control_acme_flow_remove");
    outflow(folder.path(), &["files", "verify", "feed.yaml"]).expect_code(0).expect_stdout("intact");
    let path = folder.path().join("out").join(report["files"][0]["path"].as_str().unwrap());
    std::fs::write(path, "changed").unwrap();
    outflow(folder.path(), &["files", "verify", "feed.yaml"]).expect_code(3).expect_stdout("bytes at the target");
}

#[test]
fn a_preview_shows_the_very_files_and_writes_nothing() {
    let folder = feed("jane.doe@x.be,,add\nzoe@x.be,,remove\n");
    let before = files_below(folder.path()).len();
    let arguments = ["preview", "feed.yaml", "--at", "2017-03-14T17:54:13Z"];
    let masked = outflow(folder.path(), &arguments).expect_code(0).expect_stdout("2017/03/14/control_acme_flow_add_");
    assert!(!masked.stdout.contains("jane.doe@x.be") && masked.stdout.contains("j***.d**@x.b*"), "{}", masked.stdout);
    let revealed = outflow(folder.path(), &[&arguments[..], &["--reveal"]].concat()).expect_code(0);
    revealed.expect_stdout("jane.doe@x.be,2017-03-14 17:54:13,All,Flow,data_feed,,add\n");
    assert_eq!(files_below(folder.path()).len(), before);
}

#[test]
fn exit_codes_say_who_has_to_act() {
    let folder = feed("a@x.be,,add\n");
    let cases: [(&str, &str, i32); 5] = [
        ("in.csv", "absent.csv", 2),
        ("client: acme", "clint: acme", 2),
        ("format: csv", "format: xml", 2),
        ("sink: {local: {path: out}}", "sink: {local: {path: feed.yaml}}", 3),
        ("segment_name: All, ", "", 2),
    ];
    for (good, bad, code) in cases {
        std::fs::write(folder.path().join("bad.yaml"), PIPELINE.replace(good, bad)).unwrap();
        outflow(folder.path(), &["run", "bad.yaml"]).expect_code(code);
    }
    outflow(folder.path(), &["run", "nowhere.yaml"]).expect_code(2).expect_stderr("nowhere.yaml");
    outflow(folder.path(), &["run"]).expect_code(2);
    outflow(folder.path(), &["run", "feed.yaml", "bad.yaml"]).expect_code(5);
}

#[test]
fn lint_finds_what_only_the_input_can_tell() {
    let folder = feed("a@x.be,,add\n");
    let bad = PIPELINE.replace("layout:", "transforms: [{hash: {columns: [identifer]}}]\nlayout:");
    std::fs::write(folder.path().join("bad.yaml"), bad).unwrap();
    let said = outflow(folder.path(), &["lint", "bad.yaml", "--format", "concise"]).expect_code(1);
    said.expect_stdout("bad.yaml:4:").expect_stdout("identifer").expect_code(1);
    let bad = PIPELINE.replace("layout:", "transforms: [{filter: \"operation = \"}]\nlayout:");
    std::fs::write(folder.path().join("bad.yaml"), bad).unwrap();
    outflow(folder.path(), &["lint", "bad.yaml"]).expect_code(1).expect_stdout("OF2");
}

/// The sample of the README, compared with a count that owes nothing to the engine.
#[test]
fn the_sample_is_delivered_as_an_independent_count_says() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines/simon"), folder.path());
    let told =
        outflow(folder.path(), &["run", "welcome-flow.yaml", "--at", "2026-11-22T08:30:00Z", "--format", "json"])
            .expect_code(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert!(report["rows"]["read"].as_u64().unwrap() >= 1000);
    let script = repository().join("tests/it/support/count.py");
    let mut python = std::process::Command::new("python3");
    python.arg(script).arg(folder.path().join("data/flow_changes.jsonl")).arg(folder.path().join("out"));
    crate::support::process::run(&mut python, std::time::Duration::from_secs(60)).expect_code(0);
}

/// The columns of JSON Lines are learnt from the head of a file; what only a later line holds is not lost.
#[test]
fn late_keys_and_kinds_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let head = "{\"id\":\"x\",\"n\":1,\"o\":{\"a\":[1e5]}}\n".repeat(40_000);
    std::fs::write(folder.path().join("in.jsonl"), head + "{\"id\":\"y\",\"n\":\"two\",\"late\":true}\n").unwrap();
    let pipeline = "version: 1\nname: late\nsource: {files: {path: in.jsonl}}\nlayout: {files: {path: \"{{ nonce }}.jsonl\", \
                    format: jsonl, omit_null: true}}\nsink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("late.yaml"), pipeline).unwrap();
    outflow(folder.path(), &["run", "late.yaml"]).expect_code(0);
    let (_, bytes) = files_below(&folder.path().join("out")).pop().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), 40_001);
    assert_eq!(text.lines().next().unwrap(), r#"{"id":"x","n":"1","o":{"a":[1e5]}}"#);
    assert_eq!(text.lines().last().unwrap(), r#"{"id":"y","n":"two","late":true}"#);
}

/// A pipeline over `in.csv` with the `files` layout.
fn files_feed(rows: &str, transforms: &str, path: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in.csv"), rows).unwrap();
    let pipeline = format!(
        "version: 1\nname: feed\nsource: {{files: {{path: in.csv}}}}\n{transforms}layout: {{files: {{path: \"{path}\", format: csv}}}}\n\
         sink: {{local: {{path: out}}}}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn delivered(folder: &Path) -> Vec<(String, String)> {
    let files = files_below(&folder.join("out")).into_iter();
    files.map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap())).collect()
}

#[test]
fn the_order_of_a_query_outlives_the_next_one() {
    let rows = (0..5000).map(|row| format!("{}\n", row * 7919 % 5000)).collect::<String>();
    let sorts =
        "transforms: [{sql: SELECT * FROM input ORDER BY CAST(k AS BIGINT) DESC}, {sql: SELECT k FROM input}]\n";
    let folder = files_feed(&format!("k\n{rows}"), sorts, "{{ nonce }}.csv");
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    let expected = "k\n".to_owned() + &(0..5000).rev().map(|k| format!("{k}\n")).collect::<String>();
    assert_eq!(delivered(folder.path())[0].1, expected);
}

#[test]
fn a_name_may_tell_the_number_of_rows() {
    let folder = files_feed("a\n1\n2\n3\n", "", "{{ nonce }}_{{ rows }}.csv");
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    assert!(delivered(folder.path())[0].0.ends_with("_3.csv"));
}

/// SIMON-40: no rows, no files; and once the cause is mended the same window is delivered.
#[test]
fn a_window_without_rows_is_not_used_up() {
    let folder = files_feed("a\n1\n", "transforms: [{filter: \"a = 'typo'\"}]\n", "{{ nonce }}.csv");
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0).expect_stdout("no rows");
    assert!(delivered(folder.path()).is_empty());
    let pipeline = std::fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
    std::fs::write(folder.path().join("feed.yaml"), pipeline.replace("typo", "1")).unwrap();
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0).expect_stdout("delivered");
    assert_eq!(delivered(folder.path()).len(), 1);
}

#[test]
fn each_client_of_a_parameter_gets_its_delivery() {
    let folder = files_feed("a\n1\n", "transforms: [{derive: {client: \"'${param:client}'\"}}]\n", "{{ nonce }}.csv");
    for (client, said) in [("x", "delivered to"), ("y", "delivered to"), ("x", "already delivered")] {
        outflow(folder.path(), &["run", "feed.yaml", "--param", &format!("client={client}")])
            .expect_code(0)
            .expect_stdout(said);
    }
    assert_eq!(delivered(folder.path()).len(), 2);
}

#[test]
fn more_files_than_handles_are_written() {
    for (format, count) in [("csv", 2000), ("csv, compression: gzip", 400), ("parquet", 400)] {
        let rows = (0..2 * count).map(|row| format!("{},{row}\n", row % count)).collect::<String>();
        let folder = files_feed(&format!("a,b\n{rows}"), "", "{{ partition.a }}_{{ nonce }}");
        let pipeline = std::fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
        let split = format!("format: {format}, split_by: [a]}}}}");
        std::fs::write(folder.path().join("feed.yaml"), pipeline.replace("format: csv}}", &split)).unwrap();
        let run = Outflow::through(&["prlimit", "--nofile=256"], folder.path()).args(["run", "feed.yaml"]);
        run.run().expect_code(0);
        let files = files_below(&folder.path().join("out"));
        assert_eq!(files.len(), count, "{format}");
        if format == "csv" {
            let seven = files.iter().find(|(name, _)| name.starts_with("7_")).unwrap();
            assert_eq!(seven.1, format!("a,b\n7,7\n7,{}\n", count + 7).into_bytes());
        }
    }
}

#[test]
fn one_absolute_path_is_one_window_from_everywhere() {
    let folder = files_feed("a\n1\n", "", "{{ nonce }}.csv");
    let pipeline = std::fs::read_to_string(folder.path().join("feed.yaml")).unwrap();
    let absolute = folder.path().join("in.csv");
    std::fs::write(folder.path().join("feed.yaml"), pipeline.replace("in.csv", absolute.to_str().unwrap())).unwrap();
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    let named = folder.path().join("feed.yaml");
    outflow(folder.path(), &["run", named.to_str().unwrap()]).expect_code(0).expect_stdout("already delivered");
}

/// CIO-1, CIO-9: the six outputs of a layout come from one reading of the input, and the report says so.
#[test]
fn several_outputs_are_told_with_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let calls = [("identify", 1), ("track", 2), ("track", 3), ("page", 4)];
    let call =
        |(kind, id): (&str, u32)| format!("{{\"type\":\"{kind}\",\"messageId\":\"{id}\",\"userId\":\"u{id}\"}}\n");
    std::fs::write(folder.path().join("calls.jsonl"), calls.map(call).concat() + "{\"type\":\"shout\"}\n").unwrap();
    let pipeline = "version: 1\nname: calls\nsource: {files: {path: calls.jsonl}}\nlayout:\n  customerio: \
                    {integration_id: 1, action_id: 2, format: json}\nsink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    let preview = outflow(folder.path(), &["preview", "feed.yaml"]).expect_code(0);
    preview.expect_stdout("1.2.1.track.json").expect_stdout("1.2.1.page.json");
    let told = outflow(folder.path(), &["run", "feed.yaml", "--format", "json"]).expect_code(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&report["reads"], &report["rows"]["read"]), (&1.into(), &5.into()), "{report:#}");
    assert_eq!(report["rejects"]["codes"], serde_json::json!({"customerio/type": 1}));
    let outputs = report["outputs"].as_array().unwrap().iter().map(|output| (&output["files"], &output["rows"]));
    let outputs = outputs.map(|(files, rows)| (files.as_u64().unwrap(), rows.as_u64().unwrap())).collect::<Vec<_>>();
    assert_eq!(outputs.len(), 6, "{report:#}");
    assert_eq!(outputs.iter().filter(|output| **output == (0, 0)).count(), 3, "{report:#}");
    let track = report["files"].as_array().unwrap().iter().find(|file| file["path"] == "1.2.1.track.json").unwrap();
    assert_eq!((&track["rows"], &track["part"]), (&2.into(), &1.into()));
    assert!(track["dataset"].as_str().unwrap().contains("track"), "{track}");
    assert_eq!(track["counters"].as_object().unwrap().values().collect::<Vec<_>>(), [&Value::from(1)]);
    let again = outflow(folder.path(), &["run", "feed.yaml", "--format", "json"]).expect_code(0);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&again["status"], &again["reads"]), (&"already_delivered".into(), &0.into()));
    assert_eq!(again["files"], report["files"]);
    std::fs::write(folder.path().join("calls.jsonl"), calls.map(call).concat()).unwrap();
    let next = outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    next.expect_stdout("1.2.2.track.json").expect_stdout("3 of 6 have files, from 1 reading of the input");
}
