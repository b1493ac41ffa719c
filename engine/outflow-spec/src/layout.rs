//! Layouts as written in a pipeline file: the built-in `files` layout, and any plugin by its name.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::{ASCII_PATTERN, EscapeSpec};

/// A layout; its one key names the component.
#[derive(Clone, Debug)]
pub enum LayoutSpec {
    /// The built-in layout, described in YAML.
    Files(Box<FilesLayout>),
    /// A layout plugin and its options, checked against the plugin's own schema.
    Plugin {
        /// Name of the plugin. Example: `simon`.
        name: String,
        /// Its options, as JSON.
        options: serde_json::Value,
    },
}

/// Rows to files, described in YAML. Templates are minijinja, strict, over `pipeline`, `at`, `window_start`,
/// `window_end`, `partition`, `part`, `nonce`, `rows` (in `companions` also `file`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesLayout {
    /// Template of each file's path below the sink.
    /// Example: `{{ at | date('%Y/%m/%d') }}/{{ partition.country }}_{{ nonce[:8] }}.csv`.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Format of the files.
    pub format: LayoutFormat,
    /// CSV and TSV: the dialect.
    #[serde(default)]
    pub csv: CsvSpec,
    /// JSON Lines: leaves null members out. Default `false`.
    #[serde(default)]
    pub omit_null: bool,
    /// Columns whose values split the rows into files; each value is `partition.<column>` in templates.
    #[serde(default)]
    pub split_by: Vec<String>,
    /// Keeps the columns of `split_by` in the files. Default `true`.
    #[serde(default)]
    pub keep_split_columns: Option<bool>,
    /// Container around each file. Default `none`.
    #[serde(default)]
    pub compression: LayoutCompression,
    /// Zip only: template of the entry's name. Default: the file's name with the format's extension.
    #[serde(default)]
    pub entry: Option<String>,
    /// What a run without rows writes. Default `skip`.
    #[serde(default)]
    pub when_empty: WhenEmptySpec,
    /// Files that follow each data file, published after it.
    #[serde(default)]
    pub companions: Vec<CompanionSpec>,
}

/// Formats that the `files` layout writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayoutFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// Tab-separated values.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet, Zstandard-compressed pages.
    Parquet,
}

/// Containers that the `files` layout writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayoutCompression {
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

/// What a run without rows writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenEmptySpec {
    /// No file.
    #[default]
    Skip,
    /// A file with its header only.
    Write,
}

/// A file that follows a data file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompanionSpec {
    /// Template of its path. Example: `{{ file.path }}.count`.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Template of its content. Example: `{{ rows }}`.
    pub body: String,
}

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
