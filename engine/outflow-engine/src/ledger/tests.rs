//! The ledger: states, fences, seals and commits, the same tests on SQLite and on PostgreSQL.

mod disk;
mod lease;
mod positions;
#[path = "../../../../tests/it/support/postgres.rs"]
pub(crate) mod postgres;

use outflow_formats::digest::Algorithm;
use outflow_spec::ledger::{LedgerSpec, PostgresLedger};
use outflow_spec::secret::Secret;
use serde_json::json;
use tempfile::TempDir;

use self::postgres::Postgres;
use super::*;
use crate::error::Retry;

/// A state folder with a ledger of its own, or in a database of its own.
pub(crate) struct Home {
    pub folder: TempDir,
    pub spec: Option<LedgerSpec>,
}

impl Home {
    pub fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), spec: None }
    }

    pub fn postgres() -> Self {
        Self::at(&Postgres::shared().database())
    }

    pub fn at(url: &str) -> Self {
        let spec = LedgerSpec::Postgres(PostgresLedger { url: Secret::new(url) });
        Self { folder: tempfile::tempdir().unwrap(), spec: Some(spec) }
    }

    pub fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    pub async fn open(&self) -> Ledger {
        Ledger::open(self.spec.as_ref(), self.folder.path()).await.unwrap()
    }
}

impl Ledger {
    /// The same ledger as a worker with another state folder sees it.
    pub(crate) fn at_home(mut self, state: &Path) -> Self {
        state.clone_into(&mut self.folder);
        self
    }
}

/// Ends every lease, as time would.
pub(crate) async fn expire_leases(ledger: &Ledger) {
    sqlx::query("UPDATE lease SET expires_at = 0").execute(&ledger.pool).await.unwrap();
}

/// Lets every attempt have begun long ago.
pub(crate) async fn age_attempts(ledger: &Ledger) {
    sqlx::query("UPDATE attempt SET started_at = '2001-01-01T00:00:00.000Z'").execute(&ledger.pool).await.unwrap();
}

/// Names and digests of everything that any attempt at a pipeline's deliveries sealed.
pub(crate) async fn sealed_in(ledger: &Ledger, pipeline: &str) -> Vec<(String, String)> {
    let statement = "SELECT path, digest FROM file JOIN attempt ON attempt.id = file.attempt
                     JOIN slot ON slot.id = attempt.slot WHERE slot.pipeline = $1";
    sqlx::query_as(statement).bind(pipeline).fetch_all(&ledger.pool).await.unwrap()
}

/// Gives up what only power cuts and other processes need: there are none.
pub(crate) async fn make_quick(ledger: &Ledger) {
    for setting in ["PRAGMA synchronous = OFF", "PRAGMA locking_mode = EXCLUSIVE"] {
        sqlx::query(setting).execute(&ledger.pool).await.unwrap();
    }
}

fn key(window: &str) -> SlotKey {
    SlotKey { pipeline: "welcome".into(), target: "file:///out".into(), window: window.into() }
}

fn plan(run: &str) -> PlanRecord {
    PlanRecord {
        run_id: run.into(),
        scheduled_ms: 1_700_000_000_000,
        config_hash: "c".into(),
        layout_digest: "l".into(),
        nonce_seed: "seed".into(),
    }
}

fn file(ordinal: u32, path: &str) -> SealedFile {
    SealedFile {
        ordinal,
        role: if path.starts_with("control") { Role::Companion } else { Role::Data },
        path: path.into(),
        spool_path: "/made/here/spool/1/0".into(),
        rows: 3,
        bytes: 10,
        digest: Algorithm::Xxh3.of(b"ab"),
        content_type: Some("text/csv".into()),
        metadata: vec![("flow".into(), "welcome".into())],
        details: r#"{"dataset":"data_feed"}"#.to_owned(),
    }
}

/// The last committed number of a counter; 0 before the first.
async fn last(ledger: &Ledger, name: &str) -> u64 {
    let key = key("w");
    let last = ledger.last_numbers(&key.pipeline, &key.target).await.unwrap();
    assert_eq!(ledger.last_numbers(&key.pipeline, "s3://elsewhere").await.unwrap(), LastNumbers::default());
    last.values.get(name).copied().unwrap_or(0)
}

async fn sealed(ledger: &Ledger, window: &str, manifest: &Manifest) -> Slot {
    let mut slot = ledger.plan(&key(window), &plan("r1"), "r1").await.unwrap();
    ledger.spooled(&mut slot).await.unwrap();
    ledger.seal(&mut slot, manifest).await.unwrap();
    slot
}

async fn at(ledger: &Ledger, slot: &mut Slot, state: SlotState) {
    use SlotState::*;
    for next in [Uploading, Uploaded, Verified, Publishing] {
        if slot.state == state {
            return;
        }
        ledger.transition(slot, next).await.unwrap();
    }
}

#[tokio::test]
async fn first_plan_of_a_slot_is_kept_for_ever() {
    for home in Home::both() {
        let ledger = home.open().await;
        let first = ledger.plan(&key("w"), &plan("r1"), "r1").await.unwrap();
        let second = ledger.plan(&key("w"), &plan("r2"), "r2").await.unwrap();
        assert_eq!((second.id, &second.plan), (first.id, &plan("r1")));
        assert!(second.epoch > first.epoch && second.attempt != first.attempt);
        assert_ne!(ledger.plan(&key("x"), &plan("r2"), "r2").await.unwrap().id, first.id);

        // What made the attempt is noted anew, so that nobody is told of a change that came before it.
        let edited = PlanRecord { config_hash: "d".into(), layout_digest: "m".into(), scheduled_ms: 9, ..plan("r3") };
        let kept = PlanRecord { config_hash: "d".into(), layout_digest: "m".into(), ..plan("r1") };
        assert_eq!(ledger.plan(&key("w"), &edited, "r3").await.unwrap().plan, kept);
        assert_eq!(ledger.slot_by_id(first.id).await.unwrap().unwrap().plan, kept);
    }
}

/// A ledger of before digests told their algorithm: they are SHA-256.
#[tokio::test]
async fn bare_digests_are_sha256() {
    for home in Home::both() {
        let ledger = home.open().await;
        let digest = Algorithm::Sha256.of(b"ab");
        let files = vec![SealedFile { digest: digest.clone(), ..file(0, "a.csv") }];
        let slot = sealed(&ledger, "w", &Manifest { files, ..Manifest::default() }).await;
        for statement in [
            "UPDATE file SET digest = substr(digest, 8)",
            "ALTER TABLE file RENAME COLUMN digest TO sha256",
            "DELETE FROM _sqlx_migrations WHERE version = 6",
        ] {
            sqlx::query(statement).execute(&ledger.pool).await.unwrap();
        }
        ledger.close().await;
        let ledger = home.open().await;
        assert_eq!(ledger.manifest(&slot).await.unwrap().files[0].digest, digest);
        sqlx::query("UPDATE file SET digest = 'md5:00'").execute(&ledger.pool).await.unwrap();
        let error = ledger.manifest(&slot).await.unwrap_err();
        assert!(error.to_string().contains("`md5:00` is not a digest"), "{error}");
    }
}

#[tokio::test]
async fn manifest_counters_and_lists_survive_reopening() {
    for home in Home::both() {
        let ledger = home.open().await;
        let manifest = Manifest {
            files: vec![file(0, "a.csv"), file(1, "b.csv"), file(2, "control.json")],
            counters: vec![("sequence".into(), 7)],
            remembered: vec![("list".into(), "a".into())],
            seen: vec![],
        };
        let mut slot = sealed(&ledger, "w", &manifest).await;
        assert_eq!(last(&ledger, "sequence").await, 0);
        assert_eq!(ledger.remembered("welcome", &slot.key.target, "list").await.unwrap(), None);
        assert_eq!(ledger.all_remembered("list").await.unwrap(), ["a"], "a sealed delivery needs what it will leave");
        at(&ledger, &mut slot, SlotState::Publishing).await;
        ledger.mark_files(&slot, &[(1, FileState::Uploaded)]).await.unwrap();
        assert!(ledger.any_sent(&slot).await.unwrap());
        ledger.commit(&mut slot).await.unwrap();
        ledger.close().await;

        let ledger = Ledger::open_existing(home.spec.as_ref(), home.folder.path()).await.unwrap().unwrap();
        assert_eq!(last(&ledger, "sequence").await, 7);
        assert_eq!(ledger.remembered("welcome", &slot.key.target, "list").await.unwrap().as_deref(), Some("a"));
        assert_eq!(ledger.all_remembered("list").await.unwrap(), ["a"]);
        let mut manifest = manifest;
        manifest.files.iter_mut().for_each(|file| file.spool_path = spool_folder(home.folder.path(), &slot).join("0"));
        assert_eq!(ledger.manifest(&slot).await.unwrap(), manifest);
        assert_eq!(ledger.plan(&key("w"), &plan("r2"), "r2").await.unwrap(), slot);
        assert!(ledger.unfinished("welcome").await.unwrap().is_empty());
        for (filter, count) in [
            (FileFilter::default(), 3),
            (FileFilter { pipeline: Some("welcome".into()), run: Some("r1".into()), limit: 2 }, 2),
            (FileFilter { run: Some("r9".into()), ..FileFilter::default() }, 0),
        ] {
            let files = ledger.files(&filter).await.unwrap();
            assert_eq!(files.len(), count, "{filter:?}");
            assert!(files.iter().all(|record| record.state == SlotState::Published && record.published_at.is_some()));
        }
    }
}

#[tokio::test]
async fn only_allowed_moves_are_made() {
    for home in Home::both() {
        let ledger = home.open().await;
        let manifest = Manifest { files: vec![file(0, "a.csv")], counters: vec![], remembered: vec![], seen: vec![] };
        let mut slot = sealed(&ledger, "w", &manifest).await;
        at(&ledger, &mut slot, SlotState::Verified).await;
        for to in [SlotState::Planned, SlotState::Sealed, SlotState::Published, SlotState::Verified] {
            ledger.transition(&mut slot, to).await.unwrap_err();
            assert_eq!(slot.state, SlotState::Verified);
        }
        ledger.quarantine(&mut slot, "not ours").await.unwrap();
        assert_eq!(ledger.slot_by_id(slot.id).await.unwrap().unwrap().reason.as_deref(), Some("not ours"));
        for to in SlotState::ALL {
            assert_eq!(
                to.is_waiting(),
                to.is_pinned() && to.may_become(SlotState::Sealed),
                "waiting goes on, once sealed"
            );
            assert!(!SlotState::Published.may_become(to) && !SlotState::Quarantined.may_become(to));
            assert_eq!(SlotState::from_name(to.name()), Some(to));
        }
    }
}

/// I9: once taken over, a slot cannot be written through an older handle.
#[tokio::test]
async fn an_older_holder_of_a_slot_commits_nothing() {
    for home in Home::both() {
        let ledger = home.open().await;
        let manifest = Manifest {
            files: vec![file(0, "a.csv")],
            counters: vec![("n".into(), 1)],
            remembered: vec![],
            seen: vec![],
        };
        let mut old = sealed(&ledger, "w", &manifest).await;
        let error = ledger.plan(&key("w"), &plan("r2"), "r2").await.unwrap_err();
        assert!(error.to_string().contains("sealed"), "its spool is not given to another attempt: {error}");
        at(&ledger, &mut old, SlotState::Publishing).await;
        let mut new = old.clone();
        ledger.take_over(&mut new).await.unwrap();
        let results = [
            ledger.take_over(&mut old.clone()).await,
            ledger.mark_files(&old, &[(0, FileState::Uploaded)]).await,
            ledger.quarantine(&mut old.clone(), "x").await,
            ledger.commit(&mut old).await,
        ];
        for result in results {
            assert_eq!(result.unwrap_err().retry(), Retry::Locked);
        }
        assert_eq!(last(&ledger, "n").await, 0);
        ledger.commit(&mut new).await.unwrap();
    }
}

/// I1: a final name belongs to one delivery.
#[tokio::test]
async fn a_name_of_another_delivery_is_refused() {
    for home in Home::both() {
        let ledger = home.open().await;
        let manifest = Manifest { files: vec![file(0, "a.csv")], counters: vec![], remembered: vec![], seen: vec![] };
        sealed(&ledger, "w", &manifest).await;
        let mut slot = ledger.plan(&key("x"), &plan("r2"), "r2").await.unwrap();
        ledger.spooled(&mut slot).await.unwrap();
        let error = ledger.seal(&mut slot, &manifest).await.unwrap_err();
        assert!(error.to_string().contains("`a.csv`") && error.to_string().contains("`w`"), "{error}");
        assert!(ledger.manifest(&slot).await.unwrap().files.is_empty());
    }
}

#[tokio::test]
async fn runs_are_listed_and_dead_ones_marked() {
    for home in Home::both() {
        let ledger = home.open().await;
        ledger.begin_run("01-a", "welcome").await.unwrap();
        ledger.begin_run("02-b", "welcome").await.unwrap();
        ledger.begin_run("03-c", "other").await.unwrap();
        ledger.finish_run("02-b", "succeeded", &json!({"rows": 3})).await.unwrap();
        let statuses: Vec<_> =
            ledger.runs(&RunFilter::default()).await.unwrap().into_iter().map(|run| (run.id, run.status)).collect();
        assert_eq!(statuses[1..], [("02-b".into(), "succeeded".into()), ("01-a".into(), "interrupted".to_string())]);
        let filter = RunFilter { pipeline: Some("other".into()), ..RunFilter::default() };
        assert_eq!(ledger.runs(&filter).await.unwrap().len(), 1);
        assert_eq!(ledger.run("02").await.unwrap().unwrap().report, Some(json!({"rows": 3})));
        assert!(ledger.run("0").await.unwrap().is_none(), "an ambiguous id is no run");
    }
}

/// Numbers that a delivery holds are nobody else's: sealed they keep others waiting, quarantined they are used up.
#[tokio::test]
async fn numbers_of_unfinished_deliveries_are_known() {
    for home in Home::both() {
        let ledger = home.open().await;
        let key = key("w");
        let last = async || ledger.last_numbers(&key.pipeline, &key.target).await.unwrap();
        let manifest = |path: &str, number| Manifest {
            files: vec![file(0, path)],
            counters: vec![("n".into(), number)],
            ..Manifest::default()
        };
        let mut slot = sealed(&ledger, "w", &manifest("a.csv", 1)).await;
        assert_eq!(last().await, LastNumbers { held_by: Some(slot.id), ..LastNumbers::default() });
        ledger.transition(&mut slot, SlotState::Planned).await.unwrap();
        assert_eq!(last().await, LastNumbers::default(), "given back");
        let mut slot = sealed(&ledger, "x", &manifest("b.csv", 1)).await;
        ledger.quarantine(&mut slot, "not ours").await.unwrap();
        assert_eq!(last().await.values["n"], 1);
        let mut slot = sealed(&ledger, "y", &manifest("c.csv", 2)).await;
        at(&ledger, &mut slot, SlotState::Publishing).await;
        ledger.commit(&mut slot).await.unwrap();
        assert_eq!(last().await, LastNumbers { values: [("n".to_owned(), 2)].into(), held_by: None });
    }
}
