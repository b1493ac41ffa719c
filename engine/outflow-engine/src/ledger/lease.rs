//! The right of one worker to deliver a pipeline: a row with an end, by the clock of the database only. It is renewed
//! while the worker lives; once it has run out another worker takes it over and raises the epoch, and from then on
//! every write of the first one fails. The same state folder gets its lease back at once, for its lock proves that
//! whoever held it before is dead.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Any, AssertSqlSafe, Transaction};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StateLock;
use super::database::{Ledger, persist};
use crate::error::{Error, Result};

/// For how long a lease holds, and how often it is renewed.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// From each renewal on it holds this long.
    pub ttl: Duration,
    /// Between renewals.
    pub renewal: Duration,
    /// A remote step is begun only while so much is left.
    pub step: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(15), renewal: Duration::from_secs(5), step: Duration::from_secs(2) }
    }
}

/// A lease that this process holds; renewed until it is dropped.
#[derive(Debug)]
pub struct Lease {
    pipeline: String,
    owner: String,
    epoch: i64,
    terms: Terms,
    /// Until when it holds at least, by this process's own steady clock: counted from before each renewal was sent.
    until: watch::Receiver<Instant>,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Lease {
    /// Renews it no more, as when the process freezes.
    #[cfg(test)]
    pub(super) fn stop(&self) {
        self.renewal.abort();
    }

    fn left(&self) -> Duration {
        match self.lost.load(Ordering::SeqCst) {
            true => Duration::ZERO,
            false => self.until.borrow().saturating_duration_since(Instant::now()),
        }
    }

    fn is_over(&self) -> Error {
        Error::locked(format!("the lease of pipeline `{}` has run out, or gone to another worker", self.pipeline))
            .hint("this process stops here; whoever holds the lease finishes the delivery")
    }
}

impl Ledger {
    /// Takes the lease of a pipeline and keeps it. Waits as long as a dead holder's lease may last; a living holder
    /// is an error that names it.
    pub async fn hold(self, lock: &StateLock, pipeline: &str) -> Result<Self> {
        self.hold_on(lock, pipeline, Terms::default()).await
    }

    /// The same with other terms.
    pub async fn hold_on(self, lock: &StateLock, pipeline: &str, terms: Terms) -> Result<Self> {
        let owner = owner(&self.folder, lock)?;
        let mut seen = None;
        loop {
            let asked = Instant::now();
            if let Some(epoch) = persist!(self, self.take(pipeline, &owner, terms))? {
                return Ok(self.keep(pipeline, owner, epoch, terms, asked + terms.ttl));
            }
            let Some(holder) = self.holder(pipeline).await? else { continue };
            if seen.get_or_insert_with(|| holder.clone()) != &holder {
                let message = format!("pipeline `{pipeline}` is being delivered by another worker, {}", holder.0);
                return Err(Error::locked(message).hint("wait until that run has ended"));
            }
            tokio::time::sleep(terms.ttl / 30).await;
        }
    }

    fn keep(mut self, pipeline: &str, owner: String, epoch: i64, terms: Terms, until: Instant) -> Self {
        let (renewed, until) = watch::channel(until);
        let lost = Arc::new(AtomicBool::new(false));
        let renewal =
            tokio::spawn(renew(self.clone(), pipeline.to_owned(), owner.clone(), epoch, terms, renewed, lost.clone()));
        self.lease = Some(Arc::new(Lease { pipeline: pipeline.to_owned(), owner, epoch, terms, until, lost, renewal }));
        self
    }

    /// Takes the lease if it is free, run out or our own; its new epoch.
    async fn take(&self, pipeline: &str, owner: &str, terms: Terms) -> Result<Option<i64>> {
        let mut tx = self.begin("taking the lease").await?;
        let clock = self.kind.clock();
        let epoch = sqlx::query_scalar(AssertSqlSafe(format!(
            "INSERT INTO lease (pipeline, owner, epoch, expires_at) VALUES ($1, $2, 1, {clock} + $3)
             ON CONFLICT (pipeline) DO UPDATE
             SET owner = excluded.owner, epoch = lease.epoch + 1, expires_at = excluded.expires_at
             WHERE lease.expires_at <= {clock} OR lease.owner = excluded.owner
             RETURNING epoch"
        )))
        .bind(pipeline)
        .bind(owner)
        .bind(millis(terms.ttl))
        .fetch_optional(&mut *tx)
        .await
        .map_err(|error| self.failure("taking the lease", error))?;
        self.commit_tx("taking the lease", tx).await?;
        Ok(epoch)
    }

    /// Who holds a lease, and until when.
    async fn holder(&self, pipeline: &str) -> Result<Option<(String, i64)>> {
        sqlx::query_as("SELECT owner, expires_at FROM lease WHERE pipeline = $1")
            .bind(pipeline)
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| self.failure("reading", error))
    }

    /// Makes a transaction that writes fail when the lease has gone to another worker.
    pub(super) async fn fence(&self, tx: &mut Transaction<'static, Any>, lease: &Lease) -> Result<()> {
        let ours = sqlx::query("SELECT 1 FROM lease WHERE pipeline = $1 AND owner = $2 AND epoch = $3")
            .bind(&lease.pipeline)
            .bind(&lease.owner)
            .bind(lease.epoch)
            .fetch_optional(&mut **tx)
            .await
            .map_err(|error| self.failure("looking at the lease", error))?;
        match ours {
            Some(_) => Ok(()),
            None => {
                lease.lost.store(true, Ordering::SeqCst);
                Err(lease.is_over())
            }
        }
    }

    /// Fails unless the lease holds long enough for one more step at the target. Without a lease there is nobody else.
    pub fn ensure_held(&self) -> Result<()> {
        match &self.lease {
            Some(lease) if lease.left() < lease.terms.step => Err(lease.is_over()),
            _ => Ok(()),
        }
    }

    /// What to tell when the lease is lost.
    pub fn is_lost(&self) -> Option<Error> {
        self.lease.as_ref().filter(|lease| lease.left().is_zero()).map(|lease| lease.is_over())
    }

    /// Ends when the lease is lost, with what to tell; never without a lease.
    pub async fn lost(&self) -> Error {
        let Some(lease) = &self.lease else { return std::future::pending().await };
        loop {
            let left = lease.left();
            if left.is_zero() {
                return lease.is_over();
            }
            tokio::time::sleep(left.min(lease.terms.renewal / 4)).await;
        }
    }

    /// Gives the lease back, so that nobody has to wait for its end.
    pub(super) async fn release(&self) {
        let Some(lease) = &self.lease else { return };
        lease.renewal.abort();
        // Where this fails the lease runs out by itself.
        let _ = sqlx::query("UPDATE lease SET expires_at = 0 WHERE pipeline = $1 AND owner = $2 AND epoch = $3")
            .bind(&lease.pipeline)
            .bind(&lease.owner)
            .bind(lease.epoch)
            .execute(&self.pool)
            .await;
    }
}

async fn renew(
    ledger: Ledger,
    pipeline: String,
    owner: String,
    epoch: i64,
    terms: Terms,
    renewed: watch::Sender<Instant>,
    lost: Arc<AtomicBool>,
) {
    let clock = ledger.kind.clock();
    let mut pause = terms.renewal;
    loop {
        tokio::time::sleep(pause).await;
        let asked = Instant::now();
        let moved = sqlx::query(AssertSqlSafe(format!(
            "UPDATE lease SET expires_at = {clock} + $1 WHERE pipeline = $2 AND owner = $3 AND epoch = $4"
        )))
        .bind(millis(terms.ttl))
        .bind(&pipeline)
        .bind(&owner)
        .bind(epoch)
        .execute(&ledger.pool)
        .await;
        match moved {
            Ok(moved) if moved.rows_affected() == 1 => {
                renewed.send_replace(asked + terms.ttl);
                pause = terms.renewal;
            }
            Ok(_) => return lost.store(true, Ordering::SeqCst),
            // The server is away for a moment: until the lease has run out there is time to reach it.
            Err(_) => pause = terms.renewal / 5,
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What tells a state folder on a machine from every other, copies of it included. The lock on it is held, so nobody
/// else is this owner.
fn owner(state: &Path, lock: &StateLock) -> Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let found = lock.file().metadata();
    let found =
        found.map_err(|error| Error::external(format!("cannot look at the lock of `{}`: {error}", state.display())))?;
    let place = state.canonicalize().unwrap_or_else(|_| state.to_owned());
    Ok(format!("{} on `{}` ({}-{})", place.display(), host.trim(), found.dev(), found.ino()))
}
