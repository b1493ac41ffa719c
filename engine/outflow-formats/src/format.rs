//! What a written file looks like: format, CSV dialect, JSON style and container.

/// Format of a written file.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// Delimited text.
    Csv(Dialect),
    /// One JSON object a line.
    JsonLines(JsonStyle),
    /// One JSON array of objects, one an element and a line.
    JsonArray(JsonStyle),
    /// One JSON object with a member a row.
    JsonObject(JsonObject),
    /// Apache Parquet.
    Parquet,
}

/// A CSV dialect; the default is RFC 4180 with `\n` line ends, UTF-8.
#[derive(Clone, Debug, PartialEq)]
pub struct Dialect {
    /// One ASCII byte between cells.
    pub delimiter: u8,
    /// The quote byte.
    pub quote: u8,
    /// How a quote is written inside a quoted cell.
    pub escape: Escape,
    /// Which cells are quoted when writing.
    pub quote_mode: QuoteMode,
    /// What ends a record when writing. Both are read.
    pub terminator: Terminator,
    /// Whether the first record names the columns.
    pub header: bool,
    /// The unquoted text that means null; an empty text that is not null is quoted when the two would be alike.
    pub null_text: String,
    /// Starts a written file with a byte order mark.
    pub bom: bool,
    /// Character encoding.
    pub encoding: &'static encoding_rs::Encoding,
    /// What parts the elements of a list in its cell when writing; none = lists are JSON.
    pub list_separator: Option<String>,
    /// What becomes of line ends inside cells when writing.
    pub newline_in_cell: NewlineInCell,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            escape: Escape::Double,
            quote_mode: QuoteMode::Minimal,
            terminator: Terminator::Lf,
            header: true,
            null_text: String::new(),
            bom: false,
            encoding: encoding_rs::UTF_8,
            list_separator: None,
            newline_in_cell: NewlineInCell::Keep,
        }
    }
}

/// How a quote is written inside a quoted cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Doubled (RFC 4180 §2.7).
    Double,
    /// A back-slash before it.
    Backslash,
}

/// Which cells are quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuoteMode {
    /// Those that need it.
    Minimal,
    /// All but nulls.
    Always,
    /// None; a cell that would need it is an error.
    Never,
}

/// What ends a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// Line feed.
    Lf,
    /// Carriage return and line feed.
    Crlf,
}

/// What becomes of a line end inside a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewlineInCell {
    /// It stays.
    Keep,
    /// One space stands for it.
    Space,
}

/// How JSON is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonStyle {
    /// Leaves null members out.
    pub omit_null: bool,
}

/// A JSON document with a member for each row: `{"<root>": {"<key of the row>": {…}, …}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonObject {
    /// The column that names the member; it is not repeated in the value.
    pub key: String,
    /// The one member of the document that holds them all; none = they are the document's own.
    pub root: Option<String>,
    /// How values are written.
    pub style: JsonStyle,
}

/// Container around a written file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// The file itself.
    #[default]
    None,
    /// Gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// A zip archive with one entry.
    Zip,
}
