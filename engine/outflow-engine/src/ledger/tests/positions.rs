//! How far windows have come, and what a person did: on SQLite and on PostgreSQL.

use super::*;
use crate::ledger::positions::name;
use crate::source::arrivals::Known;
use crate::window::{Watermark, Window};

fn whose() -> Whose {
    let SlotKey { pipeline, target, .. } = key("");
    Whose { pipeline, target, scope: String::new() }
}

fn mark(position: &str) -> Watermark {
    Watermark { position: position.into(), floor: "2".into() }
}

fn manifest(path: &str) -> Manifest {
    let known = Known { size: 4, rows: 2, ..Known::default() };
    Manifest {
        files: vec![file(0, path)],
        counters: vec![],
        remembered: vec![(name(""), serde_json::to_string(&mark("9")).unwrap())],
        seen: vec![("in/a.csv".into(), known)],
    }
}

#[tokio::test]
async fn the_commit_of_a_window_moves_its_watermark() {
    for home in Home::both() {
        let ledger = home.open().await;
        let window = Window::new("2", "9");
        let mut slot = sealed(&ledger, &window.key(), &manifest("a.csv")).await;
        at(&ledger, &mut slot, SlotState::Publishing).await;
        assert_eq!(ledger.watermark(&whose()).await.unwrap(), None);
        assert!(ledger.seen(&whose()).await.unwrap().is_empty());
        ledger.commit(&mut slot).await.unwrap();
        assert_eq!(ledger.watermark(&whose()).await.unwrap(), Some(mark("9")));
        assert_eq!(ledger.seen(&whose()).await.unwrap()["in/a.csv"].rows, 2);
        assert!(ledger.manifest(&slot).await.unwrap().seen.is_empty(), "taken over, and kept once");
        assert_eq!(ledger.windows(&whose()).await.unwrap(), [(window, SlotState::Published)]);
        assert_eq!(ledger.slots_in("welcome", SlotState::Published, Some("r1")).await.unwrap().len(), 1);
        assert!(ledger.slots_in("welcome", SlotState::Published, Some("r2")).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_person_does_is_in_the_audit() {
    for home in Home::both() {
        let ledger = home.open().await;
        ledger.set_watermark(&whose(), Some(&mark("5")), Some("state set")).await.unwrap();
        ledger.set_watermark(&whose(), Some(&mark("6")), None).await.unwrap();
        let found = ledger.positions(Some("welcome")).await.unwrap();
        assert_eq!(found, [Position { at: whose(), watermark: mark("6") }]);
        assert_eq!(ledger.positions(None).await.unwrap(), found);
        assert!(ledger.positions(Some("other")).await.unwrap().is_empty());
        ledger.set_watermark(&whose(), None, Some("state reset")).await.unwrap();
        assert_eq!(ledger.watermark(&whose()).await.unwrap(), None);
        let mut slot = sealed(&ledger, "cursor [2, 9)", &manifest("a.csv")).await;
        ledger.quarantine(&mut slot, "not ours").await.unwrap();
        ledger.give_back(&mut slot).await.unwrap();
        assert_eq!(ledger.slot_by_id(slot.id).await.unwrap().unwrap(), slot);
        ledger.give_back(&mut slot).await.unwrap_err();
        ledger.note(&slot, "redeliver", "a.csv").await.unwrap();
        let told: Vec<_> = ledger.audits().await.unwrap().into_iter().map(|line| (line.action, line.before)).collect();
        let (set, seen) = (None, Some(serde_json::to_string(&mark("6")).unwrap()));
        let (reason, window) = (Some("not ours".into()), Some("cursor [2, 9)".into()));
        let lines = [("state set", set), ("state reset", seen), ("retry", reason), ("redeliver", window)];
        assert_eq!(told, lines.map(|(action, before)| (action.to_owned(), before)));
    }
}

/// Windows that were planned and are cut otherwise now are forgotten, unless something of them may lie at the target.
#[tokio::test]
async fn stale_plans_are_forgotten() {
    for home in Home::both() {
        let ledger = home.open().await;
        let planned = ledger.plan(&key("cursor [2, 3)"), &plan("r1"), "r1").await.unwrap();
        let mut reopened = sealed(&ledger, "cursor [2, 4)", &manifest("a.csv")).await;
        ledger.transition(&mut reopened, SlotState::Planned).await.unwrap();
        let mut unclean = sealed(&ledger, "cursor [2, 5)", &manifest("b.csv")).await;
        ledger.take_over(&mut unclean).await.unwrap();
        ledger.transition(&mut unclean, SlotState::Planned).await.unwrap();
        let pinned = sealed(&ledger, "cursor [0, 2)", &manifest("c.csv")).await;
        let snapshot = ledger.plan(&key("w"), &plan("r1"), "r1").await.unwrap();
        ledger.forget_planned(&key("cursor [2, 9)")).await.unwrap();
        for (slot, kept) in
            [(&planned, false), (&reopened, false), (&unclean, true), (&pinned, true), (&snapshot, true)]
        {
            let found = ledger.slot_by_id(slot.id).await.unwrap();
            assert_eq!(found.is_some(), kept, "{}", slot.key.window);
        }
        age_attempts(&ledger).await;
        let now = jiff::Timestamp::now();
        for left in ledger.leftovers("welcome", &pinned.key.target, now).await.unwrap() {
            ledger.swept(&left).await.unwrap();
        }
        ledger.forget_planned(&key("cursor [2, 9)")).await.unwrap();
        assert!(ledger.slot_by_id(unclean.id).await.unwrap().is_none());
    }
}
