//! One output as the engine wants it: SQL expressions over the columns that reach the layout.

use outflow_formats::format::Compression;
use outflow_spec::layout::{
    ColumnSpec, CounterScopeSpec, CounterSpec, LayoutCompression, LayoutFormat, SplitSpec, TimeUnit, WhenEmptySpec,
};

use super::options::FileOptions;
use super::template::Templates;
use super::{error, format};
use crate::layout::{
    Counter, CounterScope, Dataset, Diagnostic, Field, HIDDEN_PREFIX, Output, PartitionKey, Roll, Rule,
};

/// Plans an output; what does not fit the columns is added to `found`.
pub fn plan(options: &FileOptions, input: &Dataset, templates: &Templates, found: &mut Vec<Diagnostic>) -> Output {
    let spec = &options.spec;
    let columns = Columns { options, names: visible(input) };
    let fields = columns.fields(found);
    let mut rules = Vec::new();
    let partition_by = columns.keys(templates.zone(), &mut rules, found);
    let (fields, fits) = as_cells(options, fields);
    rules.extend(fits);
    let key = spec.json.key.as_ref().filter(|_| spec.format == LayoutFormat::JsonObject);
    if let Some(key) = key
        && !fields.iter().any(|field| field.name == *key)
    {
        let message = format!("`{key}` is not a column of the files");
        found.push(error("files/json", &options.at("json/key"), &message, "name a written column"));
    }
    Output {
        dataset: options.name.clone(),
        kind: "data".to_string(),
        input: "input".to_string(),
        query: None,
        expand: None,
        filter: options.filter.clone(),
        input_rules: Vec::new(),
        rules,
        fields,
        pass_through: false,
        partition_by,
        order_by: Vec::new(),
        format: format::format(options),
        compression: match spec.compression {
            LayoutCompression::None => Compression::None,
            LayoutCompression::Gzip => Compression::Gzip,
            LayoutCompression::Zstd => Compression::Zstd,
            LayoutCompression::Zip => Compression::Zip,
        },
        roll: Roll { max_rows: spec.rotate.rows, max_bytes: spec.rotate.bytes.map(|size| size.0) },
        counters: spec.counters.iter().map(counter).collect(),
        write_when_empty: spec.when_empty == WhenEmptySpec::Write,
        name_after: options.name_after(),
    }
}

fn counter(spec: &CounterSpec) -> Counter {
    let scope = match spec.scope {
        CounterScopeSpec::Run => CounterScope::Run,
        CounterScopeSpec::Output => CounterScope::Output,
        CounterScopeSpec::File => CounterScope::File,
    };
    Counter { name: spec.name.clone(), scope, first: spec.first.unwrap_or(1) }
}

fn visible(input: &Dataset) -> Vec<&str> {
    let names = input.columns.iter().map(|column| column.name.as_str());
    names.filter(|name| !name.starts_with(HIDDEN_PREFIX)).collect()
}

/// The options of an output beside the columns that they speak of.
struct Columns<'a> {
    options: &'a FileOptions,
    names: Vec<&'a str>,
}

impl Columns<'_> {
    /// The written columns.
    fn fields(&self, found: &mut Vec<Diagnostic>) -> Vec<Field> {
        let spec = &self.options.spec;
        let plain = |name: &str| Field { name: name.to_owned(), expr: quoted(name), json: false };
        let Some(listed) = &spec.columns else {
            let keep = spec.keep_split_columns.unwrap_or(true);
            let splits = |name: &str| spec.split_by.iter().any(|split| split.column() == Some(name));
            return self.names.iter().filter(|name| keep || !splits(name)).map(|name| plain(name)).collect();
        };
        let mut fields: Vec<Field> = Vec::with_capacity(listed.len());
        for (index, item) in listed.iter().enumerate() {
            let at = self.options.at(&format!("columns/{index}"));
            let field = match item {
                ColumnSpec::Name(name) => {
                    self.require(name, &at, found);
                    plain(name)
                }
                ColumnSpec::Written(written) => {
                    let expr = match (&written.column, &written.value) {
                        (Some(name), None) => {
                            self.require(name, &format!("{at}/column"), found);
                            quoted(name)
                        }
                        (None, Some(value)) => value.clone(),
                        _ => {
                            let message = "has either `column` or `value`";
                            found.push(error("files/columns", &at, message, "write one of the two"));
                            continue;
                        }
                    };
                    Field { name: written.header.clone(), expr, json: written.json }
                }
            };
            let is_text = matches!(spec.format, LayoutFormat::Csv | LayoutFormat::Tsv);
            if !is_text && fields.iter().any(|earlier| earlier.name == field.name) {
                let message = format!("`{}` is written twice, which only CSV allows", field.name);
                found.push(error("files/columns", &at, &message, "give it another `header`"));
            }
            fields.push(field);
        }
        fields
    }

    /// The values that split the rows. A time must be one: the rule about it is added.
    fn keys(&self, zone: &str, rules: &mut Vec<Rule>, found: &mut Vec<Diagnostic>) -> Vec<PartitionKey> {
        let mut keys = Vec::new();
        for (index, split) in self.options.spec.split_by.iter().enumerate() {
            let at = self.options.at(&format!("split_by/{index}"));
            let value = match split {
                SplitSpec::Column(name) => {
                    self.require(name, &at, found);
                    quoted(name)
                }
                SplitSpec::Computed(computed) => match (&computed.column, computed.by, &computed.value) {
                    (Some(name), Some(unit), _) => {
                        self.require(name, &format!("{at}/column"), found);
                        let (unit, usual) = match unit {
                            TimeUnit::Month => ("month", "%Y-%m"),
                            TimeUnit::Day => ("day", "%Y-%m-%d"),
                            TimeUnit::Hour => ("hour", "%Y-%m-%d-%H"),
                        };
                        let zone = text(computed.zone.as_deref().unwrap_or(zone));
                        let pattern = text(computed.format.as_deref().unwrap_or(usual));
                        let bucket = format!("time_bucket({}, '{unit}', {zone}, {pattern})", quoted(name));
                        rules.push(Rule {
                            condition: format!("{bucket} IS NOT NULL"),
                            code: "files/split-time".to_owned(),
                            message: format!("`{name}` holds no time to split by"),
                        });
                        bucket
                    }
                    (_, _, value) => value.clone().unwrap_or_default(),
                },
            };
            keys.push(PartitionKey { name: split.name().to_owned(), value });
        }
        keys
    }

    fn require(&self, name: &str, at: &str, found: &mut Vec<Diagnostic>) {
        if !self.names.contains(&name) {
            let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
            let code = if at.contains("split_by") { "files/split-by" } else { "files/columns" };
            let message = format!("the rows have no column `{name}`");
            found.push(error(code, at, &message, &format!("the columns are {}", names.join(", "))));
        }
    }
}

/// The fields as the CSV dialect wants their cells, and the rules that rows must keep for it.
fn as_cells(options: &FileOptions, mut fields: Vec<Field>) -> (Vec<Field>, Vec<Rule>) {
    let (spec, csv) = (&options.spec, &options.spec.csv);
    let mut rules = Vec::new();
    if !matches!(spec.format, LayoutFormat::Csv | LayoutFormat::Tsv) {
        return (fields, rules);
    }
    for field in &mut fields {
        if let Some(separator) = &csv.list_separator {
            let separator = text(separator);
            rules.push(Rule {
                condition: format!("list_fits({}, {separator}) IS NOT FALSE", field.expr),
                code: "files/list-separator".to_owned(),
                message: format!("an element of `{}` holds the list separator", field.name),
            });
            field.expr = format!("list_join({}, {separator})", field.expr);
        }
    }
    (fields, rules)
}

/// A column by its exact name, in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, in SQL.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
