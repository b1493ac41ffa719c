//! Numbers without gaps: only the commit of a delivery advances them. Drawing them is the attempt's business.

use sqlx::{Sqlite, Transaction};

use super::sqlite::{Ledger, integer};
use super::state::{LastNumbers, Slot, SlotState};
use crate::error::Result;

impl Ledger {
    /// How far the counters of a pipeline and target have come. The numbers of a quarantined delivery count as used,
    /// for some of its files may be at the target.
    pub async fn last_numbers(&self, pipeline: &str, target: &str) -> Result<LastNumbers> {
        let committed: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, value FROM counter WHERE pipeline = ? AND target = ?")
                .bind(pipeline)
                .bind(target)
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let committed = committed.into_iter().map(|(name, value)| (name, value.unsigned_abs()));
        let mut last = LastNumbers { values: committed.collect(), held_by: None };
        let others: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT id, state, counters FROM slot
             WHERE pipeline = ? AND target = ? AND counters <> '[]' AND state <> 'published' ORDER BY id",
        )
        .bind(pipeline)
        .bind(target)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        for (slot, state, counters) in others {
            let state = self.state(&state)?;
            if state.is_pinned() {
                last.held_by.get_or_insert(slot);
            }
            if state == SlotState::Quarantined {
                for (name, value) in self.parse::<Vec<(String, u64)>>(&counters)? {
                    let known = last.values.entry(name).or_insert(value);
                    *known = value.max(*known);
                }
            }
        }
        Ok(last)
    }

    pub(super) async fn advance_counters(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        slot: &Slot,
        counters: Vec<(String, u64)>,
    ) -> Result<()> {
        for (name, value) in counters {
            sqlx::query(
                "INSERT INTO counter (pipeline, target, name, value) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            )
            .bind(&slot.key.pipeline)
            .bind(&slot.key.target)
            .bind(name)
            .bind(integer(value)?)
            .execute(&mut **tx)
            .await
            .map_err(|error| self.failure("committing", error))?;
        }
        Ok(())
    }
}
