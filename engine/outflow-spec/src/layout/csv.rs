//! The CSV dialect of the `files` layout as written in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::{ASCII_PATTERN, EscapeSpec};

/// The CSV dialect that is written. RFC 4180 with `\n` line ends unless told otherwise.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvSpec {
    /// One ASCII character between cells. Default `,` (tab for `tsv`).
    #[schemars(with = "Option<String>", regex(pattern = ASCII_PATTERN))]
    pub delimiter: Option<char>,
    /// The quote character. Default `"`.
    #[schemars(with = "Option<String>", regex(pattern = ASCII_PATTERN))]
    pub quote: Option<char>,
    /// How a quote is written inside a quoted cell. Default `double`.
    pub escape: Option<EscapeSpec>,
    /// Which cells are quoted. Default `minimal`.
    pub quote_mode: Option<QuoteModeSpec>,
    /// What ends a record. Default `lf`.
    pub terminator: Option<TerminatorSpec>,
    /// Whether the first record names the columns. Default `true`.
    pub header: Option<bool>,
    /// How null is written, unquoted. Default: the empty cell; an empty text is then written `""`.
    pub null_text: Option<String>,
    /// Starts the file with a byte order mark. Default `false`.
    pub bom: Option<bool>,
    /// Character encoding, a WHATWG label. Default `utf-8`.
    pub encoding: Option<String>,
    /// What becomes of a line break inside a cell. Default `keep`.
    pub newline_in_cell: Option<NewlineSpec>,
    /// Writes a list as its elements with this text between them; a row with an element that holds the text goes to
    /// the dead-letter file. Unset: a list is written as JSON. Example: `|`.
    #[schemars(length(min = 1))]
    pub list_separator: Option<String>,
}

/// Which cells are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuoteModeSpec {
    /// Those that need it.
    Minimal,
    /// All but nulls.
    Always,
    /// None; a cell that would need it is an error.
    Never,
}

/// What ends a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminatorSpec {
    /// Line feed.
    Lf,
    /// Carriage return and line feed.
    Crlf,
}

/// What becomes of a line break inside a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NewlineSpec {
    /// It stays, and the cell is quoted.
    Keep,
    /// It becomes one space; so does a carriage return, alone or before it.
    Space,
}
