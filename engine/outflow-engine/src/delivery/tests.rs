//! Seal, publish and recover against a folder and a bucket in memory, with failures at every step.

mod faulty;
#[cfg(feature = "kill-points")]
mod killed;
mod model;
mod retention;
mod simulation;
mod taken;
mod waiting;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use outflow_formats::digest::Algorithm;
use tempfile::TempDir;

use self::faulty::{Fault, Faulty};
use super::*;
use crate::error::{Result, Retry};
use crate::ledger::{
    FileState, Ledger, Manifest, PlanRecord, Role, SealedFile, Slot, SlotKey, SlotState, spool_folder,
};
use crate::progress::Quiet;
use crate::store::{Bucket, Folder, Proof, Sink, Trust};

const FILES: [(&str, &str); 3] =
    [("day/a.csv", "a,b\n1,2\n"), ("day/b.csv", "a,b\n3,4\n5,6\n"), ("day/control.json", "{\"files\":2}")];

fn sealed_file(spool: &Path, ordinal: u32, path: &str, body: &str) -> SealedFile {
    let spool_path = spool.join(ordinal.to_string());
    fs::write(&spool_path, body).unwrap();
    SealedFile {
        ordinal,
        role: if path.ends_with(".json") { Role::Companion } else { Role::Data },
        path: path.into(),
        spool_path,
        rows: body.lines().count() as u64 - 1,
        bytes: body.len() as u64,
        digest: Algorithm::Sha256.of(body.as_bytes()),
        content_type: None,
        metadata: vec![],
        details: "null".to_owned(),
    }
}

fn key(sink: &dyn Sink) -> SlotKey {
    SlotKey { pipeline: "p".into(), target: sink.identity().into(), window: "w".into() }
}

fn plan(run: &str) -> PlanRecord {
    PlanRecord {
        run_id: run.into(),
        scheduled_ms: 0,
        config_hash: String::new(),
        layout_digest: String::new(),
        nonce_seed: "n".into(),
    }
}

/// Plans, spools and seals the three files, unless the slot is past that.
async fn prepare(ledger: &Ledger, state: &Path, sink: &dyn Sink, run: &str) -> Result<Slot> {
    prepare_some(ledger, state, sink, run, &FILES).await
}

async fn prepare_some(
    ledger: &Ledger,
    state: &Path,
    sink: &dyn Sink,
    run: &str,
    files: &[(&str, &str)],
) -> Result<Slot> {
    let mut slot = ledger.plan(&key(sink), &plan(run), run).await?;
    if slot.state == SlotState::Planned {
        let spool = spool_folder(state, &slot);
        fs::create_dir_all(&spool).unwrap();
        let files = files.iter().zip(0..).map(|((path, body), ordinal)| sealed_file(&spool, ordinal, path, body));
        let manifest =
            Manifest { files: files.collect(), counters: vec![("n".into(), 1)], remembered: vec![], seen: vec![] };
        ledger.spooled(&mut slot).await?;
        seal(ledger, state, &mut slot, &manifest).await?;
    }
    Ok(slot)
}

/// What a run does: recover, then deliver the window unless that is done.
async fn run(ledger: &Ledger, state: &Path, sink: &Arc<dyn Sink>, id: &str) -> Result<Slot> {
    let recovery = recover(ledger, std::slice::from_ref(sink), state, "p", &Quiet).await?;
    if let Some((_, error)) = recovery.failed.into_iter().next() {
        return Err(error);
    }
    let mut slot = prepare(ledger, state, sink.as_ref(), id).await?;
    if slot.state.is_pinned() {
        publish(ledger, sink.as_ref(), state, &mut slot, &Quiet).await?;
    }
    Ok(slot)
}

struct World {
    folder: TempDir,
    ledger: Ledger,
    store: Arc<InMemory>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(None, &folder.path().join("state")).await.unwrap();
        Self { folder, ledger, store: Arc::new(InMemory::new()) }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn bucket(&self, fault: Fault) -> (Arc<Faulty>, Arc<dyn Sink>) {
        let faulty = Arc::new(Faulty::new(self.store.clone(), fault));
        // Parts of 9 bytes: `a.csv` goes in one piece, `b.csv` in two parts.
        let bucket = Bucket::new(faulty.clone(), "acme", "p", None).unwrap().with_part(9);
        (faulty, Arc::new(bucket))
    }

    fn folder_sink(&self) -> Arc<dyn Sink> {
        Arc::new(Folder::new(&self.folder.path().join("out"), "out").unwrap())
    }

    fn published(&self, path: &str) -> PathBuf {
        self.folder.path().join("out").join(path)
    }

    async fn objects(&self) -> Vec<(String, String)> {
        let mut found = vec![];
        for meta in self.store.list_with_delimiter(Some(&"p/day".into())).await.unwrap().objects {
            let body = self.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
            found.push((meta.location.to_string(), String::from_utf8(body.to_vec()).unwrap()));
        }
        found
    }

    /// I3: the ledger says published, and the target agrees in every byte; nothing else is left anywhere.
    async fn assert_delivered(&self, slot: &Slot) {
        assert_eq!(slot.state, SlotState::Published);
        let wanted: Vec<_> = FILES.iter().map(|(path, body)| (format!("p/{path}"), (*body).to_owned())).collect();
        assert_eq!(self.objects().await, wanted);
        assert_eq!(self.ledger.last_numbers("p", &slot.key.target).await.unwrap().values["n"], 1);
        assert!(!spool_folder(&self.state(), slot).exists(), "the spool is empty after publication");
    }
}

#[tokio::test]
async fn a_delivery_happens_once() {
    let world = World::new().await;
    let (log, bucket) = world.bucket(Fault::None);
    let sealed = prepare(&world.ledger, &world.state(), bucket.as_ref(), "r1").await.unwrap();
    assert!(log.written().is_empty(), "I7: nothing is written to the target before the seal");
    assert_eq!(sealed.state, SlotState::Sealed);
    let slot = run(&world.ledger, &world.state(), &bucket, "r2").await.unwrap();
    world.assert_delivered(&slot).await;
    assert_eq!(slot.plan.run_id, "r1");
    let written = log.written();
    assert_eq!(written.last().unwrap(), "p/day/control.json", "I2: companions come last");
    assert_eq!(written.len(), 3);

    let again = run(&world.ledger, &world.state(), &bucket, "r3").await.unwrap();
    assert_eq!(again.published_at, slot.published_at);
    assert_eq!(log.written().len(), 3, "the second run writes nothing");

    let sink = world.folder_sink();
    let slot = run(&world.ledger, &world.state(), &sink, "r4").await.unwrap();
    assert_eq!(slot.state, SlotState::Published);
    for (path, body) in FILES {
        assert_eq!(fs::read_to_string(world.published(path)).unwrap(), body);
    }
    run(&world.ledger, &world.state(), &sink, "r5").await.unwrap();
}

/// F21, F22, F23, F28, F35: answers that get lost or lie are settled by reading back.
#[tokio::test]
async fn unclear_answers_are_settled_by_reading_back() {
    for fault in [Fault::ReplyLostOnce, Fault::RefusedOnce, Fault::ConflictOnce, Fault::NoConditions] {
        let world = World::new().await;
        let (log, bucket) = world.bucket(fault);
        let slot = run(&world.ledger, &world.state(), &bucket, "r").await.unwrap();
        world.assert_delivered(&slot).await;
        assert_eq!(log.versions(), 3, "{fault:?}: I1, one version a name");
    }
}

/// F24, F42: what somebody else put there stays as it is, and no control file follows.
#[tokio::test]
async fn foreign_files_are_left_alone() {
    for (path, body, control) in [
        ("day/b.csv", "a,b\n3,4\n5,7\n", false),
        ("day/a.csv", "theirs", false),
        ("day/control.json", "{}", true),
        ("day/control.json", "{\"files\":3}", true),
    ] {
        let world = World::new().await;
        let (_, bucket) = world.bucket(Fault::None);
        world.store.put(&format!("p/{path}").into(), body.as_bytes().to_vec().into()).await.unwrap();
        fs::create_dir_all(world.published("day")).unwrap();
        fs::write(world.published(path), body).unwrap();
        for sink in [bucket, world.folder_sink()] {
            let error = run(&world.ledger, &world.state(), &sink, "r").await.unwrap_err();
            assert!(error.retry() == Retry::Never && error.to_string().contains(path), "{error}");
            let slot = run(&world.ledger, &world.state(), &sink, "r2").await.unwrap();
            assert_eq!(slot.state, SlotState::Quarantined);
            assert!(slot.reason.unwrap().contains(path));
        }
        let theirs = world.objects().await.into_iter().find(|(key, _)| key.ends_with(path)).unwrap();
        assert_eq!(theirs.1, body);
        assert_eq!(fs::read_to_string(world.published(path)).unwrap(), body);
        assert_eq!(world.published("day/control.json").exists(), control);
    }
}

#[tokio::test]
async fn equal_files_already_there_are_adopted() {
    let world = World::new().await;
    let (log, bucket) = world.bucket(Fault::None);
    for (path, body) in FILES {
        world.store.put(&format!("p/{path}").into(), body.as_bytes().to_vec().into()).await.unwrap();
    }
    let slot = run(&world.ledger, &world.state(), &bucket, "r").await.unwrap();
    world.assert_delivered(&slot).await;
    assert!(log.written().is_empty());
}

/// F01, F04 in small: the target dies at every single operation, before or after it took effect, once or twice.
#[tokio::test]
async fn every_interruption_converges() {
    for after in [false, true] {
        for second in [0, 2] {
            for at in 0.. {
                let world = World::new().await;
                let (_, bucket) = world.bucket(Fault::DeadFrom { at, after });
                let first = run(&world.ledger, &world.state(), &bucket, "r1").await;
                let keys: Vec<_> = world.objects().await.into_iter().map(|(key, _)| key).collect();
                assert!(keys.len() == 3 || !keys.iter().any(|key| key.ends_with(".json")), "I2 at {at}: {keys:?}");
                if second > 0 {
                    let (_, bucket) = world.bucket(Fault::DeadFrom { at: second, after });
                    let _ = run(&world.ledger, &world.state(), &bucket, "r2").await;
                }
                let (_, bucket) = world.bucket(Fault::None);
                let slot = run(&world.ledger, &world.state(), &bucket, "r3").await.unwrap();
                world.assert_delivered(&slot).await;
                assert_eq!(slot.plan.run_id, "r1", "the first plan is kept");
                if first.is_ok() {
                    assert!(at > 8, "the sweep passed every operation");
                    break;
                }
            }
        }
    }
}

/// Moves a sealed slot on.
async fn reach(ledger: &Ledger, slot: &mut Slot, state: SlotState) {
    use SlotState::*;
    for next in [Uploading, Uploaded, Verified, Publishing] {
        if slot.state != state {
            ledger.transition(slot, next).await.unwrap();
        }
    }
}

/// Every state a dead process can leave, with the file at each place it can be.
#[tokio::test]
async fn recovery_finishes_every_state() {
    use SlotState::*;
    for (state, shown) in [
        (Sealed, 0),
        (Uploading, 0),
        (Uploading, 1),
        (Uploading, 2),
        (Uploaded, 2),
        (Verified, 2),
        (Publishing, 2),
        (Publishing, 3),
    ] {
        let world = World::new().await;
        let sink = world.folder_sink();
        let mut slot = prepare(&world.ledger, &world.state(), sink.as_ref(), "r1").await.unwrap();
        reach(&world.ledger, &mut slot, state).await;
        let files = world.ledger.manifest(&slot).await.unwrap().files;
        fs::create_dir_all(world.published("day")).unwrap();
        for file in &files[..shown] {
            fs::hard_link(&file.spool_path, world.published(&file.path)).unwrap();
        }
        let left = world.published("day/.outflow-r1-1-0.part");
        fs::write(&left, "half").unwrap();
        if shown == 3 {
            // The target alone proves the delivery.
            fs::remove_dir_all(spool_folder(&world.state(), &slot)).unwrap();
        }
        let recovery = recover(&world.ledger, &[sink], &world.state(), "p", &Quiet).await.unwrap();
        assert_eq!(recovery.published[0].1.rows, 3, "{state} {shown}");
        for (path, body) in FILES {
            assert_eq!(fs::read_to_string(world.published(path)).unwrap(), body);
        }
        assert!(!left.exists() && !spool_folder(&world.state(), &slot).exists());
        assert_eq!(fs::read_dir(world.published("day")).unwrap().count(), 3);
    }
}

/// Puts a file's sealed bytes, or others, under its final name.
async fn show(world: &World, sink: &dyn Sink, file: &SealedFile, body: Option<&str>) {
    let spool = world.folder.path().join("theirs");
    fs::create_dir_all(&spool).unwrap();
    let body = body.map_or_else(|| fs::read_to_string(&file.spool_path).unwrap(), str::to_owned);
    sink.put(&sealed_file(&spool, file.ordinal, &file.path, &body), ".x", &Quiet).await.unwrap();
}

/// A control file never speaks of data that was lost or replaced while no process was looking.
#[tokio::test]
async fn data_lost_after_its_verification_is_noticed() {
    use SlotState::*;
    for state in [Uploaded, Verified, Publishing] {
        for replaced in [false, true] {
            let world = World::new().await;
            for sink in [world.bucket(Fault::None).1, world.folder_sink()] {
                let mut slot = prepare(&world.ledger, &world.state(), sink.as_ref(), "r1").await.unwrap();
                reach(&world.ledger, &mut slot, state).await;
                world.ledger.mark_files(&slot, &[0, 1].map(|data| (data, FileState::Verified))).await.unwrap();
                let files = world.ledger.manifest(&slot).await.unwrap().files;
                show(&world, sink.as_ref(), &files[0], None).await;
                if replaced {
                    show(&world, sink.as_ref(), &files[1], Some("a,b\n3,4\n5,7\n")).await;
                }
                let recovery =
                    recover(&world.ledger, std::slice::from_ref(&sink), &world.state(), "p", &Quiet).await.unwrap();
                let reason = recovery.quarantined[0].reason.as_deref().unwrap();
                assert!(reason.contains("day/b.csv"), "{reason}");
                assert_eq!(sink.compare(&files[2], Trust::Bytes).await.unwrap(), Proof::Absent);
            }
        }
    }
}

/// The ledger knows the spool by its place in the state folder, whatever that is called from where the next run starts.
#[tokio::test]
async fn a_state_folder_may_be_called_otherwise() {
    let World { folder, ledger, .. } = World::new().await;
    let (state, moved) = (folder.path().join("state"), folder.path().join("moved"));
    let sink: Arc<dyn Sink> = Arc::new(Folder::new(&folder.path().join("out"), "out").unwrap());
    prepare(&ledger, &state, sink.as_ref(), "r1").await.unwrap();
    ledger.close().await;
    fs::rename(&state, &moved).unwrap();
    let ledger = Ledger::open(None, &moved).await.unwrap();
    let recovery = recover(&ledger, &[sink], &moved, "p", &Quiet).await.unwrap();
    assert_eq!(recovery.published.len(), 1, "{recovery:?}");
    assert_eq!(fs::read_dir(moved.join("spool")).unwrap().count(), 0);
}

/// A delivery that cannot be finished keeps no other one from its target.
#[tokio::test]
async fn a_delivery_that_fails_for_good_blocks_no_other() {
    let world = World::new().await;
    let sink = world.folder_sink();
    prepare(&world.ledger, &world.state(), sink.as_ref(), "r1").await.unwrap();
    fs::create_dir_all(world.published("")).unwrap();
    std::os::unix::fs::symlink(world.state(), world.published("day")).unwrap();
    let other = SlotKey { window: "x".into(), ..key(sink.as_ref()) };
    let mut slot = world.ledger.plan(&other, &plan("r2"), "r2").await.unwrap();
    let spool = spool_folder(&world.state(), &slot);
    fs::create_dir_all(&spool).unwrap();
    let manifest = Manifest {
        files: vec![sealed_file(&spool, 0, "x.csv", "a\n1\n")],
        counters: vec![],
        remembered: vec![],
        seen: vec![],
    };
    world.ledger.spooled(&mut slot).await.unwrap();
    seal(&world.ledger, &world.state(), &mut slot, &manifest).await.unwrap();
    for published in [1, 0] {
        let recovery = recover(&world.ledger, std::slice::from_ref(&sink), &world.state(), "p", &Quiet).await.unwrap();
        assert!(recovery.failed[0].1.to_string().contains("symbolic link"), "{recovery:?}");
        assert_eq!(recovery.published.len(), published);
    }
    fs::remove_file(world.published("day")).unwrap();
    let recovery = recover(&world.ledger, &[sink], &world.state(), "p", &Quiet).await.unwrap();
    assert_eq!((recovery.failed.len(), recovery.published.len()), (0, 1));
}

#[tokio::test]
async fn unsealed_work_is_discarded_and_published_spools_are_collected() {
    let world = World::new().await;
    let sink = world.folder_sink();
    for spooled in [false, true] {
        let mut slot = world.ledger.plan(&key(sink.as_ref()), &plan("r1"), "r1").await.unwrap();
        let spool = spool_folder(&world.state(), &slot);
        fs::create_dir_all(&spool).unwrap();
        fs::write(spool.join("half"), "x").unwrap();
        if spooled {
            world.ledger.spooled(&mut slot).await.unwrap();
        }
        let recovery = recover(&world.ledger, &[], &world.state(), "p", &Quiet).await.unwrap();
        assert_eq!(recovery.replanned[0].state, SlotState::Planned);
        assert!(!spool.exists());
    }
    let slot = run(&world.ledger, &world.state(), &sink, "r2").await.unwrap();
    let (spool, unknown) = (spool_folder(&world.state(), &slot), world.state().join("spool/999"));
    fs::create_dir_all(&spool).unwrap();
    fs::create_dir_all(&unknown).unwrap();
    recover(&world.ledger, &[sink], &world.state(), "p", &Quiet).await.unwrap();
    assert!(!spool.exists() && unknown.exists(), "only what the ledger knows as ours is removed");
}

/// F20: altered bytes are never published. Nothing shown yet: planned anew; else it waits for the same bytes.
#[tokio::test]
async fn a_damaged_spool_is_never_published() {
    let damages: [fn(&Path); 2] =
        [|path| fs::write(path, "a,b\n9,9\n").unwrap(), |path| fs::remove_file(path).unwrap()];
    for damage in damages {
        for shown in [false, true] {
            let world = World::new().await;
            for sink in [world.bucket(Fault::None).1, world.folder_sink()] {
                let slot = prepare(&world.ledger, &world.state(), sink.as_ref(), "r1").await.unwrap();
                let spool = spool_folder(&world.state(), &slot);
                damage(&spool.join("0"));
                if shown {
                    let (path, body) = FILES[1];
                    let other = sealed_file(world.folder.path(), 9, path, body);
                    sink.put(&other, ".x", &Quiet).await.unwrap();
                }
                let recovery =
                    recover(&world.ledger, std::slice::from_ref(&sink), &world.state(), "p", &Quiet).await.unwrap();
                assert_eq!((recovery.unspooled.len(), recovery.replanned.len()), (shown.into(), (!shown).into()));
                match run(&world.ledger, &world.state(), &sink, "r2").await {
                    Ok(slot) => assert!(!shown && slot.state == SlotState::Published),
                    Err(error) => assert!(shown && error.to_string().contains("is sealed"), "{error}"),
                }
            }
            assert_eq!(world.published("day/control.json").exists(), !shown);
        }
    }
}

#[tokio::test]
async fn a_delivery_to_a_target_no_longer_named_is_kept() {
    let world = World::new().await;
    let slot = prepare(&world.ledger, &world.state(), world.folder_sink().as_ref(), "r1").await.unwrap();
    let (_, bucket) = world.bucket(Fault::None);
    let recovery = recover(&world.ledger, &[bucket], &world.state(), "p", &Quiet).await.unwrap();
    assert_eq!(recovery.stranded, std::slice::from_ref(&slot));
    assert!(spool_folder(&world.state(), &slot).exists());
}

#[tokio::test]
async fn a_wrong_manifest_is_not_sealed() {
    let world = World::new().await;
    let sink = world.folder_sink();
    let mut slot = world.ledger.plan(&key(sink.as_ref()), &plan("r1"), "r1").await.unwrap();
    let spool = spool_folder(&world.state(), &slot);
    fs::create_dir_all(&spool).unwrap();
    world.ledger.spooled(&mut slot).await.unwrap();
    let good = sealed_file(&spool, 0, "a.csv", "a\n1\n");
    let twice = SealedFile { ordinal: 1, ..good.clone() };
    let below = sealed_file(&spool, 3, "a.csv/b/count", "1\n");
    let outside = sealed_file(world.folder.path(), 2, "c.csv", "a\n1\n");
    for (files, wanted) in [
        (vec![good.clone(), twice], "two files"),
        (vec![below, good.clone()], "`a.csv/b/count` lies below `a.csv`"),
        (vec![SealedFile { path: "../a.csv".into(), ..good.clone() }], "`..` segment"),
        (vec![SealedFile { bytes: 5, ..good.clone() }], "has 4 bytes"),
        (vec![outside], "outside"),
    ] {
        let manifest = Manifest { files, counters: vec![], remembered: vec![], seen: vec![] };
        let error = seal(&world.ledger, &world.state(), &mut slot, &manifest).await.unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        assert_eq!(slot.state, SlotState::Spooled);
    }
}

/// A server runs deliveries on many threads; this compiles only if it can.
#[tokio::test]
async fn deliveries_can_move_between_threads() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let world = World::new().await;
    let sinks = [world.folder_sink()];
    let mut slot = prepare(&world.ledger, &world.state(), sinks[0].as_ref(), "r1").await.unwrap();
    sendable(publish(&world.ledger, sinks[0].as_ref(), &world.state(), &mut slot, &Quiet)).await.unwrap();
    sendable(recover(&world.ledger, &sinks, &world.state(), "p", &Quiet)).await.unwrap();
}
