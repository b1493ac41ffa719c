//! What deliveries leave for the next one, by pipeline, target and name. It changes only with the commit of a delivery.

use sqlx::{Sqlite, Transaction};

use super::sqlite::Ledger;
use super::state::Slot;
use crate::error::Result;

impl Ledger {
    /// What the last published delivery left under a name.
    pub async fn remembered(&self, pipeline: &str, target: &str, name: &str) -> Result<Option<String>> {
        sqlx::query_scalar("SELECT value FROM remembered WHERE pipeline = ? AND target = ? AND name = ?")
            .bind(pipeline)
            .bind(target)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))
    }

    /// All that is remembered under a name, and what deliveries that wait for their commit will leave there.
    pub async fn all_remembered(&self, name: &str) -> Result<Vec<String>> {
        sqlx::query_scalar(
            "SELECT value FROM remembered WHERE name = ?1
             UNION ALL
             SELECT json_extract(item.value, '$[1]') FROM slot, json_each(slot.remembered) AS item
             WHERE state NOT IN ('planned', 'spooled', 'published') AND json_extract(item.value, '$[0]') = ?1",
        )
        .bind(name)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))
    }

    pub(super) async fn remember(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        slot: &Slot,
        name: &str,
        value: &str,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO remembered (pipeline, target, name, value) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET value = excluded.value",
        )
        .bind(&slot.key.pipeline)
        .bind(&slot.key.target)
        .bind(name)
        .bind(value)
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failure("committing", error))?;
        Ok(())
    }
}
