//! Sources as written in a pipeline file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::store::S3Access;

mod postgres;

pub use postgres::{PostgresSource, PostgresTls, PostgresTlsMode};

/// What a delimiter or quote character looks like: one ASCII character that prints, or a tab.
pub const ASCII_PATTERN: &str = "^[ -~\\t]$";

/// A source; its one key names the component.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceSpec {
    /// Files in a folder or an object store, one after another in name order.
    Files(FilesSource),
    /// Rows of a PostgreSQL table or query.
    Postgres(PostgresSource),
}

/// Files to read: CSV, TSV, JSON Lines or Parquet, one file, a glob or a folder.
/// Columns are matched by name across files; a column that a file lacks is null there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSource {
    /// A file, a glob (`*`, `**`, `?`, `[…]`) or a folder, relative to the pipeline file, or a URL
    /// `s3://bucket/key`. Example: `data/flow_changes.jsonl`.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Format of the files. Unset: told by the extension before any compression suffix.
    #[serde(default)]
    pub format: Option<SourceFormat>,
    /// Compression of the files. Unset: told by the extension `.gz` or `.zst`.
    #[serde(default)]
    pub compression: Option<SourceCompression>,
    /// Column names in order, for CSV and TSV without a header; for JSON Lines, columns that may
    /// be absent from the files read.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// CSV only: one ASCII character between cells. Default `,` (tab for `tsv`).
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = ASCII_PATTERN))]
    pub delimiter: Option<char>,
    /// CSV only: the quote character. Default `"`.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = ASCII_PATTERN))]
    pub quote: Option<char>,
    /// CSV only: how a quote is written inside a quoted cell. Default `double`.
    #[serde(default)]
    pub escape: Option<EscapeSpec>,
    /// CSV only: whether the first record of each file names the columns. Default `true`.
    #[serde(default)]
    pub header: Option<bool>,
    /// CSV only: the unquoted text that means null. Default: the empty cell.
    #[serde(default)]
    pub null_text: Option<String>,
    /// CSV and JSON Lines: character encoding, a WHATWG label such as `utf-8`, `utf-16le`, `windows-1252`.
    /// Default `utf-8`; a byte order mark is skipped.
    #[serde(default)]
    pub encoding: Option<String>,
    /// Access to the store that a URL names.
    #[serde(default)]
    pub s3: Option<S3Access>,
}

/// Formats that the `files` source reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceFormat {
    /// Comma-separated values, RFC 4180 and its dialects.
    Csv,
    /// Tab-separated values.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// Compressions that the `files` source undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceCompression {
    /// As it is.
    None,
    /// Gzip (RFC 1952), several members allowed.
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// How a quote character is written inside a quoted cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EscapeSpec {
    /// The quote is doubled (RFC 4180 §2.7).
    Double,
    /// A back-slash stands before it.
    Backslash,
}
