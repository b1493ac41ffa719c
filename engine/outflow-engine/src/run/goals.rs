//! The sinks of a run, and which of them still take part: one that failed gets nothing more in this run, and the
//! next run delivers what it lacks.

use std::sync::Arc;

use super::RunOptions;
use crate::error::{Error, Result, Retry};
use crate::ledger::{Slot, SlotKey};
use crate::report::{RunReport, Status};
use crate::store::Sink;

/// The sinks, by number.
pub(super) struct Goals {
    sinks: Vec<Arc<dyn Sink>>,
    out: Vec<bool>,
    /// Why sinks failed, first to last.
    errors: Vec<Error>,
    /// Deliveries that recovery could not finish.
    unfinished: Vec<(Slot, Error)>,
}

impl Goals {
    /// All sinks, with the deliveries that recovery could not finish. What no sink is to blame for stops the run.
    pub(super) fn new(sinks: Vec<Arc<dyn Sink>>, unfinished: Vec<(Slot, Error)>) -> Result<Self> {
        let mut known = Vec::new();
        for (slot, error) in unfinished {
            if sinks.iter().all(|sink| sink.identity() != slot.key.target) {
                return Err(error);
            }
            known.push((slot, error));
        }
        Ok(Self { out: vec![false; sinks.len()], sinks, errors: Vec::new(), unfinished: known })
    }

    /// Numbers of the sinks that take part.
    pub(super) fn active(&self) -> Vec<usize> {
        (0..self.sinks.len()).filter(|goal| !self.out[*goal]).collect()
    }

    /// Every sink.
    pub(super) fn all(&self) -> &[Arc<dyn Sink>] {
        &self.sinks
    }

    /// The sink of a number.
    pub(super) fn sink(&self, goal: usize) -> &Arc<dyn Sink> {
        &self.sinks[goal]
    }

    /// Lets sinks get nothing more whose earlier deliveries could not be finished; `all`, or only those for which
    /// waiting may help.
    pub(super) fn hold_back_unfinished(&mut self, all: bool, options: &RunOptions, report: &mut RunReport) {
        let mut kept = Vec::new();
        for (slot, error) in std::mem::take(&mut self.unfinished) {
            let goal = self.sinks.iter().position(|sink| sink.identity() == slot.key.target);
            match goal {
                Some(goal) if all || error.retry() != Retry::Never => {
                    self.fail(&[goal], &slot.key.window, error.while_running(), options, report);
                }
                _ => kept.push((slot, error)),
            }
        }
        self.unfinished = kept;
    }

    /// The error of a delivery that could not be finished.
    pub(super) fn take_unfinished(&mut self, key: &SlotKey) -> Option<Error> {
        let at = self.unfinished.iter().position(|(slot, _)| slot.key == *key)?;
        Some(self.unfinished.swap_remove(at).1)
    }

    /// Tells the failure of a window at sinks, which get nothing more in this run.
    pub(super) fn fail(
        &mut self,
        goals: &[usize],
        window: &str,
        error: Error,
        options: &RunOptions,
        report: &mut RunReport,
    ) {
        for &goal in goals {
            self.out[goal] = true;
            let hide = |text: &str| options.hide(text);
            report.tell_failure(window, self.sinks[goal].identity(), &error, hide);
        }
        self.errors.push(error);
    }

    /// Takes over what became of the same sinks elsewhere.
    pub(super) fn join(&mut self, other: Self) {
        self.out.iter_mut().zip(other.out).for_each(|(out, other)| *out |= other);
        self.errors.extend(other.errors);
    }

    /// The report; the first failure instead, where nothing was achieved beside it, or the run could not go on.
    pub(super) fn conclude(mut self, mut report: RunReport, ended: Result<()>) -> Result<RunReport> {
        ended?;
        let achieved = report.deliveries.iter().any(|delivery| delivery.status != Status::Failed);
        if !self.errors.is_empty() && !achieved {
            return Err(self.errors.swap_remove(0));
        }
        for (slot, error) in &self.unfinished {
            report
                .warnings
                .push(format!("an unfinished delivery of {} could not be finished: {error}", slot.key.window));
        }
        report.conclude();
        Ok(report)
    }
}
