//! What the machine under a run may lack: room for the spool, room for the ledger, memory. Each test takes it away in a
//! mount namespace of its own, and looks at what the target shows before and after it is given back.

use std::path::Path;

use crate::support::process::{Outcome, Outflow, files_below};

/// A folder with a pipeline over so many rows, one file out.
fn feed(rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |row| format!("{row},{}\n", "some text that takes room ".repeat(4));
    std::fs::write(folder.path().join("in.csv"), "id,text\n".to_owned() + &(0..rows).map(row).collect::<String>())
        .unwrap();
    let pipeline = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nlayout: {files: {path: \"{{ nonce }}.csv\", format: csv}}\n\
                    sink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

/// Runs the pipeline after `before`, a shell command, in a mount namespace of its own. What is mounted ends with it.
fn run_after(before: &str, folder: &Path) -> Outcome {
    let script = format!("{before} && exec \"$0\" \"$@\"");
    let namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &script];
    Outflow::through(&namespace, folder).args(["run", "feed.yaml"]).run()
}

fn run(folder: &Path) -> Outcome {
    Outflow::in_folder(folder).args(["run", "feed.yaml"]).run()
}

/// Everything there is under `out`: one file with as many rows as went in.
fn delivered(folder: &Path, rows: usize) {
    let files = files_below(&folder.join("out"));
    assert_eq!(files.len(), 1, "{:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert_eq!(files[0].1.iter().filter(|byte| **byte == b'\n').count(), rows + 1);
}

/// F14: nothing is published, what was spooled goes, and the delivery follows once there is room.
#[test]
fn a_full_spool_publishes_nothing() {
    let folder = feed(20_000);
    let spool = folder.path().join(".outflow/spool");
    std::fs::create_dir_all(&spool).unwrap();
    run_after("mount -t tmpfs -o size=1m tmpfs .outflow/spool", folder.path())
        .expect_code(4)
        .expect_stderr("No space left on device");
    assert!(!folder.path().join("out").exists() || files_below(&folder.path().join("out")).is_empty());
    run(folder.path()).expect_code(0).expect_stdout("delivered to");
    delivered(folder.path(), 20_000);
}

/// F15: a run that cannot write its ledger publishes nothing, says so, and goes on once it can.
#[test]
fn a_full_ledger_publishes_nothing() {
    let folder = feed(100);
    run_after(
        "mkdir .outflow && mount -t tmpfs -o size=64k tmpfs .outflow && { head -c 1m /dev/zero > .outflow/filler || true; }",
        folder.path(),
    )
    .expect_code(4)
    .expect_stderr("ledger");
    assert!(!folder.path().join("out").exists());
    run(folder.path()).expect_code(0).expect_stdout("delivered to");
    delivered(folder.path(), 100);
}

/// F19: thousands of partitions in random order take no more than the budget.
#[test]
fn thousands_of_partitions_stay_within_memory() {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: usize| format!("{},{row},{}\n", row * 7919 % 5000, "filling ".repeat(20));
    std::fs::write(folder.path().join("in.csv"), "k,id,text\n".to_owned() + &(0..200_000).map(row).collect::<String>())
        .unwrap();
    let pipeline = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nlayout: {files: {path: \"{{ partition.k }}_{{ nonce }}.csv\", \
                    format: csv, split_by: [k]}}\nsink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    let peak = folder.path().join("peak");
    let time = ["time", "--format=%M", "--output", peak.to_str().unwrap()];
    Outflow::through(&time, folder.path()).args(["run", "feed.yaml"]).run().expect_code(0);
    assert_eq!(files_below(&folder.path().join("out")).len(), 5000);
    let kib: u64 = std::fs::read_to_string(&peak).unwrap().trim().parse().unwrap();
    assert!(kib < 512 * 1024, "{kib} KiB");
}
