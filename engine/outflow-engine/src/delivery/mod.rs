//! The way of a delivery from spooled files to committed publication, and back on its feet after a crash:
//! [`seal`] pins the bytes, [`publish`] shows data first and companions last and commits, [`recover`] finishes or
//! discards what a dead process left, [`resume`] finishes from files made anew what another machine left. Nothing here
//! makes rows or names; no target is written before the seal.

#[cfg(any(test, fuzzing))]
mod fuzz;
mod known;
mod publish;
mod recover;
mod resume;
mod retention;
mod seal;
#[cfg(test)]
mod tests;

#[cfg(fuzzing)]
pub use fuzz::run as fuzz;
pub(crate) use publish::discard_spool;
pub use publish::{Published, publish};
pub use recover::{Recovery, recover};
pub use resume::{is_same, resume};
pub use retention::{Retired, retire};
pub use seal::seal;
