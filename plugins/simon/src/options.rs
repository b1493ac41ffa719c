//! The options as written, and what the schema cannot say of them. `manifest.json` documents each.

use outflow_plugin_sdk::{Diagnostic, Run};
use serde::Deserialize;
use serde_json::Value;

/// Options of the layout.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub client: String,
    pub segment_name: String,
    pub flow: Flow,
    pub format: DataFormat,
    #[serde(default)]
    pub hash_identity: bool,
    #[serde(default)]
    pub identity_columns: Vec<String>,
    #[serde(default = "yes")]
    pub hash_normalize: bool,
    #[serde(default)]
    pub flow_token: FlowToken,
    #[serde(default = "data_feed")]
    pub feed_action: String,
    #[serde(default)]
    pub tsv_as: TsvAs,
    #[serde(default)]
    pub control_extension: ControlExtension,
    #[serde(default)]
    pub url_style: UrlStyle,
}

/// The flow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Text or number; its JSON type is kept.
    pub id: Value,
    pub name: String,
    #[serde(default)]
    pub actions: Vec<String>,
}

impl Flow {
    /// The id as text.
    pub fn id_text(&self) -> String {
        match &self.id {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Format of data files.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataFormat {
    Csv,
    Tsv,
    Jsonl,
}

/// What stands for the flow in names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowToken {
    #[default]
    Name,
    Id,
}

/// How tab-separated files are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TsvAs {
    #[default]
    Tsv,
    Csv,
}

/// Extension of control files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlExtension {
    #[default]
    Json,
    Same,
}

/// How files in S3 are spelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UrlStyle {
    #[default]
    S3,
    Https,
}

fn yes() -> bool {
    true
}

fn data_feed() -> String {
    "data_feed".to_string()
}

impl Options {
    /// Extension of data files, which is also their `file_type`.
    pub fn extension(&self) -> &'static str {
        match (self.format, self.tsv_as) {
            (DataFormat::Csv, _) | (DataFormat::Tsv, TsvAs::Csv) => "csv",
            (DataFormat::Tsv, TsvAs::Tsv) => "tsv",
            (DataFormat::Jsonl, _) => "jsonl",
        }
    }

    /// What stands for the flow in file names.
    pub fn flow_text(&self) -> String {
        match self.flow_token {
            FlowToken::Name => self.flow.name.clone(),
            FlowToken::Id => self.flow.id_text(),
        }
    }

    /// Everything that is wrong.
    pub fn check(&self, run: &Run) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let texts = [
            ("/client", &self.client),
            ("/segment_name", &self.segment_name),
            ("/flow/name", &self.flow.name),
            ("/feed_action", &self.feed_action),
        ];
        for (path, text) in texts {
            if text.trim().is_empty() {
                found.push(Diagnostic::error("simon/empty", path, "must not be empty"));
            }
        }
        self.check_flow(&mut found);
        if !self.hash_identity && !self.identity_columns.is_empty() {
            found.push(
                Diagnostic::error("simon/identity-columns", "/identity_columns", "has no effect without hashing")
                    .help("write `hash_identity: true`, or leave `identity_columns` out"),
            );
        }
        if self.url_style == UrlStyle::Https && run.target.scheme != "s3" {
            let message = format!("`https` spells files in S3, and this sink is `{}`", run.target.scheme);
            found.push(Diagnostic::error("simon/url-style", "/url_style", message).help("leave `url_style` out"));
        }
        found
    }

    fn check_flow(&self, found: &mut Vec<Diagnostic>) {
        let id = match &self.flow.id {
            Value::String(text) if text.is_empty() => Some("must not be empty"),
            Value::String(_) => None,
            // Beyond 64 bits a number would be rounded, and an id must come out as it went in.
            Value::Number(number) if number.is_f64() => Some("is not a whole number of at most 64 bits"),
            Value::Number(_) => None,
            _ => Some("must be text or a number"),
        };
        if let Some(message) = id {
            found.push(Diagnostic::error("simon/flow-id", "/flow/id", message).help("write the id in quotes"));
        }
        for (index, action) in self.flow.actions.iter().enumerate() {
            let path = format!("/flow/actions/{index}");
            if action.is_empty() {
                found.push(Diagnostic::error("simon/empty", &path, "must not be empty"));
            } else if *action == self.feed_action {
                let message = format!("`{action}` is the action of the feed's own row");
                found.push(
                    Diagnostic::error("simon/action", &path, message)
                        .help("take it out, or choose another `feed_action`"),
                );
            } else if self.flow.actions[..index].contains(action) {
                found.push(Diagnostic::error("simon/action", &path, format!("`{action}` is listed twice")));
            }
        }
    }
}
