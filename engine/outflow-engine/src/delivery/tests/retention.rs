//! Files whose time is over, at a target that others write to as well.

use super::*;

/// ACT-9, ACT-10: what was published before the instant goes, the control file first; what is gone already is no error,
/// and what is not ours stays, with the data that a control file speaks of.
#[tokio::test]
async fn only_what_we_published_is_taken_away() {
    let world = World::new().await;
    let sink = world.folder_sink();
    let slot = run(&world.ledger, &world.state(), &sink, "r").await.unwrap();
    let published: jiff::Timestamp = slot.published_at.as_deref().unwrap().parse().unwrap();
    let later = published + jiff::SignedDuration::from_secs(1);
    let there = |path: &str| world.published(path).exists();
    let retired = retire(&world.ledger, sink.as_ref(), "p", published).await.unwrap();
    assert_eq!((retired.removed, there("day/control.json")), (0, true), "its time is not over");
    fs::write(world.published("day/theirs.csv"), "x").unwrap();
    fs::write(world.published("day/control.json"), "{\"files\":3}").unwrap();
    let retired = retire(&world.ledger, sink.as_ref(), "p", later).await.unwrap();
    assert_eq!((retired.removed, retired.warnings.len()), (0, 1), "{retired:?}");
    assert!(there("day/control.json") && there("day/a.csv") && there("day/b.csv"));
    fs::write(world.published("day/control.json"), FILES[2].1).unwrap();
    fs::remove_file(world.published("day/a.csv")).unwrap();
    assert_eq!(retire(&world.ledger, sink.as_ref(), "other", later).await.unwrap().removed, 0);
    let retired = retire(&world.ledger, sink.as_ref(), "p", later).await.unwrap();
    assert_eq!((retired.removed, retired.collected, retired.warnings.len()), (2, 1, 0), "{retired:?}");
    assert!(!there("day/control.json") && !there("day/b.csv") && there("day/theirs.csv"));
    assert_eq!(world.ledger.fates("p").await.unwrap().len(), 3);
    let again = retire(&world.ledger, sink.as_ref(), "p", later).await.unwrap();
    assert_eq!((again.removed, again.collected), (0, 0), "each is taken away once");
    assert_eq!(world.ledger.plan(&key(sink.as_ref()), &plan("r2"), "r2").await.unwrap().state, SlotState::Published);
}
