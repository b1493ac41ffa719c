//! Columns that stand side by side in the files and in what is written, and that nothing changes on the way. Of such a
//! stretch the column of one, the carrier, holds the cells of all as the text they stand in, delimiters and quotes
//! included, so that a record's cells are neither taken apart nor put together. A record that this crate would have
//! written in other words is put into those as it is read, so what is written is the same either way.

use std::borrow::Cow;

use arrow::datatypes::{DataType, Field, Schema};

use super::write::CsvEncoder;
use super::{Row, unescape};
use crate::copy::{Page, Window};
use crate::error::Result;
use crate::format::{Dialect, Escape, NewlineInCell, QuoteMode};
use crate::scan::{Index, Marks};
use crate::views::{self, Column};

/// Columns whose cells are kept as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The place of the first one among the columns that are written.
    pub first: usize,
    /// The columns, two at least, in order.
    pub columns: Vec<Member>,
    /// The place of the carrier in `columns`. Nothing reads it by itself.
    pub carrier: usize,
}

/// A column of a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name in the files.
    pub name: String,
    /// Whether something reads it by itself; it is decoded then, too.
    pub read: bool,
}

impl Stretch {
    /// Whether files of one dialect have their cells in a form that files of another can take over.
    pub fn possible(read: &Dialect, written: &Dialect) -> bool {
        let as_here = |dialect: &Dialect| dialect.escape == Escape::Double && dialect.null_text.is_empty();
        (read.delimiter, read.quote) == (written.delimiter, written.quote)
            && as_here(read)
            && as_here(written)
            && written.quote_mode == QuoteMode::Minimal
            && written.newline_in_cell == NewlineInCell::Keep
            && written.encoding == encoding_rs::UTF_8
    }

    /// The places of its columns among those that are written.
    pub(crate) fn places(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.columns.len()
    }

    /// What is known of a column by its name: whether it holds the text of all, or nothing that anybody reads.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        let place = self.columns.iter().position(|member| member.name == name)?;
        match self.columns[place].read {
            _ if place == self.carrier => Some(Role::Carrier),
            true => None,
            false => Some(Role::Idle),
        }
    }
}

/// What becomes of a column that nothing reads by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Carrier,
    Idle,
}

/// Cells of which the first bytes are looked at sooner than all bytes at once.
const FEW: usize = 16;

/// A stretch in the files of one header.
#[derive(Debug)]
pub(super) struct Located {
    /// The numbers of its columns, where the files have them.
    numbers: Vec<Option<usize>>,
    /// The number of the first one, if they stand there side by side.
    together: Option<usize>,
    marks: Marks,
    encoder: CsvEncoder,
}

impl Located {
    /// Finds a stretch among the columns of a file.
    pub(super) fn new(stretch: &Stretch, dialect: &Dialect, file_columns: &[String]) -> Result<Self> {
        let number = |member: &Member| file_columns.iter().position(|column| *column == member.name);
        let numbers = stretch.columns.iter().map(number).collect::<Vec<_>>();
        let side_by_side = numbers.windows(2).all(|pair| pair[0].is_some_and(|left| pair[1] == Some(left + 1)));
        let written = Dialect { delimiter: dialect.delimiter, quote: dialect.quote, ..Dialect::default() };
        let field = |member: &Member| Field::new(&member.name, DataType::Utf8View, true);
        let schema = Schema::new(stretch.columns.iter().map(field).collect::<Vec<_>>());
        Ok(Self {
            together: numbers[0].filter(|_| side_by_side),
            numbers,
            marks: Marks::new(dialect),
            encoder: CsvEncoder::new(&written, &schema, &[])?,
        })
    }

    /// Appends the text of the stretch in each row.
    pub(super) fn append(&self, bytes: &[u8], index: &Index, rows: &[Row], column: &mut Column) {
        for &row in rows {
            let view = match self.standing(bytes, index, row) {
                Some((begin, end)) => views::view(bytes, begin, end, views::CHUNK),
                None => column.unescaped(|side| self.rewrite(bytes, index.cells(), row, side)),
            };
            column.views.push(view);
        }
    }

    /// Where the text stands in the record, if it does in the form in which it is written.
    #[inline(always)]
    fn standing(&self, bytes: &[u8], index: &Index, row: Row) -> Option<(usize, usize)> {
        let (first, cells, quote) = (self.together?, index.cells(), self.marks.quote);
        let numbers = first..first + self.numbers.len();
        let (begin, end) = (row.bounds(cells, first).0, row.bounds(cells, numbers.end - 1).1);
        // Outside quotes nothing but a quote would be put into them; and where quotes are regular, a cell that has one
        // begins with it.
        let plain = if index.regular && numbers.len() <= FEW {
            numbers.clone().all(|number| bytes.get(row.bounds(cells, number).0) != Some(&quote))
        } else {
            memchr::memchr(quote, &bytes[begin..end]).is_none()
        };
        let is_ours = plain || numbers.into_iter().all(|number| self.is_ours(bytes, row.bounds(cells, number)));
        is_ours.then_some((begin, end))
    }

    /// Whether a cell would be written as it stands.
    fn is_ours(&self, bytes: &[u8], (begin, end): (usize, usize)) -> bool {
        match &bytes[begin..end] {
            [first, inner @ .., _] if *first == self.marks.quote => self.encoder.quotes(inner),
            cell => memchr::memchr(self.marks.quote, cell).is_none(),
        }
    }

    /// Appends the text of a row as it is written.
    fn rewrite(&self, bytes: &[u8], cells: &[u32], row: Row, side: &mut Vec<u8>) {
        let mut page = Page::after(std::mem::take(side));
        for &number in &self.numbers {
            let (begin, end) = number.map_or((0, 0), |number| row.bounds(cells, number));
            let cell = match &bytes[begin..end] {
                [first, inner @ .., _] if *first == self.marks.quote => {
                    let mut text = Vec::new();
                    unescape(inner, self.marks, &mut text);
                    Some(Cow::Owned(text))
                }
                [] => None,
                cell => Some(Cow::Borrowed(cell)),
            };
            self.encoder.keep(cell.as_deref().map(Window::of), &mut page);
        }
        page.truncate(page.len() - 1);
        *side = page.into_bytes();
    }
}
