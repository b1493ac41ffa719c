//! Layout of Customer.io's Amazon S3 (Advanced): every call of a sync goes to the file of its type, and all files of
//! a sync share a position. Windows and the HTTP endpoint are not here; README.md says which requirement is met where.

mod calls;
mod options;

use calls::Call;
use options::{CounterScope, DataFormat, Escape, Ids, JsonAs, Naming, Options};
use outflow_plugin_sdk::{
    Counter, Csv, Dataset, Diagnostic, FileIntent, FileName, Format, Json, Layout, Output, Run, sql,
};

/// The layout with its options, for one run.
pub struct Customerio {
    options: Options,
    ids: Ids,
}

impl Layout for Customerio {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, run: Run) -> Result<Self, Vec<Diagnostic>> {
        let found = options.check();
        if !found.is_empty() {
            return Err(found);
        }
        let ids = Ids::new(&options, &run);
        Ok(Self { options, ids })
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let input = inputs.iter().find(|dataset| dataset.name == "input" && dataset.column("type").is_some());
        let Some(input) = input else {
            let message = "the rows have no column `type`";
            return Err(vec![Diagnostic::error("customerio/columns", "", message).help(
                "every call tells its type, one of identify, group, track, page, screen and alias; \
                 add it with a `derive` transform",
            )]);
        };
        Ok(self.options.calls().map(|call| self.output(call, input)).collect())
    }

    fn name_file(&self, file: &FileIntent) -> Result<FileName, String> {
        let call = Call::ALL.into_iter().find(|call| call.name() == file.dataset);
        let call = call.ok_or_else(|| format!("`{}` is no type of call", file.dataset))?;
        let counter = self.counter();
        let position = file.counters.iter().find(|(name, _)| *name == counter).map(|(_, position)| position);
        let position = position.ok_or_else(|| format!("the file has no counter `{counter}`"))?;
        let extension = self.options.format.extension();
        let name = match (self.options.naming, &self.options.workspace) {
            (Naming::V1, Some(workspace)) => format!("{workspace}_{}_{position}.{extension}", call.plural()),
            _ => format!("{}.{}.{position}.{}.{extension}", self.ids.integration, self.ids.action, call.name()),
        };
        let media = match (self.options.format, self.options.json) {
            (DataFormat::Csv, _) => "text/csv",
            (DataFormat::Json, Some(JsonAs::Array)) => "application/json",
            (DataFormat::Json, _) => "application/x-ndjson",
            (DataFormat::Parquet, _) => "application/vnd.apache.parquet",
        };
        Ok(FileName::new(name, media))
    }
}

impl Customerio {
    fn output(&self, call: Call, input: &Dataset) -> Output {
        let mut output = Output::new(call.name(), self.format());
        let quoted = Call::ALL.map(|call| sql::text(call.name())).join(", ");
        output.filter = Some(format!("{} = {}", sql::column("type"), sql::text(call.name())));
        output.fields = call.fields(input);
        output.counters =
            vec![Counter { name: self.counter(), scope: outflow_plugin_sdk::CounterScope::Run, first: 1 }];
        output.input_rule(
            &format!("{} IN ({quoted})", sql::column("type")),
            "customerio/type",
            "`type` is none of identify, group, track, page, screen and alias",
        )
    }

    /// Name of the counter: whoever shares the name shares the position.
    fn counter(&self) -> String {
        match self.options.counter_scope {
            CounterScope::Action => format!("{}.{}", self.ids.integration, self.ids.action),
            CounterScope::Integration => self.ids.integration.clone(),
        }
    }

    fn format(&self) -> Format {
        match self.options.format {
            DataFormat::Csv => {
                let escape = if self.options.escape == Some(Escape::Backslash) { '\\' } else { '"' };
                Format::Csv(Csv { escape, ..Csv::default() })
            }
            DataFormat::Json if self.options.json == Some(JsonAs::Array) => Format::JsonArray(Json::default()),
            DataFormat::Json => Format::JsonLines(Json::default()),
            DataFormat::Parquet => Format::Parquet(Vec::new()),
        }
    }
}

outflow_plugin_sdk::export_layout!(Customerio);

#[cfg(test)]
mod tests;
