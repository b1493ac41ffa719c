//! The options as written, and what the schema cannot say of them. `manifest.json` documents each.

use outflow_plugin_sdk::Diagnostic;
use serde::Deserialize;

use crate::tables::{self, Kind};

/// Options of the layout.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub tables: Vec<TableOption>,
    #[serde(default)]
    pub table_column: Option<String>,
    #[serde(default = "two_days")]
    pub late_event_cutoff: String,
    #[serde(default)]
    pub max_rows: Option<u64>,
    #[serde(default)]
    pub max_bytes: Option<u64>,
}

/// A table, by its name or with its kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum TableOption {
    Known(String),
    Own(OwnTable),
}

/// A table that the vendor does not describe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnTable {
    pub name: String,
    pub kind: Kind,
}

impl TableOption {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Own(own) => &own.name,
        }
    }
}

fn two_days() -> String {
    "48h".to_string()
}

impl Options {
    /// The age in milliseconds beyond which mobile events are late; none when none is.
    pub fn cutoff(&self) -> Option<i64> {
        let text = &self.late_event_cutoff;
        let hours = match text.split_at_checked(text.len().saturating_sub(1))? {
            (count, "h") => count.parse::<i64>().ok()?,
            (count, "d") => count.parse::<i64>().ok()? * 24,
            _ => return None,
        };
        Some(hours * 3_600_000)
    }

    /// Everything that is wrong.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (index, table) in self.tables.iter().enumerate() {
            let path = format!("/tables/{index}");
            let name = table.name();
            let error = |message: String| Diagnostic::error("sailthru/tables", &path, message);
            if self.tables[..index].iter().any(|other| other.name() == name) {
                found.push(error(format!("`{name}` is listed twice")));
                continue;
            }
            match (tables::known(name), table) {
                (None, TableOption::Known(_)) => found.push(
                    error(format!("the vendor has no table `{name}`"))
                        .help(format!("for a table of your own write `{{name: {name}, kind: event}}`")),
                ),
                (Some(_), TableOption::Own(_)) => found.push(
                    error(format!("`{name}` is a table of the vendor, whose kind is known"))
                        .help(format!("write `{name}` alone")),
                ),
                _ => {}
            }
        }
        found
    }
}
