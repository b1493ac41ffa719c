//! Copies texts while looking for bytes that need care, which few texts hold: 64 bytes at a time where the processor
//! can, however short the text is.

use crate::simd::{self, Kernel};

#[cfg(test)]
mod tests;

/// A text inside a larger buffer; what is behind it may be read, and means nothing.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    buffer: &'a [u8],
    begin: usize,
    end: usize,
}

impl<'a> Window<'a> {
    /// The text `buffer[begin..end]`.
    #[inline(always)]
    pub(crate) fn new(buffer: &'a [u8], begin: usize, end: usize) -> Self {
        Self { buffer, begin, end }
    }

    /// A text by itself.
    #[inline(always)]
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self { buffer: text, begin: 0, end: text.len() }
    }

    /// The text.
    #[inline(always)]
    pub(crate) fn text(self) -> &'a [u8] {
        &self.buffer[self.begin..self.end]
    }

    /// The 64 bytes from a place on, filled up with anything, and the bits of those that are text. `last` has room for
    /// them at the end of the buffer.
    #[inline(always)]
    fn block<'b>(self, from: usize, last: &'b mut [u8; 64]) -> (&'b [u8; 64], u64)
    where
        'a: 'b,
    {
        let left = self.end - from;
        let valid = if left < 64 { (1 << left) - 1 } else { u64::MAX };
        match self.buffer.get(from..from + 64).and_then(|block| block.first_chunk()) {
            Some(block) => (block, valid),
            None => {
                *last = last_block(&self.buffer[from..self.end]);
                (last, valid)
            }
        }
    }
}

/// At the end of a buffer.
#[inline(never)]
fn last_block(text: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    let length = text.len().min(64);
    block[..length].copy_from_slice(&text[..length]);
    block
}

/// The bytes to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Care<const N: usize> {
    /// Any of these.
    pub(crate) bytes: [u8; N],
    /// Any below this.
    pub(crate) below: u8,
}

impl<const N: usize> Care<N> {
    #[inline(always)]
    fn of_block<K: Kernel>(&self, kernel: K, block: &[u8; 64]) -> u64 {
        let mut found = if self.below > 0 { kernel.below(block, self.below) } else { 0 };
        for byte in self.bytes {
            found |= kernel.equal(block, byte);
        }
        found
    }

    #[inline(always)]
    fn any(&self, bytes: &[u8]) -> bool {
        let mut found = false;
        for &byte in bytes {
            found |= byte < self.below;
            for other in self.bytes {
                found |= byte == other;
            }
        }
        found
    }
}

/// Bytes that are made ready at once.
const GROWTH: usize = 32 << 10;

/// Bytes that are put together, with room behind them, so that little is asked for each piece.
pub(crate) struct Page {
    bytes: Vec<u8>,
    length: usize,
}

impl Page {
    /// Goes on after what is in `bytes`.
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        Self { bytes, length }
    }

    /// What was put together.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.truncate(self.length);
        self.bytes
    }

    /// What there is so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Forgets what there is.
    pub(crate) fn clear(&mut self) {
        self.length = 0;
    }

    /// How many bytes there are.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Makes room for so many bytes.
    #[inline(always)]
    pub(crate) fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.bytes.len() - self.length < bytes {
            self.grow(bytes);
        }
        &mut self.bytes[self.length..]
    }

    /// A little at a time, so that what is cleared is still at hand when it is written.
    #[cold]
    fn grow(&mut self, bytes: usize) {
        self.bytes.resize(self.length + bytes.max(GROWTH), 0);
    }

    /// Appends a byte.
    #[inline(always)]
    pub(crate) fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.length += 1;
    }

    /// Appends bytes.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Appends a text, unless it holds a byte that needs care; tells whether it did.
    #[inline(always)]
    pub(crate) fn copy<K: Kernel, const N: usize>(&mut self, kernel: K, window: Window<'_>, care: &Care<N>) -> bool {
        if !K::FAST {
            return self.copy_bytes(window.text(), care);
        }
        let length = window.end - window.begin;
        let room = self.room(length + 64);
        let (mut at, mut last) = (0, [0; 64]);
        loop {
            let (block, valid) = window.block(window.begin + at, &mut last);
            if care.of_block(kernel, block) & valid != 0 {
                return false;
            }
            room[at..at + 64].copy_from_slice(block);
            at += 64;
            if at >= length {
                break;
            }
        }
        self.length += length;
        true
    }

    /// As [`Page::copy`], 16 bytes at a time.
    #[inline(always)]
    fn copy_bytes<const N: usize>(&mut self, text: &[u8], care: &Care<N>) -> bool {
        let (blocks, rest) = text.as_chunks::<16>();
        if blocks.iter().any(|block| care.any(block)) || care.any(rest) {
            return false;
        }
        self.put(text);
        true
    }

    /// Appends a text with two quotes for each one.
    pub(crate) fn double(&mut self, text: &[u8], quote: u8) {
        let room = self.room(2 * text.len() + 16);
        let length = simd::double(text, quote, room).unwrap_or_else(|| {
            let mut length = 0;
            // Every byte is written twice, and the second one counts only for quotes.
            for &byte in text {
                room[length] = byte;
                room[length + 1] = byte;
                length += 1 + usize::from(byte == quote);
            }
            length
        });
        self.length += length;
    }
}
