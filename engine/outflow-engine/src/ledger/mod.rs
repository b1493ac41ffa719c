//! The memory of deliveries: which slot exists, what was planned for it, which bytes were sealed, what was published,
//! and which runs there were. A SQLite file, or a PostgreSQL database that several workers share; nothing in it is a
//! secret.
//!
//! A run goes: [`StateLock::acquire`] → [`Ledger::open`] → [`Ledger::hold`] → `delivery::recover` → [`Ledger::begin_run`] →
//! [`Ledger::plan`] → files into [`spool_folder`] → [`Ledger::spooled`] → `delivery::seal` → `delivery::publish`
//! (which commits) → [`Ledger::finish_run`].

mod counters;
mod database;
mod failure;
mod files;
mod garbage;
mod history;
mod lease;
mod lock;
mod place;
pub(crate) mod positions;
mod remembered;
mod retired;
mod runs;
mod slots;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};

pub use database::Ledger;
pub use files::{FileFilter, FileRecord};
pub use history::{Ending, History, PastRun};
pub use lease::Terms;
pub use lock::StateLock;
pub(crate) use lock::make_private;
pub use positions::{AuditRecord, Position, Whose};
pub use retired::{Expired, Fate};
pub use runs::{RunFilter, RunRecord};
pub use state::{Deferral, FileState, LastNumbers, Manifest, PlanRecord, Role, SealedFile, Slot, SlotKey, SlotState};

/// The folder that holds a slot's files until they are published. It belongs to the slot alone:
/// it is emptied before a new attempt and removed after publication.
pub fn spool_folder(state: &Path, slot: &Slot) -> PathBuf {
    spool_of(state, slot.id)
}

fn spool_of(state: &Path, slot: i64) -> PathBuf {
    state.join("spool").join(slot.to_string())
}
