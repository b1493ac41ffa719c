//! What transforms count of the rows that they leave out or find nothing for, so that a run can tell of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Place;
use crate::report::TransformReport;

/// Counts by transform, its place and name first, and what is counted.
type Counts = BTreeMap<(usize, &'static str), BTreeMap<&'static str, u64>>;

/// What was counted.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
}

impl Tally {
    /// Adds rows to a count; zero makes it known.
    pub(super) fn add(&self, place: Place, name: &'static str, rows: u64) {
        let key = (place.index.unwrap_or_default(), place.kind);
        *self.counts().entry(key).or_default().entry(name).or_default() += rows;
    }

    /// Forgets all counts: the rows are going to be read again.
    pub fn clear(&self) {
        self.counts().clear();
    }

    /// The counts, in the order of the transforms.
    pub fn report(&self) -> Vec<TransformReport> {
        let report = |(&(index, kind), counts): (&(usize, &str), &BTreeMap<&str, u64>)| TransformReport {
            transform: index as u64 + 1,
            name: kind.to_owned(),
            rows: counts.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect(),
        };
        self.counts().iter().map(report).collect()
    }

    /// A panic elsewhere leaves the counts whole, so a poisoned lock is as good as another.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
