//! The fields of CSV records as places in the buffer: nothing is copied, and quotes stay on.

use crate::chunks::PAD;
use crate::lanes::{marks, parity_up_to};

/// Where each field of a chunk ends, record after record.
#[derive(Default)]
pub struct Ends(Vec<u32>);

impl Ends {
    /// Finds every separator and line end outside quotes.
    pub fn find(&mut self, buffer: &[u8], len: usize, separator: u8) {
        assert!(buffer.len() >= len + PAD);
        self.0.clear();
        let mut within = 0u64;
        for at in (0..len).step_by(64) {
            self.0.reserve(64);
            // PAD bytes follow the last record, so a whole block can be read at each place.
            let mut found = unsafe { marks(buffer.as_ptr().add(at), separator) };
            if len - at < 64 {
                let inside = (1u64 << (len - at)) - 1;
                found.quotes &= inside;
                found.ends &= inside;
            }
            let quoted = parity_up_to(found.quotes) ^ within;
            within = ((quoted as i64) >> 63) as u64;
            self.push(at, found.ends & !quoted);
        }
    }

    /// Takes one block's places down; 64 are reserved.
    #[inline(always)]
    fn push(&mut self, at: usize, mut bits: u64) {
        let count = self.0.len();
        let more = bits.count_ones() as usize;
        unsafe {
            let mut place = self.0.as_mut_ptr().add(count);
            while bits != 0 {
                *place = (at + bits.trailing_zeros() as usize) as u32;
                place = place.add(1);
                bits &= bits - 1;
            }
            self.0.set_len(count + more);
        }
    }

    /// The records of a buffer whose records have `columns` fields each.
    #[inline(always)]
    pub fn records<'a>(&'a self, buffer: &'a [u8], columns: usize) -> impl Iterator<Item = Record<'a>> {
        let mut start = 0;
        self.0.chunks_exact(columns).map(move |ends| {
            let record = Record { buffer, start, ends };
            start = record.end() + 1;
            record
        })
    }
}

/// One record.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    buffer: &'a [u8],
    start: usize,
    ends: &'a [u32],
}

impl<'a> Record<'a> {
    /// A field as it stands, quotes included. At least PAD bytes of the buffer follow it.
    #[inline(always)]
    pub fn field(&self, column: usize) -> &'a [u8] {
        let start = if column == 0 { self.start } else { self.ends[column - 1] as usize + 1 };
        // Ends come from this buffer in rising order.
        unsafe { self.buffer.get_unchecked(start..self.ends[column] as usize) }
    }

    /// Where its line end is.
    #[inline(always)]
    pub fn end(&self) -> usize {
        self.ends[self.ends.len() - 1] as usize
    }

    /// How many bytes it has.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.end() - self.start
    }
}

/// Whether a field stands in quotes.
#[inline(always)]
pub fn is_quoted(field: &[u8]) -> bool {
    field.first() == Some(&b'"')
}

/// Appends what a quoted field says.
pub fn unquote(field: &[u8], to: &mut Vec<u8>) {
    let mut at = 1;
    while at < field.len() - 1 {
        to.push(field[at]);
        at += if field[at] == b'"' { 2 } else { 1 };
    }
}
