//! The sealed files of slots: written once by the seal, read by publication, recovery and people.

use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, Transaction};

use super::slots::fenced;
use super::spool_of;
use super::sqlite::{Ledger, integer, to_json};
use super::state::{Manifest, Role, SealedFile, Slot, SlotKey, SlotState};
use crate::error::{Error, Result};

/// Which files to list.
#[derive(Clone, Debug, Default)]
pub struct FileFilter {
    /// Only of this pipeline.
    pub pipeline: Option<String>,
    /// Only of deliveries planned or attempted by this run.
    pub run: Option<String>,
    /// At most so many, newest deliveries first; 0 = all.
    pub limit: u32,
}

/// A file of a delivery.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FileRecord {
    /// Its delivery.
    pub slot: i64,
    /// Identity of the delivery.
    pub key: SlotKey,
    /// Where the delivery stands.
    pub state: SlotState,
    /// The run that made the file.
    pub run: String,
    /// When the delivery was published (RFC 3339).
    pub published_at: Option<String>,
    /// The file.
    pub file: SealedFile,
}

impl Ledger {
    /// One version per final name, for ever: another delivery's name cannot be used again.
    pub(super) async fn refuse_published_name(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        slot: &Slot,
        file: &SealedFile,
    ) -> Result<()> {
        let other: Option<(String, String)> = sqlx::query_as(
            "SELECT slot.pipeline, slot.time_window FROM file JOIN slot ON slot.attempt = file.attempt
             WHERE file.path = ? AND slot.target = ? AND slot.id <> ? LIMIT 1",
        )
        .bind(&file.path)
        .bind(&slot.key.target)
        .bind(slot.id)
        .fetch_optional(&mut **tx)
        .await
        .map_err(|error| self.failure("sealing", error))?;
        match other {
            None => Ok(()),
            Some((pipeline, window)) => Err(Error::user(format!(
                "file name `{}` is already used by the delivery of window `{window}` of pipeline `{pipeline}`",
                file.path
            ))
            .hint("put the time or a random token into the file name, so that every delivery has its own")),
        }
    }

    pub(super) async fn insert_file(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        slot: &Slot,
        file: &SealedFile,
    ) -> Result<()> {
        // Its name in the slot's spool folder, for the state folder may be called otherwise next time.
        let name = file.spool_path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::internal("a spool file's name is not UTF-8"))?;
        sqlx::query(
            "INSERT INTO file (attempt, ordinal, role, path, spool_path, row_count, bytes, sha256, content_type,
             metadata, details, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'sealed')",
        )
        .bind(slot.attempt)
        .bind(file.ordinal)
        .bind(file.role.name())
        .bind(&file.path)
        .bind(name)
        .bind(integer(file.rows)?)
        .bind(integer(file.bytes)?)
        .bind(&file.sha256)
        .bind(&file.content_type)
        .bind(to_json(&file.metadata)?)
        .bind(to_json(&file.details)?)
        .execute(&mut **tx)
        .await
        .map_err(|error| self.failure("sealing", error))?;
        Ok(())
    }

    /// What a slot sealed.
    pub async fn manifest(&self, slot: &Slot) -> Result<Manifest> {
        let rows = sqlx::query(
            "SELECT ordinal, role, path, spool_path, row_count, bytes, sha256, content_type, metadata, details
             FROM file WHERE attempt = ? ORDER BY ordinal",
        )
        .bind(slot.attempt)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        let (counters, remembered, seen): (String, String, String) =
            sqlx::query_as("SELECT counters, remembered, inputs FROM slot WHERE id = ?")
                .bind(slot.id)
                .fetch_one(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let files = rows.iter().map(|row| self.file(slot.id, row)).collect::<Result<_>>()?;
        let (counters, remembered) = (self.parse(&counters)?, self.parse(&remembered)?);
        Ok(Manifest { files, counters, remembered, seen: self.parse(&seen)? })
    }

    /// Notes how far a file has come: `uploaded`, `verified`, `published`.
    pub async fn mark_file(&self, slot: &Slot, ordinal: u32, state: &str) -> Result<()> {
        let moved = sqlx::query(
            "UPDATE file SET state = ? WHERE attempt = ? AND ordinal = ?
             AND EXISTS (SELECT 1 FROM slot WHERE slot.attempt = file.attempt AND epoch = ?)",
        )
        .bind(state)
        .bind(slot.attempt)
        .bind(ordinal)
        .bind(slot.epoch)
        .execute(&self.pool)
        .await
        .map_err(|error| self.failure("marking", error))?;
        fenced(slot, moved.rows_affected())
    }

    /// Whether the target ever confirmed a file of the slot.
    pub async fn any_uploaded(&self, slot: &Slot) -> Result<bool> {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM file WHERE attempt = ? AND state <> 'sealed')")
            .bind(slot.attempt)
            .fetch_one(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))
    }

    /// Files of deliveries, newest delivery first, in order of publication.
    pub async fn files(&self, filter: &FileFilter) -> Result<Vec<FileRecord>> {
        let rows = sqlx::query(
            "SELECT slot.id, slot.pipeline, slot.target, slot.time_window, slot.state AS slot_state, slot.published_at,
                    attempt.run, file.*
             FROM file JOIN slot ON slot.attempt = file.attempt JOIN attempt ON attempt.id = file.attempt
             WHERE (?1 IS NULL OR slot.pipeline = ?1) AND (?2 IS NULL OR attempt.run = ?2)
             ORDER BY slot.id DESC, file.ordinal LIMIT ?3",
        )
        .bind(&filter.pipeline)
        .bind(&filter.run)
        .bind(limit(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        rows.iter().map(|row| self.file_record(row)).collect()
    }

    fn file_record(&self, row: &SqliteRow) -> Result<FileRecord> {
        let slot = self.column(row, "id")?;
        Ok(FileRecord {
            slot,
            key: SlotKey {
                pipeline: self.column(row, "pipeline")?,
                target: self.column(row, "target")?,
                window: self.column(row, "time_window")?,
            },
            state: self.state(&self.column::<String>(row, "slot_state")?)?,
            run: self.column(row, "run")?,
            published_at: self.column(row, "published_at")?,
            file: self.file(slot, row)?,
        })
    }

    fn file(&self, slot: i64, row: &SqliteRow) -> Result<SealedFile> {
        let role: String = self.column(row, "role")?;
        let metadata: String = self.column(row, "metadata")?;
        let details: String = self.column(row, "details")?;
        Ok(SealedFile {
            ordinal: self.column(row, "ordinal")?,
            role: if role == Role::Data.name() { Role::Data } else { Role::Companion },
            path: self.column(row, "path")?,
            spool_path: spool_of(&self.folder, slot).join(self.column::<String>(row, "spool_path")?),
            rows: self.column::<i64>(row, "row_count")?.unsigned_abs(),
            bytes: self.column::<i64>(row, "bytes")?.unsigned_abs(),
            sha256: self.column(row, "sha256")?,
            content_type: self.column(row, "content_type")?,
            metadata: self.parse(&metadata)?,
            details: self.parse(&details)?,
        })
    }
}

/// SQLite reads a negative limit as none.
pub(super) fn limit(rows: u32) -> i64 {
    if rows == 0 { -1 } else { i64::from(rows) }
}
