//! What a decoder hands back: a batch of good rows and the records that could not become one.

use arrow::buffer::Buffer;
use arrow::record_batch::RecordBatch;

use crate::jsonl::Column;

/// A record that could not be read, for the dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Physical line the record starts on, from 1.
    pub line: u64,
    /// Stable code: `csv/columns`, `csv/quote`, `csv/utf8`, `json/syntax`, `json/depth`, `json/surrogate`, `json/utf8`.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// The record as it stood in the file, without its line end.
    pub record: Vec<u8>,
}

/// The rows of one chunk.
#[derive(Debug)]
pub struct Decoded {
    /// The good rows, in the order of the file.
    pub batch: RecordBatch,
    /// The bad records, in the order of the file.
    pub rejects: Vec<Reject>,
    /// JSON Lines only: columns that the decoder was not told of, and raw columns that turned out to hold text. The
    /// batch lacks the former and holds the latter as text; see [`crate::jsonl::widen`].
    pub surprises: Vec<Column>,
    /// CSV only: what the rows were read from.
    pub text: Option<Text>,
}

/// The text of a chunk.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub bytes: Buffer,
    /// Physical line of the file that it starts on, from 1.
    pub first_line: u64,
}

impl Decoded {
    /// Records seen, good and bad.
    pub fn rows(&self) -> u64 {
        (self.batch.num_rows() + self.rejects.len()) as u64
    }
}
