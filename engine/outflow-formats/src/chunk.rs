//! Cuts a text file into pieces of about a megabyte that hold whole records. Decodes nothing.

use std::io::Read;

use crate::error::{Error, Result};
use crate::format::Dialect;
use crate::scan::{Index, Marks, after_line_end, plain};
use crate::simd::{self, Kernel, Work};

#[cfg(test)]
mod tests;

/// Whole records of a file.
#[derive(Debug)]
pub struct Chunk {
    /// The text.
    pub bytes: Vec<u8>,
    /// Physical line of the file that the chunk starts on, from 1. CR, LF and CRLF each end a line.
    pub first_line: u64,
    /// Whether the chunk is one line that opens a quote which nothing closes.
    pub(crate) unclosed: bool,
    /// Where its cells and records end, if that is known.
    pub(crate) index: Option<Index>,
}

/// How much of a text is whole records.
struct Extent {
    /// Position after the last whole record.
    end: usize,
    /// Line ends before `end`, those inside quotes included.
    lines: u64,
    /// Whether the text ends inside quotes.
    open: bool,
    /// Where cells and records end, those behind `end` included.
    index: Option<Index>,
}

/// Reads a file in [`Chunk`]s, in order. Pass it to one thread and the chunks to many.
pub struct Chunker<R> {
    reader: R,
    /// `None` when every line is a record.
    marks: Option<Marks>,
    buffer: Vec<u8>,
    line: u64,
    ended: bool,
    chunk_bytes: usize,
    record_limit: usize,
    unclosed: usize,
}

/// Unclosed quotes after which the rest of a file is given up as one record. Each one costs another look at what is
/// left of the file.
const UNCLOSED_LIMIT: usize = 100;

impl<R: Read> Chunker<R> {
    /// A chunker for delimited text. Line ends inside quotes do not end a record.
    pub fn csv(reader: R, dialect: &Dialect) -> Self {
        Self::new(reader, Some(Marks::new(dialect)))
    }

    /// A chunker for text in which every line is a record, such as JSON Lines.
    pub fn lines(reader: R) -> Self {
        Self::new(reader, None)
    }

    fn new(reader: R, marks: Option<Marks>) -> Self {
        Self {
            reader,
            marks,
            buffer: Vec::new(),
            line: 1,
            ended: false,
            chunk_bytes: 1 << 20,
            record_limit: 64 << 20,
            unclosed: 0,
        }
    }

    /// Sets the size of a chunk; default 1 MiB.
    pub fn with_chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes.max(1);
        self
    }

    /// Sets how long one record may be; default 64 MiB.
    pub fn with_record_limit(mut self, bytes: usize) -> Self {
        self.record_limit = bytes;
        self
    }

    /// Takes the first record that is not an empty line, such as a header, or `None` when there is none.
    pub fn first_record(&mut self) -> Result<Option<Chunk>> {
        let mut target = self.chunk_bytes.min(64 << 10);
        loop {
            self.read_up_to(target)?;
            let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
            if let Some(length @ 1..) = self.buffer[..self.usable()].iter().position(|byte| !blank(byte)) {
                self.line += line_ends(&self.buffer[..length]);
                self.buffer.drain(..length);
            }
            let usable = self.usable();
            let length = match self.marks {
                _ if self.buffer[..usable].iter().all(blank) => None,
                Some(marks) => plain::first_record(&self.buffer[..usable], marks),
                None => memchr::memchr2(b'\r', b'\n', &self.buffer[..usable])
                    .map(|position| after_line_end(&self.buffer, position)),
            };
            match length {
                Some(length) => return Ok(Some(self.take(length))),
                None if !self.ended => {
                    self.check_limit()?;
                    target = target.max(self.buffer.len()) * 2;
                }
                None if self.buffer.iter().all(blank) => return Ok(None),
                None if self.measure(self.buffer.len()).open => {
                    return Err(Error::data(format!("the quote opened on line {} is never closed", self.line)));
                }
                None => return Ok(Some(self.take(self.buffer.len()))),
            }
        }
    }

    /// Reads the next chunk, or `None` at the end of the file.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut target = self.chunk_bytes;
        loop {
            self.read_up_to(target)?;
            if self.buffer.is_empty() {
                return Ok(None);
            }
            let Extent { end, lines, open, mut index } = self.measure(self.usable());
            if self.ended && !open {
                index.iter_mut().for_each(|index| index.close(&self.buffer));
                return Ok(Some(Chunk { index, ..self.take(self.buffer.len()) }));
            }
            if end > 0 {
                index.iter_mut().for_each(Index::cut);
                return Ok(Some(Chunk { index, ..self.cut(end, lines) }));
            }
            if self.ended {
                return Ok(Some(self.give_up_line()));
            }
            self.check_limit()?;
            target = target.max(self.buffer.len()) * 2;
        }
    }

    fn read_up_to(&mut self, target: usize) -> Result<()> {
        let missing = target.saturating_sub(self.buffer.len());
        if missing == 0 || self.ended {
            return Ok(());
        }
        // In memory of the thread that reads: what another one has used is slow to write where they do not share a cache.
        let mut buffer = Vec::with_capacity(target);
        buffer.extend_from_slice(&self.buffer);
        self.buffer = buffer;
        let read = self
            .reader
            .by_ref()
            .take(missing as u64)
            .read_to_end(&mut self.buffer)
            .map_err(|source| Error::io(&format!("reading after line {}", self.line), source))?;
        self.ended = read < missing;
        Ok(())
    }

    /// How much of the buffer can be judged: a CR at its end may be half of a CRLF.
    fn usable(&self) -> usize {
        let half = !self.ended && self.buffer.last() == Some(&b'\r');
        self.buffer.len() - usize::from(half)
    }

    fn measure(&self, length: usize) -> Extent {
        let bytes = &self.buffer[..length];
        match self.marks {
            Some(marks) => {
                let mut index = Index::spare();
                index.fill(bytes, marks);
                let (end, lines, open) = (index.end_of_records(bytes), index.lines, index.open);
                Extent { end, lines, open, index: Some(index) }
            }
            None => {
                let end = memchr::memrchr2(b'\r', b'\n', bytes).map_or(0, |position| position + 1);
                Extent { end, lines: line_ends(&bytes[..end]), open: false, index: None }
            }
        }
    }

    fn check_limit(&self) -> Result<()> {
        if self.buffer.len() < self.record_limit {
            return Ok(());
        }
        let quote = if self.marks.is_some() { "; is a quote not closed?" } else { "" };
        let (line, limit) = (self.line, self.record_limit);
        Err(Error::data(format!("the record that starts on line {line} is longer than {limit} bytes{quote}")))
    }

    /// Rejects the first line of a record that never closes its quote, so that reading goes on after it.
    fn give_up_line(&mut self) -> Chunk {
        self.unclosed += 1;
        let end = if self.unclosed > UNCLOSED_LIMIT { None } else { memchr::memchr2(b'\r', b'\n', &self.buffer) };
        let length = end.map_or(self.buffer.len(), |position| after_line_end(&self.buffer, position));
        Chunk { unclosed: true, ..self.take(length) }
    }

    fn take(&mut self, length: usize) -> Chunk {
        let lines = line_ends(&self.buffer[..length]);
        self.cut(length, lines)
    }

    fn cut(&mut self, length: usize, lines: u64) -> Chunk {
        let rest = self.buffer[length..].to_vec();
        self.buffer.truncate(length);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let chunk = Chunk { bytes, first_line: self.line, unclosed: false, index: None };
        self.line += lines;
        chunk
    }
}

impl<R: Read> Iterator for Chunker<R> {
    type Item = Result<Chunk>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk().transpose()
    }
}

/// The number of line ends, CRLF counted once.
pub(crate) fn line_ends(bytes: &[u8]) -> u64 {
    simd::run(LineEnds(bytes))
}

struct LineEnds<'a>(&'a [u8]);

impl Work for LineEnds<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> u64 {
        let (blocks, rest) = self.0.as_chunks::<64>();
        let mut last = [0; 64];
        last[..rest.len()].copy_from_slice(rest);
        let (mut count, mut after_return) = (0, 0);
        for block in blocks.iter().chain([&last]) {
            let (returns, feeds) = (kernel.equal(block, b'\r'), kernel.equal(block, b'\n'));
            count += u64::from((returns | (feeds & !(returns << 1 | after_return))).count_ones());
            after_return = returns >> 63;
        }
        count
    }
}
