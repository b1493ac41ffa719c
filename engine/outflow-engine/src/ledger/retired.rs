//! Published files whose time is over: which they are, and what became of them.

use std::collections::BTreeMap;

use super::{FileState, Ledger, Role, SealedFile};
use crate::error::Result;

/// What became of a published file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Taken away when its time was over.
    Retired,
    /// Found to be gone after the target had shown it: its reader has taken it.
    Collected,
}

impl Fate {
    /// Its name in the ledger and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retired => FileState::Retired.name(),
            Self::Collected => FileState::Collected.name(),
        }
    }
}

/// A published file, as far as it takes to find it at the target.
#[derive(Clone, Debug)]
pub struct Expired {
    /// Its delivery.
    pub slot: i64,
    /// The file; where it was spooled is not known any more.
    pub file: SealedFile,
}

impl Ledger {
    /// Files of a pipeline and target that were published before an instant and not taken away since, oldest delivery
    /// first.
    pub async fn expired(&self, pipeline: &str, target: &str, before: jiff::Timestamp) -> Result<Vec<Expired>> {
        let rows: Vec<(i64, i64, String, String, i64, String)> = sqlx::query_as(
            "SELECT slot.id, file.ordinal, file.role, file.path, file.bytes, file.digest
             FROM file JOIN slot ON slot.attempt = file.attempt
             WHERE slot.pipeline = $1 AND slot.target = $2 AND slot.state = 'published' AND file.state = 'published'
             AND slot.published_at < $3 ORDER BY slot.id, file.ordinal",
        )
        .bind(pipeline)
        .bind(target)
        .bind(format!("{before:.3}"))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let expired = |(slot, ordinal, role, path, bytes, digest): (i64, i64, String, String, i64, String)| {
            let file = SealedFile {
                ordinal: ordinal as u32,
                role: if role == Role::Data.name() { Role::Data } else { Role::Companion },
                path,
                spool_path: Default::default(),
                rows: 0,
                bytes: bytes.unsigned_abs(),
                digest: self.digest(&digest)?,
                content_type: None,
                metadata: Vec::new(),
                details: "null".to_owned(),
            };
            Ok(Expired { slot, file })
        };
        rows.into_iter().map(expired).collect()
    }

    /// Notes what became of a published file.
    pub async fn note_fate(&self, slot: i64, ordinal: u32, fate: Fate) -> Result<()> {
        sqlx::query(
            "UPDATE file SET state = $1 WHERE ordinal = $2
             AND attempt = (SELECT attempt FROM slot WHERE id = $3 AND state = 'published')",
        )
        .bind(fate.name())
        .bind(i64::from(ordinal))
        .bind(slot)
        .execute(&self.pool)
        .await
        .map_err(|error| self.failure("retiring", error))?;
        Ok(())
    }

    /// What became of the files of a pipeline that are not at their target any more, by delivery and ordinal.
    pub async fn fates(&self, pipeline: &str) -> Result<BTreeMap<(i64, u32), Fate>> {
        let rows: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT slot.id, file.ordinal, file.state FROM file JOIN slot ON slot.attempt = file.attempt
             WHERE slot.pipeline = $1 AND file.state IN ('retired', 'collected')",
        )
        .bind(pipeline)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let fate = |(slot, ordinal, state): (i64, i64, String)| {
            let fate = if state == Fate::Retired.name() { Fate::Retired } else { Fate::Collected };
            ((slot, ordinal as u32), fate)
        };
        Ok(rows.into_iter().map(fate).collect())
    }
}
