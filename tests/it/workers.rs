//! Two processes that share one ledger in PostgreSQL, each with a state folder of its own as on two machines: one that
//! sleeps past its lease and wakes up, two that begin at the same moment, and one with a wrong clock.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::poller::{Poller, no_controls};
use crate::support::postgres::Postgres;
use crate::support::process::{Outcome, Outflow, Running, files_below};

const ROWS: usize = 200;

/// A project whose pipeline any of its workers may run.
struct Shared {
    folder: tempfile::TempDir,
    database: String,
}

impl Shared {
    fn new() -> Self {
        let shared = Self { folder: tempfile::tempdir().unwrap(), database: Postgres::shared().database() };
        let pipeline = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nlayout:\n  files: {path: \"{{ \
                        partition.half }}_{{ nonce[:8] }}.csv\", format: csv, split_by: [half]}\nsink: {local: {path: out}}\n";
        std::fs::write(shared.path("feed.yaml"), pipeline).unwrap();
        std::fs::write(shared.path("outflow.yaml"), "version: 1\nledger: {postgres: {url: \"${env:LEDGER}\"}}\n")
            .unwrap();
        shared.input("first");
        shared
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the next window delivers: two files.
    fn input(&self, word: &str) {
        let rows: String = (0..ROWS).map(|row| format!("{word}{row},{}\n", row % 2)).collect();
        std::fs::write(self.path("in.csv"), format!("id,half\n{rows}")).unwrap();
    }

    fn worker(&self, wrapper: &[&str], state: &str) -> Outflow {
        let arguments = ["run", "feed.yaml", "--state", state, "--report", &format!("{state}.json")].map(str::to_owned);
        Outflow::through(wrapper, self.folder.path()).args(arguments).env("LEDGER", &self.database)
    }

    /// Runs a worker until the lease of another has run out.
    fn take_over(&self, state: &str) -> Outcome {
        let began = Instant::now();
        loop {
            let outcome = self.worker(&[], state).run();
            assert!(matches!(outcome.code, Some(0 | 6)), "{outcome:?}");
            if outcome.code == Some(0) {
                return outcome;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the lease did not run out: {outcome:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn sql(&self, statement: &str) -> String {
        Postgres::shared().sql(&self.database, statement)
    }

    /// A worker whose lease is gone ends with the exit code that says so.
    fn expect_beaten(&self, worker: &Running, state: &str, story: &str) {
        let code = worker.wait(Duration::from_secs(60));
        let report = std::fs::read_to_string(self.path(&format!("{state}.json")));
        assert_eq!(code, Some(6), "{story}: {report:?}");
    }

    /// Each row once at the target, and one delivery published in the ledger for each window.
    fn expect(&self, windows: usize, story: &str) {
        let files = files_below(&self.path("out"));
        assert_eq!(files.len(), 2 * windows, "{story}: {:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>());
        let lines =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        let mut rows = files.iter().flat_map(|(_, bytes)| lines(bytes)).collect::<Vec<_>>();
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), ROWS * windows, "{story}");
        let published = self.sql("SELECT count(*) FROM slot WHERE state = 'published'");
        assert_eq!(published, windows.to_string(), "{story}");
    }
}

fn is_frozen(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
}

fn wait_until_frozen(worker: &Running) {
    let began = Instant::now();
    while !is_frozen(worker.id()) {
        assert!(began.elapsed() < Duration::from_secs(60), "the worker did not freeze");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wake(worker: &Running) {
    assert!(Command::new("kill").args(["-CONT", &worker.id().to_string()]).status().unwrap().success());
}

/// F06: a worker freezes, its lease runs out, another delivers in its place; the first wakes up in the middle of what it
/// did, commits nothing and shows nothing else.
#[test]
fn f06_a_worker_that_wakes_up_after_its_lease_commits_nothing() {
    for point in ["plan-committed", "seal-committed", "file-before-put", "file-put#2", "commit-before"] {
        let shared = Shared::new();
        let poller = Poller::folder(&shared.path("out"), no_controls);
        let first = shared.worker(&[], "one").env("OUTFLOW_FREEZE_AT", point).spawn();
        wait_until_frozen(&first);
        shared.take_over("two");
        shared.expect(1, point);
        let before = shared.sql("SELECT id, state, epoch, attempt, published_at FROM slot ORDER BY id");
        wake(&first);
        shared.expect_beaten(&first, "one", point);
        assert_eq!(
            shared.sql("SELECT id, state, epoch, attempt, published_at FROM slot ORDER BY id"),
            before,
            "{point}"
        );
        shared.input("second");
        shared.worker(&[], "one").run().expect_code(0);
        poller.finish(point);
        shared.expect(2, point);
    }
}

/// F07: two workers begin at the same moment, again and again: one delivers, the other stands back or finds it done.
#[test]
fn f07_two_workers_that_begin_at_once_deliver_once() {
    let shared = Shared::new();
    let poller = Poller::folder(&shared.path("out"), no_controls);
    for round in 1..=6 {
        shared.input(&format!("round{round}row"));
        let workers = ["one", "two"].map(|state| shared.worker(&[], state).spawn());
        let codes = workers.map(|worker| worker.wait(Duration::from_secs(120)));
        assert!(codes.contains(&Some(0)), "{codes:?}");
        assert!(codes.iter().all(|code| matches!(code, Some(0 | 6))), "{codes:?}");
        shared.expect(round, &format!("round {round}"));
    }
    poller.finish("two at once");
}

/// F33: a worker whose clock is ahead takes no lease away before its time, and one that is behind takes it in time: only
/// the database's clock counts. Neither delivers anything otherwise.
#[test]
fn f33_leases_go_by_the_clock_of_the_database() {
    for skew in ["+20m", "-20m"] {
        let shared = Shared::new();
        let first = shared.worker(&[], "one").env("OUTFLOW_FREEZE_AT", "seal-committed").spawn();
        wait_until_frozen(&first);
        let left = "SELECT expires_at - (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint FROM lease";
        let (left, asked) = (shared.sql(left).parse::<u64>().unwrap(), Instant::now());
        let wrong = || shared.worker(&["faketime", "-f", skew], "two").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        wrong().run().expect_code(0).expect_stdout("delivered to");
        let waited = asked.elapsed();
        assert!(left > 3_000 && waited >= Duration::from_millis(left), "{skew}: {left} ms were left, {waited:?}");
        assert!(waited < Duration::from_secs(60), "{skew}: {waited:?}");
        wake(&first);
        shared.expect_beaten(&first, "one", skew);
        shared.expect(1, skew);
        wrong().run().expect_code(0).expect_stdout("already delivered");
        shared.input("second");
        wrong().run().expect_code(0);
        shared.expect(2, skew);
    }
}

/// `runs` and `files` look into the ledger that the project shares, whichever state folder a run had.
#[test]
fn runs_and_files_are_looked_up_in_the_shared_ledger() {
    let shared = Shared::new();
    shared.worker(&[], "one").run().expect_code(0);
    let outflow = |arguments: &[&str]| {
        Outflow::in_folder(shared.folder.path()).args(arguments).env("LEDGER", &shared.database).run()
    };
    let runs = outflow(&["runs", "list"]).expect_code(0).expect_stdout("feed").stdout;
    let id = runs.split_whitespace().next().unwrap();
    outflow(&["runs", "show", id]).expect_code(0).expect_stdout("delivered");
    assert_eq!(outflow(&["files", "list"]).expect_code(0).stdout.lines().count(), 2);
    outflow(&["files", "verify", "feed.yaml"]).expect_code(0).expect_stdout("intact");
}
