//! Transforms as written in a pipeline file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::layout::DIGEST_PATTERN;
use crate::secret::Secret;

mod rows;

pub use rows::*;

/// A transform; its one key names the component.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransformSpec {
    /// Tells who came and who went since the last delivery.
    Changes(ChangesTransform),
    /// Adds columns written as templates over the row: name to template.
    Contexts(ContextsTransform),
    /// Keeps one row for each key.
    Deduplicate(DeduplicateTransform),
    /// Adds or replaces columns computed by SQL expressions: name to expression.
    /// Example: `{revenue_eur: "CAST(revenue AS DOUBLE) * 0.92"}`.
    Derive(#[schemars(with = "BTreeMap<String, String>")] serde_json::Map<String, serde_json::Value>),
    /// Keeps the rows for which a SQL condition is true. Example: `country = 'BE'`.
    Filter(String),
    /// Replaces columns by a digest of their normalised text.
    Hash(HashTransform),
    /// Adds columns of another source, found by key.
    Lookup(Box<LookupTransform>),
    /// Hands rows to a plugin from a file, for what SQL cannot say.
    Plugin(PluginTransform),
    /// Sends rows that break a rule to the dead-letter file.
    Reject(RejectTransform),
    /// Chooses the columns that go on, by name.
    Select(SelectTransform),
    /// Replaces the rows by the result of a SQL query over the table `input`.
    /// Example: `SELECT email, count(*) AS orders FROM input GROUP BY email`.
    Sql(String),
}

/// Replaces columns by a digest of their normalised text. Null and empty stay as they are.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HashTransform {
    /// Columns to hash. Example: `[identifier]`.
    #[schemars(length(min = 1))]
    pub columns: Vec<String>,
    /// Digest. Default `sha256`.
    #[serde(default)]
    pub algorithm: HashAlgorithm,
    /// Key of `hmac_sha256`. Example: `${env:HASH_KEY}`.
    #[serde(default)]
    pub key: Option<Secret>,
    /// Steps applied to the text before hashing, in order. Default `[trim, lowercase]`.
    #[serde(default)]
    pub normalize: Option<Vec<Normalizer>>,
    /// How the digest is written. Default `hex`.
    #[serde(default)]
    pub encoding: DigestEncoding,
    /// Whether `e164` writes the leading plus. Default `true`.
    #[serde(default)]
    pub e164_plus: Option<bool>,
    /// Country calling code that `e164` puts before national numbers. Example: `32`.
    #[serde(default)]
    pub e164_country: Option<String>,
    /// Leaves a value alone that already is a digest of this algorithm and encoding. Default `false`.
    #[serde(default)]
    pub skip_hashed: bool,
}

/// Digests that `hash` computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
    /// SHA-1, for partners that ask for it.
    Sha1,
    /// MD5, for partners that ask for it.
    Md5,
    /// HMAC with SHA-256 (RFC 2104), with `key`.
    HmacSha256,
}

/// Steps that `hash` applies before the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalizer {
    /// Removes white space at both ends.
    Trim,
    /// Lower case, Unicode.
    Lowercase,
    /// Unicode normalization form C.
    Nfc,
    /// Removes the dots before the `@`.
    StripDots,
    /// Removes the dots before the `@` of `gmail.com` and `googlemail.com`, where they count for nothing.
    GmailDots,
    /// Removes `+` and what follows it before the `@`.
    StripPlus,
    /// Keeps ASCII digits only.
    Digits,
    /// Writes a phone number as E.164 (ITU-T E.164): a plus, country code, national number.
    E164,
}

/// How a digest is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DigestEncoding {
    /// Lower-case hexadecimal.
    #[default]
    Hex,
    /// Base64 with padding (RFC 4648 §4) of the raw digest.
    Base64,
}

/// Adds columns written as templates over the row, appended in the order written.
/// Each value is a template, or an object with the template and its options.
#[derive(Clone, Debug)]
pub struct ContextsTransform {
    /// The columns, in the order written.
    pub columns: Vec<ContextColumn>,
}

/// One column that `contexts` adds.
#[derive(Clone, Debug)]
pub struct ContextColumn {
    /// Name of the column.
    pub name: String,
    /// The template. Example: `{{ first_name }} {{ last_name }}`.
    pub template: String,
    /// What an undefined name in the template does at run time. Default `empty`.
    pub on_undefined: OnUndefined,
}

/// What an undefined name in a template does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUndefined {
    /// The row goes to the dead-letter file.
    Error,
    /// It renders as nothing.
    #[default]
    Empty,
    /// The expression stays in the text as it was written.
    Keep,
}

/// Hands rows to a plugin from a file, which runs only if the file is the one that was pinned. Only the columns that
/// the plugin declares cross to it; it replaces, adds and drops columns, and may filter rows or make several of one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginTransform {
    /// The WebAssembly component, by its path from the pipeline file. Example: `./normalise.wasm`.
    #[schemars(length(min = 1))]
    pub component: String,
    /// SHA-256 of the file, in lower-case hex. Without it, `outflow.lock` beside the pipeline file says it.
    #[serde(default)]
    #[schemars(regex(pattern = DIGEST_PATTERN))]
    pub sha256: Option<String>,
    /// Options of the plugin, checked by its own schema. Example: `{emails: [email]}`.
    #[serde(default)]
    pub options: serde_json::Map<String, serde_json::Value>,
    /// What a batch does that the plugin fails for. Rows that the plugin rejects one by one go to the dead-letter
    /// file in any case. Default `fail`.
    #[serde(default)]
    pub on_error: OnPluginError,
}

/// What a batch does that a plugin fails for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPluginError {
    /// The run ends, and nothing is published.
    #[default]
    Fail,
    /// Its rows go to the dead-letter file, code `plugin/failed`; the next batch gets a fresh plugin.
    Reject,
}

/// Chooses the columns that go on, by name, in the order written: what is inserted, removed or
/// reordered upstream changes nothing downstream but by these two rules.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelectTransform {
    /// Columns in the order wanted. Example: `[identifier, variant, operation]`.
    #[schemars(length(min = 1))]
    pub columns: Vec<String>,
    /// What a column does that the input lacks. Default `error`.
    #[serde(default)]
    pub on_missing: OnMissing,
    /// What an input column does that is not named. Default `drop`.
    #[serde(default)]
    pub on_new: OnNew,
}

/// What a named column does that the input lacks: `"null"`, `error`, or `{default: text}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnMissing {
    /// Every row has null.
    Null,
    /// The run fails before anything is read.
    #[default]
    Error,
    /// Every row has this text.
    Default(String),
}

/// What an input column does that is not named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNew {
    /// It ends here.
    #[default]
    Drop,
    /// It goes on after the named ones, in input order.
    Append,
    /// The run fails before anything is read.
    Error,
}
