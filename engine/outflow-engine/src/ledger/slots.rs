//! Every statement that moves a slot. Each write is fenced by the slot's state and epoch,
//! so a process that lost its slot to another cannot commit anything.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Transaction};

use super::database::{Ledger, now, persist, stamp, to_json};
use super::state::{Deferral, Manifest, PlanRecord, Slot, SlotKey, SlotState};
use crate::error::{Error, Result};
use crate::kill_point;

const SLOT: &str = "SELECT id, pipeline, target, time_window, state, epoch, plan, attempt, reason, published_at,
     deferred_since, deferred_until, tries FROM slot";

/// Pause before the second try of a delivery that its target could not take; it doubles with each, up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl Ledger {
    /// The slot with its stored plan. A new slot gets the plan given; so an equal key gives equal names for ever.
    /// When the slot is not sealed yet, this begins a new attempt at it in state `Planned`, made by the pipeline and
    /// layout of the plan given. A slot that recovery had to leave sealed is refused: its spool is still needed.
    pub async fn plan(&self, key: &SlotKey, new: &PlanRecord, run_id: &str) -> Result<Slot> {
        persist!(self, self.try_plan(key, new, run_id))
    }

    async fn try_plan(&self, key: &SlotKey, new: &PlanRecord, run_id: &str) -> Result<Slot> {
        let mut tx = self.begin("planning").await?;
        sqlx::query(
            "INSERT INTO slot (pipeline, target, time_window, state, epoch, plan, planned_at)
             VALUES ($1, $2, $3, 'planned', 0, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(&key.pipeline)
        .bind(&key.target)
        .bind(&key.window)
        .bind(to_json(new)?)
        .bind(now())
        .execute(&mut *tx)
        .await
        .map_err(|error| self.failure("planning", error))?;
        let found = AssertSqlSafe(format!("{SLOT} WHERE pipeline = $1 AND target = $2 AND time_window = $3"));
        let row = sqlx::query(found)
            .bind(&key.pipeline)
            .bind(&key.target)
            .bind(&key.window)
            .fetch_one(&mut *tx)
            .await
            .map_err(|error| self.failure("planning", error))?;
        let mut slot = self.slot(&row)?;
        if slot.state.is_pinned() {
            let message = format!("delivery {} of this window is sealed, but could not be finished", slot.id);
            return Err(Error::external(message).hint("put right what keeps it from its target, and run again"));
        }
        if matches!(slot.state, SlotState::Planned | SlotState::Spooled) {
            self.begin_attempt(&mut tx, &mut slot, new, run_id).await?;
        }
        kill_point!("plan-before-commit");
        self.commit_tx("planning", tx).await?;
        kill_point!("plan-committed");
        Ok(slot)
    }

    /// What was drawn for a slot, if it exists.
    pub async fn planned(&self, key: &SlotKey) -> Result<Option<PlanRecord>> {
        let plan: Option<String> =
            sqlx::query_scalar("SELECT plan FROM slot WHERE pipeline = $1 AND target = $2 AND time_window = $3")
                .bind(&key.pipeline)
                .bind(&key.target)
                .bind(&key.window)
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| self.failure("planning", error))?;
        plan.map(|plan| self.parse(&plan)).transpose()
    }

    async fn begin_attempt(
        &self,
        tx: &mut Transaction<'_, Any>,
        slot: &mut Slot,
        new: &PlanRecord,
        run_id: &str,
    ) -> Result<()> {
        let attempt: i64 = sqlx::query_scalar(
            "INSERT INTO attempt (slot, epoch, run, config_hash, layout_digest, started_at)
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        )
        .bind(slot.id)
        .bind(slot.epoch + 1)
        .bind(run_id)
        .bind(&new.config_hash)
        .bind(&new.layout_digest)
        .bind(now())
        .fetch_one(&mut **tx)
        .await
        .map_err(|error| self.failure("planning", error))?;
        slot.plan.config_hash.clone_from(&new.config_hash);
        slot.plan.layout_digest.clone_from(&new.layout_digest);
        let moved = sqlx::query(
            "UPDATE slot SET state = 'planned', epoch = epoch + 1, attempt = $1, plan = $2 WHERE id = $3 AND epoch = $4",
        )
        .bind(attempt)
        .bind(to_json(&slot.plan)?)
        .bind(slot.id)
        .bind(slot.epoch)
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failure("planning", error))?;
        fenced(slot, moved.rows_affected())?;
        (slot.state, slot.epoch, slot.attempt) = (SlotState::Planned, slot.epoch + 1, attempt);
        Ok(())
    }

    /// Takes a slot over for recovery: older holders can no longer write it. They may have left something half sent.
    pub async fn take_over(&self, slot: &mut Slot) -> Result<()> {
        let mut tx = self.begin("recovering").await?;
        let moved = sqlx::query("UPDATE slot SET epoch = epoch + 1 WHERE id = $1 AND epoch = $2")
            .bind(slot.id)
            .bind(slot.epoch)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("recovering", error))?;
        fenced(slot, moved.rows_affected())?;
        self.note_unclean(&mut tx, slot).await?;
        self.commit_tx("recovering", tx).await?;
        slot.epoch += 1;
        Ok(())
    }

    /// Moves a slot on, if it may and is still ours.
    pub async fn transition(&self, slot: &mut Slot, to: SlotState) -> Result<()> {
        persist!(self, self.try_move(slot, to, None))?;
        slot.state = to;
        if to == SlotState::Planned {
            slot.attempt = 0;
        }
        Ok(())
    }

    async fn try_move(&self, slot: &Slot, to: SlotState, reason: Option<&str>) -> Result<()> {
        let mut tx = self.begin("moving").await?;
        self.advance(&mut tx, slot, to, reason).await?;
        if slot.state.is_pinned() && (to.is_waiting() || to == SlotState::Quarantined) {
            self.note_unclean(&mut tx, slot).await?;
        }
        self.commit_tx("moving", tx).await
    }

    /// Notes that every file lies in the spool.
    pub async fn spooled(&self, slot: &mut Slot) -> Result<()> {
        self.transition(slot, SlotState::Spooled).await
    }

    /// Fixes the manifest; from here the bytes of the slot never change. `delivery::seal` checks the files first.
    pub async fn seal(&self, slot: &mut Slot, manifest: &Manifest) -> Result<()> {
        persist!(self, self.try_seal(slot, manifest))?;
        kill_point!("seal-committed");
        slot.state = SlotState::Sealed;
        Ok(())
    }

    async fn try_seal(&self, slot: &Slot, manifest: &Manifest) -> Result<()> {
        let mut tx = self.begin("sealing").await?;
        if !self.advance(&mut tx, slot, SlotState::Sealed, None).await? {
            return Ok(());
        }
        self.refuse_published_names(&mut tx, slot, &manifest.files).await?;
        self.insert_files(&mut tx, slot, &manifest.files).await?;
        sqlx::query("UPDATE slot SET counters = $1, remembered = $2, inputs = $3 WHERE id = $4")
            .bind(to_json(&manifest.counters)?)
            .bind(to_json(&manifest.remembered)?)
            .bind(to_json(&manifest.seen)?)
            .bind(slot.id)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("sealing", error))?;
        kill_point!("seal-before-commit");
        self.commit_tx("sealing", tx).await
    }

    /// Commits a delivery: published, counters advanced, what it changes remembered, all in one transaction.
    pub async fn commit(&self, slot: &mut Slot) -> Result<()> {
        let manifest = self.manifest(slot).await?;
        kill_point!("commit-before");
        let at = now();
        persist!(self, self.try_commit(slot, &manifest, &at))?;
        kill_point!("commit-done");
        (slot.state, slot.published_at) = (SlotState::Published, Some(at));
        Ok(())
    }

    async fn try_commit(&self, slot: &Slot, manifest: &Manifest, at: &str) -> Result<()> {
        let mut tx = self.begin("committing").await?;
        if !self.advance(&mut tx, slot, SlotState::Published, None).await? {
            return Ok(());
        }
        sqlx::query("UPDATE slot SET published_at = $1, inputs = '[]' WHERE id = $2")
            .bind(at)
            .bind(slot.id)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("committing", error))?;
        sqlx::query("UPDATE file SET state = 'published' WHERE attempt = $1 AND state <> 'collected'")
            .bind(slot.attempt)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("committing", error))?;
        self.advance_counters(&mut tx, slot, manifest.counters.clone()).await?;
        for (name, value) in &manifest.remembered {
            self.remember(&mut tx, slot, name, value).await?;
        }
        self.note_seen(&mut tx, slot, &manifest.seen).await?;
        kill_point!("commit-in-transaction");
        self.commit_tx("committing", tx).await
    }

    /// Sets a delivery aside for a person, with the reason.
    pub async fn quarantine(&self, slot: &mut Slot, reason: &str) -> Result<()> {
        let reason = self.shown(reason);
        persist!(self, self.try_move(slot, SlotState::Quarantined, Some(&reason)))?;
        (slot.state, slot.reason) = (SlotState::Quarantined, Some(reason));
        Ok(())
    }

    /// Notes that a delivery waits for its target, and why: `unknown` when an answer got lost that decides what is
    /// there, else `deferred`.
    pub async fn defer(&self, slot: &mut Slot, unknown: bool, reason: &str) -> Result<()> {
        let to = if unknown { SlotState::Unknown } else { SlotState::Deferred };
        let reason = self.shown(reason);
        let tries = slot.deferral.as_ref().map_or(0, |deferral| deferral.tries) + 1;
        let pause = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_PAUSE);
        let at = jiff::Timestamp::now();
        let deferral = Deferral {
            since: slot.deferral.as_ref().map_or_else(|| stamp(at), |deferral| deferral.since.clone()),
            next: stamp(at.saturating_add(pause).unwrap_or(at)),
            tries,
        };
        persist!(self, self.try_defer(slot, to, &reason, &deferral))?;
        (slot.state, slot.reason, slot.deferral) = (to, Some(reason), Some(deferral));
        Ok(())
    }

    async fn try_defer(&self, slot: &Slot, to: SlotState, reason: &str, deferral: &Deferral) -> Result<()> {
        let mut tx = self.begin("deferring").await?;
        self.advance(&mut tx, slot, to, Some(reason)).await?;
        self.note_unclean(&mut tx, slot).await?;
        sqlx::query("UPDATE slot SET deferred_since = $1, deferred_until = $2, tries = $3 WHERE id = $4")
            .bind(&deferral.since)
            .bind(&deferral.next)
            .bind(i64::from(deferral.tries))
            .bind(slot.id)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("deferring", error))?;
        self.commit_tx("deferring", tx).await
    }

    /// Deliveries of a pipeline that were begun and neither published nor set aside, oldest first.
    pub async fn unfinished(&self, pipeline: &str) -> Result<Vec<Slot>> {
        let condition = "pipeline = $1 AND state NOT IN ('published', 'quarantined')";
        let rows = sqlx::query(AssertSqlSafe(format!("{SLOT} WHERE {condition} ORDER BY id")))
            .bind(pipeline)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        rows.iter().map(|row| self.slot(row)).collect()
    }

    /// The slot of that row id.
    pub async fn slot_by_id(&self, id: i64) -> Result<Option<Slot>> {
        let row = sqlx::query(AssertSqlSafe(format!("{SLOT} WHERE id = $1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        row.map(|row| self.slot(&row)).transpose()
    }

    /// Deliveries that a run planned or attempted, oldest first.
    pub async fn deliveries(&self, run: &str) -> Result<Vec<Slot>> {
        let condition = "id IN (SELECT slot FROM attempt WHERE run = $1)";
        let rows = sqlx::query(AssertSqlSafe(format!("{SLOT} WHERE {condition} ORDER BY id")))
            .bind(run)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        rows.iter().map(|row| self.slot(row)).collect()
    }

    /// Moves a slot within a transaction. `false`: an earlier try did it already, and its answer got lost.
    async fn advance(
        &self,
        tx: &mut Transaction<'_, Any>,
        slot: &Slot,
        to: SlotState,
        reason: Option<&str>,
    ) -> Result<bool> {
        if !slot.state.may_become(to) {
            return Err(Error::internal(format!("delivery {} cannot go from {} to {to}", slot.id, slot.state)));
        }
        // Back at `planned` the files of the attempt do not count any more.
        let moved = sqlx::query(
            "UPDATE slot SET state = $1, reason = $2, attempt = CASE WHEN $1 = 'planned' THEN NULL ELSE attempt END
             WHERE id = $3 AND epoch = $4 AND state = $5",
        )
        .bind(to.name())
        .bind(reason)
        .bind(slot.id)
        .bind(slot.epoch)
        .bind(slot.state.name())
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failure("moving", error))?;
        if moved.rows_affected() == 1 {
            return Ok(true);
        }
        let found: String = self.fence_slot(tx, slot).await?;
        if found == to.name() { Ok(false) } else { fenced(slot, 0).map(|()| false) }
    }

    /// The state of a slot as it is, if the slot is still ours.
    pub(super) async fn fence_slot(&self, tx: &mut Transaction<'_, Any>, slot: &Slot) -> Result<String> {
        let found: Option<String> = sqlx::query_scalar("SELECT state FROM slot WHERE id = $1 AND epoch = $2")
            .bind(slot.id)
            .bind(slot.epoch)
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failure("moving", error))?;
        fenced(slot, found.is_some().into())?;
        Ok(found.unwrap_or_default())
    }

    /// Notes that an attempt ended otherwise than by its commit, and may have left staging files at the target.
    async fn note_unclean(&self, tx: &mut Transaction<'_, Any>, slot: &Slot) -> Result<()> {
        sqlx::query("UPDATE attempt SET unclean = 1, swept_at = NULL WHERE id = $1")
            .bind(slot.attempt)
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failure("moving", error))?;
        Ok(())
    }

    pub(super) fn deferral(&self, row: &AnyRow) -> Result<Option<Deferral>> {
        let since: Option<String> = self.column(row, "deferred_since")?;
        let next: Option<String> = self.column(row, "deferred_until")?;
        let tries: i64 = self.column(row, "tries")?;
        Ok(since.zip(next).map(|(since, next)| Deferral {
            since,
            next,
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
        }))
    }

    fn slot(&self, row: &AnyRow) -> Result<Slot> {
        let state: String = self.column(row, "state")?;
        let plan: String = self.column(row, "plan")?;
        Ok(Slot {
            id: self.column(row, "id")?,
            key: SlotKey {
                pipeline: self.column(row, "pipeline")?,
                target: self.column(row, "target")?,
                window: self.column(row, "time_window")?,
            },
            state: self.state(&state)?,
            epoch: self.column(row, "epoch")?,
            attempt: self.column::<Option<i64>>(row, "attempt")?.unwrap_or(0),
            plan: self.parse(&plan)?,
            reason: self.column(row, "reason")?,
            deferral: self.deferral(row)?,
            published_at: self.column(row, "published_at")?,
        })
    }
}

pub(super) fn fenced(slot: &Slot, moved: u64) -> Result<()> {
    if moved == 1 {
        return Ok(());
    }
    Err(Error::locked(format!(
        "delivery {} of pipeline `{}` was taken over by another process",
        slot.id, slot.key.pipeline
    ))
    .hint("this process stops here; the other one finishes the delivery"))
}
