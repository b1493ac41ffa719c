//! How far windows have come: watermarks and what was seen of each input, moved by the commit of a delivery or by a
//! person, and the windows that deliveries have taken. What a person does leaves a row in the audit.

use std::collections::HashMap;

use sqlx::{Any, AssertSqlSafe, Transaction};

use super::database::{Ledger, now, persist, to_json};
use super::state::{Slot, SlotKey, SlotState};
use crate::error::{Error, Result};
use crate::source::arrivals::{Known, Seen};
use crate::window::{Watermark, Window};

/// Whose watermark it is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Whose {
    /// The pipeline.
    pub pipeline: String,
    /// The target.
    pub target: String,
    /// What parameters add to the identity of its windows; usually nothing.
    pub scope: String,
}

/// A watermark as it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Position {
    /// Whose it is.
    #[serde(flatten)]
    pub at: Whose,
    /// The watermark.
    #[serde(flatten)]
    pub watermark: Watermark,
}

/// A line of the audit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AuditRecord {
    /// When (RFC 3339).
    pub at: String,
    /// The pipeline.
    pub pipeline: String,
    /// The target.
    pub target: String,
    /// What was done.
    pub action: String,
    /// What was there before.
    pub before: Option<String>,
    /// What was there after.
    pub after: Option<String>,
}

impl Ledger {
    /// How far the deliveries of a pipeline to a target have come.
    pub async fn watermark(&self, of: &Whose) -> Result<Option<Watermark>> {
        let text = self.remembered(&of.pipeline, &of.target, &name(&of.scope)).await?;
        text.map(|text| self.parse(&text)).transpose()
    }

    /// All watermarks, by pipeline and target.
    pub async fn positions(&self, pipeline: Option<&str>) -> Result<Vec<Position>> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT pipeline, target, name, value FROM remembered
             WHERE (CAST($1 AS TEXT) IS NULL OR pipeline = $1) ORDER BY pipeline, target, name",
        )
        .bind(pipeline)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let mut positions = Vec::new();
        for (pipeline, target, name, value) in rows {
            let Some(scope) = name.strip_prefix(Watermark::NAME) else { continue };
            let scope = scope.trim_start().to_owned();
            positions.push(Position { at: Whose { pipeline, target, scope }, watermark: self.parse(&value)? });
        }
        Ok(positions)
    }

    /// What the deliveries of a pipeline to a target have seen of its input.
    pub async fn seen(&self, of: &Whose) -> Result<Seen> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, facts FROM input WHERE pipeline = $1 AND target = $2 AND scope = $3")
                .bind(&of.pipeline)
                .bind(&of.target)
                .bind(&of.scope)
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let known = rows.into_iter().map(|(name, facts)| Ok((name, self.parse::<Known>(&facts)?)));
        known.collect::<Result<HashMap<_, _>>>()
    }

    /// Takes over what a slot saw; the commit of the slot does this.
    pub(super) async fn note_seen(
        &self,
        tx: &mut Transaction<'_, Any>,
        slot: &Slot,
        seen: &[(String, Known)],
    ) -> Result<()> {
        for (name, known) in seen {
            sqlx::query(
                "INSERT INTO input (pipeline, target, scope, name, facts) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (pipeline, target, scope, name) DO UPDATE SET facts = excluded.facts",
            )
            .bind(&slot.key.pipeline)
            .bind(&slot.key.target)
            .bind(scope_of(&slot.key))
            .bind(name)
            .bind(to_json(known)?)
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failure("committing", error))?;
        }
        Ok(())
    }

    /// Windows of a pipeline and target whose bytes were fixed or given up, with their state; those that were only
    /// planned do not count.
    pub async fn windows(&self, of: &Whose) -> Result<Vec<(Window, SlotState)>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT time_window, state FROM slot
             WHERE pipeline = $1 AND target = $2 AND state NOT IN ('planned', 'spooled') ORDER BY id",
        )
        .bind(&of.pipeline)
        .bind(&of.target)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let mut windows = Vec::new();
        for (key, state) in rows {
            if let Some(window) = Window::of_key(&key)
                && key == format!("{}{}", of.scope, window.key())
            {
                windows.push((window, self.state(&state)?));
            }
        }
        Ok(windows)
    }

    /// Forgets deliveries of windows that were planned and never sealed, but for one: their rows are in a window that
    /// is due now. One that may have left staging files at its target is kept until those are removed.
    pub async fn forget_planned(&self, key: &SlotKey) -> Result<()> {
        persist!(self, self.try_forget(key))
    }

    async fn try_forget(&self, key: &SlotKey) -> Result<()> {
        let like = format!("{}cursor [%", scope_of(key));
        let mut tx = self.begin("planning").await?;
        let stale = "SELECT id FROM slot WHERE pipeline = $1 AND target = $2 AND time_window <> $3
                     AND time_window LIKE $4 AND state = 'planned' AND NOT EXISTS (
                         SELECT 1 FROM attempt JOIN file ON file.attempt = attempt.id
                         WHERE attempt.slot = slot.id AND attempt.unclean = 1 AND attempt.swept_at IS NULL)";
        let attempts = format!("SELECT id FROM attempt WHERE slot IN ({stale})");
        for statement in [
            // What an attempt sealed before it was given up is no delivery either.
            format!("DELETE FROM file WHERE attempt IN ({attempts})"),
            format!("DELETE FROM attempt WHERE slot IN ({stale})"),
            format!("DELETE FROM slot WHERE id IN ({stale})"),
        ] {
            sqlx::query(AssertSqlSafe(statement))
                .bind(&key.pipeline)
                .bind(&key.target)
                .bind(&key.window)
                .bind(&like)
                .execute(&mut *tx)
                .await
                .map_err(|error| self.failure("planning", error))?;
        }
        self.commit_tx("planning", tx).await
    }

    /// Moves a watermark without a delivery, or takes it away together with what was seen of the input. With an
    /// `action`, the audit tells of it.
    pub async fn set_watermark(&self, at: &Whose, to: Option<&Watermark>, action: Option<&str>) -> Result<()> {
        let before = self.remembered(&at.pipeline, &at.target, &name(&at.scope)).await?;
        let after = to.map(to_json).transpose()?;
        persist!(self, self.try_set(at, before.as_deref(), after.as_deref(), action))
    }

    async fn try_set(&self, at: &Whose, before: Option<&str>, after: Option<&str>, action: Option<&str>) -> Result<()> {
        let failed = |error| self.failure("moving a watermark", error);
        let mut tx = self.begin("moving a watermark").await?;
        let found: Option<String> =
            sqlx::query_scalar("SELECT value FROM remembered WHERE pipeline = $1 AND target = $2 AND name = $3")
                .bind(&at.pipeline)
                .bind(&at.target)
                .bind(name(&at.scope))
                .fetch_optional(&mut *tx)
                .await
                .map_err(failed)?;
        if before != after && found.as_deref() == after {
            // An earlier try did it already, and its answer got lost.
            return Ok(());
        }
        match after {
            Some(value) => {
                sqlx::query(
                    "INSERT INTO remembered (pipeline, target, name, value) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (pipeline, target, name) DO UPDATE SET value = excluded.value",
                )
                .bind(&at.pipeline)
                .bind(&at.target)
                .bind(name(&at.scope))
                .bind(value)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
            }
            None => {
                sqlx::query("DELETE FROM remembered WHERE pipeline = $1 AND target = $2 AND name = $3")
                    .bind(&at.pipeline)
                    .bind(&at.target)
                    .bind(name(&at.scope))
                    .execute(&mut *tx)
                    .await
                    .map_err(failed)?;
                sqlx::query("DELETE FROM input WHERE pipeline = $1 AND target = $2 AND scope = $3")
                    .bind(&at.pipeline)
                    .bind(&at.target)
                    .bind(&at.scope)
                    .execute(&mut *tx)
                    .await
                    .map_err(failed)?;
            }
        }
        if let Some(action) = action {
            self.audit(&mut tx, &at.pipeline, &at.target, action, before, after).await?;
        }
        self.commit_tx("moving a watermark", tx).await
    }

    /// Gives a delivery that was set aside back to recovery, which compares again what its target shows.
    pub async fn give_back(&self, slot: &mut Slot) -> Result<()> {
        let mut tx = self.begin("releasing").await?;
        let reason = slot.reason.clone();
        let moved = sqlx::query(
            "UPDATE slot SET state = 'sealed', reason = NULL, epoch = epoch + 1
             WHERE id = $1 AND epoch = $2 AND state = 'quarantined'",
        )
        .bind(slot.id)
        .bind(slot.epoch)
        .execute(&mut *tx)
        .await
        .map_err(|error| self.failure("releasing", error))?;
        super::slots::fenced(slot, moved.rows_affected())?;
        let SlotKey { pipeline, target, window } = &slot.key;
        let after = format!("sealed: {window}");
        self.audit(&mut tx, pipeline, target, "retry", reason.as_deref(), Some(&after)).await?;
        self.commit_tx("releasing", tx).await?;
        (slot.state, slot.epoch, slot.reason) = (SlotState::Sealed, slot.epoch + 1, None);
        Ok(())
    }

    /// Deliveries of a pipeline in a state, oldest first; of one run, if told.
    pub async fn slots_in(&self, pipeline: &str, state: SlotState, run: Option<&str>) -> Result<Vec<Slot>> {
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT slot.id FROM slot WHERE slot.pipeline = $1 AND slot.state = $2
             AND (CAST($3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM attempt WHERE attempt.slot = slot.id AND attempt.run = $3))
             ORDER BY slot.id",
        )
        .bind(pipeline)
        .bind(state.name())
        .bind(run)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let mut slots = Vec::with_capacity(ids.len());
        for id in ids {
            slots.extend(self.slot_by_id(id).await?);
        }
        Ok(slots)
    }

    /// Notes in the audit what a person did with a file of a delivery.
    pub async fn note(&self, slot: &Slot, action: &str, path: &str) -> Result<()> {
        let mut tx = self.begin("auditing").await?;
        let SlotKey { pipeline, target, window } = &slot.key;
        self.audit(&mut tx, pipeline, target, action, Some(window), Some(path)).await?;
        self.commit_tx("auditing", tx).await
    }

    /// What was done by hand, oldest first.
    pub async fn audits(&self) -> Result<Vec<AuditRecord>> {
        type Line = (String, String, String, String, Option<String>, Option<String>);
        let lines: Vec<Line> =
            sqlx::query_as("SELECT at, pipeline, target, action, before, after FROM audit ORDER BY id")
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let record =
            |(at, pipeline, target, action, before, after)| AuditRecord { at, pipeline, target, action, before, after };
        Ok(lines.into_iter().map(record).collect())
    }

    async fn audit(
        &self,
        tx: &mut Transaction<'_, Any>,
        pipeline: &str,
        target: &str,
        action: &str,
        before: Option<&str>,
        after: Option<&str>,
    ) -> Result<()> {
        sqlx::query("INSERT INTO audit (at, pipeline, target, action, before, after) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(now())
            .bind(pipeline)
            .bind(target)
            .bind(action)
            .bind(before)
            .bind(after)
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failure("auditing", error))?;
        Ok(())
    }
}

/// The name of a watermark among what is remembered.
pub(crate) fn name(scope: &str) -> String {
    format!("{}{}{scope}", Watermark::NAME, if scope.is_empty() { "" } else { " " })
}

/// What stands before the window in a delivery's identity.
fn scope_of(key: &SlotKey) -> &str {
    key.window.rsplit_once("cursor [").map_or("", |(scope, _)| scope)
}

/// The error of a change by hand while deliveries are on their way.
pub fn busy(slot: &Slot) -> Error {
    Error::locked(format!("delivery {} of pipeline `{}` is sealed and not finished", slot.id, slot.key.pipeline))
        .hint("run the pipeline: that finishes it; then change where the next window begins")
}
