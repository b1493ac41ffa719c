//! The options as written, and what the schema cannot say of them. `manifest.json` documents each.

use outflow_plugin_sdk::Diagnostic;
use serde::Deserialize;

use crate::flows;

/// Options of the layout.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub flows: Vec<FlowOption>,
    pub profile_tables: Vec<String>,
    #[serde(default)]
    pub flow_column: Option<String>,
    #[serde(default)]
    pub profile_table_column: Option<String>,
    #[serde(default)]
    pub write_profile_table: bool,
    #[serde(default)]
    pub multi_value_columns: Vec<String>,
    #[serde(default)]
    pub on_conflict: OnConflict,
    #[serde(default)]
    pub replacement: Option<String>,
    #[serde(default)]
    pub quote: Quote,
    /// Not read: the vendor has one, and a pipeline may say so.
    #[serde(default, rename = "delimiter")]
    _delimiter: Option<Delimiter>,
    /// Likewise.
    #[serde(default, rename = "compression")]
    _compression: Option<Container>,
}

/// A flow, by its name or with more to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "FlowText")]
pub struct FlowOption {
    pub name: String,
    pub enabled: bool,
    pub columns: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FlowText {
    Name(String),
    Full(FullFlow),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullFlow {
    name: String,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    columns: Vec<String>,
}

impl From<FlowText> for FlowOption {
    fn from(text: FlowText) -> Self {
        match text {
            FlowText::Name(name) => Self { name, enabled: true, columns: Vec::new() },
            FlowText::Full(full) => Self { name: full.name, enabled: full.enabled, columns: full.columns },
        }
    }
}

/// What becomes of a value that holds the separator of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    #[default]
    Quarantine,
    Replace,
}

/// Which cells are quoted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quote {
    #[default]
    Minimal,
    Always,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Delimiter {
    #[serde(rename = ";")]
    Semicolon,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Container {
    Zip,
}

fn yes() -> bool {
    true
}

impl Options {
    /// Each enabled flow with each profile table: what is delivered.
    pub fn files(&self) -> impl Iterator<Item = (&FlowOption, &str)> {
        let enabled = self.flows.iter().filter(|flow| flow.enabled);
        enabled.flat_map(|flow| self.profile_tables.iter().map(move |table| (flow, table.as_str())))
    }

    /// Everything that is wrong.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (index, flow) in self.flows.iter().enumerate() {
            let path = format!("/flows/{index}");
            if self.flows[..index].iter().any(|other| other.name == flow.name) {
                found.push(Diagnostic::error("actito/flows", &path, format!("`{}` is listed twice", flow.name)));
            }
        }
        if !self.flows.iter().any(|flow| flow.enabled) {
            found.push(Diagnostic::error("actito/flows", "/flows", "no flow is enabled"));
        }
        let mut names: Vec<String> = Vec::new();
        for (flow, table) in self.files() {
            let name = flows::base_name(&flow.name, table);
            if names.contains(&name) {
                let message = format!("two files would be called `{name}`");
                found.push(
                    Diagnostic::error("actito/names", "/profile_tables", message)
                        .help("in names, all but letters, digits, `_` and `-` becomes `-`"),
                );
            }
            names.push(name);
        }
        if self.replacement.is_some() && self.on_conflict == OnConflict::Quarantine {
            found.push(
                Diagnostic::error("actito/replacement", "/replacement", "has no effect while rows are rejected")
                    .help("write `on_conflict: replace`, or leave `replacement` out"),
            );
        }
        if self.replacement.as_deref().is_some_and(|text| text.contains(',')) {
            found.push(Diagnostic::error("actito/replacement", "/replacement", "must not hold a comma itself"));
        }
        found
    }
}
