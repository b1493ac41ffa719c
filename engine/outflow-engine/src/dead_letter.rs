//! The dead-letter file of a run: one JSON line for every row that was left out, with the reason.
//! It counts and writes; which rows are bad is decided by sources, transforms and rules.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::error::{Error, Result};

/// How many rejected rows are kept for the summary.
const KEPT: usize = 5;

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// The file it came from, when known.
    pub file: Option<String>,
    /// Its line, or its 1-based number where the format has no lines.
    pub row: Option<u64>,
    /// What kind of fault, `family/name`. Example: `csv/columns`.
    pub code: String,
    /// The fault in words.
    pub message: String,
    /// The row: an object, or the text that could not be read.
    pub record: serde_json::Value,
}

/// The dead-letter file. Nothing is written until the first reject.
pub struct DeadLetter {
    path: PathBuf,
    limit: Option<u64>,
    hidden: Vec<(String, String)>,
    state: Mutex<State>,
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter").field("path", &self.path).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    file: Option<BufWriter<File>>,
    count: u64,
    codes: BTreeMap<String, u64>,
    first: Vec<Reject>,
}

impl DeadLetter {
    /// A dead letter at `path`; more than `limit` rejects fail the run.
    pub fn create(path: impl Into<PathBuf>, limit: Option<u64>) -> Self {
        Self { path: path.into(), limit, hidden: Vec::new(), state: Mutex::default() }
    }

    /// Shows in messages the second of each pair in place of the first. A row is what came in, and stays so.
    #[must_use]
    pub fn hiding(self, hidden: Vec<(String, String)>) -> Self {
        Self { hidden, ..self }
    }

    /// Where the file is, once there is a reject.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a rejected row, and fails when that is one too many.
    pub fn push(&self, mut reject: Reject) -> Result<()> {
        for (value, shown) in &self.hidden {
            if reject.message.contains(value) {
                reject.message = reject.message.replace(value, shown);
            }
        }
        let mut state = self.state();
        let mut line = serde_json::to_vec(&reject)
            .map_err(|error| Error::internal("a rejected row cannot be written as JSON").caused_by(error))?;
        line.push(b'\n');
        if state.file.is_none() {
            state.file = Some(BufWriter::new(self.open().map_err(|error| self.failed("create", error))?));
        }
        if let Some(file) = &mut state.file {
            file.write_all(&line).map_err(|error| self.failed("write", error))?;
        }
        state.count += 1;
        *state.codes.entry(reject.code.clone()).or_default() += 1;
        if state.first.len() < KEPT {
            state.first.push(reject);
        }
        match self.limit {
            Some(limit) if state.count > limit => {
                if let Some(file) = &mut state.file {
                    file.flush().map_err(|error| self.failed("write", error))?;
                }
                Err(self.too_many(limit, &state))
            }
            _ => Ok(()),
        }
    }

    /// Rejected rows so far.
    pub fn count(&self) -> u64 {
        self.state().count
    }

    /// Rejected rows so far, by code.
    pub fn codes(&self) -> BTreeMap<String, u64> {
        self.state().codes.clone()
    }

    /// The first few rejected rows, for the summary.
    pub fn first(&self) -> Vec<Reject> {
        self.state().first.clone()
    }

    /// Makes the file durable. To be called when the rows are all read.
    pub fn finish(&self) -> Result<()> {
        let mut state = self.state();
        let Some(file) = &mut state.file else { return Ok(()) };
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(|error| self.failed("write", error))
    }

    /// Forgets every reject and removes the file: the rows are going to be read again.
    pub fn clear(&self) -> Result<()> {
        let mut state = self.state();
        if state.file.is_some() {
            std::fs::remove_file(&self.path).map_err(|error| self.failed("remove", error))?;
        }
        *state = State::default();
        Ok(())
    }

    /// A panic elsewhere leaves the counters whole, so a poisoned lock is as good as another.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rejected rows hold personal data: only the owner may read them.
    fn open(&self) -> std::io::Result<File> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&self.path)
    }

    fn failed(&self, what: &str, error: std::io::Error) -> Error {
        Error::external(format!("cannot {what} the dead-letter file `{}`: {error}", self.path.display()))
            .caused_by(error)
    }

    fn too_many(&self, limit: u64, state: &State) -> Error {
        let rows = if limit == 1 { "row was" } else { "rows were" };
        let last = state.codes.iter().map(|(code, count)| format!("`{code}` {count}")).collect::<Vec<_>>();
        Error::user(format!("more than {limit} {rows} rejected ({})", last.join(", ")))
            .hint(format!("see `{}`; correct the rows, or allow more with `--max-rejects`", self.path.display()))
    }
}

#[cfg(test)]
mod tests;
