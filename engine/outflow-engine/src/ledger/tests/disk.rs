//! The state folder: files that are no ledger, permissions, and the lock.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// F09, F10: nothing is read from, let alone published by, a damaged ledger.
#[tokio::test]
async fn a_damaged_ledger_is_refused() {
    let damages: [fn(&mut Vec<u8>); 3] = [
        |bytes| bytes[..16].fill(b'x'),
        |bytes| bytes[4096..].iter_mut().for_each(|byte| *byte = 0xA5),
        |bytes| bytes.truncate(4096 + 100),
    ];
    for (case, damage) in damages.into_iter().enumerate() {
        let home = Home::sqlite();
        let ledger = home.open().await;
        sealed(
            &ledger,
            "w",
            &Manifest { files: vec![file(0, "a.csv")], counters: vec![], remembered: vec![], seen: vec![] },
        )
        .await;
        ledger.close().await;
        let path = home.folder.path().join("ledger.sqlite");
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let error = Ledger::open(None, home.folder.path()).await.unwrap_err();
        assert!(error.to_string().contains("is damaged"), "case {case}: {error}");
        assert_eq!(error.retry(), Retry::Never);
    }
}

/// F09: the log beside the file is torn anywhere. What was committed before the tear is there, whole, or the ledger is
/// refused.
#[tokio::test]
async fn a_torn_log_is_recovered_from_or_refused() {
    let home = Home::sqlite();
    let ledger = home.open().await;
    let manifest = Manifest { files: vec![file(0, "a.csv"), file(1, "b.csv")], ..Manifest::default() };
    sealed(&ledger, "w", &manifest).await;
    let read = |name: &str| std::fs::read(home.folder.path().join(name)).unwrap();
    let (whole, log) = (read("ledger.sqlite"), read("ledger.sqlite-wal"));
    let mut states = std::collections::BTreeSet::new();
    for part in 0..=40 {
        let other = Home::sqlite();
        std::fs::write(other.folder.path().join("ledger.sqlite"), &whole).unwrap();
        let torn = &log[..log.len() * part / 40];
        std::fs::write(other.folder.path().join("ledger.sqlite-wal"), torn).unwrap();
        let ledger = match Ledger::open(None, other.folder.path()).await {
            Ok(ledger) => ledger,
            Err(error) => {
                assert!(error.to_string().contains("damaged"), "{error}");
                continue;
            }
        };
        let slot = ledger.unfinished("welcome").await.unwrap().pop();
        states.insert(slot.as_ref().map_or("none", |slot| slot.state.name()));
        if let Some(slot) = slot {
            let files = ledger.manifest(&slot).await.unwrap().files.len();
            assert_eq!(files, if slot.state == SlotState::Sealed { 2 } else { 0 }, "{slot:?}");
        }
    }
    assert!(states.contains("sealed") && states.contains("none"), "{states:?}");
}

#[tokio::test]
async fn state_is_private() {
    let outer = tempfile::tempdir().unwrap();
    let state = outer.path().join("deep/state");
    let _lock = StateLock::acquire(&state).unwrap();
    let _ledger = Ledger::open(None, &state).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for entry in std::fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// F13.
#[test]
fn a_second_process_is_locked_out() {
    let folder = tempfile::tempdir().unwrap();
    let lock = StateLock::acquire(folder.path()).unwrap();
    let error = StateLock::acquire(folder.path()).unwrap_err();
    assert_eq!(error.retry(), Retry::Locked);
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(lock);
    StateLock::acquire(folder.path()).unwrap();
}
