//! Finds where the cells and records of delimited text end, 64 bytes at a time.
//!
//! The fast walk knows quotes by parity only: a byte with an odd number of quotes before it is inside quotes, which
//! also holds for doubled quotes. That is the truth as long as every quote stands where RFC 4180 allows one. The walk
//! checks this on the way ([`Index::regular`]); text that breaks the rule, and dialects that
//! parity cannot describe, go to the byte-by-byte machine in [`plain`], which is the definition of the format.

pub(crate) mod plain;

#[cfg(test)]
pub(crate) mod tests;

use std::cell::RefCell;

use crate::format::{Dialect, Escape};
use crate::simd::{self, Kernel, Work};

/// The bytes that have a meaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    /// Between cells.
    pub(crate) delimiter: u8,
    /// Around cells.
    pub(crate) quote: u8,
    /// How a quote is written inside quotes.
    pub(crate) escape: Escape,
}

impl Marks {
    /// The marks of a dialect.
    pub(crate) fn new(dialect: &Dialect) -> Self {
        Self { delimiter: dialect.delimiter, quote: dialect.quote, escape: dialect.escape }
    }
}

/// Where cells and records end.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Position of the byte that ends each cell: a delimiter, a line end, or the end of the text. The first
    /// [`Index::count`] are meant, the rest is room.
    cells: Vec<u32>,
    count: usize,
    /// For each record, the number of cells up to and with its last one. The first [`Index::records`] are meant.
    ends: Vec<u32>,
    records: usize,
    /// Records, as positions in `ends`, with text after a closing quote.
    pub(crate) malformed: Vec<u32>,
    /// Whether quotes are known to stand only where they may, doubled within others.
    pub(crate) regular: bool,
    /// Whether a line end stands inside quotes.
    pub(crate) quoted_lines: bool,
    /// Whether every line end is known to be one LF.
    pub(crate) feeds: bool,
    /// Whether the text ends inside quotes.
    pub(crate) open: bool,
    /// Line ends up to the end of the last record that a line end ends, those inside quotes included.
    pub(crate) lines: u64,
}

thread_local! {
    static SPARE: RefCell<Index> = RefCell::default();
}

impl Index {
    /// An index to be filled, with the room of one that this thread is done with.
    pub(crate) fn spare() -> Self {
        SPARE.take()
    }

    /// For each record, the number of cells up to and with its last one.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends[..self.records]
    }

    /// Gives back the room.
    pub(crate) fn done(self) {
        SPARE.set(self);
    }

    /// Position of the byte that ends each cell.
    pub(crate) fn cells(&self) -> &[u32] {
        &self.cells[..self.count]
    }

    /// The index of a text that ends with its last record.
    pub(crate) fn of(bytes: &[u8], marks: Marks) -> Self {
        let mut index = Self::spare();
        index.fill(bytes, marks);
        index.close(bytes);
        index
    }

    /// Indexes `bytes`, which start at a record and are shorter than 4 GiB. What was in `self` is lost. A last record that
    /// no line end ends is not yet one: see [`Index::close`] and [`Index::cut`].
    pub(crate) fn fill(&mut self, bytes: &[u8], marks: Marks) {
        if marks.escape == Escape::Double {
            simd::run(Fill { index: self, bytes, marks });
            if self.regular {
                return;
            }
        }
        plain::fill(self, bytes, marks);
    }

    fn clear(&mut self) {
        self.count = 0;
        self.records = 0;
        self.malformed.clear();
        self.regular = true;
        self.quoted_lines = false;
        self.feeds = false;
        self.open = false;
        self.lines = 0;
    }

    fn push(&mut self, cell: usize) {
        if self.count == self.cells.len() {
            self.cells.resize(self.count * 2 + 64, 0);
        }
        self.cells[self.count] = cell as u32;
        self.count += 1;
    }

    /// Ends a record with the last cell.
    fn end_record(&mut self) {
        if self.records == self.ends.len() {
            self.ends.resize(self.records * 2 + 64, 0);
        }
        self.ends[self.records] = self.count as u32;
        self.records += 1;
    }

    /// Ends the last record when no line end does.
    pub(crate) fn close(&mut self, bytes: &[u8]) {
        if self.ended() < self.count || self.end_of_records(bytes) < bytes.len() {
            self.push(bytes.len());
            self.end_record();
        }
    }

    /// Leaves out what follows the last record that a line end ends.
    pub(crate) fn cut(&mut self) {
        self.count = self.ended();
        let records = self.records as u32;
        self.malformed.retain(|&record| record < records);
    }

    /// Where what follows the last record that a line end ends begins.
    pub(crate) fn end_of_records(&self, bytes: &[u8]) -> usize {
        self.cells()[..self.ended()].last().map_or(0, |&cell| after_line_end(bytes, cell as usize))
    }

    /// Cells of records that are ended.
    fn ended(&self) -> usize {
        self.ends().last().copied().unwrap_or(0) as usize
    }
}

/// The position after the delimiter or line end at `position`, where CRLF is one.
pub(crate) fn after_line_end(bytes: &[u8], position: usize) -> usize {
    position + 1 + usize::from(bytes[position] == b'\r' && bytes.get(position + 1) == Some(&b'\n'))
}

/// The state that goes from one block of 64 bytes to the next: all ones or zero, or one bit.
struct Carry {
    inside: u64,
    after_mark: u64,
    after_close: u64,
    after_return: u64,
}

/// What one block holds, a bit for each byte.
struct Block {
    /// Line ends, CRLF as its CR, wherever they stand.
    lines: u64,
    /// Carriage returns.
    returns: u64,
    /// Line ends outside quotes.
    terminators: u64,
    /// Delimiters outside quotes.
    delimiters: u64,
    /// Quotes where none may be, or their neighbours.
    irregular: u64,
}

impl Carry {
    /// The state at the start of a record.
    fn start() -> Self {
        Self { inside: 0, after_mark: 1, after_close: 0, after_return: 0 }
    }

    /// Reads one block, of which the bytes in `valid` are text.
    #[inline(always)]
    fn block<K: Kernel>(&mut self, kernel: K, block: &[u8; 64], marks: Marks, valid: u64) -> Block {
        let quotes = kernel.equal(block, marks.quote) & valid;
        let delimiters = kernel.equal(block, marks.delimiter) & valid;
        let returns = kernel.equal(block, b'\r') & valid;
        let feeds = kernel.equal(block, b'\n') & valid;

        let inside = kernel.prefix_xor(quotes) ^ self.inside;
        let (opening, closing) = (quotes & inside, quotes & !inside);
        let ends = delimiters | returns | feeds;
        let neighbours = ends | quotes;
        let before = (neighbours << 1) | self.after_mark;
        let after_close = (closing << 1) | self.after_close;
        let irregular = (opening & !before) | (after_close & !neighbours & valid);
        let lines = returns | (feeds & !((returns << 1) | self.after_return));

        self.inside = ((inside as i64) >> 63) as u64;
        self.after_mark = neighbours >> 63;
        self.after_close = closing >> 63;
        self.after_return = returns >> 63;
        Block { lines, returns, terminators: lines & !inside, delimiters: delimiters & !inside, irregular }
    }
}

/// The blocks of 64 bytes of a text, each with its position and the bits that are text. An iterator without closures,
/// because a closure would not be compiled for the processor that the walk around it is compiled for.
struct Blocks<'a> {
    whole: std::slice::Iter<'a, [u8; 64]>,
    /// The last block, filled up with zeros.
    rest: Option<(&'a [u8; 64], u64)>,
    position: usize,
}

impl<'a> Blocks<'a> {
    #[inline(always)]
    fn new(bytes: &'a [u8], last: &'a mut [u8; 64]) -> Self {
        let (whole, rest) = bytes.as_chunks::<64>();
        last[..rest.len()].copy_from_slice(rest);
        let rest = if rest.is_empty() { None } else { Some((&*last, (1 << rest.len()) - 1)) };
        Self { whole: whole.iter(), rest, position: 0 }
    }

    /// Whether there is another one.
    #[inline(always)]
    fn more(&self) -> bool {
        !self.whole.as_slice().is_empty() || self.rest.is_some()
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = (usize, &'a [u8; 64], u64);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let position = self.position;
        self.position += 64;
        if let Some(block) = self.whole.next() {
            return Some((position, block, u64::MAX));
        }
        let (block, valid) = self.rest.take()?;
        Some((position, block, valid))
    }
}

/// [`Index::fill`] for doubled quotes.
struct Fill<'a> {
    index: &'a mut Index,
    bytes: &'a [u8],
    marks: Marks,
}

impl Work for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) {
        fill_with(kernel, self.index, self.bytes, self.marks);
    }
}

/// The walk behind [`Index::fill`]; stops at the first irregular block.
#[inline(always)]
fn fill_with<K: Kernel>(kernel: K, index: &mut Index, bytes: &[u8], marks: Marks) {
    index.clear();
    let mut carry = Carry::start();
    let (mut irregular, mut quoted_lines, mut returns, mut lines) = (0, 0, 0, 0);
    let (mut count, mut records) = (0, 0);
    let mut last = [0; 64];
    let mut blocks = Blocks::new(bytes, &mut last);
    // Room is made for many blocks at once: in a loop that calls nothing, what is needed for each block stays in
    // registers, and the next one is fetched meanwhile.
    while irregular == 0 && blocks.more() {
        let cells = room(&mut index.cells, count);
        let ends = room(&mut index.ends, records);
        let (mut cell, mut record) = (0, 0);
        for _ in 0..BLOCKS_AT_ONCE {
            let Some((position, block, valid)) = blocks.next() else { break };
            let found = carry.block(kernel, block, marks, valid);
            irregular |= found.irregular;
            quoted_lines |= found.lines & !found.terminators;
            returns |= found.returns;
            let all = found.terminators | found.delimiters;
            let mut terminators = found.terminators;
            if terminators != 0 {
                index.lines = lines + u64::from((found.lines << terminators.leading_zeros()).count_ones());
            }
            lines += u64::from(found.lines.count_ones());
            while terminators != 0 {
                let up_to = terminators ^ (terminators - 1);
                ends[record] = (count + cell) as u32 + (all & up_to).count_ones();
                record += 1;
                terminators &= terminators - 1;
            }
            kernel.places(all, position as u32, cells[cell..].first_chunk_mut().expect("there is room"));
            cell += all.count_ones() as usize;
        }
        count += cell;
        records += record;
    }
    index.count = count;
    index.records = records;
    index.regular = irregular == 0;
    index.quoted_lines = quoted_lines != 0;
    index.feeds = returns == 0;
    index.open = carry.inside != 0;
}

/// Blocks that room is made for at once.
const BLOCKS_AT_ONCE: usize = 64;

/// Room behind the first places, for whatever so many blocks hold.
fn room(places: &mut Vec<u32>, used: usize) -> &mut [u32] {
    let wanted = used + BLOCKS_AT_ONCE * 64;
    if places.len() < wanted {
        places.resize(wanted.max(used * 2), 0);
    }
    &mut places[used..]
}
