//! Death at every step of a run: the next run converges to one set of files, and nobody who watches the target ever
//! sees a control file without its data.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use outflow_engine::kill_point;

use crate::support::poller::{Poller, Shown};
use crate::support::process::{Outflow, files_below, run};

const ROWS: usize = 600;

/// System calls that change what a disk holds.
const CALLS: &str = "write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat";

/// A folder with a small Simon pipeline, and what must come out of it.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let row = |row: usize| {
            let operation = if row.is_multiple_of(3) { "remove" } else { "add" };
            format!("{{\"identifier\":\"contact{row}@example.com\",\"variant\":null,\"operation\":\"{operation}\"}}\n")
        };
        std::fs::write(folder.path().join("contacts.jsonl"), (0..ROWS).map(row).collect::<String>()).unwrap();
        let pipeline = "version: 1\nname: kill\nsource: {files: {path: contacts.jsonl}}\nlayout:\n  simon: {client: acme, \
                        segment_name: All, flow: {id: 7, name: Flow, actions: [mail]}, format: csv, hash_identity: true}\n\
                        sink: {local: {path: out}}\n";
        std::fs::write(folder.path().join("kill.yaml"), pipeline).unwrap();
        Self { folder }
    }

    fn run(&self) -> Outflow {
        self.run_through(&[])
    }

    fn run_through(&self, wrapper: &[&str]) -> Outflow {
        Outflow::through(wrapper, self.folder.path()).args(["run", "kill.yaml"]).env("XDG_CACHE_HOME", cache())
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// One data file and one control file an operation, rows as counted from the input, nothing else, nothing hidden.
    fn expect_converged(&self, story: &str) {
        let files = tree(&self.out());
        assert_eq!(files.len(), 4, "{story}: {:?}", files.keys());
        let count = |operation: &str| (0..ROWS).filter(|row| (row % 3 == 0) == (operation == "remove")).count() * 2;
        for operation in ["add", "remove"] {
            let (name, data) =
                files.iter().find(|(name, _)| name.contains(&format!("/acme_flow_{operation}_"))).unwrap();
            let records = lines(data) - 1;
            assert_eq!(records, count(operation), "{story}: {name}");
            complete(name, &files).unwrap_or_else(|fault| panic!("{story}: {fault}"));
        }
        self.run().run().expect_code(0).expect_stdout("already delivered");
        assert_eq!(tree(&self.out()), files, "{story}: a run after the delivery changed something");
    }
}

/// Every file below a folder, hidden ones too.
fn tree(folder: &Path) -> Shown {
    files_below(folder).into_iter().collect()
}

/// I2 and I6: what a control file names is there, whole.
fn controlled(name: &str, shown: &Shown) -> Result<(), String> {
    if !name.contains("/control_") {
        return Ok(());
    }
    let data = name.replace("control_", "").replace(".json", ".csv");
    if !shown.contains_key(&data) {
        return Err(format!("`{name}` was visible without `{data}`"));
    }
    complete(&data, shown)
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Whether the data file that belongs to a control file, if that is there, is there too with as many rows.
fn complete(data: &str, files: &Shown) -> Result<(), String> {
    let (folder, name) = data.rsplit_once('/').unwrap();
    let control = format!("{folder}/control_{}.json", name.trim_end_matches(".csv"));
    let text = files.get(&control).ok_or_else(|| format!("`{control}` is missing"))?;
    let control: serde_json::Value = serde_json::from_slice(text).map_err(|fault| format!("`{control}`: {fault}"))?;
    let rows = lines(&files[data]) - 1;
    if control["files"][0]["rows"] == rows {
        Ok(())
    } else {
        Err(format!("`{data}` has {rows} rows, its control file says otherwise"))
    }
}

/// Compiled plugins, shared by the runs of these tests so that each need not compile its own.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Debian's strace, installed when it is missing.
fn install_strace() {
    let there = || std::process::Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !there() {
        let mut install = std::process::Command::new("apt-get");
        run(install.args(["install", "--yes", "--quiet", "strace"]), Duration::from_secs(300)).expect_code(0);
    }
    assert!(there(), "strace is needed: apt-get install strace");
}

fn is_recovery(point: &str) -> bool {
    point.starts_with("recover")
}

/// F01: at each place where the program lets itself be killed.
#[test]
fn a_run_killed_at_any_point_is_finished_by_the_next() {
    let mut reached = 0;
    for point in kill_point::ALL {
        let bench = Bench::new();
        let poller = Poller::folder(&bench.out(), controlled);
        if is_recovery(point) {
            let first = bench.run().env("OUTFLOW_KILL_AT", "uploading-recorded").run();
            assert_eq!(first.signal, Some(9), "{first:?}");
        }
        let killed = bench.run().env("OUTFLOW_KILL_AT", point).run();
        reached += usize::from(killed.signal == Some(9));
        assert!(killed.signal == Some(9) || killed.code == Some(0), "{point}: {killed:?}");
        bench.run().run().expect_code(0);
        poller.finish(point);
        bench.expect_converged(point);
    }
    assert!(reached >= 14, "only {reached} points were reached");
}

/// F04.
#[test]
fn three_deaths_in_a_row_change_nothing() {
    let points = ["seal-committed", "recover-slot", "file-put", "companion-verified"];
    let bench = Bench::new();
    let poller = Poller::folder(&bench.out(), controlled);
    for point in points {
        bench.run().env("OUTFLOW_KILL_AT", point).run();
    }
    bench.run().run().expect_code(0);
    poller.finish("three deaths");
    bench.expect_converged("three deaths");
}

/// F02: `OUTFLOW_KILLS` says how often, `OUTFLOW_SEED` where the moments begin; a dozen by default.
#[test]
fn a_run_killed_at_any_moment_is_finished_by_the_next() {
    let number = |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (kills, mut seed): (u64, u64) = (number("OUTFLOW_KILLS", 12), number("OUTFLOW_SEED", 1));
    let began = std::time::Instant::now();
    Bench::new().run().run().expect_code(0);
    // Up to where a run is over, as this machine is just now.
    let most = began.elapsed().as_micros() as u64;
    for kill in 0..kills {
        // The generator of Lehmer, as Park and Miller set it.
        seed = seed * 48_271 % 2_147_483_647;
        let story = format!("kill {kill}, seed {seed}");
        let bench = Bench::new();
        let poller = Poller::folder(&bench.out(), controlled);
        let run = bench.run().spawn();
        std::thread::sleep(Duration::from_micros(seed % most));
        run.kill();
        bench.run().run().expect_code(0);
        poller.finish(&story);
        bench.expect_converged(&story);
    }
}

/// F03: kills at the Nth write, sync, link or rename of any thread, without a hook in the program.
/// `OUTFLOW_SWEEP=full` takes each of the first 200, else every eighth.
#[test]
fn a_run_killed_at_any_system_call_is_finished_by_the_next() {
    install_strace();
    let step = if std::env::var("OUTFLOW_SWEEP").is_ok_and(|sweep| sweep == "full") { 1 } else { 8 };
    let mut deaths = 0;
    for number in (1..=200).step_by(step) {
        let bench = Bench::new();
        let poller = Poller::folder(&bench.out(), controlled);
        let inject = format!("inject={CALLS}:signal=SIGKILL:when={number}");
        let trace = bench.folder.path().join("trace");
        let killed = bench
            .run_through(&[
                "strace",
                "-f",
                "-qq",
                "-o",
                trace.to_str().unwrap(),
                "-e",
                &format!("trace={CALLS}"),
                "-e",
                &inject,
            ])
            .run();
        let died = killed.signal == Some(9) || killed.code == Some(137);
        deaths += usize::from(died);
        assert!(died || killed.code == Some(0), "call {number}: {killed:?}");
        std::fs::remove_file(trace).unwrap();
        bench.run().run().expect_code(0);
        poller.finish(&format!("call {number}"));
        bench.expect_converged(&format!("call {number}"));
    }
    assert!(deaths > 5, "only {deaths} runs were killed");
}

/// A folder is synced once for all names in it, and before a control file speaks of them or the spool goes.
#[test]
fn names_outlast_a_power_cut_before_anything_relies_on_them() {
    let bench = Bench::new();
    // The folder above `out`, `out`, those of year and month; that of the day once for data and once for control files.
    assert_eq!(synced_before_use(&bench, &["run", "kill.yaml"], 2), 6);
    let files = tree(&bench.out());
    let data = files.keys().find(|name| name.ends_with(".csv")).unwrap();
    std::fs::remove_file(bench.out().join(data)).unwrap();
    assert_eq!(synced_before_use(&bench, &["files", "redeliver", "kill.yaml", data], 0), 1);
    assert_eq!(tree(&bench.out()), files);
}

/// Folders that a command syncs after names appeared in them. Fails if that is too late, or if it sends other than so many
/// control files.
fn synced_before_use(bench: &Bench, arguments: &[&str], controls: usize) -> usize {
    install_strace();
    let trace = bench.folder.path().join("trace");
    let calls = "trace=mkdir,linkat,fsync,unlinkat";
    let wrapper = ["strace", "-f", "-qq", "-y", "-s", "4096", "-o", trace.to_str().unwrap(), "-e", calls];
    Outflow::through(&wrapper, bench.folder.path()).args(arguments).env("XDG_CACHE_HOME", cache()).run().expect_code(0);
    let (mut unsynced, mut syncs, mut told, mut discarded) = (BTreeSet::new(), 0, 0, 0);
    for call in calls_of(&std::fs::read_to_string(&trace).unwrap()) {
        let path = |number: usize| call.split('"').nth(number).map_or(Path::new(""), Path::new);
        if call.starts_with("mkdir") && path(1).starts_with(bench.out()) {
            unsynced.insert(path(1).parent().unwrap().to_owned());
        } else if call.starts_with("linkat") {
            if path(3).file_name().unwrap().to_str().unwrap().starts_with("control_") {
                // The name of the control file before it is made to last with its own.
                assert!(told > 0 || unsynced.is_empty(), "{call} comes before {unsynced:?}");
                told += 1;
            }
            unsynced.insert(path(3).parent().unwrap().to_owned());
        } else if call.starts_with("fsync") {
            let synced = call.split(['<', '>']).nth(1).unwrap_or_default();
            syncs += usize::from(unsynced.remove(Path::new(synced)));
        } else if call.starts_with("unlinkat") && call.contains("/spool/") {
            assert!(unsynced.is_empty(), "{call} comes before {unsynced:?}");
            discarded += 1;
        }
    }
    assert!(unsynced.is_empty() && told == controls && discarded > 0, "{told} {discarded} {unsynced:?}");
    syncs
}

/// The successful calls of a trace, each whole: a call that another thread's got between is put together.
fn calls_of(trace: &str) -> Vec<String> {
    let (mut begun, mut calls) = (HashMap::new(), vec![]);
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(start) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, start);
        } else if let Some((_, rest)) = call.split_once(" resumed>") {
            calls.push(begun.remove(process).unwrap_or_default().to_owned() + rest);
        } else {
            calls.push(call.to_owned());
        }
    }
    calls.retain(|call| call.ends_with("= 0"));
    calls
}

/// CIO-9: a position is one delivery's, and there is none between two that nobody has, wherever runs die. Every second
/// dead run is followed by one of a new window at once.
#[test]
fn numbers_have_no_gaps_whatever_dies() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = "version: 1\nname: calls\nsource: {files: {path: calls.jsonl}}\nlayout:\n  customerio: \
                    {integration_id: 1, action_id: 2, format: json}\nsink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("calls.yaml"), pipeline).unwrap();
    let run = || Outflow::in_folder(folder.path()).args(["run", "calls.yaml"]).env("XDG_CACHE_HOME", cache());
    for (window, point) in kill_point::ALL.iter().enumerate() {
        let call = |kind| format!("{{\"type\":\"{kind}\",\"messageId\":\"{window}\",\"userId\":\"w{window}\"}}\n");
        std::fs::write(folder.path().join("calls.jsonl"), call("identify") + &call("page")).unwrap();
        let killed = run().env("OUTFLOW_KILL_AT", point).run();
        assert!(killed.signal == Some(9) || killed.code == Some(0), "{point}: {killed:?}");
        if window % 2 == 0 {
            run().run().expect_code(0);
        }
    }
    run().run().expect_code(0);
    let files = tree(&folder.path().join("out"));
    assert!(files.len() / 2 >= kill_point::ALL.len() / 2, "{:?}", files.keys());
    let mut windows = std::collections::BTreeSet::new();
    for position in 1..=files.len() / 2 {
        let told = ["identify", "page"].map(|kind| {
            let name = format!("1.2.{position}.{kind}.json");
            let text = files.get(&name).unwrap_or_else(|| panic!("`{name}` is missing in {:?}", files.keys()));
            serde_json::from_slice::<serde_json::Value>(text).unwrap()["user_id"].to_string()
        });
        assert_eq!(told[0], told[1], "position {position} is of two deliveries");
        assert!(windows.insert(told[0].clone()), "{} was delivered under two positions", told[0]);
    }
}
