//! Windows of a run: each row once, whatever arrives late, fails, is killed or has its clock moved; and what a person may do.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::process::{Outcome, Outflow, files_below, repository};
use crate::support::tree::difference;

const PIPELINE: &str = "version: 1\nname: feed\ntimezone: Europe/Brussels\nsource: {files: {path: 'in/*.csv'}}\n\
                        incremental: {cursor: at, start: 2026-03-10T00:00:00Z, EVERY}\nlayout:\n  files: {path: \
                        \"{{ at }}/{{ nonce }}.csv\", format: csv}\nsink: {local: {path: out}}\n";

/// A file a row, by numbers without gaps.
const NUMBERED: &str = "{path: \"{{ counter.n | pad(3) }}.csv\", format: csv, split_by: [id], \
                        counters: [{name: n, scope: file}]}";

/// A folder of arriving files, and a receiver that counts every row it ever gets.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(every: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let every = if every.is_empty() { "lateness: 5m".to_owned() } else { format!("every: {every}") };
        std::fs::write(folder.path().join("feed.yaml"), PIPELINE.replace("EVERY", &every)).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file with rows of these times, each with a name of its own.
    fn arrives(&self, file: &str, times: &[&str]) {
        let rows = times.iter().enumerate().map(|(number, at)| format!("{file}{number},{at}\n")).collect::<String>();
        std::fs::write(self.path().join(format!("in/{file}.csv")), format!("id,at\n{rows}")).unwrap();
    }

    fn edit(&self, from: &str, to: &str) {
        let path = self.path().join("feed.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn outflow(&self, arguments: &[&str]) -> Outflow {
        Outflow::in_folder(self.path()).args(arguments)
    }

    fn run(&self, at: &str) -> Value {
        self.ran(at).expect_code(0);
        serde_json::from_str(&std::fs::read_to_string(self.path().join("report.json")).unwrap()).unwrap()
    }

    fn ran(&self, at: &str) -> Outcome {
        self.outflow(&["run", "feed.yaml", "--at", at, "--report", "report.json"]).run()
    }

    /// Ids of the rows delivered so far, with how often each was.
    fn delivered(&self) -> BTreeMap<String, usize> {
        let mut rows = BTreeMap::new();
        for (_, bytes) in files_below(&self.path().join("out")) {
            for line in String::from_utf8(bytes).unwrap().lines().skip(1) {
                *rows.entry(line.split(',').next().unwrap().to_owned()).or_default() += 1;
            }
        }
        rows
    }

    #[track_caller]
    fn expect(&self, ids: &str) {
        let expected = ids.split_whitespace().map(|id| (id.to_owned(), 1)).collect::<BTreeMap<_, usize>>();
        assert_eq!(self.delivered(), expected);
    }

    fn files(&self) -> usize {
        files_below(&self.path().join("out")).len()
    }
}

fn windows(report: &Value) -> Vec<String> {
    let told = report["deliveries"].as_array().unwrap().iter();
    told.map(|delivery| delivery["window"].as_str().unwrap().to_owned()).collect()
}

/// No gap, no overlap: rows at the very boundary, late rows, files that grow, rows that are not yet due.
#[test]
fn each_row_is_delivered_once() {
    let bench = Bench::new("10m");
    bench.arrives(
        "a",
        &["2026-03-10T00:00:00Z", "2026-03-10T00:09:59.999Z", "2026-03-10T00:10:00Z", "2026-03-10T00:25:00Z"],
    );
    let report = bench.run("2026-03-10T00:10:00Z");
    assert_eq!(windows(&report), ["cursor [2026-03-10T00:00:00Z, 2026-03-10T00:10:00Z)"]);
    assert_eq!((&report["rows"]["read"], &report["rows"]["late_rows"]), (&2.into(), &0.into()), "{report:#}");
    bench.expect("a0 a1");
    bench.run("2026-03-10T00:10:01Z");
    assert_eq!(bench.files(), 1, "the same window again is nothing");
    // One file comes late, one grows.
    bench.arrives("b", &["2026-03-10T00:03:00Z", "2026-03-10T00:11:00Z", "2026-03-09T23:59:59Z"]);
    let all = [
        "2026-03-10T00:00:00Z",
        "2026-03-10T00:09:59.999Z",
        "2026-03-10T00:10:00Z",
        "2026-03-10T00:25:00Z",
        "2026-03-10T00:04:00Z",
    ];
    bench.arrives("a", &all);
    let report = bench.run("2026-03-10T00:20:00Z");
    assert_eq!(report["rows"]["late_rows"], 2, "{report:#}");
    bench.expect("a0 a1 a2 a4 b0 b1");
    let told = bench.ran("2026-03-10T00:30:00Z").expect_code(0).expect_stdout("delivered to");
    assert!(!told.stdout.contains("late rows"), "{}", told.stdout);
    bench.expect("a0 a1 a2 a3 a4 b0 b1");
    let shown = bench.outflow(&["state", "show"]).run().expect_code(0);
    shown.expect_stdout("feed  next window from 2026-03-10T00:30:00Z");
}

/// A preview shows what the next run would deliver: the window that is due, late rows too, and nothing when none is.
#[test]
fn a_preview_is_of_the_window_that_is_due() {
    let bench = Bench::new("10m");
    bench.edit("every: 10m", "every: 10m, catch_up: each");
    bench.arrives("a", &["2026-03-10T00:01:00Z", "2026-03-10T00:11:00Z"]);
    let preview =
        |at: &str| bench.outflow(&["preview", "feed.yaml", "--reveal", "--at", at]).run().expect_code(0).stdout;
    let told = preview("2026-03-10T00:30:00Z");
    assert!(
        told.starts_with("window cursor [2026-03-10T00:00:00Z, 2026-03-10T00:10:00Z)\n── 2026-03-10T01:10:00+01:00/"),
        "{told}"
    );
    assert!(told.contains("a0,") && !told.contains("a1,"), "{told}");
    assert!(!bench.path().join(".outflow").exists() && bench.files() == 0, "nothing is written");
    bench.run("2026-03-10T00:10:00Z");
    bench.arrives("b", &["2026-03-10T00:02:00Z"]);
    let told = preview("2026-03-10T00:20:00Z");
    assert!(told.contains("[2026-03-10T00:10:00Z, 2026-03-10T00:20:00Z)") && !told.contains("a0,"), "{told}");
    assert!(told.contains("a1,") && told.contains("b0,"), "{told}");
    bench.run("2026-03-10T00:20:00Z");
    bench.expect("a0 a1 b0");
    assert!(preview("2026-03-10T00:25:00Z").contains("no window is due"));
}

/// A row without position is in no window: it waits in the dead letter, and is told once.
#[test]
fn rows_without_a_position_are_rejected_once() {
    let bench = Bench::new("10m");
    bench.arrives("a", &["2026-03-10T00:01:00Z", "", "soon", "2026-03-10T00:11:00Z"]);
    let report = bench.run("2026-03-10T00:10:00Z");
    assert_eq!(report["rejects"]["codes"], json!({"incremental/cursor": 2}), "{report:#}");
    let letters = std::fs::read_to_string(bench.path().join(report["rejects"]["path"].as_str().unwrap())).unwrap();
    let second: Value = serde_json::from_str(letters.lines().nth(1).unwrap()).unwrap();
    assert_eq!(
        (&second["row"], &second["file"], &second["record"]["id"]),
        (&4.into(), &"in/a.csv".into(), &"a2".into())
    );
    let report = bench.run("2026-03-10T00:20:00Z");
    assert_eq!(report["rows"]["rejected"], 0, "{report:#}");
    bench.expect("a0 a3");
}

/// Without `every` a window goes up to the instant of the run, less the lateness.
#[test]
fn up_to_now() {
    let bench = Bench::new("");
    bench.arrives("a", &["2026-03-10T08:00:00Z", "2026-03-10T08:57:00Z"]);
    bench.run("2026-03-10T09:00:00Z");
    bench.expect("a0");
    let report = bench.run("2026-03-10T09:30:00Z");
    assert_eq!(windows(&report), ["cursor [2026-03-10T08:55:00Z, 2026-03-10T09:25:00Z)"]);
    bench.expect("a0 a1");
    let report = bench.run("2026-03-10T09:40:00Z");
    assert_eq!(report["status"], "empty", "{report:#}");
    assert_eq!(bench.files(), 2);
}

/// F34: the clock jumps back an hour, then forward a day: no window is skipped or doubled, and what comes with the
/// right time afterwards is late, not lost.
#[test]
fn f34_clock_jumps() {
    let bench = Bench::new("10m");
    bench.arrives("a", &["2026-03-10T02:01:00Z", "2026-03-10T02:11:00Z"]);
    bench.run("2026-03-10T02:20:00Z");
    bench.expect("a0 a1");
    let back = bench.run("2026-03-10T01:20:00Z");
    assert_eq!((&back["status"], windows(&back).len()), (&"already_delivered".into(), 0), "{back:#}");
    bench.arrives("b", &["2026-03-10T02:21:00Z"]);
    bench.run("2026-03-11T02:30:00Z");
    bench.expect("a0 a1 b0");
    bench.arrives("c", &["2026-03-10T02:31:00Z", "2026-03-11T02:31:00Z"]);
    let right = bench.run("2026-03-10T02:40:00Z");
    assert_eq!(windows(&right).len(), 0);
    let later = bench.run("2026-03-11T02:40:00Z");
    assert_eq!(later["rows"]["late_rows"], 1, "{later:#}");
    bench.expect("a0 a1 b0 c0 c1");
}

/// F57: daily windows over the days that clocks change: each row in the file of its day, each day once.
#[test]
fn f57_days_around_a_change_of_clocks() {
    let bench = Bench::new("1d");
    bench.edit("every: 1d", "every: 1d, catch_up: each");
    bench.edit("2026-03-10T00:00:00Z", "2026-03-28");
    bench.arrives(
        "a",
        &["2026-03-28T22:59:59Z", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"],
    );
    let report = bench.run("2026-03-30T22:00:00Z");
    assert_eq!(
        windows(&report),
        [
            "cursor [2026-03-27T23:00:00Z, 2026-03-28T23:00:00Z)",
            "cursor [2026-03-28T23:00:00Z, 2026-03-29T22:00:00Z)",
            "cursor [2026-03-29T22:00:00Z, 2026-03-30T22:00:00Z)"
        ]
    );
    bench.expect("a0 a1 a2 a3");
    let rows = report["deliveries"].as_array().unwrap().iter().map(|told| told["rows"].as_u64().unwrap());
    assert_eq!(rows.collect::<Vec<_>>(), [1, 2, 1]);
}

/// F58, SAIL-20: nobody ran it for three days: the windows come in order, one by one or merged, without limit.
#[test]
fn f58_three_days_down() {
    let times = ["2026-03-10T12:00:00Z", "2026-03-11T12:00:00Z", "2026-03-12T12:00:00Z", "2026-03-13T12:00:00Z"];
    for (catch_up, expected) in [("each", 3), ("merge", 1)] {
        let bench = Bench::new("1d");
        bench.edit("every: 1d", &format!("every: 1d, catch_up: {catch_up}"));
        bench.arrives("a", &times);
        bench.run("2026-03-11T01:00:00Z");
        bench.expect("a0");
        let report = bench.run("2026-03-14T01:00:00Z");
        let windows = windows(&report);
        assert_eq!(windows.len(), expected, "{windows:?}");
        assert!(windows.is_sorted() && windows[0].starts_with("cursor [2026-03-10T23:00:00Z, "), "{windows:?}");
        bench.expect("a0 a1 a2 a3");
        assert_eq!(bench.files(), 1 + expected);
    }
}

/// SAIL-15: an export that failed is made up for by the next one of the day: the watermark did not move.
#[test]
fn sail_15_the_next_export_has_what_a_failed_one_lacks() {
    let bench = Bench::new("1h");
    bench.arrives("a", &["2026-03-10T00:30:00Z"]);
    std::fs::write(bench.path().join("out"), "in the way").unwrap();
    bench.ran("2026-03-10T01:00:00Z").expect_code(3);
    bench.ran("2026-03-10T02:00:00Z").expect_code(3);
    std::fs::remove_file(bench.path().join("out")).unwrap();
    bench.arrives("b", &["2026-03-10T02:30:00Z"]);
    let report = bench.run("2026-03-10T03:00:00Z");
    assert_eq!(windows(&report), ["cursor [2026-03-10T00:00:00Z, 2026-03-10T03:00:00Z)"]);
    bench.expect("a0 b0");
}

/// Death anywhere on the way: the next run has each row once.
#[test]
fn a_run_killed_between_windows_loses_and_doubles_nothing() {
    for point in
        ["plan-committed", "spool-finished", "seal-committed", "file-put", "commit-in-transaction", "commit-done"]
    {
        for number in 1..=3 {
            let bench = Bench::new("1h");
            bench.edit("every: 1h", "every: 1h, catch_up: each");
            bench.arrives("a", &["2026-03-10T00:30:00Z", "2026-03-10T01:30:00Z", "2026-03-10T02:30:00Z"]);
            let arguments = ["run", "feed.yaml", "--at", "2026-03-10T03:00:00Z"];
            let kill = format!("{point}#{number}");
            let killed = bench.outflow(&arguments).env("OUTFLOW_KILL_AT", &kill).run();
            assert_eq!(killed.signal, Some(9), "{kill}: {killed:?}");
            bench.arrives("b", &["2026-03-10T00:40:00Z", "2026-03-10T03:30:00Z"]);
            bench.run("2026-03-10T04:00:00Z");
            bench.expect("a0 a1 a2 b0 b1");
        }
    }
}

/// A window that was sent in part, and whose sealed files are lost with their machine: it is delivered as it was cut
/// then and under the same numbers, and the next one begins behind it.
#[test]
fn a_window_that_lost_its_files_is_finished_as_it_was_cut() {
    let bench = Bench::new("");
    bench.edit("{path: \"{{ at }}/{{ nonce }}.csv\", format: csv}", NUMBERED);
    bench.arrives("a", &["2026-03-10T00:30:00Z"; 12]);
    let arguments = ["run", "feed.yaml", "--at", "2026-03-10T01:00:00Z"];
    assert_eq!(bench.outflow(&arguments).env("OUTFLOW_KILL_AT", "file-put").run().signal, Some(9));
    assert!(bench.files() < 12, "some of it is not there yet");
    std::fs::remove_dir_all(bench.path().join(".outflow/spool")).unwrap();
    bench.arrives("b", &["2026-03-10T02:30:00Z"]);
    let report = bench.run("2026-03-10T03:00:00Z");
    let cut =
        ["cursor [2026-03-10T00:00:00Z, 2026-03-10T00:55:00Z)", "cursor [2026-03-10T00:55:00Z, 2026-03-10T02:55:00Z)"];
    assert_eq!(windows(&report), cut, "{report:#}");
    bench.expect("a0 a1 a10 a11 a2 a3 a4 a5 a6 a7 a8 a9 b0");
    let numbers: Vec<_> = files_below(&bench.path().join("out")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(numbers, (1..=13).map(|number| format!("{number:03}.csv")).collect::<Vec<_>>());
}

/// F59: a backfill takes no row that a run delivers, and two processes do not work at once.
#[test]
fn f59_backfill_beside_live_runs() {
    let bench = Bench::new("1d");
    bench.edit("2026-03-10T00:00:00Z", "2026-03-10");
    bench.arrives(
        "a",
        &[
            "2026-03-07T12:00:00Z",
            "2026-03-08T12:00:00Z",
            "2026-03-09T12:00:00Z",
            "2026-03-10T12:00:00Z",
            "2026-03-11T12:00:00Z",
        ],
    );
    bench.run("2026-03-11T01:00:00Z");
    bench.expect("a3");
    let backfill = |from: &str, to: &str, more: &[&str]| {
        bench.outflow(&[&["backfill", "feed.yaml", "--from", from, "--to", to], more].concat()).run()
    };
    backfill("2026-03-07", "2026-03-09", &[]).expect_code(2).expect_stderr("--yes").expect_stderr("2 windows");
    backfill("2026-03-09T12:00:00Z", "2026-03-10T12:00:00Z", &["--yes"]).expect_code(2).expect_stderr("overlaps");
    backfill("2026-03-11", "2026-03-12", &["--yes"]).expect_code(2).expect_stderr("from where on runs deliver");
    bench.expect("a3");
    let held = outflow_engine::ledger::StateLock::acquire(&bench.path().join(".outflow")).unwrap();
    backfill("2026-03-08", "2026-03-10", &["--yes"]).expect_code(6);
    drop(held);
    backfill("2026-03-07", "2026-03-10", &["--yes", "--parallel", "2"]).expect_code(0);
    bench.expect("a0 a1 a2 a3");
    backfill("2026-03-08", "2026-03-10", &["--yes"]).expect_code(0).expect_stdout("already delivered");
    let again = bench.outflow(&["run", "feed.yaml", "--from", "2026-03-07", "--to", "2026-03-08"]).run();
    again.expect_code(0).expect_stdout("already delivered");
    bench.run("2026-03-12T01:00:00Z");
    bench.expect("a0 a1 a2 a3 a4");
}

/// F60: the pipeline changes between a crash and the recovery: what was sealed is delivered as it was sealed, what was
/// not is made by the new one.
#[test]
fn f60_a_pipeline_that_changes_after_a_crash() {
    for (point, header) in [("seal-committed", "id,at"), ("spool-finished", "at,id")] {
        let bench = Bench::new("1h");
        bench.arrives("a", &["2026-03-10T00:30:00Z"]);
        let arguments = ["run", "feed.yaml", "--at", "2026-03-10T01:00:00Z"];
        assert_eq!(bench.outflow(&arguments).env("OUTFLOW_KILL_AT", point).run().signal, Some(9));
        bench.edit("layout:", "transforms: [{select: {columns: [at, id]}}]\nlayout:");
        bench.ran("2026-03-10T01:00:00Z").expect_code(0);
        let (_, bytes) = files_below(&bench.path().join("out")).pop().unwrap();
        assert!(String::from_utf8_lossy(&bytes).starts_with(header), "{point}");
    }
}

/// A window that was set aside holds back the next ones, until a person has looked and says so.
#[test]
fn what_was_set_aside_is_tried_again_by_hand() {
    let bench = Bench::new("1h");
    bench.edit("{{ at }}/{{ nonce }}.csv", "{{ at | date('%H') }}.csv");
    bench.edit("every: 1h", "every: 1h, catch_up: each");
    bench.arrives("a", &["2026-03-10T00:30:00Z", "2026-03-10T01:30:00Z"]);
    std::fs::create_dir(bench.path().join("out")).unwrap();
    let taken = bench.path().join("out/02.csv");
    std::fs::write(&taken, "not ours\n").unwrap();
    bench.ran("2026-03-10T02:00:00Z").expect_code(3).expect_stderr("02.csv");
    bench.ran("2026-03-10T02:00:00Z").expect_code(3).expect_stderr("runs retry");
    bench.outflow(&["runs", "retry", "feed.yaml"]).run().expect_code(3);
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "not ours\n");
    std::fs::remove_file(taken).unwrap();
    bench.outflow(&["runs", "retry", "feed.yaml"]).run().expect_code(0).expect_stdout("recovered");
    bench.run("2026-03-10T02:00:00Z");
    bench.expect("a0 a1");
    bench.outflow(&["state", "show"]).run().expect_code(0).expect_stdout("retry");
}

/// Moving where the next window begins: asked for, told in the audit, and refused without an answer.
#[test]
fn the_next_window_is_moved_by_hand() {
    let bench = Bench::new("1h");
    bench.arrives("a", &["2026-03-10T00:30:00Z", "2026-03-10T01:30:00Z", "2026-03-10T02:30:00Z"]);
    bench.run("2026-03-10T01:00:00Z");
    let set = ["state", "set", "feed.yaml", "--watermark", "2026-03-10T02:00:00Z"];
    bench.outflow(&set).run().expect_code(2).expect_stderr("--yes");
    bench.outflow(&[&set[..], &["--yes"]].concat()).run().expect_code(0);
    bench.run("2026-03-10T03:00:00Z");
    bench.expect("a0 a2");
    let filled = ["backfill", "feed.yaml", "--from", "2026-03-10T01:00:00Z", "--to", "2026-03-10T02:00:00Z", "--yes"];
    bench.outflow(&filled).run().expect_code(0);
    bench.expect("a0 a1 a2");
    bench.outflow(&["state", "reset", "feed.yaml", "--yes"]).run().expect_code(0);
    let shown = bench.outflow(&["state", "show", "--format", "json"]).run().expect_code(0).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let actions = shown["audit"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap());
    assert_eq!((actions.collect::<Vec<_>>(), &shown["positions"]), (vec!["state set", "state reset"], &json!([])));
    let report = bench.run("2026-03-10T01:00:00Z");
    assert_eq!(report["status"], "already_delivered", "the first window is what it was: {report:#}");
}

/// A file that has gone is put back, the very bytes; one that cannot be made again is not, nor one whose name is taken.
#[test]
fn files_are_put_back_or_nothing_is() {
    let bench = Bench::new("1h");
    bench.arrives("a", &["2026-03-10T00:30:00Z"]);
    let report = bench.run("2026-03-10T01:00:00Z");
    let path = report["files"][0]["path"].as_str().unwrap().to_owned();
    let file = bench.path().join("out").join(&path);
    let bytes = std::fs::read(&file).unwrap();
    let again = || bench.outflow(&["files", "redeliver", "feed.yaml", &path]).run();
    again().expect_code(0).expect_stdout("there");
    std::fs::remove_file(&file).unwrap();
    again().expect_code(0).expect_stdout("delivered");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    std::fs::write(&file, "not ours").unwrap();
    again().expect_code(3);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "not ours");
    std::fs::remove_file(&file).unwrap();
    bench.arrives("a", &["2026-03-10T00:31:00Z"]);
    again().expect_code(2).expect_stderr("cannot be made again");
    assert!(!file.exists() && !bench.path().join(".outflow/spool").read_dir().unwrap().any(|_| true));
    bench.outflow(&["files", "redeliver", "feed.yaml", "no.csv"]).run().expect_code(2).expect_stderr("never delivered");
}

/// Each sink has its own watermark: one that was away gets what it lacks, the other nothing twice.
#[test]
fn sinks_catch_up_by_themselves() {
    let bench = Bench::new("1h");
    bench.edit("sink: {local: {path: out}}", "sinks: [{local: {path: out}}, {local: {path: two}}]");
    bench.arrives("a", &["2026-03-10T00:30:00Z", "2026-03-10T01:30:00Z"]);
    std::fs::write(bench.path().join("two"), "in the way").unwrap();
    bench.ran("2026-03-10T01:00:00Z").expect_code(5);
    bench.ran("2026-03-10T02:00:00Z").expect_code(5);
    bench.expect("a0 a1");
    std::fs::remove_file(bench.path().join("two")).unwrap();
    bench.run("2026-03-10T02:30:00Z");
    bench.expect("a0 a1");
    let rows = files_below(&bench.path().join("two")).into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap());
    assert_eq!(rows.map(|text| text.lines().count() - 1).sum::<usize>(), 2);
}

/// ACT-1, ACT-4: Actito's files once a day, of the day before in the pipeline's zone; a run again the same day is the
/// same window; a day that was missed is in the next file, which is one file a flow and table.
#[test]
fn actito_once_a_day() {
    let golden = repository().join("tests/golden/actito/daily");
    let folder = tempfile::tempdir().unwrap();
    crate::support::process::copy_folder(&golden, folder.path());
    for (at, code) in [("2024-05-02T01:00:00Z", 1), ("2024-05-02T20:00:00Z", 0), ("2024-05-04T01:00:00Z", 1)] {
        let told =
            Outflow::in_folder(folder.path()).args(["run", "pipeline.yaml", "--at", at, "--format", "json"]).run();
        let report: Value = serde_json::from_str(&told.expect_code(0).stdout).unwrap();
        assert_eq!(windows(&report).len(), code, "{at}: {report:#}");
    }
    let found = difference(&golden.join("expected"), &folder.path().join("out"));
    assert_eq!(found, None, "{}", found.as_deref().unwrap_or_default());
}

/// CIO-6: syncs of ten minutes, aligned to the clock: 12:09:59.999 is in the first, 12:10:00.000 in the second, and the
/// positions follow the windows.
#[test]
fn customerio_every_ten_minutes() {
    let golden = repository().join("tests/golden/customerio/windows");
    let folder = tempfile::tempdir().unwrap();
    crate::support::process::copy_folder(&golden, folder.path());
    let run = |at: &str| {
        let told =
            Outflow::in_folder(folder.path()).args(["run", "pipeline.yaml", "--at", at, "--format", "json"]).run();
        serde_json::from_str::<Value>(&told.expect_code(0).stdout).unwrap()
    };
    assert_eq!(windows(&run("2015-12-10T12:10:00Z")), ["cursor [2015-12-10T12:00:00Z, 2015-12-10T12:10:00Z)"]);
    let report = run("2015-12-10T13:00:05Z");
    // CIO-23: ten minutes without calls write nothing and take no number.
    assert_eq!(
        windows(&report),
        ["cursor [2015-12-10T12:10:00Z, 2015-12-10T12:20:00Z)", "cursor [2015-12-10T12:30:00Z, 2015-12-10T12:40:00Z)"],
        "{report:#}"
    );
    assert_eq!(report["deliveries"][1]["watermark"], "2015-12-10T13:00:00Z");
    let found = difference(&golden.join("expected"), &folder.path().join("out"));
    assert_eq!(found, None, "{}", found.as_deref().unwrap_or_default());
}
