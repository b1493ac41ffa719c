//! What is due: the snapshot of the input, or the next window after what each sink has, or the windows of a backfill.
//! Windows are delivered in order, and a backfill takes none that a live run delivered or will deliver.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Backfill, Run, Work};
use crate::error::{Error, Result};
use crate::ledger::{SlotState, Whose};
use crate::membership::Delivered;
use crate::source::Input;
use crate::source::arrivals::{Seen, Wanted};
use crate::store::Sink;
use crate::window::{Schedule, Watermark, Window, before};

/// What is extracted at once: a window, and the sinks that lack it.
pub(super) struct Due {
    /// What identifies the window in the ledger.
    pub(super) key: String,
    /// The window as the input alone tells it.
    pub(super) input: String,
    /// The members of the last delivery, for a pipeline that compares.
    pub(super) last: Option<Delivered>,
    /// The window of positions, for a pipeline that has such.
    pub(super) range: Option<Range>,
    /// What parameters add to the identity of the window.
    pub(super) scope: String,
    /// The logical instant of deliveries that are planned now.
    pub(super) scheduled: Timestamp,
    /// Numbers of the sinks.
    pub(super) goals: Vec<usize>,
}

/// A window of positions that is due.
pub(super) struct Range {
    /// Its rows.
    pub(super) wanted: Wanted,
    /// Where the last window that is due ends at most.
    pub(super) high: String,
}

impl Due {
    /// The window of positions.
    pub(super) fn window(&self) -> Option<&Window> {
        self.range.as_ref().map(|range| &range.wanted.window)
    }
}

impl Work<'_> {
    /// Whose watermark counts at a sink.
    pub(super) fn whose(&self, sink: &dyn Sink) -> Whose {
        let (pipeline, scope) = (self.pipeline.name(), super::parameters(self.pipeline));
        Whose { pipeline, target: sink.identity().to_owned(), scope }
    }

    /// How far a sink's deliveries have come.
    pub(super) async fn watermark_of(&self, sink: &dyn Sink, schedule: &Schedule) -> Result<Watermark> {
        let known = self.ledger.watermark(&self.whose(sink)).await?;
        Ok(known.unwrap_or_else(|| Watermark { position: schedule.start.clone(), floor: schedule.start.clone() }))
    }

    fn due(&self, window: Window, late_from: Option<String>, seen: Arc<Seen>, high: &str, goals: Vec<usize>) -> Due {
        let scope = super::parameters(self.pipeline);
        let schedule = self.pipeline.schedule();
        let cursor = schedule.map(|schedule| schedule.cursor.clone()).unwrap_or_default();
        let overlap = schedule.filter(|_| late_from.is_some()).and_then(|schedule| schedule.overlap.clone());
        Due {
            key: format!("{scope}{}", window.key()),
            input: String::new(),
            last: None,
            scheduled: window.end().unwrap_or(self.now()),
            range: Some(Range { wanted: Wanted { cursor, window, late_from, seen, overlap }, high: high.to_owned() }),
            scope,
            goals,
        }
    }
}

impl Run<'_> {
    /// The snapshot of the input, by sinks that are to get the same of it.
    pub(super) async fn snapshots(&self, found: &Input) -> Result<Vec<Due>> {
        let Work { pipeline, options, ledger, .. } = self.work;
        let at = options.at.map(|at| format!("at {at} ")).unwrap_or_default();
        let scope = super::parameters(pipeline);
        let input = format!("{at}{scope}{}", found.identity());
        let mut all: Vec<Due> = Vec::new();
        for goal in self.goals.active() {
            let last = match pipeline.compares() {
                true => Delivered::last(ledger, &pipeline.name(), self.goals.sink(goal).identity()).await?,
                false => None,
            };
            match all.iter_mut().find(|due| due.last == last) {
                Some(due) => due.goals.push(goal),
                None => all.push(Due {
                    key: Delivered::window(last.as_ref(), input.clone()),
                    input: input.clone(),
                    last,
                    range: None,
                    scope: scope.clone(),
                    scheduled: self.work.now(),
                    goals: vec![goal],
                }),
            }
        }
        Ok(all)
    }

    /// The oldest window that some sink lacks, with all the sinks that are equally far.
    pub(super) async fn next_window(&self, schedule: &Schedule, found: &Input) -> Result<Option<Due>> {
        let Some(high) = found.high(schedule, self.work.now()).await? else { return Ok(None) };
        let mut lacking = Vec::new();
        for goal in self.goals.active() {
            let mark = self.work.watermark_of(self.goals.sink(goal).as_ref(), schedule).await?;
            let window = match self.sealed_elsewhere(goal, &mark) {
                Some(window) => Some(window),
                None => schedule.next(&mark.position, &high)?,
            };
            if let Some(window) = window {
                lacking.push((goal, window, mark));
            }
        }
        let oldest = lacking.iter().reduce(|one, other| if before(&other.1.hi, &one.1.hi) { other } else { one });
        let Some((first, window, mark)) = oldest.cloned() else { return Ok(None) };
        let seen = self.work.ledger.seen(&self.work.whose(self.goals.sink(first).as_ref())).await?;
        let mut goals = Vec::new();
        for (goal, other, its_mark) in lacking {
            let alike = other == window && its_mark == mark;
            let sink = self.goals.sink(goal).as_ref();
            if goal == first || (alike && self.work.ledger.seen(&self.work.whose(sink)).await? == seen) {
                goals.push(goal);
            }
        }
        Ok(Some(self.work.due(window, Some(mark.floor), Arc::new(seen), &high, goals)))
    }

    /// The window that another machine sealed for a sink and did not finish: it comes first, as it was cut then, or its
    /// rows would be in two deliveries. One of a backfill waits for that backfill.
    fn sealed_elsewhere(&self, goal: usize, mark: &Watermark) -> Option<Window> {
        let whose = self.work.whose(self.goals.sink(goal).as_ref());
        self.unspooled.iter().filter(|slot| slot.key.target == whose.target).find_map(|slot| {
            let window = Window::of_key(&slot.key.window)?;
            let ours = slot.key.window == format!("{}{}", whose.scope, window.key());
            (ours && before(&mark.position, &window.hi)).then_some(window)
        })
    }

    /// The windows of a backfill. Refused as a whole if some position of them was delivered otherwise, or will be.
    pub(super) async fn backfilled(&self, schedule: &Schedule, backfill: &Backfill) -> Result<Vec<Due>> {
        let windows = backfill.windows(self.work.pipeline)?;
        for goal in self.goals.active() {
            let sink = self.goals.sink(goal).as_ref();
            let taken = self.work.ledger.windows(&self.work.whose(sink)).await?;
            let floor = self.work.watermark_of(sink, schedule).await?.floor;
            for window in &windows {
                if taken.iter().any(|(other, _)| other == window) {
                    continue;
                }
                if let Some((other, _)) = taken.iter().find(|(other, _)| other.overlaps(window)) {
                    return Err(Error::user(format!(
                        "the window {} overlaps {}, which was delivered to {}",
                        window.key(),
                        other.key(),
                        sink.identity()
                    ))
                    .hint("each row is delivered once: fill in what lies beside the windows that were delivered"));
                }
                if before(&floor, &window.hi) {
                    return Err(Error::user(format!(
                        "the window {} is not before {floor}, from where on runs deliver to {}",
                        window.key(),
                        sink.identity()
                    ))
                    .hint("run the pipeline to deliver what is due; `outflow state show` tells how far it is"));
                }
            }
        }
        let goals = self.goals.active();
        let due = |window: Window| {
            let high = window.hi.clone();
            self.work.due(window, None, Arc::default(), &high, goals.clone())
        };
        Ok(windows.into_iter().map(due).collect())
    }

    /// Refuses a window that is set aside at a sink in part or as a whole: a person has to look first.
    pub(super) async fn refuse_set_aside(&self, due: &Due, sink: &dyn Sink) -> Result<()> {
        let Some(window) = due.window() else { return Ok(()) };
        let taken = self.work.ledger.windows(&self.work.whose(sink)).await?;
        match taken.iter().find(|(other, state)| *state == SlotState::Quarantined && other.overlaps(window)) {
            None => Ok(()),
            Some((other, _)) => Err(Error::external(format!("the window {} is quarantined", other.key())).hint(
                "look at the target: outflow never overwrites what it did not write; `outflow runs retry` tries again, \
                 `outflow state set` goes on behind it",
            )),
        }
    }
}
