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

/// F05: with half the rows read, a run that is asked to end does so at once; the next one delivers them all.
#[test]
fn a_run_that_is_asked_to_end_loses_nothing() {
    const ROWS: usize = 200_000;
    let folder = feed(ROWS);
    for name in ["-TERM", "-INT"] {
        let spool = folder.path().join(".outflow/spool");
        // What the run before left there would tell nothing of this one.
        let _ = std::fs::remove_dir_all(&spool);
        let run = outflow(folder.path()).spawn();
        let waits = Instant::now();
        while files_below(&spool).iter().all(|(_, bytes)| bytes.is_empty()) {
            assert!(waits.elapsed() < Duration::from_secs(120), "the run wrote nothing");
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(name, run.id());
        let asked = Instant::now();
        assert_eq!(run.wait(MOST), Some(4), "{name}");
        assert!(asked.elapsed() < MOST);
        assert!(!folder.path().join("out").exists(), "{name}");
    }
    outflow(folder.path()).run().expect_code(0);
    let files = files_below(&folder.path().join("out"));
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].1.iter().filter(|byte| **byte == b'\n').count(), ROWS + 1);
}
