//! What a transform plugin is to the engine: it says which columns it reads and writes, and answers batch by batch.
//! Rows that it is not asked about never come here.

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::FieldRef;

/// What happens to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each row gives one row.
    OneToOne,
    /// Each row gives one row or none.
    Filter,
    /// Each row gives any number of rows.
    Expand,
}

/// What a transform takes and gives, checked against the columns of its input.
#[derive(Clone, Debug, PartialEq)]
pub struct Io {
    /// The columns that cross to the plugin, in the types it asked for.
    pub reads: Vec<FieldRef>,
    /// The columns that it gives, in the types that the engine has. One of the input with that name is replaced, the others follow at the end.
    pub writes: Vec<FieldRef>,
    /// Columns of the input that end here.
    pub drops: Vec<String>,
    /// What happens to rows.
    pub mode: Mode,
    /// Most rows that it takes at once.
    pub rows_per_batch: usize,
}

/// A row that the plugin refused, or that could not be handed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the batch.
    pub row: u32,
    /// Stable code. Example: `normalise/email`.
    pub code: String,
    /// Why.
    pub message: String,
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The columns written, in the order of `Io::writes`.
    pub columns: Vec<ArrayRef>,
    /// The row of the input that each row came from; none = the same rows, all of them.
    pub source: Option<UInt32Array>,
    /// Rows left out, in order; none of them is in `source`.
    pub refused: Vec<Refused>,
}

/// Who lends the memory that guests use.
pub trait MemoryAccount: Send + Sync {
    /// Takes so many bytes more, or says why they cannot be had.
    fn grow(&self, bytes: usize) -> Result<(), String>;
    /// Gives so many bytes back.
    fn shrink(&self, bytes: usize);
}
