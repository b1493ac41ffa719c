//! Every statement that moves a slot. Each write is fenced by the slot's state and epoch,
//! so a process that lost its slot to another cannot commit anything.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Sqlite, Transaction};

use super::sqlite::{Ledger, now, to_json};
use super::state::{Manifest, PlanRecord, Slot, SlotKey, SlotState};
use crate::error::{Error, Result};
use crate::kill_point;

const SLOT: &str =
    "SELECT id, pipeline, target, time_window, state, epoch, plan, attempt, reason, published_at FROM slot";

impl Ledger {
    /// The slot with its stored plan. A new slot gets the plan given; so an equal key gives equal names for ever.
    /// When the slot is not sealed yet, this begins a new attempt at it in state `Planned`, made by the pipeline and
    /// layout of the plan given. A slot that recovery had to leave sealed is refused: its spool is still needed.
    pub async fn plan(&self, key: &SlotKey, new: &PlanRecord, run_id: &str) -> Result<Slot> {
        let mut tx = self.begin("planning").await?;
        sqlx::query(
            "INSERT INTO slot (pipeline, target, time_window, state, epoch, plan, planned_at)
             VALUES (?, ?, ?, 'planned', 0, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(&key.pipeline)
        .bind(&key.target)
        .bind(&key.window)
        .bind(to_json(new)?)
        .bind(now())
        .execute(&mut *tx)
        .await
        .map_err(|error| self.failure("planning", error))?;
        let found = AssertSqlSafe(format!("{SLOT} WHERE pipeline = ? AND target = ? AND time_window = ?"));
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
            sqlx::query_scalar("SELECT plan FROM slot WHERE pipeline = ? AND target = ? AND time_window = ?")
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
        tx: &mut Transaction<'_, Sqlite>,
        slot: &mut Slot,
        new: &PlanRecord,
        run_id: &str,
    ) -> Result<()> {
        let added = sqlx::query(
            "INSERT INTO attempt (slot, epoch, run, config_hash, layout_digest, started_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(slot.id)
        .bind(slot.epoch + 1)
        .bind(run_id)
        .bind(&new.config_hash)
        .bind(&new.layout_digest)
        .bind(now())
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failure("planning", error))?;
        let attempt = added.last_insert_rowid();
        slot.plan.config_hash.clone_from(&new.config_hash);
        slot.plan.layout_digest.clone_from(&new.layout_digest);
        let moved = sqlx::query(
            "UPDATE slot SET state = 'planned', epoch = epoch + 1, attempt = ?, plan = ? WHERE id = ? AND epoch = ?",
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

    /// Takes a slot over for recovery: older holders can no longer write it.
    pub async fn take_over(&self, slot: &mut Slot) -> Result<()> {
        let moved = sqlx::query("UPDATE slot SET epoch = epoch + 1 WHERE id = ? AND epoch = ?")
            .bind(slot.id)
            .bind(slot.epoch)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failure("recovering", error))?;
        fenced(slot, moved.rows_affected())?;
        slot.epoch += 1;
        Ok(())
    }

    /// Moves a slot on, if it may and is still ours.
    pub async fn transition(&self, slot: &mut Slot, to: SlotState) -> Result<()> {
        let mut tx = self.begin("moving").await?;
        self.advance(&mut tx, slot, to, None).await?;
        self.commit_tx("moving", tx).await?;
        slot.state = to;
        if to == SlotState::Planned {
            slot.attempt = 0;
        }
        Ok(())
    }

    /// Notes that every file lies in the spool.
    pub async fn spooled(&self, slot: &mut Slot) -> Result<()> {
        self.transition(slot, SlotState::Spooled).await
    }

    /// Fixes the manifest; from here the bytes of the slot never change. `delivery::seal` checks the files first.
    pub async fn seal(&self, slot: &mut Slot, manifest: &Manifest) -> Result<()> {
        let mut tx = self.begin("sealing").await?;
        for file in &manifest.files {
            self.refuse_published_name(&mut tx, slot, file).await?;
            self.insert_file(&mut tx, slot, file).await?;
        }
        sqlx::query("UPDATE slot SET counters = ?, remembered = ?, inputs = ? WHERE id = ?")
            .bind(to_json(&manifest.counters)?)
            .bind(to_json(&manifest.remembered)?)
            .bind(to_json(&manifest.seen)?)
            .bind(slot.id)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("sealing", error))?;
        self.advance(&mut tx, slot, SlotState::Sealed, None).await?;
        kill_point!("seal-before-commit");
        self.commit_tx("sealing", tx).await?;
        kill_point!("seal-committed");
        slot.state = SlotState::Sealed;
        Ok(())
    }

    /// Commits a delivery: published, counters advanced, what it changes remembered, all in one transaction.
    pub async fn commit(&self, slot: &mut Slot) -> Result<()> {
        let Manifest { counters, remembered, seen, .. } = self.manifest(slot).await?;
        kill_point!("commit-before");
        let mut tx = self.begin("committing").await?;
        let at = now();
        sqlx::query("UPDATE slot SET published_at = ?, inputs = '[]' WHERE id = ?")
            .bind(&at)
            .bind(slot.id)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("committing", error))?;
        sqlx::query("UPDATE file SET state = 'published' WHERE attempt = ?")
            .bind(slot.attempt)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("committing", error))?;
        self.advance_counters(&mut tx, slot, counters).await?;
        for (name, value) in remembered {
            self.remember(&mut tx, slot, &name, &value).await?;
        }
        self.note_seen(&mut tx, slot, &seen).await?;
        self.advance(&mut tx, slot, SlotState::Published, None).await?;
        kill_point!("commit-in-transaction");
        self.commit_tx("committing", tx).await?;
        kill_point!("commit-done");
        (slot.state, slot.published_at) = (SlotState::Published, Some(at));
        Ok(())
    }

    /// Sets a delivery aside for a person, with the reason.
    pub async fn quarantine(&self, slot: &mut Slot, reason: &str) -> Result<()> {
        let mut tx = self.begin("setting aside").await?;
        self.advance(&mut tx, slot, SlotState::Quarantined, Some(reason)).await?;
        self.commit_tx("setting aside", tx).await?;
        (slot.state, slot.reason) = (SlotState::Quarantined, Some(reason.to_owned()));
        Ok(())
    }

    /// Deliveries of a pipeline that were begun and neither published nor set aside, oldest first.
    pub async fn unfinished(&self, pipeline: &str) -> Result<Vec<Slot>> {
        let condition = "pipeline = ? AND state NOT IN ('published', 'quarantined')";
        let rows = sqlx::query(AssertSqlSafe(format!("{SLOT} WHERE {condition} ORDER BY id")))
            .bind(pipeline)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        rows.iter().map(|row| self.slot(row)).collect()
    }

    /// The slot of that row id.
    pub async fn slot_by_id(&self, id: i64) -> Result<Option<Slot>> {
        let row = sqlx::query(AssertSqlSafe(format!("{SLOT} WHERE id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        row.map(|row| self.slot(&row)).transpose()
    }

    async fn advance(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        slot: &Slot,
        to: SlotState,
        reason: Option<&str>,
    ) -> Result<()> {
        if !slot.state.may_become(to) {
            return Err(Error::internal(format!("delivery {} cannot go from {} to {to}", slot.id, slot.state)));
        }
        // Back at `planned` the files of the attempt do not count any more.
        let moved = sqlx::query(
            "UPDATE slot SET state = ?1, reason = ?2, attempt = iif(?1 = 'planned', NULL, attempt)
             WHERE id = ?3 AND epoch = ?4 AND state = ?5",
        )
        .bind(to.name())
        .bind(reason)
        .bind(slot.id)
        .bind(slot.epoch)
        .bind(slot.state.name())
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failure("moving", error))?;
        fenced(slot, moved.rows_affected())
    }

    fn slot(&self, row: &SqliteRow) -> Result<Slot> {
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
