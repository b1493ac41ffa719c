//! Deliveries that wait: for a target that is away, for an answer that got lost, for files on another machine. And
//! what is tidied up after them.

use super::*;
use crate::ledger::tests::age_attempts;
use crate::ledger::{FileFilter, FileState};

/// The states that files of the only delivery are in.
async fn progress(world: &World) -> Vec<FileState> {
    let files = world.ledger.files(&FileFilter::default()).await.unwrap();
    files.into_iter().map(|record| record.progress).collect()
}

/// F21, F29: wherever the target goes away, the delivery waits, and says since when and for which answer.
#[tokio::test]
async fn a_delivery_waits_for_its_target() {
    let (mut deferred, mut unknown) = (0, 0);
    for after in [false, true] {
        for at in 0..12 {
            let world = World::new().await;
            let (_, bucket) = world.bucket(Fault::DeadFrom { at, after });
            let Err(error) = run(&world.ledger, &world.state(), &bucket, "r1").await else { continue };
            let slot = world.ledger.unfinished("p").await.unwrap().remove(0);
            let deferral = slot.deferral.clone().unwrap();
            assert!(slot.state.is_waiting() && deferral.tries == 1, "{slot:?}");
            assert!(deferral.next > deferral.since && slot.reason.as_ref() == Some(&error.to_string()));
            let lost = progress(&world).await.contains(&FileState::Unknown);
            assert_eq!(lost, slot.state == SlotState::Unknown, "at {at}, after {after}");
            *(if lost { &mut unknown } else { &mut deferred }) += 1;

            let _ = run(&world.ledger, &world.state(), &bucket, "r2").await.unwrap_err();
            let again = world.ledger.slot_by_id(slot.id).await.unwrap().unwrap().deferral.unwrap();
            assert_eq!((again.tries, &again.since), (2, &deferral.since));
            let (log, bucket) = world.bucket(Fault::None);
            let slot = run(&world.ledger, &world.state(), &bucket, "r3").await.unwrap();
            world.assert_delivered(&slot).await;
            assert!(log.written().len() <= 3);
            assert_eq!(progress(&world).await, [FileState::Published; 3]);
        }
    }
    assert!(deferred > 4 && unknown > 2, "{deferred} deferred, {unknown} unknown");
}

/// The files were sealed on a machine that is gone, and some may be at the target: made anew they are published if they
/// are equal byte for byte, and never otherwise.
#[tokio::test]
async fn files_made_anew_must_be_the_same() {
    // Another version may have sealed them with another digest.
    let digests = [Algorithm::Sha256, Algorithm::Xxh3];
    for (equal, algorithm) in digests.into_iter().flat_map(|algorithm| [(true, algorithm), (false, algorithm)]) {
        let world = World::new().await;
        let (_, broken) = world.bucket(Fault::DeadFrom { at: 2, after: false });
        run(&world.ledger, &world.state(), &broken, "r1").await.unwrap_err();
        assert!(world.objects().await.len() < 3);
        let elsewhere = world.folder.path().join("elsewhere");
        let ledger = world.ledger.clone().at_home(&elsewhere);
        let (_, sink) = world.bucket(Fault::None);
        let recovery = recover(&ledger, std::slice::from_ref(&sink), &elsewhere, "p", &Quiet).await.unwrap();
        let [mut slot] = <[Slot; 1]>::try_from(recovery.unspooled).unwrap();
        assert_eq!(slot.state, SlotState::Deferred);
        let spool = spool_folder(&elsewhere, &slot);
        fs::create_dir_all(&spool).unwrap();
        let body = |body: &str| if equal { body.to_owned() } else { body.replace('4', "5") };
        // Under other names in the spool, as another version might give them.
        let anew = FILES.iter().zip(0..).map(|((path, text), ordinal)| SealedFile {
            ordinal,
            digest: algorithm.of(body(text).as_bytes()),
            ..sealed_file(&spool, ordinal + 1, path, &body(text))
        });
        let anew: Vec<_> = anew.collect();
        let result = resume(&ledger, sink.as_ref(), &elsewhere, &mut slot, &anew, &Quiet).await;
        if equal {
            assert_eq!(result.unwrap().files, 3);
            fs::remove_dir_all(spool_folder(&world.state(), &slot)).unwrap();
            world.assert_delivered(&slot).await;
        } else {
            assert!(result.unwrap_err().to_string().contains("day/b.csv"));
            assert_eq!(slot.state, SlotState::Quarantined);
            assert!(world.objects().await.len() < 3, "nothing more was sent");
        }
    }
}

/// I8: only what is ours by name and by record is removed, and only long after its attempt.
#[tokio::test]
async fn old_staging_files_of_ours_are_removed() {
    let world = World::new().await;
    let sink = world.folder_sink();
    let slot = prepare(&world.ledger, &world.state(), sink.as_ref(), "r1").await.unwrap();
    let recovered = recover(&world.ledger, std::slice::from_ref(&sink), &world.state(), "p", &Quiet).await.unwrap();
    assert_eq!(recovered.published.len(), 1);
    // A process that was frozen through all of this leaves it behind later; the others are not ours.
    let left = world.published(&format!("day/.outflow-r1-{}-0.part", slot.attempt));
    let theirs = [".outflow-r9-9-0.part", "notes.txt", ".hidden"].map(|name| world.published("day").join(name));
    for path in std::iter::once(&left).chain(&theirs) {
        fs::write(path, "half").unwrap();
    }
    for old in [false, true] {
        if old {
            age_attempts(&world.ledger).await;
        }
        recover(&world.ledger, std::slice::from_ref(&sink), &world.state(), "p", &Quiet).await.unwrap();
        assert_eq!(left.exists(), !old);
    }
    assert!(theirs.iter().all(|path| path.exists()));
    for (path, body) in FILES {
        assert_eq!(fs::read_to_string(world.published(path)).unwrap(), body);
    }
    assert!(world.ledger.leftovers("p", sink.identity(), jiff::Timestamp::MAX).await.unwrap().is_empty());
}
