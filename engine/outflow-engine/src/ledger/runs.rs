//! Which runs there were and what they reported: for people and audits, never for decisions.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::database::{Kind, Ledger, now, persist, to_json};
use super::files::limit;
use crate::error::Result;

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only of this pipeline.
    pub pipeline: Option<String>,
    /// Only with this status.
    pub status: Option<String>,
    /// At most so many, newest first; 0 = all.
    pub limit: u32,
}

/// A run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RunRecord {
    /// Its id (UUID v7).
    pub id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// `running`, `interrupted`, or what `finish_run` was told.
    pub status: String,
    /// Its report.
    pub report: Option<serde_json::Value>,
}

const RUN: &str = "SELECT id, pipeline, started_at, finished_at, status, report FROM run";

impl Ledger {
    /// Notes the beginning of a run. Runs of the pipeline still noted as running are dead, for the caller holds its
    /// lease (and in a state folder's own ledger all are, by the lock): they become `interrupted`.
    pub async fn begin_run(&self, id: &str, pipeline: &str) -> Result<()> {
        let mut tx = self.begin("beginning a run").await?;
        sqlx::query("UPDATE run SET status = 'interrupted' WHERE status = 'running' AND ($1 = 1 OR pipeline = $2)")
            .bind(i64::from(self.kind == Kind::Sqlite))
            .bind(pipeline)
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("beginning a run", error))?;
        sqlx::query("INSERT INTO run (id, pipeline, started_at, status) VALUES ($1, $2, $3, 'running')")
            .bind(id)
            .bind(pipeline)
            .bind(now())
            .execute(&mut *tx)
            .await
            .map_err(|error| self.failure("beginning a run", error))?;
        self.commit_tx("beginning a run", tx).await
    }

    /// Notes how a run ended, with its report. The report holds no secret and no row.
    pub async fn finish_run(&self, id: &str, status: &str, report: &impl serde::Serialize) -> Result<()> {
        let report = to_json(report)?;
        persist!(self, self.end_run(id, status, &report))
    }

    async fn end_run(&self, id: &str, status: &str, report: &str) -> Result<()> {
        sqlx::query("UPDATE run SET finished_at = $1, status = $2, report = $3 WHERE id = $4")
            .bind(now())
            .bind(status)
            .bind(report)
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(|error| self.failure("ending a run", error))?;
        Ok(())
    }

    /// Runs, newest first.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>> {
        let condition = "WHERE ($1 IS NULL OR pipeline = $1) AND ($2 IS NULL OR status = $2)";
        let rows = sqlx::query(AssertSqlSafe(format!("{RUN} {condition} ORDER BY started_at DESC, id DESC LIMIT $3")))
            .bind(&filter.pipeline)
            .bind(&filter.status)
            .bind(limit(filter.limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        rows.iter().map(|row| self.run_record(row)).collect()
    }

    /// The run of that id, or the only one whose id begins so.
    pub async fn run(&self, id: &str) -> Result<Option<RunRecord>> {
        let rows = sqlx::query(AssertSqlSafe(format!("{RUN} WHERE substr(id, 1, length($1)) = $1 LIMIT 2")))
            .bind(id)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))?;
        match rows.as_slice() {
            [row] => self.run_record(row).map(Some),
            _ => Ok(None),
        }
    }

    fn run_record(&self, row: &AnyRow) -> Result<RunRecord> {
        let report: Option<String> = self.column(row, "report")?;
        Ok(RunRecord {
            id: self.column(row, "id")?,
            pipeline: self.column(row, "pipeline")?,
            started_at: self.column(row, "started_at")?,
            finished_at: self.column(row, "finished_at")?,
            status: self.column(row, "status")?,
            report: report.map(|text| self.parse(&text)).transpose()?,
        })
    }
}
