//! Layout of Actito standard OUT flows: an output for each flow and profile table, each one zipped CSV file a day.
//! Sharing rows out, joining lists and writing are the host's work; README.md says which requirement is met where.

mod columns;
mod flows;
mod options;

use columns::FlowColumns;
use options::{Options, Quote};
use outflow_plugin_sdk::contract::sharing_column;
use outflow_plugin_sdk::{
    Compression, Csv, Dataset, Diagnostic, FileIntent, FileName, Format, Layout, Output, Run, Stamp, WhenEmpty, sql,
};

/// The column that tells the flow of a row, unless the options name another.
const FLOW: &str = "flow";

/// The column that tells the profile table of a row, unless the options name another.
const PROFILE_TABLE: &str = "profileTable";

/// The layout with its options, for one run.
pub struct Actito {
    options: Options,
    /// The run's instant in the pipeline's zone, whose date the files have.
    scheduled: Stamp,
}

/// The columns that tell where a row belongs; none when all rows belong together.
struct Sharing {
    flow: Option<String>,
    table: Option<String>,
}

impl Layout for Actito {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, run: Run) -> Result<Self, Vec<Diagnostic>> {
        let found = options.check();
        if found.is_empty() { Ok(Self { options, scheduled: run.scheduled }) } else { Err(found) }
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let Some(input) = inputs.iter().find(|dataset| dataset.name == "input") else {
            return Err(vec![Diagnostic::error("actito/input", "", "there is no dataset `input`")]);
        };
        let sharing = self.sharing(input)?;
        let columns = FlowColumns::new(&self.options, input, [&sharing.flow, &sharing.table]);
        let found = columns.check();
        if !found.is_empty() {
            return Err(found);
        }
        let rules = self.input_rules(&sharing);
        let output = |(flow, table): (&options::FlowOption, &str)| {
            let mut output = Output::new(&flows::base_name(&flow.name, table), self.format());
            output.compression = Compression::Zip;
            output.when_empty = WhenEmpty::Write;
            output.filter = self.filter(&sharing, &flow.name, table);
            if self.options.quote == Quote::Always {
                output.extras.push(("quote-mode".to_string(), "always".to_string()));
            }
            for (condition, code, message) in &rules {
                output = output.input_rule(condition, code, message);
            }
            columns.add(output, flow, table)
        };
        Ok(self.options.files().map(output).collect())
    }

    fn name_file(&self, file: &FileIntent) -> Result<FileName, String> {
        if file.part > 1 {
            return Err("a flow has one file a profile table and day, never several parts".to_string());
        }
        let at = &self.scheduled;
        let base = format!("{}_{:04}{:02}{:02}", file.dataset, at.year, at.month, at.day);
        let mut name = FileName::new(format!("{base}.zip"), "application/zip");
        name.archive_entry = Some(format!("{base}.csv"));
        Ok(name)
    }
}

impl Actito {
    fn sharing(&self, input: &Dataset) -> Result<Sharing, Vec<Diagnostic>> {
        let options = &self.options;
        let find = |named: &Option<String>, usual, single, path: &str| {
            sharing_column(input, named.as_deref(), usual, single).map_err(|message| {
                let help = "add it with a `derive` transform";
                vec![Diagnostic::error("actito/columns", path, message).help(help)]
            })
        };
        Ok(Sharing {
            flow: find(&options.flow_column, FLOW, options.flows.len() == 1, "/flow_column")?,
            table: find(
                &options.profile_table_column,
                PROFILE_TABLE,
                options.profile_tables.len() == 1,
                "/profile_table_column",
            )?,
        })
    }

    /// What every row must keep: it belongs to a listed flow and, unless that is disabled, to a listed table.
    fn input_rules(&self, sharing: &Sharing) -> Vec<(String, &'static str, String)> {
        let list = |names: &mut dyn Iterator<Item = &str>| names.map(sql::text).collect::<Vec<_>>().join(", ");
        let mut rules = Vec::new();
        if let Some(column) = &sharing.flow {
            let listed = list(&mut self.options.flows.iter().map(|flow| flow.name.as_str()));
            let condition = format!("{} IN ({listed})", sql::column(column));
            rules.push((condition, "actito/flow", format!("`{column}` names no listed flow")));
        }
        if let Some(column) = &sharing.table {
            let listed = list(&mut self.options.profile_tables.iter().map(String::as_str));
            let mut condition = format!("{} IN ({listed})", sql::column(column));
            let disabled = list(&mut self.options.flows.iter().filter(|f| !f.enabled).map(|f| f.name.as_str()));
            if let (Some(flow), false) = (&sharing.flow, disabled.is_empty()) {
                condition = format!("{condition} OR {} IN ({disabled})", sql::column(flow));
            }
            rules.push((condition, "actito/profile-table", format!("`{column}` names no listed profile table")));
        }
        rules
    }

    /// The rows of one file.
    fn filter(&self, sharing: &Sharing, flow: &str, table: &str) -> Option<String> {
        let equal = |column: &Option<String>, value: &str| {
            column.as_ref().map(|column| format!("{} = {}", sql::column(column), sql::text(value)))
        };
        let conditions: Vec<_> =
            [equal(&sharing.flow, flow), equal(&sharing.table, table)].into_iter().flatten().collect();
        (!conditions.is_empty()).then(|| conditions.join(" AND "))
    }

    fn format(&self) -> Format {
        Format::Csv(Csv { delimiter: ';', ..Csv::default() })
    }
}

outflow_plugin_sdk::export_layout!(Actito);

#[cfg(test)]
mod tests;
