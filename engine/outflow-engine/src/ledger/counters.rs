//! Numbers without gaps: only the commit of a delivery advances them. Drawing them is the attempt's business.

use sqlx::{Any, Transaction};

use super::database::{Ledger, integer};
use super::state::{LastNumbers, Slot, SlotState};
use crate::error::Result;

impl Ledger {
    /// How far the counters of a pipeline and target have come. The numbers of a quarantined delivery count as used,
    /// for some of its files may be at the target.
    pub async fn last_numbers(&self, pipeline: &str, target: &str) -> Result<LastNumbers> {
        let committed: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, value FROM counter WHERE pipeline = $1 AND target = $2")
                .bind(pipeline)
                .bind(target)
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let committed = committed.into_iter().map(|(name, value)| (name, value.unsigned_abs()));
        let mut last = LastNumbers { values: committed.collect(), held_by: None };
        let others: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT id, state, counters FROM slot
             WHERE pipeline = $1 AND target = $2 AND counters <> '[]' AND state <> 'published' ORDER BY id",
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
        tx: &mut Transaction<'_, Any>,
        slot: &Slot,
        counters: Vec<(String, u64)>,
    ) -> Result<()> {
        for (name, value) in counters {
            sqlx::query(
                "INSERT INTO counter (pipeline, target, name, value) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (pipeline, target, name) DO UPDATE SET value = excluded.value
                 WHERE excluded.value > counter.value",
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
