//! Names the phases of a run for the watcher and times them for the report. A phase that comes again, for another
//! window, adds to its first time.

use std::time::Instant;

use crate::progress::{Event, Progress};
use crate::report::PhaseReport;

/// The phases so far.
pub(super) struct Phases<'a> {
    progress: &'a dyn Progress,
    done: Vec<PhaseReport>,
    current: Option<(String, Instant)>,
}

impl<'a> Phases<'a> {
    /// None yet.
    pub(super) fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, done: Vec::new(), current: None }
    }

    /// Ends the phase under way and begins another, of so many bytes if that is known.
    pub(super) fn begin(&mut self, name: &str, total: Option<u64>) {
        self.stop();
        self.progress.event(Event::Phase { name, total });
        self.current = Some((name.to_owned(), Instant::now()));
    }

    fn stop(&mut self) {
        let Some((name, since)) = self.current.take() else { return };
        let millis = since.elapsed().as_millis() as u64;
        match self.done.iter_mut().find(|phase| phase.name == name) {
            Some(phase) => phase.millis += millis,
            None => self.done.push(PhaseReport { name, millis }),
        }
    }

    /// The phases in the order in which they first began.
    pub(super) fn end(mut self) -> Vec<PhaseReport> {
        self.stop();
        self.done
    }
}
