//! Columns of text as views, made without Arrow checking them again; the only place that does so.
//!
//! A column that is read has up to two buffers: the chunk, and a side buffer with the few texts that had to be
//! unescaped. A column that is computed is built by a [`TextBuilder`], in one buffer.

#![allow(unsafe_code)]

use arrow::array::StringViewArray;
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use crate::copy::{Page, Window};
use crate::error::{Error, Result};

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
        None => last_word(&bytes[begin..end]),
    };
    // Both are made, because nobody can guess which one is wanted.
    let short = (word & FIRST[length.min(INLINE)]) << 32;
    let long = (word & FIRST[4]) << 32 | u128::from(buffer) << 64 | (begin as u128) << 96;
    length as u128 | if length <= INLINE { short } else { long }
}

/// So many of the first bytes of a word.
const FIRST: [u128; INLINE + 1] = {
    let mut masks = [0; INLINE + 1];
    let mut length = 0;
    while length <= INLINE {
        masks[length] = (1 << (8 * length)) - 1;
        length += 1;
    }
    masks
};

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
    pub(crate) fn finish(self, chunk: &Buffer) -> StringViewArray {
        let mut buffers = vec![chunk.clone()];
        if !self.side.is_empty() {
            buffers.push(Buffer::from_vec(self.side));
        }
        // Every view comes from `view`. The decoders check the chunk as UTF-8, or each record when the chunk is not,
        // and cut it at ASCII bytes only; unescaping puts UTF-8 together from such pieces.
        array(self.views, buffers)
    }
}

/// Texts that are computed, row by row.
#[derive(Debug, Default)]
pub struct TextBuilder {
    views: Vec<u128>,
    text: Page,
}

impl TextBuilder {
    /// A builder with room for so many rows and so many bytes of text.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self { views: Vec::with_capacity(rows), text: Page::after(Vec::with_capacity(bytes)) }
    }

    /// Adds a row without text.
    #[inline]
    pub fn push_null(&mut self) {
        self.views.push(NULL);
    }

    /// Adds a row with the text that `write` makes.
    #[inline]
    pub fn push_with(&mut self, write: impl FnOnce(&mut TextEnd<'_>)) {
        let begin = self.text.len();
        write(&mut TextEnd(&mut self.text));
        let view = view(self.text.with_room(), begin, self.text.len(), 0);
        if view as u32 as usize <= INLINE {
            self.text.truncate(begin);
        }
        self.views.push(view);
    }

    /// The finished column. Errors: texts of more than 4 GiB.
    pub fn finish(self) -> Result<StringViewArray> {
        if u32::try_from(self.text.len()).is_err() {
            return Err(Error::data("the texts of a batch have more than 4 GiB"));
        }
        let buffers = if self.text.len() == 0 { Vec::new() } else { vec![Buffer::from_vec(self.text.into_bytes())] };
        // Every view comes from `view` over what a `TextEnd` took: texts, and hexadecimal digits.
        Ok(array(self.views, buffers))
    }
}

/// The end of the text of a row that is being made.
#[derive(Debug)]
pub struct TextEnd<'a>(&'a mut Page);

impl TextEnd<'_> {
    /// Appends to the text.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        self.0.put(text.as_bytes());
    }

    /// Appends the lower-case hexadecimal digits of bytes.
    #[inline]
    pub fn push_hex(&mut self, bytes: &[u8]) {
        self.0.put_hex(bytes);
    }

    /// Appends a whole text of a column, which is UTF-8.
    #[inline(always)]
    pub(crate) fn push_window(&mut self, text: Window<'_>) {
        self.0.paste(text);
    }
}

/// An array of views made with [`view`] from UTF-8 texts in `buffers`, or [`NULL`].
fn array(mut views: Vec<u128>, buffers: Vec<Buffer>) -> StringViewArray {
    let valid = BooleanBuffer::collect_bool(views.len(), |row| views[row] != NULL);
    let nulls = NullBuffer::new(valid);
    let nulls = (nulls.null_count() > 0).then_some(nulls);
    if nulls.is_some() {
        views.iter_mut().filter(|view| **view == NULL).for_each(|view| *view = 0);
    }
    let views = ScalarBuffer::from(views);
    if cfg!(debug_assertions) {
        StringViewArray::try_new(views, buffers, nulls).expect("views are made whole")
    } else {
        // SAFETY: `view` points into `bytes` of the buffer it names and copies the prefix from there, so positions and
        // prefixes are right; who calls this says why the texts are UTF-8. With debug assertions, thus in every test,
        // Arrow checks all this again.
        unsafe { StringViewArray::new_unchecked(views, buffers, nulls) }
    }
}
