//! What a run tells whoever watches it. The engine never prints.

/// A step of a run worth showing.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A phase begins; `total` bytes are expected where known.
    Phase {
        /// Name of the phase: `extract`, `deliver`, ….
        name: &'a str,
        /// Bytes expected.
        total: Option<u64>,
    },
    /// Bytes of the source were read.
    Read(u64),
    /// Rows were written to the spool.
    Rows(u64),
    /// Bytes reached the target.
    Delivered(u64),
}

/// Watches a run. Called from several threads.
pub trait Progress: Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: Event<'_>);
}

/// Watches nothing.
#[derive(Debug)]
pub struct Quiet;

impl Progress for Quiet {
    fn event(&self, _event: Event<'_>) {}
}
