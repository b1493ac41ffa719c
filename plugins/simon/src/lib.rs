//! Layout of Simon data feeds: the columns, one file per operation, names, and a control file behind each.
//! Hashing, splitting and writing are the host's work; README.md says which requirement is met where.

mod control;
mod options;

use options::{DataFormat, Options};
use outflow_plugin_sdk::{
    Artifact, Csv, Dataset, Diagnostic, Expand, FileIntent, FileName, Format, Json, Layout, Output, Run, Stamp,
    Written, sql,
};

/// Default columns of a data file, in order.
pub const COLUMNS: [&str; 7] =
    ["identifier", "timestamp", "segment_name", "flow_name", "action", "variant", "operation"];

/// Default columns that the rows must bring; the layout fills the others.
const FROM_INPUT: [&str; 3] = ["identifier", "variant", "operation"];

/// The layout with its options, for one run.
pub struct Simon {
    options: Options,
    run: Run,
    /// The instant of the export in UTC.
    exported: Stamp,
}

impl Layout for Simon {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, run: Run) -> Result<Self, Vec<Diagnostic>> {
        let found = options.check(&run);
        let exported = run.scheduled.utc();
        if found.is_empty() { Ok(Self { options, run, exported }) } else { Err(found) }
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let Some(input) = inputs.iter().find(|dataset| dataset.name == "input") else {
            return Err(vec![Diagnostic::error("simon/input", "", "there is no dataset `input`")]);
        };
        let found = self.check_input(input);
        if !found.is_empty() {
            return Err(found);
        }
        let options = &self.options;
        let mut output = Output::new("data_feed", self.format())
            .field("identifier", self.identity("identifier"))
            .field("timestamp", sql::text(&self.timestamp()))
            .field("segment_name", sql::text(&options.segment_name))
            .field("flow_name", sql::text(&options.flow.name))
            .field("action", sql::column("action"))
            .field("variant", sql::column("variant"))
            .field("operation", sql::column("operation"));
        for column in input.columns.iter().filter(|column| !COLUMNS.contains(&column.name.as_str())) {
            let hashed = options.identity_columns.contains(&column.name);
            let expr = if hashed { self.identity(&column.name) } else { sql::column(&column.name) };
            output = output.field(&column.name, expr);
        }
        let feed = std::iter::once(options.feed_action.as_str());
        let actions = feed.chain(options.flow.actions.iter().map(String::as_str));
        output.expand = Some(Expand { elements: sql::list(actions), as_name: "action".to_string() });
        Ok(vec![
            output
                .rule(
                    "\"operation\" IN ('add', 'remove')",
                    "simon/operation",
                    "`operation` is neither `add` nor `remove`",
                )
                .partition("operation", sql::column("operation")),
        ])
    }

    fn name_file(&self, file: &FileIntent) -> Result<FileName, String> {
        let Some((_, operation)) = file.partition.iter().find(|(key, _)| key == "operation") else {
            return Err("the file has no `operation`".to_string());
        };
        let at = &self.exported;
        let folder = format!("{:04}/{:02}/{:02}", at.year, at.month, at.day);
        let random = file.nonce.get(..8).ok_or_else(|| format!("the nonce `{}` is too short", file.nonce))?;
        let path = format!(
            "{folder}/{}_{}_{operation}_{random}_{:04}{:02}{:02}{:02}{:02}{:02}.{}",
            slug(&self.options.client),
            slug(&self.options.flow_text()),
            at.year,
            at.month,
            at.day,
            at.hour,
            at.minute,
            at.second,
            self.options.extension()
        );
        let media = match self.options.format {
            DataFormat::Csv => "text/csv",
            DataFormat::Tsv => "text/tab-separated-values",
            DataFormat::Jsonl => "application/x-ndjson",
        };
        Ok(FileName::new(path, media))
    }

    fn files_written(&self, files: &[Written]) -> Result<Vec<Artifact>, String> {
        files.iter().map(|file| control::file(&self.options, &self.run.target, file)).collect()
    }
}

impl Simon {
    /// Columns that are missing, and columns whose name the layout fills itself.
    fn check_input(&self, input: &Dataset) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let missing = |names: &mut dyn Iterator<Item = &str>| {
            let names: Vec<String> =
                names.filter(|name| input.column(name).is_none()).map(|name| format!("`{name}`")).collect();
            names.join(", ")
        };
        let absent = missing(&mut FROM_INPUT.into_iter());
        if !absent.is_empty() {
            found.push(
                Diagnostic::error("simon/columns", "", format!("the rows have no column {absent}"))
                    .help("a feed needs `identifier`, `variant` and `operation`; add them with a `derive` transform"),
            );
        }
        let absent = missing(&mut self.options.identity_columns.iter().map(String::as_str));
        if !absent.is_empty() {
            let message = format!("the rows have no column {absent}");
            found.push(Diagnostic::error("simon/columns", "/identity_columns", message));
        }
        for name in COLUMNS.iter().filter(|name| !FROM_INPUT.contains(name)) {
            if input.column(name).is_some() {
                let message = format!("the rows have a column `{name}`, which the feed fills itself");
                found.push(
                    Diagnostic::error("simon/clash", "", message)
                        .help("drop it or rename it with a `select` transform"),
                );
            }
        }
        for name in self.options.identity_columns.iter().filter(|name| COLUMNS.contains(&name.as_str())) {
            let message = format!("`{name}` is a default column");
            found.push(Diagnostic::error("simon/identity-columns", "/identity_columns", message));
        }
        found
    }

    /// A column that identifies the contact, hashed when the options say so.
    fn identity(&self, column: &str) -> String {
        let column = sql::column(column);
        match (self.options.hash_identity, self.options.hash_normalize) {
            (false, _) => column,
            (true, true) => format!("sha256_identity({column})"),
            (true, false) => format!("sha256_exact({column})"),
        }
    }

    fn timestamp(&self) -> String {
        let at = &self.exported;
        format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", at.year, at.month, at.day, at.hour, at.minute, at.second)
    }

    fn format(&self) -> Format {
        match self.options.format {
            DataFormat::Csv => Format::Csv(Csv::default()),
            DataFormat::Tsv => Format::Csv(Csv { delimiter: '\t', ..Csv::default() }),
            DataFormat::Jsonl => Format::JsonLines(Json::default()),
        }
    }
}

/// A token of a file name: lower case, and anything but ASCII letters, digits and hyphens becomes a hyphen,
/// so that `_` only parts tokens.
fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

outflow_plugin_sdk::export_layout!(Simon);

#[cfg(test)]
mod tests;
