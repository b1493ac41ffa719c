//! Texts put together row by row: fixed pieces, and the cells of columns.

use arrow::array::StringViewArray;

use crate::copy::{PADDING, Window};
use crate::encode::Text;
use crate::error::Result;
use crate::views::TextBuilder;

#[cfg(test)]
mod tests;

/// A part of the text of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The same in every row.
    Text(String),
    /// The cell of a column, by its number.
    Value {
        /// Which column.
        column: usize,
        /// What stands for null.
        null: String,
        /// What stands for an empty text.
        empty: String,
    },
}

impl Part {
    /// What is the same in every row.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Value { .. } => "",
        }
    }
}

/// A [`Part`], ready to be copied.
enum Piece<'a> {
    Text(Window<'a>),
    Value { cells: &'a Text<'a>, null: Window<'a>, empty: Window<'a> },
}

/// Joins the parts of every row. Errors: texts of more than 4 GiB.
pub fn join(parts: &[Part], columns: &[&StringViewArray], rows: usize) -> Result<StringViewArray> {
    let columns = columns.iter().map(|column| Text::new(column)).collect::<Vec<_>>();
    let mut texts = Vec::new();
    let mut keep = |text: &str| {
        let begin = texts.len();
        texts.extend_from_slice(text.as_bytes());
        texts.extend_from_slice(&[0; PADDING]);
        begin..begin + text.len()
    };
    let ranges = parts.iter().map(|part| match part {
        Part::Text(text) => (keep(text), 0..0),
        Part::Value { null, empty, .. } => (keep(null), keep(empty)),
    });
    let ranges = ranges.collect::<Vec<_>>();
    let window = |range: &std::ops::Range<usize>| Window::new(&texts, range.start, range.end);
    let pieces = parts.iter().zip(&ranges).map(|(part, (first, second))| match part {
        Part::Text(_) => Piece::Text(window(first)),
        Part::Value { column, .. } => {
            Piece::Value { cells: &columns[*column], null: window(first), empty: window(second) }
        }
    });
    let pieces = pieces.collect::<Vec<_>>();
    let mut joined = TextBuilder::with_capacity(rows, rows * 16 * parts.len());
    for row in 0..rows {
        joined.push_with(|out| {
            for piece in &pieces {
                out.push_window(match piece {
                    Piece::Text(text) => *text,
                    Piece::Value { cells, null, empty } => match cells.get(row) {
                        None => *null,
                        Some(cell) if cell.text().is_empty() => *empty,
                        Some(cell) => cell,
                    },
                });
            }
        });
    }
    joined.finish()
}
