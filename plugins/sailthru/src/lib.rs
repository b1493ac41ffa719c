//! Layout of Sailthru event streams: an output a table, folders by day and client, and columns that may only grow.
//! Sharing rows out, splitting and writing are the host's work; README.md says which requirement is met where.

mod options;
mod tables;
mod times;

use std::collections::HashSet;

use options::{Options, TableOption};
use outflow_plugin_sdk::contract::{ColumnType, Contract, ContractColumn, sharing_column};
use outflow_plugin_sdk::{
    Csv, Dataset, Diagnostic, FileIntent, FileName, Format, Layout, Output, Roll, Run, Stamp, sql,
};
use tables::Kind;

/// The column that rows are told apart by, unless the options name another.
const TABLE_COLUMN: &str = "table";

/// The layout with its options, for one run.
pub struct Sailthru {
    options: Options,
    /// The instant of the export in UTC.
    exported: Stamp,
}

/// A table of this delivery, and what its files start with.
struct Table {
    name: String,
    kind: Kind,
    contract: Contract,
}

impl Layout for Sailthru {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, run: Run) -> Result<Self, Vec<Diagnostic>> {
        let found = options.check();
        if found.is_empty() { Ok(Self { options, exported: run.scheduled.utc() }) } else { Err(found) }
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let Some(input) = inputs.iter().find(|dataset| dataset.name == "input") else {
            return Err(vec![Diagnostic::error("sailthru/input", "", "there is no dataset `input`")]);
        };
        let single = self.options.tables.len() == 1;
        let named = self.options.table_column.as_deref();
        let shared_by = sharing_column(input, named, TABLE_COLUMN, single).map_err(|message| {
            let help = "add it with a `derive` transform, or deliver a single table";
            vec![Diagnostic::error("sailthru/columns", "/table_column", message).help(help)]
        })?;
        let tables: Vec<Table> = self.options.tables.iter().map(Table::of).collect();
        let found: Vec<_> = tables.iter().enumerate().flat_map(|(index, table)| table.check(index, input)).collect();
        if !found.is_empty() {
            return Err(found);
        }
        // A column that a contract of this delivery knows belongs to its tables; any other is new and rides along.
        let mut owned: HashSet<&str> =
            tables.iter().flat_map(|table| &table.contract.columns).map(|column| column.name.as_str()).collect();
        owned.extend(shared_by.as_deref());
        let fresh: Vec<&str> =
            input.columns.iter().map(|column| column.name.as_str()).filter(|name| !owned.contains(name)).collect();
        let output = |table: &Table| self.output(table, input, shared_by.as_deref(), &fresh);
        Ok(tables.iter().map(output).collect())
    }

    fn name_file(&self, file: &FileIntent) -> Result<FileName, String> {
        let value = |key: &str| {
            let found = file.partition.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
            found.ok_or_else(|| format!("the file has no `{key}`"))
        };
        let table = self.options.tables.iter().find(|table| table.name() == file.dataset);
        let table = table.ok_or_else(|| format!("there is no table `{}`", file.dataset))?;
        let at = &self.exported;
        let folder = match kind(table) {
            Kind::Lookup => format!("dt={:04}{:02}{:02}/hr={:02}", at.year, at.month, at.day, at.hour),
            Kind::Event | Kind::Mobile => format!("dt={}", value("dt")?),
        };
        let random = file.nonce.get(..8).ok_or_else(|| format!("the nonce `{}` is too short", file.nonce))?;
        let path = format!("{}/{folder}/client_id={}/part-{random}.csv", table.name(), value("client_id")?);
        Ok(FileName::new(path, "text/csv"))
    }
}

impl Sailthru {
    /// The plan of one table.
    fn output(&self, table: &Table, input: &Dataset, shared_by: Option<&str>, fresh: &[&str]) -> Output {
        let client = format!("CAST({} AS VARCHAR)", sql::column("client_id"));
        let digits = format!("regexp_like({client}, '^[0-9]+$')");
        let mut output = Output::new(&table.name, Format::Csv(Csv::default())).input_rule(
            &digits,
            "sailthru/client-id",
            "`client_id` is not a number",
        );
        output.roll = Roll { max_rows: self.options.max_rows, max_bytes: self.options.max_bytes };
        if let Some(column) = shared_by {
            let names: Vec<String> = self.options.tables.iter().map(|table| sql::text(table.name())).collect();
            let condition = format!("{} IN ({})", sql::column(column), names.join(", "));
            let message = format!("`{column}` names no table of this delivery");
            output = output.input_rule(&condition, "sailthru/table", &message);
            output.filter = Some(format!("{} = {}", sql::column(column), sql::text(&table.name)));
        }
        for column in &table.contract.columns {
            output = self.contract_field(output, column, input);
        }
        for name in fresh {
            output = output.field(name, sql::column(name));
        }
        match table.kind {
            Kind::Lookup => output.partition("client_id", client),
            Kind::Event => output.partition("dt", event_day(input)).partition("client_id", client),
            Kind::Mobile => {
                self.without_late(output, input).partition("dt", event_day(input)).partition("client_id", client)
            }
        }
    }

    /// Adds a column of the contract: empty when the rows lack it, and times in the vendor's shapes.
    fn contract_field(&self, output: Output, column: &ContractColumn, input: &Dataset) -> Output {
        let name = column.name.as_str();
        let Some(source) = input.column(name) else { return output.field(name, "CAST(NULL AS VARCHAR)") };
        if column.kind != ColumnType::Timestamp {
            return output.field(name, sql::column(name));
        }
        let instant = times::instant(source);
        let quoted = sql::column(name);
        match name {
            "event_time" => output.field(name, times::with_milliseconds(&instant)).rule(
                &format!("{instant} IS NOT NULL"),
                "sailthru/event-time",
                "`event_time` is not a time",
            ),
            _ => {
                let message = format!("`{name}` is not a time");
                let condition = format!("{quoted} IS NULL OR CAST({quoted} AS VARCHAR) = '' OR {instant} IS NOT NULL");
                output.field(name, times::to_seconds(&instant)).rule(&condition, "sailthru/time", &message)
            }
        }
    }

    /// Rejects mobile events that are too old, so that nobody waits for them in vain.
    fn without_late(&self, output: Output, input: &Dataset) -> Output {
        let (Some(age), Some(column)) = (self.options.cutoff(), input.column("event_time")) else { return output };
        let oldest = Stamp { epoch_ms: self.exported.epoch_ms - age, ..self.exported.clone() }.utc();
        let condition = format!("{} >= {}", times::instant(column), times::literal(&oldest));
        let message = format!("the event is older than {} at the export", self.options.late_event_cutoff);
        output.rule(&condition, "sailthru/late-event", &message)
    }
}

impl Table {
    fn of(option: &TableOption) -> Self {
        let name = option.name().to_string();
        let kind = kind(option);
        let contract = match tables::known(&name) {
            Some(known) => Contract::read(known.contract),
            None => own_contract(&name, kind),
        };
        Self { name, kind, contract }
    }

    /// What of the rows does not fit the table.
    fn check(&self, index: usize, input: &Dataset) -> Vec<Diagnostic> {
        let path = format!("/tables/{index}");
        let error = |message: String| Diagnostic::error("sailthru/columns", &path, message);
        let missing: Vec<String> = self.contract.missing(input).map(|name| format!("`{name}`")).collect();
        let mut found = Vec::new();
        if !missing.is_empty() {
            let message = format!("the rows have no column {}, which `{}` needs", missing.join(", "), self.name);
            found.push(error(message).help("add it with a `derive` transform, or rename one with `select`"));
        }
        for column in &self.contract.columns {
            let Some(source) = input.column(&column.name) else { continue };
            match column.kind {
                ColumnType::Text if source.data_type.starts_with("Float") => found.push(
                    error(format!("`{}` is a number of type {}, which rounds ids", source.name, source.data_type))
                        .help("let the source write it as text"),
                ),
                ColumnType::Timestamp if !times::is_time(source) => found.push(
                    error(format!("`{}` is of type {}, not a time", source.name, source.data_type))
                        .help("make a timestamp of it with a `derive` transform, such as `to_timestamp_millis(…)`"),
                ),
                _ => {}
            }
        }
        found
    }
}

fn kind(option: &TableOption) -> Kind {
    match option {
        TableOption::Own(own) => own.kind,
        TableOption::Known(name) => tables::known(name).map_or(Kind::Event, |known| known.kind),
    }
}

/// What the kind alone asks of a table that the vendor does not describe.
fn own_contract(name: &str, kind: Kind) -> Contract {
    let column = |name: &str, kind| ContractColumn { name: name.to_string(), kind, required: true };
    let mut columns = vec![column("client_id", ColumnType::Text)];
    if kind != Kind::Lookup {
        columns.push(column("event_time", ColumnType::Timestamp));
    }
    Contract { name: name.to_string(), kind: "own".to_string(), columns }
}

/// The UTC date of the event, as its folder has it.
fn event_day(input: &Dataset) -> String {
    input.column("event_time").map_or_else(|| sql::text(""), |column| times::day(&times::instant(column)))
}

outflow_plugin_sdk::export_layout!(Sailthru);

#[cfg(test)]
mod tests;
