//! Checks what a guest answers and turns it into the engine's terms.
//! What the interface can say and this engine cannot do is refused by name, never dropped.

use outflow_formats::format::{self, Dialect, Escape, JsonObject, JsonStyle, NewlineInCell, QuoteMode, Terminator};

use super::bindings::exports::outflow::plugin::layout as guest;
use crate::dialect::{ascii, encoding};
use crate::layout::{Artifact, Counter, CounterScope, Expand, Field, Output, PartitionKey, Roll, Rule};

const MAX_OUTPUTS: usize = 10_000;
const MAX_ARTIFACT: usize = 16 << 20;

/// The plan that a guest answered.
pub fn outputs(answer: Vec<guest::Output>) -> Result<Vec<Output>, String> {
    if answer.len() > MAX_OUTPUTS {
        return Err(format!("{} outputs; at most {MAX_OUTPUTS} are allowed", answer.len()));
    }
    let one = |output: guest::Output| {
        let dataset = output.dataset.clone();
        self::output(output).map_err(|why| format!("output `{dataset}`: {why}"))
    };
    answer.into_iter().map(one).collect()
}

/// The artifacts that a guest answered; their names are the register's to check.
pub fn artifacts(answer: Vec<guest::Artifact>) -> Result<Vec<Artifact>, String> {
    if let Some(large) = answer.iter().find(|artifact| artifact.body.len() > MAX_ARTIFACT) {
        return Err(format!("an artifact of {} bytes; at most {MAX_ARTIFACT} are allowed", large.body.len()));
    }
    let one = |a: guest::Artifact| Artifact { path: a.path, content_type: a.content_type, body: a.body };
    Ok(answer.into_iter().map(one).collect())
}

fn output(output: guest::Output) -> Result<Output, String> {
    if output.roll.max_rows == Some(0) || output.roll.max_bytes == Some(0) {
        return Err("`roll` allows no row in a file".to_string());
    }
    let counter = |c: guest::Counter| Counter {
        name: c.name,
        scope: match c.scope {
            guest::CounterScope::Run => CounterScope::Run,
            guest::CounterScope::Output => CounterScope::Output,
            guest::CounterScope::File => CounterScope::File,
        },
        first: c.first,
    };
    let field = |f: guest::Field| Field { name: f.name, expr: f.expr, json: f.json };
    let key = |k: guest::PartitionKey| PartitionKey { name: k.name, value: k.value };
    let format = format(output.format, &output.extras)?;
    let compression = match output.compression {
        guest::Compression::None => format::Compression::None,
        guest::Compression::Gzip => format::Compression::Gzip,
        guest::Compression::Zstd => format::Compression::Zstd,
        guest::Compression::Zip => format::Compression::Zip,
    };
    Ok(Output {
        dataset: output.dataset,
        kind: output.kind,
        input: output.input,
        query: output.query,
        expand: output.expand.map(|e| Expand { elements: e.elements, as_name: e.as_name }),
        filter: output.filter,
        input_rules: rules(&output.extras, "input-rule")?,
        rules: rules(&output.extras, "rule")?,
        fields: output.fields.into_iter().map(field).collect(),
        pass_through: output.pass_through,
        partition_by: output.partition_by.into_iter().map(key).collect(),
        order_by: output.order_by,
        format,
        compression,
        roll: Roll { max_rows: output.roll.max_rows, max_bytes: output.roll.max_bytes },
        counters: output.counters.into_iter().map(counter).collect(),
        write_when_empty: output.when_empty == guest::WhenEmpty::Write,
        name_after: output.naming == guest::Naming::After,
    })
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    condition: String,
    code: String,
    message: String,
}

fn rules(extras: &[(String, String)], wanted: &str) -> Result<Vec<Rule>, String> {
    let read = |(_, text): &(String, String)| {
        let rule: RuleText =
            serde_json::from_str(text).map_err(|error| format!("a `{wanted}` does not read: {error}"))?;
        Ok(Rule { condition: rule.condition, code: rule.code, message: rule.message })
    };
    extras.iter().filter(|(key, _)| key == wanted).map(read).collect()
}

fn format(format: guest::Format, extras: &[(String, String)]) -> Result<format::Format, String> {
    match format {
        guest::Format::Csv(csv) => dialect(csv, extras).map(format::Format::Csv),
        guest::Format::JsonLines(json) => json_style(json).map(format::Format::JsonLines),
        guest::Format::JsonArray(json) => json_style(json).map(format::Format::JsonArray),
        guest::Format::JsonObject((key, json)) => Ok(format::Format::JsonObject(JsonObject {
            key,
            root: extras.iter().find(|(key, _)| key == "json-root").map(|(_, root)| root.clone()),
            style: json_style(json)?,
        })),
        guest::Format::Parquet(_) => Ok(format::Format::Parquet),
    }
}

fn json_style(json: guest::Json) -> Result<JsonStyle, String> {
    match json.nested {
        guest::NestedAs::Native => Ok(JsonStyle { omit_null: json.omit_null }),
        guest::NestedAs::JsonText => Err("`json-text` for nested values is not offered by this version".to_string()),
    }
}

fn extra<'a>(extras: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    extras.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
}

fn dialect(csv: guest::Csv, extras: &[(String, String)]) -> Result<Dialect, String> {
    let quote = ascii("quote", csv.quote)?;
    if csv.decimal_point != '.' {
        return Err(format!("the decimal point {:?} is not offered by this version", csv.decimal_point));
    }
    let quote_mode = match extra(extras, "quote-mode") {
        None | Some("minimal") => QuoteMode::Minimal,
        Some("always") => QuoteMode::Always,
        Some("never") => QuoteMode::Never,
        Some(other) => return Err(format!("`quote-mode` is `{other}`, not `minimal`, `always` or `never`")),
    };
    let newline_in_cell = match extra(extras, "newline-in-cell") {
        None | Some("keep") => NewlineInCell::Keep,
        Some("space") => NewlineInCell::Space,
        Some(other) => return Err(format!("`newline-in-cell` is `{other}`, not `keep` or `space`")),
    };
    Ok(Dialect {
        delimiter: ascii("delimiter", csv.delimiter)?,
        quote,
        escape: match csv.escape {
            '\\' => Escape::Backslash,
            other if ascii("escape", other)? == quote => Escape::Double,
            other => return Err(format!("the escape {other:?} is neither the quote nor a back-slash")),
        },
        quote_mode,
        terminator: match csv.terminator.as_str() {
            "\n" => Terminator::Lf,
            "\r\n" => Terminator::Crlf,
            other => return Err(format!("the terminator {other:?} is neither \\n nor \\r\\n")),
        },
        header: csv.header,
        null_text: csv.null_text,
        bom: csv.bom,
        encoding: encoding(&csv.encoding)?,
        list_separator: Some(csv.list_separator).filter(|separator| !separator.is_empty()),
        newline_in_cell,
    })
}
