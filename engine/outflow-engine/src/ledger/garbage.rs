//! What attempts that ended badly may have left at a target under staging names. The ledger knows each such attempt
//! and its files, so nothing is removed that is not ours by name and by record.

use super::database::{Ledger, now, stamp};
use super::state::Slot;
use crate::error::Result;

/// Attempts looked at in one go.
const AT_ONCE: i64 = 100;

impl Ledger {
    /// Deliveries with an attempt that ended otherwise than by its commit, was begun before `before`, is over, and
    /// whose staging files were not removed yet. Each comes with `attempt` set to that attempt.
    pub async fn leftovers(&self, pipeline: &str, target: &str, before: jiff::Timestamp) -> Result<Vec<Slot>> {
        let found: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT slot.id, attempt.id FROM attempt JOIN slot ON slot.id = attempt.slot
             WHERE slot.pipeline = $1 AND slot.target = $2 AND attempt.unclean = 1 AND attempt.swept_at IS NULL
             AND attempt.started_at < $3 AND (slot.attempt IS NULL OR slot.attempt <> attempt.id
                                              OR slot.state IN ('published', 'quarantined'))
             ORDER BY attempt.id LIMIT $4",
        )
        .bind(pipeline)
        .bind(target)
        .bind(stamp(before))
        .bind(AT_ONCE)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let mut slots = Vec::new();
        for (id, attempt) in found {
            slots.extend(self.slot_by_id(id).await?.map(|slot| Slot { attempt, ..slot }));
        }
        Ok(slots)
    }

    /// Notes that nothing is left of an attempt.
    pub async fn swept(&self, slot: &Slot) -> Result<()> {
        let mut tx = self.begin("tidying").await?;
        sqlx::query("UPDATE attempt SET swept_at = $1 WHERE id = $2")
            .bind(now())
            .bind(slot.attempt)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("tidying", error))?;
        self.commit_tx("tidying", tx).await
    }
}
