//! What a person does to deliveries by hand: moving where the next window begins, giving back what was set aside, and
//! delivering again what has gone from its target. Each holds the state lock and the pipeline's lease, and changes nothing it was not asked to.

use std::path::Path;
use std::sync::Arc;

use outflow_spec::ledger::LedgerSpec;

use crate::error::{Error, Result};
use crate::ledger::{Ledger, SlotState, StateLock, Whose, positions};
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use crate::report::RunReport;
use crate::run::{self, RunOptions, open_sinks};
use crate::window::{Watermark, before};

/// A watermark to move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Whose it is.
    pub at: Whose,
    /// Where it is; unset: nothing was delivered yet.
    pub before: Option<Watermark>,
    /// Where it goes; unset: back to the start.
    pub after: Option<Watermark>,
}

/// What moving the watermarks of a pipeline to a position, or back to its start, comes to. `target` picks the sinks
/// whose identity holds it. Changes nothing.
pub async fn moves(
    pipeline: &Pipeline,
    ledger: Option<&LedgerSpec>,
    state: &Path,
    position: Option<&str>,
    target: Option<&str>,
) -> Result<Vec<Move>> {
    let schedule = pipeline.schedule().ok_or_else(run::no_windows)?;
    let position = position.map(|position| schedule.position(position)).transpose()?;
    let ledger = Ledger::open_existing(ledger, state).await?;
    let mut moves = Vec::new();
    for sink in open_sinks(pipeline, None)? {
        if target.is_some_and(|part| !sink.identity().contains(part)) {
            continue;
        }
        let (pipeline, scope) = (pipeline.name(), run::parameters(pipeline));
        let at = Whose { pipeline, target: sink.identity().to_owned(), scope };
        let known = match &ledger {
            Some(ledger) => ledger.watermark(&at).await?,
            None => None,
        };
        let after = position.as_ref().map(|position| {
            // Rows that are passed over are not late afterwards; those that were asked for before still are.
            let floor = match &known {
                Some(known) if before(position, &known.position) && before(&known.floor, position) => &known.floor,
                _ => position,
            };
            Watermark { position: position.clone(), floor: floor.clone() }
        });
        moves.push(Move { at, before: known, after });
    }
    match moves.is_empty() {
        true => Err(Error::user("no sink of the pipeline has such an identity")
            .hint("`outflow state show` tells the identities of sinks")),
        false => Ok(moves),
    }
}

/// Moves watermarks. Refused while a delivery of a window is under way, for its commit would move them again.
pub async fn apply(ledger: Option<&LedgerSpec>, state: &Path, moves: &[Move]) -> Result<()> {
    let lock = StateLock::acquire(state)?;
    let mut ledger = Ledger::open(ledger, state).await?;
    if let Some(first) = moves.first() {
        ledger = ledger.hold(&lock, &first.at.pipeline).await?;
    }
    for Move { at, before, .. } in moves {
        if let Some(slot) = ledger.unfinished(&at.pipeline).await?.iter().find(|slot| slot.state.is_pinned()) {
            return Err(positions::busy(slot));
        }
        if ledger.watermark(at).await? != *before {
            return Err(Error::locked("another run has moved on meanwhile").hint("look again, and decide anew"));
        }
    }
    for Move { at, after, .. } in moves {
        let action = if after.is_some() { "state set" } else { "state reset" };
        ledger.set_watermark(at, after.as_ref(), Some(action)).await?;
    }
    ledger.close().await;
    Ok(())
}

/// Gives deliveries that were set aside back, of one run or of all, and runs the pipeline: recovery compares again what
/// their targets show, publishes what is absent, and sets aside what is still foreign.
pub async fn retry(
    pipeline: &Pipeline,
    options: &RunOptions,
    run: Option<&str>,
    progress: &Arc<dyn Progress>,
) -> Result<RunReport> {
    {
        let lock = StateLock::acquire(&options.state)?;
        let ledger = Ledger::open(options.ledger.as_ref(), &options.state).await?.hiding(&options.hidden);
        let ledger = ledger.hold(&lock, &pipeline.name()).await?;
        let run = match run {
            None => None,
            Some(id) => Some(ledger.run(id).await?.ok_or_else(|| {
                Error::user(format!("no single run has an id that begins with `{id}`")).hint("see `outflow runs list`")
            })?),
        };
        let id = run.as_ref().map(|run| run.id.as_str());
        for mut slot in ledger.slots_in(&pipeline.name(), SlotState::Quarantined, id).await? {
            ledger.give_back(&mut slot).await?;
        }
        ledger.close().await;
    }
    run::run(pipeline, options, progress).await
}
