//! What deliveries leave for the next one, by pipeline, target and name. It changes only with the commit of a delivery.

use sqlx::{Any, Transaction};

use super::database::Ledger;
use super::state::Slot;
use crate::error::Result;

impl Ledger {
    /// What the last published delivery left under a name.
    pub async fn remembered(&self, pipeline: &str, target: &str, name: &str) -> Result<Option<String>> {
        sqlx::query_scalar("SELECT value FROM remembered WHERE pipeline = $1 AND target = $2 AND name = $3")
            .bind(pipeline)
            .bind(target)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))
    }

    /// All that is remembered under a name, and what deliveries that wait for their commit will leave there.
    pub async fn all_remembered(&self, name: &str) -> Result<Vec<String>> {
        let failed = |error| self.failure("reading", error);
        let mut all: Vec<String> = sqlx::query_scalar("SELECT value FROM remembered WHERE name = $1")
            .bind(name)
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
        let waiting: Vec<String> = sqlx::query_scalar(
            "SELECT remembered FROM slot WHERE remembered <> '[]' AND state NOT IN ('planned', 'spooled', 'published')",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        for list in waiting {
            let list: Vec<(String, String)> = self.parse(&list)?;
            all.extend(list.into_iter().filter(|(of, _)| of == name).map(|(_, value)| value));
        }
        Ok(all)
    }

    pub(super) async fn remember(
        &self,
        tx: &mut Transaction<'_, Any>,
        slot: &Slot,
        name: &str,
        value: &str,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO remembered (pipeline, target, name, value) VALUES ($1, $2, $3, $4)
             ON CONFLICT (pipeline, target, name) DO UPDATE SET value = excluded.value",
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
