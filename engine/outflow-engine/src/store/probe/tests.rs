//! What probing finds at targets of each kind, and that it leaves nothing behind.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;

use super::*;
use crate::store::{Bucket, Folder, Service};

#[tokio::test]
async fn abilities_are_found_and_nothing_stays() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::new(&place.path().join("out"), "out").unwrap();
    let abilities = probe(&folder).await.unwrap();
    assert_eq!((abilities.create_if_absent, abilities.clock_skew), (true, None));
    assert_eq!(abilities.guarantee(), Guarantee::CreateIfAbsent);
    assert_eq!(std::fs::read_dir(place.path().join("out")).unwrap().count(), 0);
    for service in [Service::S3, Service::GCS, Service::AZURE] {
        let store = Arc::new(InMemory::new());
        let bucket = Bucket::of(service, store.clone(), ("", "acme", "p"), None).unwrap();
        let abilities = probe(&bucket).await.unwrap();
        assert_eq!((abilities.create_if_absent, abilities.clock_skew), (true, Some(0)));
        assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_target_could_do_it_has_to_keep() {
    let state = tempfile::tempdir().unwrap();
    let folder = Folder::new(&state.path().join("out"), "out").unwrap();
    preflight(&folder, state.path()).await.unwrap();
    assert!(memory(state.path()).unwrap()[folder.identity()]);
    let lesser = Abilities { create_if_absent: false, verified_by: "", clock_skew: None, facts: Vec::new() };
    remember(state.path(), &folder, &lesser).unwrap();
    preflight(&folder, state.path()).await.unwrap();
    assert_eq!(lesser.guarantee(), Guarantee::PinnedBytes);
    std::fs::write(state.path().join(MEMORY), "{").unwrap();
    assert!(preflight(&folder, state.path()).await.unwrap_err().hint_text().unwrap().contains("doctor"));
}

/// Seconds that the target tells are whole; what lies within is no skew.
#[test]
fn clocks_are_compared_in_whole_seconds() {
    let at = |seconds: i64, millis: i64| Timestamp::from_millisecond(seconds * 1000 + millis).unwrap();
    let took = SignedDuration::from_millis(300);
    for (seen, wanted) in [(at(99, 0), 0), (at(100, 0), 0), (at(101, 0), 0), (at(40, 0), -60), (at(1300, 0), 1199)] {
        assert_eq!(skew(at(100, 500), took, seen), wanted, "{seen}");
    }
}
