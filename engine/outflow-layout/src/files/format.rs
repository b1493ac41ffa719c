//! The bytes of one output: format, CSV dialect, JSON style and media type.

use outflow_formats::format::{Dialect, Escape, Format, JsonObject, JsonStyle, NewlineInCell, QuoteMode, Terminator};
use outflow_spec::layout::{
    CsvSpec, FilesLayout, JsonObjectSpec, LayoutCompression, LayoutFormat, NewlineSpec, QuoteModeSpec, TerminatorSpec,
};
use outflow_spec::source::EscapeSpec;

use super::error;
use super::options::FileOptions;
use crate::dialect;
use crate::layout::Diagnostic;

/// Adds what is wrong with the options that describe the bytes. What the layout says for several outputs may fit
/// some of them only.
pub fn check(options: &FileOptions, found: &mut Vec<Diagnostic>) {
    let spec = &options.spec;
    let name = name(spec.format);
    let shared = |option: &str| options.is_one_of_several() && options.at(option) == format!("/{option}");
    let text = matches!(spec.format, LayoutFormat::Csv | LayoutFormat::Tsv);
    if text {
        dialect(options, if spec.format == LayoutFormat::Tsv { b'\t' } else { b',' }, found);
    } else if has_options(&spec.csv) && !shared("csv") {
        let message = format!("the files are `{name}`, which has no CSV dialect");
        found.push(error("files/csv", &options.at("csv"), &message, "leave `csv` out"));
    }
    if spec.omit_null && (text || spec.format == LayoutFormat::Parquet) && !shared("omit_null") {
        let message = format!("leaves members of JSON objects out, and the files are `{name}`");
        found.push(error("files/omit-null", &options.at("omit_null"), &message, "leave `omit_null` out"));
    }
    let object = spec.format == LayoutFormat::JsonObject;
    if object && spec.json.key.is_none() {
        let message = "`json_object` names its members by a column";
        found.push(error("files/json", &options.at("format"), message, "write `json: {key: profile_id}`"));
    }
    if !object && spec.json != JsonObjectSpec::default() && !shared("json") {
        let message = format!("shapes a `json_object`, and the files are `{name}`");
        found.push(error("files/json", &options.at("json"), &message, "leave `json` out"));
    }
}

/// The format of an output whose options were checked.
pub fn format(options: &FileOptions) -> Format {
    let spec = &options.spec;
    let style = JsonStyle { omit_null: spec.omit_null };
    // Nothing is found here that `check` did not find.
    let mut found = Vec::new();
    match spec.format {
        LayoutFormat::Csv => Format::Csv(dialect(options, b',', &mut found)),
        LayoutFormat::Tsv => Format::Csv(dialect(options, b'\t', &mut found)),
        LayoutFormat::Jsonl => Format::JsonLines(style),
        LayoutFormat::JsonArray => Format::JsonArray(style),
        LayoutFormat::JsonObject => {
            let JsonObjectSpec { key, root } = spec.json.clone();
            Format::JsonObject(JsonObject { key: key.unwrap_or_default(), root, style })
        }
        LayoutFormat::Parquet => Format::Parquet,
    }
}

/// What the files are to a store: their container, or what is inside of one that readers undo themselves.
pub fn media_type(spec: &FilesLayout) -> &'static str {
    let container = if spec.content_encoding.is_some() { LayoutCompression::None } else { spec.compression };
    match (container, spec.format) {
        (LayoutCompression::Gzip, _) => "application/gzip",
        (LayoutCompression::Zstd, _) => "application/zstd",
        (LayoutCompression::Zip, _) => "application/zip",
        (LayoutCompression::None, LayoutFormat::Csv) => "text/csv",
        (LayoutCompression::None, LayoutFormat::Tsv) => "text/tab-separated-values",
        (LayoutCompression::None, LayoutFormat::Jsonl) => "application/x-ndjson",
        (LayoutCompression::None, LayoutFormat::JsonArray | LayoutFormat::JsonObject) => "application/json",
        (LayoutCompression::None, LayoutFormat::Parquet) => "application/vnd.apache.parquet",
    }
}

/// A format as the pipeline file writes it.
fn name(format: LayoutFormat) -> &'static str {
    match format {
        LayoutFormat::Csv => "csv",
        LayoutFormat::Tsv => "tsv",
        LayoutFormat::Jsonl => "jsonl",
        LayoutFormat::JsonArray => "json_array",
        LayoutFormat::JsonObject => "json_object",
        LayoutFormat::Parquet => "parquet",
    }
}

fn has_options(spec: &CsvSpec) -> bool {
    spec.delimiter.is_some()
        || spec.quote.is_some()
        || spec.escape.is_some()
        || spec.quote_mode.is_some()
        || spec.terminator.is_some()
        || spec.header.is_some()
        || spec.null_text.is_some()
        || spec.bom.is_some()
        || spec.encoding.is_some()
        || spec.newline_in_cell.is_some()
        || spec.list_separator.is_some()
}

fn dialect(options: &FileOptions, delimiter: u8, found: &mut Vec<Diagnostic>) -> Dialect {
    let spec = &options.spec.csv;
    let plain = Dialect::default();
    let mut keep = |path: &str, result: Result<u8, String>, otherwise| {
        result.unwrap_or_else(|why| {
            found.push(error("files/csv", path, &why, "choose one ASCII character"));
            otherwise
        })
    };
    let delimiter = match spec.delimiter {
        Some(c) => keep(&options.at("csv/delimiter"), dialect::ascii("delimiter", c), delimiter),
        None => delimiter,
    };
    let quote = match spec.quote {
        Some(c) => keep(&options.at("csv/quote"), dialect::ascii("quote", c), plain.quote),
        None => plain.quote,
    };
    if delimiter == quote {
        found.push(error(
            "files/csv",
            &options.at("csv/quote"),
            "the quote is the delimiter too",
            "choose two characters",
        ));
    }
    let encoding = spec.encoding.as_deref().map_or(Ok(plain.encoding), dialect::encoding);
    let encoding = encoding.unwrap_or_else(|why| {
        found.push(error("files/csv", &options.at("csv/encoding"), &why, "leave `encoding` out for UTF-8"));
        plain.encoding
    });
    let marked = [encoding_rs::UTF_8, encoding_rs::UTF_16LE, encoding_rs::UTF_16BE];
    if spec.bom == Some(true) && !marked.contains(&encoding) {
        let message = format!("`{}` has no byte order mark", encoding.name());
        found.push(error("files/csv", &options.at("csv/bom"), &message, "leave `bom` out"));
    }
    let plain = Dialect { encoding, ..plain };
    Dialect {
        delimiter,
        quote,
        escape: match spec.escape {
            Some(EscapeSpec::Backslash) => Escape::Backslash,
            Some(EscapeSpec::Double) | None => Escape::Double,
        },
        quote_mode: match spec.quote_mode {
            Some(QuoteModeSpec::Minimal) | None => QuoteMode::Minimal,
            Some(QuoteModeSpec::Always) => QuoteMode::Always,
            Some(QuoteModeSpec::Never) => QuoteMode::Never,
        },
        terminator: match spec.terminator {
            Some(TerminatorSpec::Lf) | None => Terminator::Lf,
            Some(TerminatorSpec::Crlf) => Terminator::Crlf,
        },
        header: spec.header.unwrap_or(plain.header),
        null_text: spec.null_text.clone().unwrap_or(plain.null_text),
        bom: spec.bom.unwrap_or(plain.bom),
        newline_in_cell: match spec.newline_in_cell {
            Some(NewlineSpec::Space) => NewlineInCell::Space,
            Some(NewlineSpec::Keep) | None => NewlineInCell::Keep,
        },
        ..plain
    }
}
