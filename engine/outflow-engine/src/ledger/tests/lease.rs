//! Leases, on both databases: one worker at a time, taken over when they run out, and every older write refused.

use std::time::{Duration, Instant};

use super::*;

/// Terms short enough to wait for.
const SHORT: Terms =
    Terms { ttl: Duration::from_millis(1200), renewal: Duration::from_millis(300), step: Duration::from_millis(100) };

/// Another worker on the same ledger: its own state folder and, with SQLite, a link to the same file.
async fn worker(home: &Home) -> (Home, StateLock, Ledger) {
    let other = Home { folder: tempfile::tempdir().unwrap(), spec: home.spec.clone() };
    if other.spec.is_none() {
        std::os::unix::fs::symlink(home.folder.path(), other.folder.path().join("state")).unwrap();
    }
    let lock = StateLock::acquire(other.folder.path()).unwrap();
    let state = match &other.spec {
        Some(_) => other.folder.path().to_owned(),
        None => other.folder.path().join("state"),
    };
    let ledger = Ledger::open(other.spec.as_ref(), &state).await.unwrap();
    (other, lock, ledger)
}

/// F07, I9: a living holder keeps everybody else out; a dead one until its lease has run out, and no longer.
#[tokio::test]
async fn one_worker_at_a_time_delivers_a_pipeline() {
    for home in Home::both() {
        let (_a, first_lock, first) = worker(&home).await;
        let (_b, second_lock, second) = worker(&home).await;
        let held = first.hold_on(&first_lock, "welcome", SHORT).await.unwrap();
        let error = second.clone().hold_on(&second_lock, "welcome", SHORT).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Locked);
        assert!(error.to_string().contains("another worker"), "{error}");
        second.clone().hold_on(&second_lock, "other", SHORT).await.unwrap();

        let mut slot = held.plan(&key("w"), &plan("r1"), "r1").await.unwrap();
        held.ensure_held().unwrap();
        // As a process that freezes: it renews nothing, and comes back later.
        held.lease.as_ref().unwrap().stop();
        let asked = Instant::now();
        let second = second.hold_on(&second_lock, "welcome", SHORT).await.unwrap();
        assert!(asked.elapsed() < SHORT.ttl * 2, "taken over after {:?}", asked.elapsed());
        for refused in [
            held.ensure_held(),
            held.plan(&key("x"), &plan("r1"), "r1").await.map(drop),
            held.transition(&mut slot, SlotState::Spooled).await,
            held.begin_run("r1", "welcome").await,
        ] {
            assert_eq!(refused.unwrap_err().retry(), Retry::Locked);
        }
        assert_eq!(held.lost().await.retry(), Retry::Locked);
        assert!(second.slot_by_id(slot.id).await.unwrap().unwrap().state == SlotState::Planned);
        second.plan(&key("x"), &plan("r2"), "r2").await.unwrap();
        second.close().await;
        held.close().await;
        let (_c, third_lock, third) = worker(&home).await;
        let asked = Instant::now();
        third.hold_on(&third_lock, "welcome", Terms::default()).await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(1), "a lease that was given back is free at once");
    }
}

/// A run that died is followed at once by the next one of the same state folder, for nobody else can hold its lock.
#[tokio::test]
async fn a_state_folder_gets_its_own_lease_back_at_once() {
    for home in Home::both() {
        let lock = StateLock::acquire(home.folder.path()).unwrap();
        let dead = home.open().await.hold(&lock, "welcome").await.unwrap();
        let asked = Instant::now();
        let alive = home.open().await.hold(&lock, "welcome").await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(2));
        assert_eq!(dead.plan(&key("w"), &plan("r1"), "r1").await.unwrap_err().retry(), Retry::Locked);
        alive.plan(&key("w"), &plan("r2"), "r2").await.unwrap();
    }
}

/// A lease is renewed while its holder works, however long that takes.
#[tokio::test]
async fn a_lease_is_renewed() {
    for home in Home::both() {
        let (_a, first_lock, first) = worker(&home).await;
        let held = first.hold_on(&first_lock, "welcome", SHORT).await.unwrap();
        tokio::select! {
            error = held.lost() => panic!("{error}"),
            () = tokio::time::sleep(SHORT.ttl * 2) => {}
        }
        held.plan(&key("w"), &plan("r1"), "r1").await.unwrap();
    }
}

/// F08: the server dies in the middle of it all, and comes back. What was committed is there once, what was not is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_database_is_survived() {
    let server = Postgres::start(&[], &[]);
    let home = Home::at(&server.database());
    let lock = StateLock::acquire(home.folder.path()).unwrap();
    let ledger = home.open().await.hold(&lock, "welcome").await.unwrap();
    let manifest =
        Manifest { files: vec![file(0, "a.csv")], counters: vec![("n".into(), 1)], remembered: vec![], seen: vec![] };
    let mut slot = ledger.plan(&key("w"), &plan("r1"), "r1").await.unwrap();
    ledger.spooled(&mut slot).await.unwrap();
    server.crash_and_restart();
    ledger.seal(&mut slot, &manifest).await.unwrap();
    at(&ledger, &mut slot, SlotState::Publishing).await;
    // Within a transaction: it is gone, and no part of it is kept.
    let open = ledger.begin("testing").await.unwrap();
    server.crash_and_restart();
    assert_eq!(ledger.commit_tx("testing", open).await.unwrap_err().retry(), Retry::Later);
    // While a commit waits for the server.
    server.stop();
    let (committed, ()) = tokio::join!(ledger.commit(&mut slot), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tokio::task::block_in_place(|| server.start_again());
    });
    committed.unwrap();
    assert_eq!(last(&ledger, "n").await, 1);
    let again = ledger.plan(&key("w"), &plan("r2"), "r2").await.unwrap();
    assert_eq!((again.state, again.published_at), (SlotState::Published, slot.published_at.clone()));
    // A commit whose answer was lost is made again, and is found done.
    slot.state = SlotState::Publishing;
    ledger.commit(&mut slot).await.unwrap();
    assert_eq!(last(&ledger, "n").await, 1);
}

#[tokio::test]
async fn a_ledger_that_cannot_be_had_says_so_without_the_password() {
    let server = Postgres::shared();
    let wrong = server.url("postgres").replace(server.password(), "Nightjar-secret");
    for (url, wanted) in [(wrong, "refuses the login"), (server.url("nowhere"), "does not exist")] {
        let error = Ledger::open(Home::at(&url).spec.as_ref(), tempfile::tempdir().unwrap().path()).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains(wanted), "{told}");
        assert!(!told.contains("Nightjar") && !told.contains(server.password()), "{told}");
    }
}
