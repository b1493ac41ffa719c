//! Faults of the machine and of the ledger, from the outside: frozen workers, two at once, ledgers that were rolled
//! back or lost, disks and systems that refuse. A poller watches the target through all of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::support::poller::{Poller, no_controls};
use crate::support::process::{Outcome, Outflow, files_below};

/// A file a day and no control file. All runs are of one instant, so that a lost ledger draws the same names again.
const PIPELINE: &str = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nlayout:\n  files:\n    path: \
                        \"{{ partition.day }}_{{ at | date('%Y') }}.csv\"\n    format: csv\n    split_by: [day]\n\
                        sink: {local: {path: out}}\n";
const AT: &str = "2026-11-22T02:00:00Z";

/// A pipeline with its input in a folder.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.path("feed.yaml"), PIPELINE).unwrap();
        bench.input("monday", 40);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The next window's rows; all go to the file of that day.
    fn input(&self, day: &str, rows: usize) {
        let rows: String = (0..rows).map(|row| format!("{row},{day}\n")).collect();
        std::fs::write(self.path("in.csv"), format!("id,day\n{rows}")).unwrap();
    }

    fn call(&self, wrapper: &[&str], state: &str) -> Outflow {
        Outflow::through(wrapper, self.folder.path()).args(["run", "feed.yaml", "--at", AT, "--state", state])
    }

    fn run(&self) -> Outcome {
        self.call(&[], ".outflow").run()
    }

    fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// Days delivered, with their rows.
    fn delivered(&self) -> Vec<(String, usize)> {
        let rows = |bytes: Vec<u8>| bytes.iter().filter(|byte| **byte == b'\n').count() - 1;
        files_below(&self.out()).into_iter().map(|(name, bytes)| (name, rows(bytes))).collect()
    }

    fn expect(&self, days: &[(&str, usize)], story: &str) {
        let wanted: Vec<_> = days.iter().map(|(day, rows)| (format!("{day}_2026.csv"), *rows)).collect();
        assert_eq!(self.delivered(), wanted, "{story}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for (name, bytes) in files_below(from) {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// F11: the ledger is yesterday's. What it does not know of, the target proves: adopted, and nothing is sent twice.
#[test]
fn f11_a_ledger_rolled_back_adopts_what_the_target_shows() {
    let bench = Bench::new();
    let poller = Poller::folder(&bench.out(), no_controls);
    bench.run().expect_code(0);
    copy(&bench.path(".outflow"), &bench.path("backup"));
    bench.input("tuesday", 50);
    bench.run().expect_code(0);
    std::fs::remove_dir_all(bench.path(".outflow")).unwrap();
    std::fs::rename(bench.path("backup"), bench.path(".outflow")).unwrap();
    bench.run().expect_code(0);
    bench.run().expect_code(0).expect_stdout("already delivered");
    poller.finish("rolled back");
    bench.expect(&[("monday", 40), ("tuesday", 50)], "rolled back");
}

/// F12: the ledger is gone. Other bytes under a name that was used are refused and left alone; equal ones are adopted.
#[test]
fn f12_without_its_ledger_nothing_is_overwritten() {
    let bench = Bench::new();
    let poller = Poller::folder(&bench.out(), no_controls);
    bench.run().expect_code(0);
    std::fs::remove_dir_all(bench.path(".outflow")).unwrap();
    bench.run().expect_code(0);
    std::fs::remove_dir_all(bench.path(".outflow")).unwrap();
    bench.input("monday", 41);
    bench.run().expect_code(3).expect_stderr("monday_2026.csv");
    poller.finish("lost");
    bench.expect(&[("monday", 40)], "lost");
}

fn strace<'a>(inject: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject], more].concat()
}

/// F16: the disk answers EIO to a sync. Whatever it was for, the run fails, nothing half lands, and the next run delivers.
#[test]
fn f16_a_sync_that_fails_publishes_nothing_unsafe() {
    let mut failed = 0;
    for nth in [1, 2, 3, 5, 8, 13, 21] {
        let bench = Bench::new();
        let poller = Poller::folder(&bench.out(), no_controls);
        let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}");
        let outcome = bench.call(&strace(&inject, &[]), ".outflow").run();
        assert!(outcome.code.is_some_and(|code| [0, 2, 3, 4].contains(&code)), "sync {nth}: {outcome:?}");
        failed += usize::from(outcome.code != Some(0));
        assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
        bench.run().expect_code(0);
        poller.finish(&format!("sync {nth}"));
        bench.expect(&[("monday", 40)], &format!("sync {nth}"));
    }
    assert!(failed >= 3, "only {failed} syncs failed");
}

/// F17: writes to the spool are interrupted again and again, and the bytes are right.
#[test]
fn f17_interrupted_writes_lose_nothing() {
    let bench = Bench::new();
    bench.input("monday", 200_000);
    let killed = bench.call(&[], "probe").env("OUTFLOW_KILL_AT", "seal-committed").run();
    assert_eq!(killed.signal, Some(9), "{killed:?}");
    let spooled = files_below(&bench.path("probe")).into_iter().map(|(name, _)| name);
    let spooled: Vec<_> = spooled.filter(|name| name.starts_with("spool/")).collect();
    assert_eq!(spooled.len(), 1, "{spooled:?}");
    let place = bench.path(".outflow").join(&spooled[0]);
    let poller = Poller::folder(&bench.out(), no_controls);
    let inject = "inject=write,pwrite64:error=EINTR:when=1+2";
    bench.call(&strace(inject, &["-P", place.to_str().unwrap()]), ".outflow").run().expect_code(0);
    poller.finish("interrupted");
    bench.expect(&[("monday", 200_000)], "interrupted");
    bench.run().expect_code(0).expect_stdout("already delivered");
}

/// F18: a state folder that cannot be, and far too few file handles: a clear message at once, or success.
#[test]
fn f18_what_the_system_refuses_is_told_at_once() {
    let bench = Bench::new();
    for state in ["feed.yaml/state", "/proc/outflow"] {
        let began = Instant::now();
        bench.call(&[], state).run().expect_code(3).expect_stderr(state);
        assert!(began.elapsed() < Duration::from_secs(20), "{state}");
    }
    for handles in ["64", "24", "12"] {
        let limit = format!("--nofile={handles}");
        let outcome = bench.call(&["prlimit", &limit], ".outflow").run();
        assert!(outcome.code.is_some_and(|code| code <= 4), "{handles} handles: {outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "{handles} handles: {outcome:?}");
    }
    bench.run().expect_code(0);
    bench.expect(&[("monday", 40)], "few handles");
}
