//! The built-in `files` layout: paths and companions as templates, columns as they come.
//! It knows no vendor; what a vendor needs beyond templates is a plugin's business.

mod template;

use outflow_formats::format::{Compression, Dialect, Escape, Format, JsonStyle, QuoteMode, Terminator};
use outflow_spec::layout::{
    CsvSpec, FilesLayout, LayoutCompression, LayoutFormat, QuoteModeSpec, TerminatorSpec, WhenEmptySpec,
};
use outflow_spec::source::EscapeSpec;

use crate::dialect;
use crate::layout::{
    Artifact, Dataset, Diagnostic, Field, FileFacts, FileIntent, FileName, HIDDEN_PREFIX, Layout, LayoutError,
    Manifest, Output, PartitionKey, Roll, RunInfo, Severity, Written,
};
use crate::name::Register;
use template::{Place, Templates};

/// Identity of the layout. Its options are part of the pipeline schema, so it brings no schema of its own.
pub fn manifest() -> Manifest {
    Manifest {
        name: "files".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: "Rows to files as the pipeline describes them".to_owned(),
        config_schema: serde_json::Value::Null,
        requires: Vec::new(),
        digest: crate::wasm::sha256(concat!("files ", env!("CARGO_PKG_VERSION")).as_bytes()),
    }
}

/// Checks the layout's options and readies it for a run.
pub fn open(spec: &FilesLayout, run: &RunInfo) -> Result<Box<dyn Layout>, LayoutError> {
    let mut found = Vec::new();
    let templates = Templates::new(&spec.split_by, run);
    templates.check("/path", &spec.path, Place::Name, &mut found);
    if let Some(entry) = &spec.entry {
        templates.check("/entry", entry, Place::Name, &mut found);
        if spec.compression != LayoutCompression::Zip {
            found.push(error("files/entry", "/entry", "names the entry of a zip archive", "write `compression: zip`"));
        }
    }
    for (index, companion) in spec.companions.iter().enumerate() {
        let path = |member| format!("/companions/{index}/{member}");
        templates.check(&path("path"), &companion.path, Place::Companion, &mut found);
        templates.check(&path("body"), &companion.body, Place::Companion, &mut found);
    }
    for (index, column) in spec.split_by.iter().enumerate() {
        if spec.split_by[..index].contains(column) {
            let message = format!("`{column}` is listed twice");
            found.push(error("files/split-by", &format!("/split_by/{index}"), &message, "take one out"));
        }
    }
    let format = format(spec, &mut found);
    let names_use_rows = [Some(&spec.path), spec.entry.as_ref()];
    let name_after = names_use_rows.into_iter().flatten().any(|source| templates.uses_rows(source));
    if found.is_empty() {
        Ok(Box::new(Files { spec: spec.clone(), templates, format, name_after, names: Register::default() }))
    } else {
        Err(LayoutError::Options(found))
    }
}

struct Files {
    spec: FilesLayout,
    templates: Templates,
    format: Format,
    name_after: bool,
    names: Register,
}

impl Files {
    fn name(&self, intent: &FileIntent, facts: Option<&FileFacts>) -> Result<FileName, LayoutError> {
        let values = self.templates.of_file(intent, facts);
        let path = self.templates.render("/path", &self.spec.path, &values)?;
        let archive_entry = match (self.spec.compression, &self.spec.entry) {
            (LayoutCompression::Zip, Some(entry)) => Some(self.templates.render("/entry", entry, &values)?),
            (LayoutCompression::Zip, None) => Some(entry_name(&path, extension(self.spec.format))),
            _ => None,
        };
        let content_type = Some(media_type(&self.spec).to_string());
        Ok(FileName { path, archive_entry, content_type, metadata: Vec::new() })
    }
}

#[async_trait::async_trait]
impl Layout for Files {
    async fn outputs(&mut self, inputs: &[Dataset]) -> Result<Vec<Output>, LayoutError> {
        let Some(input) = inputs.iter().find(|dataset| dataset.name == "input") else {
            return Err(LayoutError::Refused("there is no dataset `input`".to_string()));
        };
        let columns =
            || input.columns.iter().map(|column| &column.name).filter(|name| !name.starts_with(HIDDEN_PREFIX));
        let mut found = Vec::new();
        for (index, column) in self.spec.split_by.iter().enumerate() {
            if !columns().any(|name| name == column) {
                let names: Vec<_> = columns().map(|name| format!("`{name}`")).collect();
                let message = format!("the rows have no column `{column}`");
                let help = format!("the columns are {}", names.join(", "));
                found.push(error("files/split-by", &format!("/split_by/{index}"), &message, &help));
            }
        }
        if !found.is_empty() {
            return Err(LayoutError::Options(found));
        }
        let keep = self.spec.keep_split_columns.unwrap_or(true);
        let written = columns().filter(|name| keep || !self.spec.split_by.contains(name));
        let fields = written.map(|name| Field { name: name.clone(), expr: quoted(name), json: false }).collect();
        let key = |column: &String| PartitionKey { name: column.clone(), value: quoted(column) };
        Ok(vec![Output {
            dataset: "files".to_string(),
            kind: "data".to_string(),
            input: "input".to_string(),
            query: None,
            expand: None,
            filter: None,
            input_rules: Vec::new(),
            rules: Vec::new(),
            fields,
            pass_through: false,
            partition_by: self.spec.split_by.iter().map(key).collect(),
            order_by: Vec::new(),
            format: self.format.clone(),
            compression: match self.spec.compression {
                LayoutCompression::None => Compression::None,
                LayoutCompression::Gzip => Compression::Gzip,
                LayoutCompression::Zstd => Compression::Zstd,
                LayoutCompression::Zip => Compression::Zip,
            },
            roll: Roll::default(),
            counters: Vec::new(),
            write_when_empty: self.spec.when_empty == WhenEmptySpec::Write,
            name_after: self.name_after,
        }])
    }

    async fn name_files(&mut self, files: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>, LayoutError> {
        let mut names = Vec::with_capacity(files.len());
        for (intent, facts) in files {
            names.push(self.name(intent, facts.as_ref())?);
        }
        let named = files.iter().map(|(intent, _)| intent).zip(&names);
        self.names.data_files(named).map_err(LayoutError::Refused)?;
        Ok(names)
    }

    async fn files_written(&mut self, files: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        let mut artifacts = Vec::new();
        for file in files {
            let values = self.templates.of_written(file);
            for (index, companion) in self.spec.companions.iter().enumerate() {
                let at = |member| format!("/companions/{index}/{member}");
                artifacts.push(Artifact {
                    path: self.templates.render(&at("path"), &companion.path, &values)?,
                    content_type: "text/plain; charset=utf-8".to_string(),
                    body: self.templates.render(&at("body"), &companion.body, &values)?.into_bytes(),
                });
            }
        }
        self.names.artifacts(files, &artifacts).map_err(LayoutError::Refused)?;
        Ok(artifacts)
    }

    async fn run_written(&mut self, _files: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        Ok(Vec::new())
    }
}

fn error(code: &str, path: &str, message: &str, help: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: code.to_string(),
        path: path.to_string(),
        message: message.to_string(),
        help: Some(help.to_string()),
    }
}

/// A column by its exact name, in SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn extension(format: LayoutFormat) -> &'static str {
    match format {
        LayoutFormat::Csv => "csv",
        LayoutFormat::Tsv => "tsv",
        LayoutFormat::Jsonl => "jsonl",
        LayoutFormat::Parquet => "parquet",
    }
}

fn media_type(spec: &FilesLayout) -> &'static str {
    match (spec.compression, spec.format) {
        (LayoutCompression::Gzip, _) => "application/gzip",
        (LayoutCompression::Zstd, _) => "application/zstd",
        (LayoutCompression::Zip, _) => "application/zip",
        (LayoutCompression::None, LayoutFormat::Csv) => "text/csv",
        (LayoutCompression::None, LayoutFormat::Tsv) => "text/tab-separated-values",
        (LayoutCompression::None, LayoutFormat::Jsonl) => "application/x-ndjson",
        (LayoutCompression::None, LayoutFormat::Parquet) => "application/vnd.apache.parquet",
    }
}

/// Name of a zip's entry: the archive's, with the extension of what is inside.
fn entry_name(path: &str, extension: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let base = name.strip_suffix(".zip").unwrap_or(name);
    let named = base.strip_suffix(extension).is_some_and(|rest| rest.ends_with('.'));
    if named { base.to_string() } else { format!("{base}.{extension}") }
}

fn format(spec: &FilesLayout, found: &mut Vec<Diagnostic>) -> Format {
    let csv = matches!(spec.format, LayoutFormat::Csv | LayoutFormat::Tsv);
    if !csv && has_options(&spec.csv) {
        let message = format!("the files are `{}`, which has no CSV dialect", extension(spec.format));
        found.push(error("files/csv", "/csv", &message, "leave `csv` out"));
    }
    if spec.omit_null && spec.format != LayoutFormat::Jsonl {
        let message = "leaves members of JSON objects out, and the files are not `jsonl`";
        found.push(error("files/omit-null", "/omit_null", message, "leave `omit_null` out"));
    }
    match spec.format {
        LayoutFormat::Csv => Format::Csv(dialect(&spec.csv, b',', found)),
        LayoutFormat::Tsv => Format::Csv(dialect(&spec.csv, b'\t', found)),
        LayoutFormat::Jsonl => Format::JsonLines(JsonStyle { omit_null: spec.omit_null }),
        LayoutFormat::Parquet => Format::Parquet,
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
}

fn dialect(spec: &CsvSpec, delimiter: u8, found: &mut Vec<Diagnostic>) -> Dialect {
    let plain = Dialect::default();
    let mut keep = |path: &str, result: Result<u8, String>, otherwise| {
        result.unwrap_or_else(|why| {
            found.push(error("files/csv", path, &why, "choose one ASCII character"));
            otherwise
        })
    };
    let delimiter = match spec.delimiter {
        Some(c) => keep("/csv/delimiter", dialect::ascii("delimiter", c), delimiter),
        None => delimiter,
    };
    let quote = match spec.quote {
        Some(c) => keep("/csv/quote", dialect::ascii("quote", c), plain.quote),
        None => plain.quote,
    };
    if delimiter == quote {
        found.push(error("files/csv", "/csv/quote", "the quote is the delimiter too", "choose two characters"));
    }
    let encoding = spec.encoding.as_deref().map_or(Ok(plain.encoding), dialect::encoding);
    let encoding = encoding.unwrap_or_else(|why| {
        found.push(error("files/csv", "/csv/encoding", &why, "leave `encoding` out for UTF-8"));
        plain.encoding
    });
    let marked = [encoding_rs::UTF_8, encoding_rs::UTF_16LE, encoding_rs::UTF_16BE];
    if spec.bom == Some(true) && !marked.contains(&encoding) {
        let message = format!("`{}` has no byte order mark", encoding.name());
        found.push(error("files/csv", "/csv/bom", &message, "leave `bom` out"));
    }
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
        encoding,
        ..plain
    }
}

#[cfg(test)]
mod tests;
