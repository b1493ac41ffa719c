//! Signals: what has sent nothing yet ends at once, files on their way arrive, and no row is lost.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::process::{Outflow, files_below};

/// As long as an operator may have to wait.
const MOST: Duration = Duration::from_secs(10);

fn feed(rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = (0..rows).map(|row| format!("{row},some text that takes room\n")).collect::<String>();
    std::fs::write(folder.path().join("in.csv"), "id,text\n".to_owned() + &rows).unwrap();
    let pipeline = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\n\
                    transforms: [{contexts: {shouted: \"{{ text|upper }}\"}}]\n\
                    layout: {files: {path: \"{{ nonce }}.csv\", format: csv}}\nsink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn outflow(folder: &Path) -> Outflow {
    Outflow::in_folder(folder).args(["run", "feed.yaml"])
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// Starts a command, waits until it has written rows to its spool, and asks it to end; the exit code.
fn ask_to_end(run: Outflow, name: &str, spool: &Path) -> Option<i32> {
    let run = run.spawn();
    let waits = Instant::now();
    while files_below(spool).iter().all(|(_, bytes)| bytes.is_empty()) {
        assert!(waits.elapsed() < Duration::from_secs(120), "the command wrote nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(name, run.id());
    let asked = Instant::now();
    let code = run.wait(MOST);
    assert!(asked.elapsed() < MOST);
    code
}

const ROWS: usize = 200_000;

fn lines(folder: &Path) -> Vec<usize> {
    let files = files_below(&folder.join("out"));
    files.iter().map(|(_, bytes)| bytes.iter().filter(|byte| **byte == b'\n').count()).collect()
}

/// F05: with half the rows read, a run that is asked to end does so at once; the next one delivers them all.
#[test]
fn a_run_that_is_asked_to_end_loses_nothing() {
    let folder = feed(ROWS);
    for name in ["-TERM", "-INT"] {
        let spool = folder.path().join(".outflow/spool");
        // What the run before left there would tell nothing of this one.
        let _ = std::fs::remove_dir_all(&spool);
        assert_eq!(ask_to_end(outflow(folder.path()), name, &spool), Some(4), "{name}");
        assert!(!folder.path().join("out").exists(), "{name}");
    }
    outflow(folder.path()).run().expect_code(0);
    assert_eq!(lines(folder.path()), [ROWS + 1]);
}

/// F05 for files that are put back: asked to end, it puts nothing there by halves, and can be asked again.
#[test]
fn a_redelivery_that_is_asked_to_end_can_be_repeated() {
    let folder = feed(ROWS);
    outflow(folder.path()).run().expect_code(0);
    let out = folder.path().join("out");
    let (name, sent) = files_below(&out).remove(0);
    std::fs::remove_file(out.join(&name)).unwrap();
    let redeliver = || Outflow::in_folder(folder.path()).args(["files", "redeliver", "feed.yaml", &name]);
    assert_eq!(ask_to_end(redeliver(), "-TERM", &folder.path().join(".outflow/spool")), Some(4));
    assert!(files_below(&out).is_empty());
    redeliver().run().expect_code(0).expect_stdout("delivered");
    assert!(files_below(&out) == [(name, sent)], "the very bytes");
}
