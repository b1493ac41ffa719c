//! The sealed files of slots: written once by the seal, read by publication, recovery and people.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use futures::future::ready;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Transaction};

use super::database::{Ledger, integer, persist, to_json};
use super::failure::corrupt;
use super::spool_of;
use super::state::{Deferral, FileState, Manifest, Role, SealedFile, Slot, SlotKey, SlotState};
use crate::error::{Error, Result};

/// Files told to the database in one statement. SQLite finds each value by walking the names of those before it.
const AT_ONCE: usize = 64;

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
    /// Why and since when the delivery waits, if it is deferred.
    pub deferral: Option<Deferral>,
    /// How far the file itself has come.
    pub progress: FileState,
    /// The file.
    pub file: SealedFile,
}

impl Ledger {
    /// One version per final name, for ever: another delivery's name cannot be used again.
    pub(super) async fn refuse_published_names(
        &self,
        tx: &mut Transaction<'_, Any>,
        slot: &Slot,
        files: &[SealedFile],
    ) -> Result<()> {
        for some in files.chunks(AT_ONCE) {
            let names = places(3, some.len());
            let statement = format!(
                "SELECT file.path, slot.pipeline, slot.time_window FROM file JOIN slot ON slot.attempt = file.attempt
                 WHERE slot.target = $1 AND slot.id <> $2 AND file.path IN ({names}) LIMIT 1"
            );
            let mut query = sqlx::query_as::<_, (String, String, String)>(AssertSqlSafe(statement))
                .bind(&slot.key.target)
                .bind(slot.id);
            for file in some {
                query = query.bind(&file.path);
            }
            let other = query.fetch_optional(&mut **tx).await.map_err(|error| self.failure("sealing", error))?;
            if let Some((path, pipeline, window)) = other {
                return Err(Error::user(format!(
                    "file name `{path}` is already used by the delivery of window `{window}` of pipeline `{pipeline}`"
                ))
                .hint("put the time or a random token into the file name, so that every delivery has its own"));
            }
        }
        Ok(())
    }

    pub(super) async fn insert_files(
        &self,
        tx: &mut Transaction<'_, Any>,
        slot: &Slot,
        files: &[SealedFile],
    ) -> Result<()> {
        for some in files.chunks(AT_ONCE) {
            let rows: Vec<_> = (0..some.len()).map(|row| format!("({}, 'sealed')", places(1 + row * 11, 11))).collect();
            let statement = format!(
                "INSERT INTO file (attempt, ordinal, role, path, spool_path, row_count, bytes, digest, content_type,
                 metadata, details, state) VALUES {}",
                rows.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for file in some {
                // Its name in the slot's spool folder, for the state folder may be called otherwise next time.
                let name = file.spool_path.file_name().and_then(|name| name.to_str());
                query = query
                    .bind(slot.attempt)
                    .bind(i64::from(file.ordinal))
                    .bind(file.role.name())
                    .bind(&file.path)
                    .bind(name.ok_or_else(|| Error::internal("a spool file's name is not UTF-8"))?)
                    .bind(integer(file.rows)?)
                    .bind(integer(file.bytes)?)
                    .bind(file.digest.to_string())
                    .bind(&file.content_type)
                    .bind(to_json(&file.metadata)?)
                    .bind(&file.details);
            }
            query.execute(&mut **tx).await.map_err(|error| self.failure("sealing", error))?;
        }
        Ok(())
    }

    /// What a slot sealed.
    pub async fn manifest(&self, slot: &Slot) -> Result<Manifest> {
        // One by one, as there may be very many.
        let files = sqlx::query(
            "SELECT ordinal, role, path, spool_path, row_count, bytes, digest, content_type, metadata, details
             FROM file WHERE attempt = $1 ORDER BY ordinal",
        )
        .bind(slot.attempt)
        .fetch(&self.pool)
        .map_err(|error| self.failure("reading", error))
        .and_then(|row| ready(self.file(slot.id, &row)))
        .try_collect()
        .await?;
        let (counters, remembered, seen): (String, String, String) =
            sqlx::query_as("SELECT counters, remembered, inputs FROM slot WHERE id = $1")
                .bind(slot.id)
                .fetch_one(&self.pool)
                .await
                .map_err(|error| self.failure("reading", error))?;
        let (counters, remembered) = (self.parse(&counters)?, self.parse(&remembered)?);
        Ok(Manifest { files, counters, remembered, seen: self.parse(&seen)? })
    }

    /// Notes how far files of a slot have come, all in one transaction. Of a file that is noted as `sending` nobody
    /// knows what the target holds.
    pub async fn mark_files(&self, slot: &Slot, marks: &[(u32, FileState)]) -> Result<()> {
        if marks.is_empty() {
            return Ok(());
        }
        persist!(self, self.try_mark(slot, marks))
    }

    async fn try_mark(&self, slot: &Slot, marks: &[(u32, FileState)]) -> Result<()> {
        let mut tx = self.begin("marking").await?;
        self.fence_slot(&mut tx, slot).await?;
        for state in FileState::ALL {
            let of_state: Vec<String> =
                marks.iter().filter(|(_, to)| *to == state).map(|(ordinal, _)| ordinal.to_string()).collect();
            for some in of_state.chunks(AT_ONCE) {
                let ordinals = some.join(", ");
                sqlx::query(AssertSqlSafe(format!(
                    "UPDATE file SET state = $1 WHERE attempt = $2 AND ordinal IN ({ordinals})"
                )))
                .bind(state.name())
                .bind(slot.attempt)
                .execute(&mut *tx)
                .await
                .map_err(|error| self.failure("marking", error))?;
            }
        }
        self.commit_tx("marking", tx).await
    }

    /// How far each file of a slot has come, by ordinal.
    pub async fn file_states(&self, slot: &Slot) -> Result<BTreeMap<u32, FileState>> {
        let rows: Vec<(i64, String)> = sqlx::query_as("SELECT ordinal, state FROM file WHERE attempt = $1")
            .bind(slot.attempt)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        rows.into_iter().map(|(ordinal, state)| Ok((ordinal as u32, self.file_state(&state)?))).collect()
    }

    fn file_state(&self, name: &str) -> Result<FileState> {
        FileState::from_name(name).ok_or_else(|| corrupt(&self.name, &format!("unknown state `{name}` of a file")))
    }

    /// Whether any file of the slot may ever have reached the target.
    pub async fn any_sent(&self, slot: &Slot) -> Result<bool> {
        let sent = sqlx::query("SELECT 1 FROM file WHERE attempt = $1 AND state <> 'sealed' LIMIT 1")
            .bind(slot.attempt)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        Ok(sent.is_some())
    }

    /// Files of deliveries, newest delivery first, in order of publication.
    pub async fn files(&self, filter: &FileFilter) -> Result<Vec<FileRecord>> {
        let rows = sqlx::query(
            "SELECT slot.id, slot.pipeline, slot.target, slot.time_window, slot.state AS slot_state, slot.published_at,
                    slot.deferred_since, slot.deferred_until, slot.tries, attempt.run, file.ordinal, file.role, file.path,
                    file.spool_path, file.row_count, file.bytes, file.digest, file.content_type, file.metadata,
                    file.details, file.state AS file_state
             FROM file JOIN slot ON slot.attempt = file.attempt JOIN attempt ON attempt.id = file.attempt
             WHERE ($1 IS NULL OR slot.pipeline = $1) AND ($2 IS NULL OR attempt.run = $2)
             ORDER BY slot.id DESC, file.ordinal LIMIT $3",
        )
        .bind(&filter.pipeline)
        .bind(&filter.run)
        .bind(limit(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(|error| self.failure("reading", error))?;
        rows.iter().map(|row| self.file_record(row)).collect()
    }

    fn file_record(&self, row: &AnyRow) -> Result<FileRecord> {
        let slot = self.column(row, "id")?;
        let progress: String = self.column(row, "file_state")?;
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
            deferral: self.deferral(row)?,
            progress: self.file_state(&progress)?,
            file: self.file(slot, row)?,
        })
    }

    fn file(&self, slot: i64, row: &AnyRow) -> Result<SealedFile> {
        let role: String = self.column(row, "role")?;
        let metadata: String = self.column(row, "metadata")?;
        Ok(SealedFile {
            ordinal: u32::try_from(self.column::<i64>(row, "ordinal")?)
                .map_err(|_| corrupt(&self.name, "a file has an impossible number"))?,
            role: if role == Role::Data.name() { Role::Data } else { Role::Companion },
            path: self.column(row, "path")?,
            spool_path: spool_of(&self.folder, slot).join(self.column::<String>(row, "spool_path")?),
            rows: self.column::<i64>(row, "row_count")?.unsigned_abs(),
            bytes: self.column::<i64>(row, "bytes")?.unsigned_abs(),
            digest: self.digest(&self.column::<String>(row, "digest")?)?,
            content_type: self.column(row, "content_type")?,
            metadata: self.parse(&metadata)?,
            details: self.column(row, "details")?,
        })
    }
}

/// Placeholders for this many values, from `$first` on.
fn places(first: usize, count: usize) -> String {
    let places: Vec<_> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

/// No limit is one that is never reached.
pub(super) fn limit(rows: u32) -> i64 {
    if rows == 0 { i64::MAX } else { i64::from(rows) }
}
