//! Runs plugins: WebAssembly components with limits on time and memory and nothing of the machine to see.
//! What a plugin answers is checked as strictly as what a user writes.

mod cache;
mod failure;
mod guest;
mod host;
mod inspect;
mod v0_1;

pub use host::{Host, Limits, Plugin, TransformPlugin};
pub use inspect::{INTERFACE, Inspection, World};
#[cfg(fuzzing)]
pub use v0_1::fuzz::run as fuzz;
pub use v0_1::{Declared, Transform};

use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
