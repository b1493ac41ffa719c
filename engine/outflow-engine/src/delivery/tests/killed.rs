//! Real deaths: this test program starts itself, lets a kill point end it, and starts it again to recover.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use super::*;
use crate::kill_point;

const HOME: &str = "OUTFLOW_TEST_HOME";

/// Points that no delivery of this test passes: the spool's own, those of a multipart upload and those of SFTP and FTPS.
fn is_passed(name: &str) -> bool {
    let elsewhere = ["ftps-", "multipart-", "sftp-", "spool-batch", "spool-written", "spool-finished"];
    !elsewhere.iter().any(|prefix| name.starts_with(prefix))
}

/// The process that is killed: one run into the folder named by the environment.
#[tokio::test]
#[ignore = "started by `killed_anywhere_the_next_run_sets_it_right`"]
async fn victim() {
    let Some(home) = std::env::var_os(HOME).map(PathBuf::from) else { return };
    let state = home.join("state");
    let _lock = crate::ledger::StateLock::acquire(&state).unwrap();
    let ledger = Ledger::open(None, &state).await.unwrap();
    let sink: Arc<dyn Sink> = Arc::new(Folder::new(&home.join("out"), "out").unwrap());
    let slot = run(&ledger, &state, &sink, "r").await.unwrap();
    assert_eq!(slot.state, SlotState::Published);
}

fn start(home: &Path, kill_at: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "delivery::tests::killed::victim", "--ignored", "--quiet"]);
    command.env(HOME, home).env("OUTFLOW_KILL_AT", kill_at);
    command.output().unwrap().status
}

/// F01, F04 for a folder: dies at every point, then again at every point of recovery, and still delivers once.
#[test]
fn killed_anywhere_the_next_run_sets_it_right() {
    for name in kill_point::ALL.iter().filter(|name| is_passed(name)) {
        for (again, copied) in
            [("", false), ("recover-slot", false), ("file-put", true), ("commit-in-transaction", true)]
        {
            let home = tempfile::tempdir().unwrap();
            if copied || name.starts_with("folder-cop") {
                use std::os::unix::fs::PermissionsExt;
                // Files of a set-group-id folder are copied rather than linked.
                fs::create_dir_all(home.path().join("out/day")).unwrap();
                fs::set_permissions(home.path().join("out/day"), fs::Permissions::from_mode(0o2755)).unwrap();
            }
            let recovering = name.starts_with("recover-");
            if recovering {
                assert_eq!(start(home.path(), "uploading-recorded").signal(), Some(libc::SIGKILL));
            }
            let died = start(home.path(), name);
            assert_eq!(died.signal(), Some(libc::SIGKILL), "{name} was not reached");
            let shown = |path: &str| home.path().join("out").join(path).exists();
            assert!(!shown("day/control.json") || (shown("day/a.csv") && shown("day/b.csv")), "I2 after {name}");
            start(home.path(), again);
            assert!(start(home.path(), "").success(), "{name} then {again}");
            for (path, body) in FILES {
                assert_eq!(fs::read_to_string(home.path().join("out").join(path)).unwrap(), body, "{name} {again}");
            }
            assert_eq!(fs::read_dir(home.path().join("out/day")).unwrap().count(), 3, "{name} {again}");
            assert_eq!(fs::read_dir(home.path().join("state/spool")).unwrap().count(), 0, "{name} {again}");
        }
    }
}
