//! The options as written, and what the schema cannot say of them. `manifest.json` documents each.

use outflow_plugin_sdk::{Diagnostic, Run};
use serde::Deserialize;

use crate::calls::Call;

/// Options of the layout.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub format: DataFormat,
    pub integration_id: Option<Id>,
    pub action_id: Option<Id>,
    pub json: Option<JsonAs>,
    pub escape: Option<Escape>,
    #[serde(default)]
    pub counter_scope: CounterScope,
    #[serde(default)]
    pub naming: Naming,
    pub workspace: Option<String>,
    pub types: Option<Vec<Call>>,
}

/// An id, which people write with or without quotes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Id {
    Number(u64),
    Text(String),
}

/// Format of the files.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataFormat {
    Csv,
    Json,
    Parquet,
}

impl DataFormat {
    /// Extension of the files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

/// What a `.json` file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonAs {
    #[default]
    Lines,
    Array,
}

/// How a quote is written inside a quoted cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Escape {
    #[default]
    Double,
    Backslash,
}

/// What positions belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CounterScope {
    #[default]
    Action,
    Integration,
}

/// How files are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    #[default]
    Current,
    V1,
}

impl Options {
    /// The types that are written, in the order of the vendor's list.
    pub fn calls(&self) -> impl Iterator<Item = Call> {
        Call::ALL.into_iter().filter(|call| self.types.as_ref().is_none_or(|types| types.contains(call)))
    }

    /// Everything that is wrong.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (path, id) in [("/integration_id", &self.integration_id), ("/action_id", &self.action_id)] {
            if let Some(Id::Text(text)) = id
                && !is_token(text)
            {
                let message = format!("`{text}` is not made of letters, digits, `-` and `_`");
                found.push(
                    Diagnostic::error("customerio/id", path, message).help("file names part their tokens by dots"),
                );
            }
        }
        if self.json.is_some() && self.format != DataFormat::Json {
            let message = "has a meaning for `format: json` only";
            found.push(Diagnostic::error("customerio/json", "/json", message).help("leave `json` out"));
        }
        if self.escape.is_some() && self.format != DataFormat::Csv {
            let message = "has a meaning for `format: csv` only";
            found.push(Diagnostic::error("customerio/escape", "/escape", message).help("leave `escape` out"));
        }
        found.extend(self.check_workspace());
        if self.types.as_ref().is_some_and(Vec::is_empty) {
            let message = "names no type, so there would never be a file";
            found.push(Diagnostic::error("customerio/types", "/types", message).help("leave it out for all six"));
        }
        found
    }

    fn check_workspace(&self) -> Option<Diagnostic> {
        let error = |message: &str, help: &str| {
            Some(Diagnostic::error("customerio/workspace", "/workspace", message).help(help))
        };
        match (self.naming, &self.workspace) {
            (Naming::Current, None) => None,
            (Naming::Current, Some(_)) => {
                error("is part of the older names only", "write `naming: v1`, or leave it out")
            }
            (Naming::V1, None) => error("is missing: the older names start with it", "write `workspace: production`"),
            (Naming::V1, Some(text)) if !is_token(text) => {
                error("is not made of letters, digits, `-` and `_`", "choose another spelling of the workspace's name")
            }
            (Naming::V1, Some(_)) => None,
        }
    }
}

/// The two ids of a run. One that is not pinned is computed from what it stands for, so that it is the same in every
/// run, in a preview, and on another machine: the integration is where files go, the action is who sends them.
pub struct Ids {
    pub integration: String,
    pub action: String,
}

impl Ids {
    /// The ids of a run.
    pub fn new(options: &Options, run: &Run) -> Self {
        let target = format!("{}\0{}\0{}", run.target.scheme, run.target.container, run.target.prefix);
        let text = |id: &Option<Id>, seed: &str| match id {
            Some(Id::Number(number)) => number.to_string(),
            Some(Id::Text(text)) => text.clone(),
            None => ten_digits(seed),
        };
        Self {
            integration: text(&options.integration_id, &target),
            action: text(&options.action_id, &format!("{}\0{target}", run.pipeline)),
        }
    }
}

/// Ten digits that depend on every byte of the text: FNV-1a, 64 bits, brought into the range.
fn ten_digits(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    (1_000_000_000 + hash % 9_000_000_000).to_string()
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
