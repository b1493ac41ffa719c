//! The byte-by-byte definition of delimited text, for every dialect and for text that breaks the rules.
//!
//! A quote opens a quoted cell only as the first byte of a cell; anywhere else in an unquoted cell it is text. CR, LF
//! and CRLF end a record outside quotes. Text after a closing quote makes the record malformed; its cells go on as if
//! unquoted, so that the record still ends where a reader would think it does.

use super::{Index, Marks, after_line_end};
use crate::format::Escape;

/// Where the machine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of a cell.
    Start,
    /// In an unquoted cell.
    Bare,
    /// Inside quotes.
    Quoted,
    /// After a back-slash inside quotes.
    Escaped,
    /// After a quote that closes the cell, unless another one follows.
    Closed,
}

/// What a byte did.
enum Event {
    Nothing,
    /// The byte ends a cell.
    Cell,
    /// The byte ends a record; LF after CR does not count again.
    Record,
    /// A line end inside quotes.
    Line,
    /// The byte follows a closing quote, but may not.
    Malformed,
}

struct Machine {
    marks: Marks,
    state: State,
    after_return: bool,
}

impl Machine {
    fn new(marks: Marks) -> Self {
        Self { marks, state: State::Start, after_return: false }
    }

    fn open(&self) -> bool {
        matches!(self.state, State::Quoted | State::Escaped)
    }

    fn step(&mut self, byte: u8) -> Event {
        use State::{Bare, Closed, Escaped, Quoted, Start};
        let line_end = byte == b'\r' || byte == b'\n';
        let second = byte == b'\n' && std::mem::replace(&mut self.after_return, byte == b'\r');
        if byte != b'\n' {
            self.after_return = byte == b'\r';
        }
        if self.open() {
            self.state = match self.state {
                Escaped => Quoted,
                _ if byte == self.marks.quote => Closed,
                _ if byte == b'\\' && self.marks.escape == Escape::Backslash => Escaped,
                _ => Quoted,
            };
            return if line_end && !second { Event::Line } else { Event::Nothing };
        }
        if second {
            return Event::Nothing;
        }
        let (next, event) = match self.state {
            _ if byte == self.marks.delimiter => (Start, Event::Cell),
            _ if line_end => (Start, Event::Record),
            Start if byte == self.marks.quote => (Quoted, Event::Nothing),
            Closed if byte == self.marks.quote && self.marks.escape == Escape::Double => (Quoted, Event::Nothing),
            Closed => (Bare, Event::Malformed),
            _ => (Bare, Event::Nothing),
        };
        self.state = next;
        event
    }
}

/// [`Index::fill`] for every dialect.
pub(super) fn fill(index: &mut Index, bytes: &[u8], marks: Marks) {
    index.clear();
    let mut machine = Machine::new(marks);
    let mut lines = 0;
    for (position, &byte) in bytes.iter().enumerate() {
        match machine.step(byte) {
            Event::Nothing => {}
            Event::Cell => index.push(position),
            Event::Record => {
                index.push(position);
                index.end_record();
                lines += 1;
                index.lines = lines;
            }
            Event::Line => {
                index.quoted_lines = true;
                lines += 1;
            }
            Event::Malformed => {
                let record = index.records as u32;
                if index.malformed.last() != Some(&record) {
                    index.malformed.push(record);
                }
            }
        }
    }
    index.open = machine.open();
    // Who asked could not tell.
    index.regular = false;
}

/// The length of the first record of `bytes` with its line end, or `None` when it does not end.
pub(crate) fn first_record(bytes: &[u8], marks: Marks) -> Option<usize> {
    let mut machine = Machine::new(marks);
    let position = bytes.iter().position(|&byte| matches!(machine.step(byte), Event::Record))?;
    Some(after_line_end(bytes, position))
}
