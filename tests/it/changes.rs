//! Membership feeds: what the receiver makes of all the files it ever got is the last input, whatever happened between.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::process::{Outcome, Outflow, files_below};

const PIPELINE: &str = "version: 1\nname: members\nsource: {files: {path: in.csv}}\ntransforms:\n\
                        - changes: {key: [identifier]}\nlayout:\n  simon: {client: acme, segment_name: All, \
                        flow: {id: 7, name: Flow, actions: [mail]}, format: csv}\nsink: {local: {path: out}}\n";

/// A pipeline, and a receiver that reads each new file once.
struct Bench {
    folder: tempfile::TempDir,
    read: BTreeSet<String>,
    members: BTreeSet<String>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("members.yaml"), PIPELINE).unwrap();
        Self { folder, read: BTreeSet::new(), members: BTreeSet::new() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the input as it was on a day.
    fn input(&self, members: &str, day: u64) {
        let rows = members.split_whitespace().map(|name| format!("{name}@x.be,v{day}\n")).collect::<String>();
        let path = self.path().join("in.csv");
        std::fs::write(&path, format!("identifier,variant\n{rows}")).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    }

    fn outflow(&self) -> Outflow {
        Outflow::in_folder(self.path()).args(["run", "members.yaml"])
    }

    fn run(&self) -> Outcome {
        self.outflow().run().expect_code(0)
    }

    /// Applies the files that are new: who was added, who was removed, as `name/variant`.
    fn receive(&mut self) -> (Vec<String>, Vec<String>) {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for (path, bytes) in files_below(&self.path().join("out")) {
            if !self.read.insert(path.clone()) || path.contains("control_") {
                continue;
            }
            let text = String::from_utf8(bytes).unwrap();
            for row in text.lines().skip(1) {
                let cells = row.split(',').collect::<Vec<_>>();
                // Simon's feed names each contact once for every action.
                if cells[4] != "data_feed" {
                    continue;
                }
                let name = cells[0].trim_end_matches("@x.be").to_owned();
                let told = format!("{name}/{}", cells[5]);
                match path.contains("_add_") {
                    true => {
                        assert!(self.members.insert(name), "{path} adds {told} again");
                        added.push(told);
                    }
                    false => {
                        assert!(self.members.remove(&name), "{path} removes {told}, who is not there");
                        removed.push(told);
                    }
                }
            }
        }
        (added, removed)
    }

    fn expect_members(&self, members: &str, story: &str) {
        let members = members.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(self.members, members, "{story}");
    }

    fn snapshots(&self) -> usize {
        files_below(&self.path().join(".outflow/changes")).len()
    }
}

fn names(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// SIMON-24: a segment's entries and exits over successive exports. Adds in input order, removes in that of the last
/// snapshot, with the columns they had there.
#[test]
fn entries_and_exits_over_successive_inputs() {
    let mut bench = Bench::new();
    for (day, input, added, removed) in [
        (1, "ann bob carl", "ann/v1 bob/v1 carl/v1", ""),
        (2, "dora bob ella", "dora/v2 ella/v2", "ann/v1 carl/v1"),
        (3, "bob", "", "dora/v2 ella/v2"),
    ] {
        bench.input(input, day);
        bench.run().expect_stdout("delivered to");
        assert_eq!(bench.receive(), (names(added), names(removed)), "day {day}");
        bench.expect_members(input, "after a delivery");
        bench.run().expect_stdout("already delivered");
        assert_eq!(bench.receive(), (vec![], vec![]), "a second run on day {day}");
        assert_eq!(bench.snapshots(), 1, "only the snapshot that counts is kept");
    }
    // The input of the first day comes back to the byte and the second.
    bench.input("ann bob carl", 1);
    bench.run().expect_stdout("delivered to");
    assert_eq!(bench.receive(), (names("ann/v1 carl/v1"), vec![]));
    bench.run().expect_stdout("already delivered");
    // The same members in another order are no change.
    bench.input("carl ann bob", 9);
    bench.run().expect_stdout("no rows to deliver");
    bench.run().expect_stdout("no rows to deliver");
    assert_eq!(bench.receive(), (vec![], vec![]));
    bench.input("carl", 10);
    bench.run();
    assert_eq!(bench.receive(), (vec![], names("ann/v1 bob/v1")));
    bench.expect_members("carl", "at the end");
}

#[test]
fn each_target_has_its_own_members_and_previews_keep_none() {
    let mut bench = Bench::new();
    bench.input("ann bob", 1);
    Outflow::in_folder(bench.path()).args(["preview", "members.yaml"]).run().expect_code(0);
    Outflow::in_folder(bench.path()).args(["lint", "members.yaml"]).run().expect_code(0);
    assert_eq!(bench.snapshots(), 0);
    bench.outflow().args(["--sink", "local:elsewhere"]).run().expect_code(0);
    bench.input("bob carl", 2);
    bench.run();
    assert_eq!(bench.receive(), (names("bob/v2 carl/v2"), vec![]));
    assert_eq!(bench.snapshots(), 2);
}

#[test]
fn a_difference_that_is_not_read_to_its_end_is_not_delivered() {
    let bench = Bench::new();
    bench.input("ann bob carl", 1);
    let text = PIPELINE.replace("layout:", "- sql: SELECT * FROM input LIMIT 1\nlayout:");
    std::fs::write(bench.path().join("members.yaml"), text).unwrap();
    bench.outflow().run().expect_code(3).expect_stderr("`LIMIT`");
    assert!(!bench.path().join("out").exists());
}

/// Death between the first file and the last entry of the ledger: the members that were not committed do not count, and
/// those that were do. Each run has its day, so that the paths tell the order of the files.
#[test]
fn a_run_killed_around_its_commit_loses_nobody() {
    for point in
        ["spool-finished", "seal-committed", "file-put", "commit-before", "commit-in-transaction", "commit-done"]
    {
        let mut bench = Bench::new();
        let on = |bench: &Bench, input: &str, day: u64| {
            bench.input(input, day);
            bench.outflow().args(["--at", &format!("2026-03-0{day}T00:00:00Z")])
        };
        on(&bench, "ann bob carl", 1).run().expect_code(0);
        bench.receive();
        let killed = on(&bench, "dora bob ella", 2).env("OUTFLOW_KILL_AT", point).run();
        assert_eq!(killed.signal, Some(9), "{point}: {killed:?}");
        on(&bench, "ella fred ann", 3).run().expect_code(0);
        bench.receive();
        bench.expect_members("ella fred ann", point);
        on(&bench, "ella fred ann", 3).run().expect_code(0).expect_stdout("already delivered");
        assert_eq!(bench.receive(), (vec![], vec![]), "{point}");
        assert_eq!(bench.snapshots(), 1, "{point}");
    }
}
