//! The built-in `files` layout as written in a pipeline file. What an option means for another is linted, not typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ByteSize, CsvSpec};

/// Rows to files, described in YAML. Templates are minijinja, strict, over `pipeline`, `output`, `at`,
/// `window_start`, `window_end`, `partition`, `part`, `counter`, `nonce`, and of the written file, unless it is a zip,
/// `rows`, `bytes` and `sha256`. Beside the filters of minijinja there are `date(format, zone=…)` and `unix` for times, `pad(width)`,
/// `slug` and `tojson`.
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
    /// `json_object` only: the shape of the document.
    #[serde(default)]
    pub json: JsonObjectSpec,
    /// JSON formats: leaves null members out. Default `false`.
    #[serde(default)]
    pub omit_null: bool,
    /// The columns written, in order, and no others. Unset: all, as they come.
    #[serde(default)]
    pub columns: Option<Vec<ColumnSpec>>,
    /// What splits the rows into files: columns by their values, times by day, hour or month, or SQL expressions; each
    /// value is `partition.<name>` in templates.
    #[serde(default)]
    pub split_by: Vec<SplitSpec>,
    /// Keeps the columns of `split_by` in the files. Default `true`.
    #[serde(default)]
    pub keep_split_columns: Option<bool>,
    /// When a file is full and the next part begins, `part` in templates. Unset: never.
    #[serde(default)]
    pub rotate: RotateSpec,
    /// Container around each file. Default `none`.
    #[serde(default)]
    pub compression: LayoutCompression,
    /// Zip only: template of the entry's name. Files with the same `path` become entries of one archive.
    /// Default: the file's name with the format's extension; with `outputs`, the output's.
    #[serde(default)]
    pub entry: Option<String>,
    /// Numbers that only a delivery advances, so that they have no gaps; each is `counter.<name>` in templates.
    #[serde(default)]
    pub counters: Vec<CounterSpec>,
    /// Media type of the files, for targets that keep one. Default: that of the format or container.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Tells readers over HTTP to undo the `compression` of the same name, for targets that keep the header.
    #[serde(default)]
    pub content_encoding: Option<ContentEncoding>,
    /// Metadata of the files, for targets that keep it: name to template. Example: `{source: "{{ pipeline }}"}`.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What a run without rows writes. Default `skip`.
    #[serde(default)]
    pub when_empty: WhenEmptySpec,
    /// Files that follow the data files, published after them.
    #[serde(default)]
    pub companions: Vec<CompanionSpec>,
    /// Several kinds of files from the same rows, read once. What an output leaves out, the layout says.
    #[serde(default)]
    pub outputs: Vec<OutputSpec>,
}

/// One of several kinds of files. Every option but `name` and `filter` replaces the layout's of the same name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputSpec {
    /// Its name, `output` in templates. Example: `clicks`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// SQL condition of the rows that it takes. Default: all. Example: `event = 'click'`.
    #[serde(default)]
    pub filter: Option<String>,
    /// Template of each file's path below the sink.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// Format of the files.
    #[serde(default)]
    pub format: Option<LayoutFormat>,
    /// CSV and TSV: the dialect.
    #[serde(default)]
    pub csv: Option<CsvSpec>,
    /// `json_object` only: the shape of the document.
    #[serde(default)]
    pub json: Option<JsonObjectSpec>,
    /// JSON formats: leaves null members out.
    #[serde(default)]
    pub omit_null: Option<bool>,
    /// The columns written, in order, and no others.
    #[serde(default)]
    pub columns: Option<Vec<ColumnSpec>>,
    /// What splits the rows into files.
    #[serde(default)]
    pub split_by: Option<Vec<SplitSpec>>,
    /// Keeps the columns of `split_by` in the files.
    #[serde(default)]
    pub keep_split_columns: Option<bool>,
    /// When a file is full and the next part begins.
    #[serde(default)]
    pub rotate: Option<RotateSpec>,
    /// Zip only: template of the entry's name.
    #[serde(default)]
    pub entry: Option<String>,
    /// What a run without rows writes.
    #[serde(default)]
    pub when_empty: Option<WhenEmptySpec>,
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
    /// One JSON array of objects.
    JsonArray,
    /// One JSON object with a member a row.
    JsonObject,
    /// Apache Parquet, Zstandard-compressed pages.
    Parquet,
}

/// The shape of a `json_object` document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JsonObjectSpec {
    /// The column that names each row's member; it is not repeated inside. Example: `profile_id`.
    pub key: Option<String>,
    /// The one member of the document that holds all rows. Unset: the document holds them itself.
    pub root: Option<String>,
}

/// A written column: the name of a column, or a header with what stands below it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ColumnSpec {
    /// A column under its own name.
    Name(String),
    /// A column or an expression under a header of its own.
    Written(WrittenColumn),
}

/// A column or an expression under a header of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenColumn {
    /// The name that the file has for it. CSV allows the same for several. Example: `Email`.
    pub header: String,
    /// The column that stands below it. Example: `email_1`.
    #[serde(default)]
    pub column: Option<String>,
    /// In place of `column`: the SQL expression that stands below it. Example: `upper(country)`.
    #[serde(default)]
    pub value: Option<String>,
    /// The value is JSON text, written as it is in JSON formats. Default `false`.
    #[serde(default)]
    pub json: bool,
}

/// What splits rows into files: a column by its values, a time, or an expression.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SplitSpec {
    /// A column, by its values.
    Column(String),
    /// A time or an expression.
    Computed(ComputedSplit),
}

/// A column by the day, hour or month of its time: `{column: event_time, by: day, zone: Europe/Brussels}`; or a SQL
/// expression by its values: `{name: initial, value: "substr(email, 1, 1)"}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComputedSplit {
    /// Its name in templates. Default: the column's.
    #[serde(default)]
    pub name: Option<String>,
    /// Column of times: RFC 3339 text, `2026-03-14 09:26:53` in UTC, or timestamps.
    #[serde(default)]
    pub column: Option<String>,
    /// The span of time that one file holds. A row without a time goes to the dead-letter file.
    #[serde(default)]
    pub by: Option<TimeUnit>,
    /// Time zone in which spans begin, an IANA name. Default: the pipeline's.
    #[serde(default)]
    pub zone: Option<String>,
    /// How the start of the span is written, as `strftime` does. Default: `%Y-%m`, `%Y-%m-%d` or `%Y-%m-%d-%H`.
    /// Example: `%s`, the seconds since 1970.
    #[serde(default)]
    pub format: Option<String>,
    /// In place of `column` and `by`: a SQL expression, split by its values.
    #[serde(default)]
    pub value: Option<String>,
}

impl SplitSpec {
    /// Its name in templates.
    pub fn name(&self) -> &str {
        match self {
            Self::Column(column) => column,
            Self::Computed(split) => split.name.as_deref().or(split.column.as_deref()).unwrap_or_default(),
        }
    }

    /// The column that it reads, if it reads just one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::Column(column) => Some(column),
            Self::Computed(split) => split.column.as_deref(),
        }
    }
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// A calendar month.
    Month,
    /// A calendar day.
    Day,
    /// An hour.
    Hour,
}

/// When a file is full. A row is never cut, so a file can pass `bytes` by one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateSpec {
    /// Most rows of a file. Example: `100000`.
    #[schemars(range(min = 1))]
    pub rows: Option<u64>,
    /// Most bytes of a file, before its container. Example: `100MiB`.
    pub bytes: Option<ByteSize>,
}

/// A number that only a delivery advances.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CounterSpec {
    /// Its name in templates: `counter.<name>`. Example: `position`.
    #[schemars(regex(pattern = COUNTER_PATTERN))]
    pub name: String,
    /// What counts. Default `run`.
    #[serde(default)]
    pub scope: CounterScopeSpec,
    /// The first value. Default `1`.
    #[serde(default)]
    pub first: Option<u64>,
}

/// What names of counters look like.
pub const COUNTER_PATTERN: &str = "^[a-z_][a-z0-9_]*$";

/// What advances a counter by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CounterScopeSpec {
    /// A delivery that writes any file.
    #[default]
    Run,
    /// A delivery that writes a file of the output; each output has its own number.
    Output,
    /// Each file; each output has its own number.
    File,
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
    /// A zip archive; files with the same path are its entries.
    Zip,
}

/// A compression that readers over HTTP undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentEncoding {
    /// Gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
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

/// A file that follows a data file, or all of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CompanionSpec {
    /// What it follows. Default `file`.
    #[serde(default)]
    pub scope: CompanionScope,
    /// Template of its path. Example: `{{ file.path }}.count`.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Template of its content. Example: `{{ rows }}`; of a run's: `{{ files | tojson }}`.
    pub body: String,
    /// Its media type. Default `text/plain; charset=utf-8`.
    #[serde(default)]
    pub content_type: Option<String>,
}

/// What a companion follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompanionScope {
    /// Each data file, which is `file` in its templates: `path`, `folder`, `name`, `entry`, `url`, `output`,
    /// `partition`, `part`, `counter`, `columns`, `rows`, `bytes`, `sha256`.
    #[default]
    File,
    /// All data files of a run, which are the list `files` in its templates.
    Run,
}
