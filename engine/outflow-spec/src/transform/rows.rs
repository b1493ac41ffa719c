//! Transforms that decide which rows go on, or fetch columns for them from elsewhere.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::SourceSpec;

/// Tells who came and who went since the last delivery to the same target. A row whose key that delivery did not have
/// goes on with the operation `add`; one of the last delivery whose key is gone comes back with `remove`, as it was
/// then; the others give no row. The first delivery adds everybody. A row without a key goes to the dead-letter file,
/// and of several rows with one key the first counts. What follows must not leave rows out: put `filter` and `reject`
/// before it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesTransform {
    /// Columns that tell members apart. Example: `[email]`.
    #[schemars(length(min = 1))]
    pub key: Vec<String>,
    /// Name of the new column that says `add` or `remove`. Default `operation`.
    #[serde(default = "operation")]
    #[schemars(extend("default" = "operation"))]
    pub column: String,
}

fn operation() -> String {
    "operation".to_owned()
}

/// Keeps one row for each key, in input order. Rows of which a key column is null are all kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeduplicateTransform {
    /// Columns that make the key, compared as text. Example: `[message_id]`.
    #[schemars(length(min = 1))]
    pub by: Vec<String>,
    /// Which row of a key is kept. Default `first`.
    #[serde(default)]
    pub keep: KeepSpec,
    /// SQL expression that says which row is first: the one with the smallest value, null before all. Where it is
    /// equal, and by default, the order of the input decides. Example: `updated_at`.
    #[serde(default)]
    pub order_by: Option<String>,
}

/// Which row of a key is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeepSpec {
    /// The first one.
    #[default]
    First,
    /// The last one. All rows are held for it, on disk where memory ends.
    Last,
}

/// Adds columns of another source, found by key. Each row goes on once, in input order. The other source is read whole
/// into memory by every run; what it holds does not decide whether there is something to deliver.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookupTransform {
    /// The other source. Example: `{files: {path: countries.csv}}`.
    pub source: SourceSpec,
    /// Columns that have to be equal, compared as text: those of the rows, each with its name in the other source.
    /// Example: `{country_code: code}`.
    pub on: Pairs,
    /// Columns to add, each with its name in the other source. Example: `{country_name: name}`.
    pub columns: Pairs,
    /// What a row does for which the other source has nothing. Default `error`.
    #[serde(default)]
    pub on_missing: MissingSpec,
    /// What several rows of the other source with one key do. Default `error`.
    #[serde(default)]
    pub on_duplicate: RepeatedSpec,
}

/// Names, each with the name it has elsewhere: a mapping, or a list where they are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

/// What a row does for which the other source has nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingSpec {
    /// The run fails; nothing is delivered.
    #[default]
    Error,
    /// It goes on, the new columns null.
    Keep,
    /// It ends here; the run's report counts it.
    Drop,
    /// It goes to the dead-letter file.
    Reject,
}

/// What several rows of the other source with one key do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepeatedSpec {
    /// The run fails; nothing is delivered.
    #[default]
    Error,
    /// The first one counts.
    First,
}

/// Sends rows that break a rule to the dead-letter file, each under the first rule it breaks. Written as rules, or as
/// the one SQL condition that bad rows meet.
#[derive(Clone, Debug)]
pub struct RejectTransform {
    /// The rules, in order.
    pub rules: Vec<RejectRuleSpec>,
}

/// A rule of `reject`, with either `when` or `unless`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RejectRuleSpec {
    /// SQL condition that bad rows meet. Example: `amount < 0`.
    #[serde(default)]
    pub when: Option<String>,
    /// SQL condition that good rows meet; where it is null the row is bad. Example: `email LIKE '%@%'`.
    #[serde(default)]
    pub unless: Option<String>,
    /// Code of the rejects, for reports. Default `reject/rule`. Example: `orders/amount`.
    #[serde(default)]
    #[schemars(regex(pattern = CODE_PATTERN))]
    pub code: Option<String>,
    /// What is wrong with such a row, for people. Default: the condition.
    #[serde(default)]
    pub message: Option<String>,
}

/// What codes of rejects look like.
pub const CODE_PATTERN: &str = "^[a-z0-9]([a-z0-9/_-]*[a-z0-9])?$";
