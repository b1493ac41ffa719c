//! Copies texts while looking for bytes that need care, which few texts hold: 32 or 64 bytes at a time where the
//! processor can, however short the text is.

use crate::memory::{lay, prefetch_to_write};
use crate::simd::{Kernel, Sets, lowest};

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

    /// What is left of the text behind its first bytes.
    #[inline(always)]
    pub(crate) fn behind(self, bytes: usize) -> Self {
        Self { begin: self.begin + bytes, ..self }
    }

    /// The text.
    #[inline(always)]
    pub(crate) fn text(self) -> &'a [u8] {
        &self.buffer[self.begin..self.end]
    }

    /// The bytes from a place on, with whatever is behind the text; none at the end of the buffer.
    #[inline(always)]
    fn block<const N: usize>(self, from: usize) -> Option<&'a [u8; N]> {
        self.buffer.get(from..from + N)?.first_chunk()
    }

    /// What is left of the text from a place on, filled up with zeros.
    #[inline(never)]
    fn rest<const N: usize>(self, from: usize) -> [u8; N] {
        let mut block = [0; N];
        let length = (self.end - from).min(N);
        block[..length].copy_from_slice(&self.buffer[from..from + length]);
        block
    }
}

/// The bytes to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Care<const N: usize> {
    bytes: [u8; N],
    below: u8,
    sets: Sets,
}

impl<const N: usize> Care<N> {
    /// For any of the bytes, and any below a multiple of 16.
    pub(crate) const fn new(bytes: [u8; N], below: u8) -> Self {
        Self { bytes, below, sets: Sets::of(&bytes, below) }
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> [u8; N] {
        self.bytes
    }

    /// Whether one of them is in a text.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        self.before(text) < text.len()
    }

    /// How many bytes stand before the first one that needs care, 16 at a time.
    fn before(&self, text: &[u8]) -> usize {
        let needs = |byte: u8| byte < self.below || self.bytes.contains(&byte);
        let clean = text.chunks(16).take_while(|some| !some.iter().fold(false, |found, &byte| found | needs(byte)));
        let begin = clean.map(<[u8]>::len).sum::<usize>();
        begin + text[begin..].iter().position(|&byte| needs(byte)).unwrap_or(text.len() - begin)
    }
}

/// Room behind a text that lets a [`Page`] copy it without asking for its length.
pub(crate) const PADDING: usize = 32;

/// Bytes of room that are fetched before they are written.
const FETCHED: usize = 2 << 10;

/// Bytes that a processor fetches at once.
const LINE: usize = 64;

/// Bytes that are made ready at once.
const GROWTH: usize = 32 << 10;

/// Bytes that are put together, with room behind them, so that little is asked for each piece.
#[derive(Debug, Default)]
pub struct Page {
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
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Forgets what there is; the room for it stays, and is not cleared again.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// For how many bytes there is room, those that are there included.
    pub fn size(&self) -> usize {
        self.bytes.len()
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
            *self = std::mem::take(self).grown(bytes);
        }
        &mut self.bytes[self.length..]
    }

    /// A little at a time, so that what is cleared is still at hand when it is written. It takes the page itself, not
    /// where it is, as all calls that are not inlined should: a page whose place nobody knows is kept in registers.
    #[cold]
    #[inline(never)]
    fn grown(mut self, bytes: usize) -> Self {
        self.bytes.resize(self.length + bytes.max(GROWTH), 0);
        self
    }

    /// Has the processor fetch the room that comes next; what was asked for before ends at `asked`. Tells where it ends now.
    #[inline(always)]
    pub(crate) fn fetch(&self, asked: usize) -> usize {
        let end = (self.length + FETCHED).min(self.bytes.len());
        let mut next = asked.max(self.length);
        while next < end {
            prefetch_to_write(&self.bytes[next]);
            next += LINE;
        }
        next
    }

    /// Appends a byte.
    #[inline(always)]
    pub(crate) fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.length += 1;
    }

    /// Puts a byte in the place of the one that is there, or at the end.
    #[inline(always)]
    pub(crate) fn set(&mut self, place: usize, byte: u8) {
        self.room(1);
        self.bytes[place] = byte;
        self.length = self.length.max(place + 1);
    }

    /// Appends bytes.
    #[inline(always)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Appends so few bytes that a call would cost more.
    #[inline(always)]
    pub(crate) fn put_few(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.push(byte));
    }

    /// Appends a text, whatever it holds.
    #[inline(always)]
    pub(crate) fn paste(&mut self, window: Window<'_>) {
        const STEP: usize = PADDING;
        let length = window.end - window.begin;
        let room = self.room(length + STEP);
        let mut at = 0;
        while at < length {
            let from = window.begin + at;
            match window.block::<STEP>(from) {
                Some(block) => lay(room, at, block),
                None => {
                    room[at..length].copy_from_slice(&window.buffer[from..window.end]);
                    break;
                }
            }
            at += STEP;
        }
        self.length += length;
    }

    /// Appends the lower-case hexadecimal digits of bytes.
    #[inline(always)]
    pub(crate) fn put_hex(&mut self, bytes: &[u8]) {
        // Without a table, so that it becomes a few instructions on many bytes.
        let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
        let room = &mut self.room(2 * bytes.len())[..2 * bytes.len()];
        for (digits, byte) in room.as_chunks_mut().0.iter_mut().zip(bytes) {
            *digits = [digit(byte >> 4), digit(byte & 15)];
        }
        self.length += 2 * bytes.len();
    }

    /// Forgets what is behind the first bytes.
    #[inline(always)]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// What there is so far, and the room behind it, which means nothing.
    #[inline(always)]
    pub(crate) fn with_room(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends a text and a byte behind it, unless the text holds a byte that needs care; tells whether it did.
    #[inline(always)]
    pub(crate) fn copy<K: Kernel, const N: usize>(
        &mut self,
        kernel: K,
        window: Window<'_>,
        care: &Care<N>,
        behind: u8,
    ) -> bool {
        let length = window.end - window.begin;
        if K::FAST && length <= 32 {
            let room = self.room(32 + 1);
            let last;
            let block: &[u8; 32] = match window.block(window.begin) {
                Some(block) => block,
                None => {
                    last = window.rest(window.begin);
                    &last
                }
            };
            lay(room, 0, block);
            if u64::from(kernel.within_half(block, &care.sets)) & lowest(length) != 0 {
                return false;
            }
            room[length] = behind;
            self.length += length + 1;
            return true;
        }
        let before = self.length;
        let whole = self.copy_until(kernel, window, care) == length;
        if whole {
            self.push(behind);
        } else {
            self.length = before;
        }
        whole
    }

    /// Appends what stands before the first byte of a text that needs care; tells how many bytes that are.
    #[inline(always)]
    pub(crate) fn copy_until<K: Kernel, const N: usize>(
        &mut self,
        kernel: K,
        window: Window<'_>,
        care: &Care<N>,
    ) -> usize {
        if !K::FAST {
            let clean = care.before(window.text());
            self.put(&window.text()[..clean]);
            return clean;
        }
        let length = window.end - window.begin;
        let room = self.room(length + 64);
        let mut at = 0;
        loop {
            let last;
            let block: &[u8; 64] = match window.block(window.begin + at) {
                Some(block) => block,
                None => {
                    last = window.rest(window.begin + at);
                    &last
                }
            };
            lay(room, at, block);
            let found = kernel.within(block, &care.sets) & lowest(length - at);
            if found != 0 {
                at += found.trailing_zeros() as usize;
                break;
            }
            at += 64;
            if at >= length {
                at = length;
                break;
            }
        }
        self.length += at;
        at
    }

    /// Counts bytes that were written to the front of the room.
    #[inline(always)]
    pub(crate) fn filled(&mut self, bytes: usize) {
        self.length += bytes;
    }
}
