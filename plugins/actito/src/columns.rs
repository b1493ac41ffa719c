//! Which columns a flow's files have, and what is made of their values: several values become one cell, numbers are
//! plain decimals.

use std::collections::HashSet;

use outflow_plugin_sdk::contract::{ColumnType, Contract};
use outflow_plugin_sdk::{Column, Dataset, Diagnostic, Output, sql};

use crate::PROFILE_TABLE;
use crate::flows;
use crate::options::{FlowOption, OnConflict, Options};

/// A character that no value holds, in place of the comma while values are joined.
const BETWEEN: &str = "chr(31)";

/// The columns of all flows over one input.
pub struct FlowColumns<'a> {
    options: &'a Options,
    input: &'a Dataset,
    /// The contract of each flow, in the order of the options; none for flows of the user.
    contracts: Vec<Option<Contract>>,
    /// Columns of the input that no flow knows; they go to all.
    fresh: Vec<&'a str>,
}

impl<'a> FlowColumns<'a> {
    /// Reads the contracts. `sharing` are the columns that tell where rows belong.
    pub fn new(options: &'a Options, input: &'a Dataset, sharing: [&Option<String>; 2]) -> Self {
        let contract = |flow: &FlowOption| flows::contract(&flow.name).map(Contract::read);
        let contracts: Vec<_> = options.flows.iter().map(contract).collect();
        let known = contracts.iter().flatten().flat_map(|contract| &contract.columns);
        let mut owned: HashSet<&str> = known.map(|column| column.name.as_str()).collect();
        owned.extend(options.flows.iter().flat_map(|flow| &flow.columns).map(String::as_str));
        owned.extend(sharing.into_iter().flatten().map(String::as_str));
        let fresh = input.columns.iter().map(|column| column.name.as_str());
        let fresh = fresh.filter(|name| !owned.contains(name)).collect();
        Self { options, input, contracts, fresh }
    }

    /// Columns that the rows lack, and names that stand twice.
    pub fn check(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (index, (flow, contract)) in self.options.flows.iter().zip(&self.contracts).enumerate() {
            let path = format!("/flows/{index}");
            if let Some(contract) = contract.as_ref().filter(|_| flow.enabled) {
                let missing: Vec<String> = contract.missing(self.input).map(|name| format!("`{name}`")).collect();
                if !missing.is_empty() {
                    let message =
                        format!("the rows have no column {}, which `{}` needs", missing.join(", "), flow.name);
                    let help = "add it with a `derive` transform, or rename one with `select`";
                    found.push(Diagnostic::error("actito/columns", &path, message).help(help));
                }
            }
            let known = |name: &&String| contract.as_ref().is_some_and(|contract| contract.has(name));
            for name in flow.columns.iter().filter(known) {
                let message = format!("`{name}` is a column of `{}` already", flow.name);
                found.push(Diagnostic::error("actito/columns", &format!("{path}/columns"), message));
            }
        }
        for (index, name) in self.options.multi_value_columns.iter().enumerate() {
            if self.input.column(name).is_none() {
                let path = format!("/multi_value_columns/{index}");
                let message = format!("the rows have no column `{name}`");
                found.push(Diagnostic::error("actito/columns", &path, message));
            }
        }
        found
    }

    /// Adds the columns of one file.
    pub fn add(&self, mut output: Output, flow: &FlowOption, table: &str) -> Output {
        let place = self.options.flows.iter().position(|other| other.name == flow.name);
        let contract = place.and_then(|place| self.contracts[place].as_ref());
        let own = contract.map_or(&[][..], |contract| &contract.columns);
        if contract.is_none() && self.options.write_profile_table {
            output = output.field(PROFILE_TABLE, sql::text(table));
        }
        for column in own {
            output = match column.name.as_str() {
                PROFILE_TABLE if !self.options.write_profile_table => output,
                PROFILE_TABLE => output.field(PROFILE_TABLE, sql::text(table)),
                name => self.field(output, name, column.kind),
            };
        }
        let more = flow.columns.iter().map(String::as_str).chain(self.fresh.iter().copied());
        for name in more {
            output = self.field(output, name, ColumnType::Text);
        }
        output
    }

    /// Adds one column with the rules that its values must keep.
    fn field(&self, output: Output, name: &str, kind: ColumnType) -> Output {
        let Some(column) = self.input.column(name) else { return output.field(name, "CAST(NULL AS VARCHAR)") };
        let quoted = sql::column(name);
        if kind == ColumnType::List || is_list(column) || self.options.multi_value_columns.iter().any(|c| c == name) {
            return self.joined(output, name, &quoted);
        }
        if column.data_type.starts_with("Timestamp") {
            return output.field(name, format!("to_char({quoted}, '%Y-%m-%d %H:%M:%S')"));
        }
        let output = output.field(name, quoted.as_str());
        let number = matches!(kind, ColumnType::Number | ColumnType::Integer);
        if number && is_text(column) {
            let plain = format!("{quoted} IS NULL OR regexp_like({quoted}, '^(-?[0-9]+([.][0-9]+)?)?$')");
            return output.rule(&plain, "actito/number", &format!("`{name}` is not a plain decimal number"));
        }
        output
    }

    /// Several values in one cell.
    fn joined(&self, output: Output, name: &str, quoted: &str) -> Output {
        match self.options.on_conflict {
            OnConflict::Quarantine => output.field(name, format!("list_join({quoted}, ',')")).rule(
                &format!("list_fits({quoted}, ',')"),
                "actito/multi-value",
                &format!("a value of `{name}` holds a comma, which parts values"),
            ),
            OnConflict::Replace => {
                let replacement = sql::text(self.options.replacement.as_deref().unwrap_or(" "));
                let apart = format!("replace(list_join({quoted}, {BETWEEN}), ',', {replacement})");
                output.field(name, format!("replace({apart}, {BETWEEN}, ',')"))
            }
        }
    }
}

fn is_list(column: &Column) -> bool {
    ["List(", "LargeList(", "FixedSizeList("].iter().any(|kind| column.data_type.starts_with(kind))
}

fn is_text(column: &Column) -> bool {
    matches!(column.data_type.as_str(), "Utf8" | "LargeUtf8" | "Utf8View")
}
