//! Columns of text that point into the bytes they were read from.
//!
//! A column has up to two buffers: the chunk as it was read, and a side buffer with the few texts that had to be
//! unescaped. The only place that makes an Arrow array without Arrow checking it again.

#![allow(unsafe_code)]

use arrow::array::StringViewArray;
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

/// Buffer number of the chunk.
pub(crate) const CHUNK: u32 = 0;

/// Buffer number of the side buffer.
pub(crate) const SIDE: u32 = 1;

/// Stands for a null while a column is built; no text is that long.
pub(crate) const NULL: u128 = u32::MAX as u128;

/// Texts longer than this are pointed to, others stand in the view itself.
const INLINE: usize = 12;

/// The view of `bytes[begin..end]`, where `bytes` is buffer number `buffer`.
#[inline(always)]
pub(crate) fn view(bytes: &[u8], begin: usize, end: usize, buffer: u32) -> u128 {
    let length = end - begin;
    let word = match bytes.get(begin..begin + 16).and_then(|text| text.first_chunk::<16>()) {
        Some(word) => u128::from_le_bytes(*word),
        None => last_word(&bytes[begin..]),
    };
    if length <= INLINE {
        ((word & ((1 << (8 * length)) - 1)) << 32) | length as u128
    } else {
        let prefix = (word & u128::from(u32::MAX)) << 32;
        length as u128 | prefix | (u128::from(buffer) << 64) | ((begin as u128) << 96)
    }
}

#[cold]
fn last_word(bytes: &[u8]) -> u128 {
    let mut word = [0; 16];
    let length = bytes.len().min(16);
    word[..length].copy_from_slice(&bytes[..length]);
    u128::from_le_bytes(word)
}

/// A column under construction.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// One view a row, [`NULL`] for none. Whoever adds one made it with [`view`] of a UTF-8 text in the chunk or in
    /// `side`.
    pub(crate) views: Vec<u128>,
    /// Texts that are not in the chunk as they are.
    pub(crate) side: Vec<u8>,
}

impl Column {
    /// Appends to the side buffer what `write` appends to it, and returns its view. The text must be UTF-8.
    pub(crate) fn unescaped(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> u128 {
        let begin = self.side.len();
        write(&mut self.side);
        view(&self.side, begin, self.side.len(), SIDE)
    }

    /// The finished array over the chunk.
    pub(crate) fn finish(mut self, chunk: &Buffer) -> StringViewArray {
        let valid = BooleanBuffer::collect_bool(self.views.len(), |row| self.views[row] != NULL);
        let nulls = NullBuffer::new(valid);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        if nulls.is_some() {
            self.views.iter_mut().filter(|view| **view == NULL).for_each(|view| *view = 0);
        }
        let mut buffers = vec![chunk.clone()];
        if !self.side.is_empty() {
            buffers.push(Buffer::from_vec(self.side));
        }
        let views = ScalarBuffer::from(self.views);
        if cfg!(debug_assertions) {
            StringViewArray::try_new(views, buffers, nulls).expect("decoders make valid views")
        } else {
            // SAFETY: every view comes from `view`, which points into `bytes` of one of the two buffers and copies the
            // prefix from there, so positions and prefixes are right. The decoders check the chunk as UTF-8, or each
            // record when the chunk is not, and cut it at ASCII bytes only; unescaping puts UTF-8 together from such
            // pieces. With debug assertions, thus in every test, Arrow checks all this again.
            unsafe { StringViewArray::new_unchecked(views, buffers, nulls) }
        }
    }
}
