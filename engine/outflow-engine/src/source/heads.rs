//! What the heads of the files tell before rows flow: each file's format and columns, and the columns of all.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use outflow_formats::chunk::Chunker;
use outflow_formats::container::{self, Bytes, decompress};
use outflow_formats::format::{Dialect, Escape};
use outflow_formats::text::decode_text;
use outflow_formats::{JSON_METADATA, JSON_RAW, csv, jsonl, parquet};
use outflow_spec::source::{EscapeSpec, FilesSource, SourceCompression, SourceFormat};

use super::listing::{InputFile, Location};
use crate::error::{Error, Result};
use crate::progress::{Event, Progress};

#[cfg(test)]
mod tests;

/// Bytes of a JSON Lines file that tell its columns.
const SAMPLE: u64 = 1 << 20;

/// Most columns of an input. Each costs memory in every batch, and a small archive may name any number of them.
const MAX_COLUMNS: usize = 10_000;

/// Refuses an input of too many columns.
pub fn few_enough(columns: usize) -> Result<()> {
    if columns <= MAX_COLUMNS {
        return Ok(());
    }
    Err(Error::user(format!("the source files hold {columns} columns; at most {MAX_COLUMNS} are read"))
        .hint("keys that are data, such as ids, belong in the values of one column"))
}

/// A listed file, and how to read it.
#[derive(Clone, Debug)]
pub struct KnownFile {
    /// The file.
    pub file: InputFile,
    /// Its format.
    pub format: SourceFormat,
    /// Its columns in its own order.
    pub columns: Vec<FieldRef>,
    dialect: Dialect,
    compression: container::Compression,
    header: bool,
}

impl KnownFile {
    /// Reads the head of a file. Blocks.
    pub fn open(spec: &FilesSource, file: &InputFile) -> Result<Self> {
        let (format, compression) = kinds(spec, &file.name)?;
        let mut known = Self {
            file: file.clone(),
            format,
            columns: Vec::new(),
            dialect: dialect(spec, format)?,
            compression,
            header: spec.header.unwrap_or(true),
        };
        let failed = |cause: outflow_formats::Error| reading(&file.name, &cause);
        known.columns = match format {
            SourceFormat::Csv | SourceFormat::Tsv if known.header => {
                let mut chunker = Chunker::csv(known.text(None)?, &known.dialect);
                text_fields(csv::read_header(&mut chunker, &known.dialect).map_err(failed)?.unwrap_or_default())
            }
            SourceFormat::Csv | SourceFormat::Tsv => text_fields(spec.columns.clone().ok_or_else(|| {
                Error::user(format!("`{}` has no header", file.name)).hint("name the columns in `source.files.columns`")
            })?),
            SourceFormat::Jsonl => {
                let mut head = Vec::new();
                known
                    .text(None)?
                    .take(SAMPLE)
                    .read_to_end(&mut head)
                    .map_err(|cause| unreadable(&file.name, &cause))?;
                let mut fields = jsonl::sample(&head).iter().map(json_field).collect::<Vec<_>>();
                for name in spec.columns.iter().flatten() {
                    if !fields.iter().any(|field| field.name() == name) {
                        fields.push(json_field(&jsonl::Column { name: name.clone(), kind: jsonl::Kind::Raw }));
                    }
                }
                fields
            }
            SourceFormat::Parquet => {
                let opened = parquet::open(known.seekable()?).map_err(failed)?;
                opened.schema().fields().iter().cloned().collect()
            }
        };
        few_enough(known.columns.len())?;
        Ok(known)
    }

    /// A chunker of a text file, past its header.
    pub fn chunker(&self, progress: &Arc<dyn Progress>) -> Result<Chunker<Bytes>> {
        let text = self.text((!self.is_plain()).then(|| progress.clone()))?;
        if self.format == SourceFormat::Jsonl {
            return Ok(Chunker::lines(text));
        }
        let mut chunker = Chunker::csv(text, &self.dialect);
        if self.header {
            csv::read_header(&mut chunker, &self.dialect).map_err(|cause| reading(&self.file.name, &cause))?;
        }
        Ok(chunker)
    }

    /// The dialect of a CSV file.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Whether what is read of it is told by what comes of it. Text that is not its bytes is counted as these are read.
    pub fn is_plain(&self) -> bool {
        let bytes = self.compression == container::Compression::None && self.dialect.encoding == encoding_rs::UTF_8;
        bytes || self.format == SourceFormat::Parquet
    }

    /// The bytes as UTF-8 text.
    fn text(&self, progress: Option<Arc<dyn Progress>>) -> Result<Bytes> {
        let raw: Bytes = match (self.raw()?, progress) {
            (raw, Some(progress)) => Box::new(Counted { inner: raw, progress }),
            (raw, None) => raw,
        };
        decompress(raw, self.compression)
            .and_then(|bytes| decode_text(bytes, self.dialect.encoding))
            .map_err(|cause| unreadable(&self.file.name, &cause))
    }

    fn raw(&self) -> Result<Bytes> {
        match &self.file.location {
            Location::Local(path) => Ok(Box::new(open_local(path)?)),
            Location::Object(store, path) => {
                let (store, path) = (store.clone(), path.clone());
                let runtime = tokio::runtime::Handle::current();
                let object = runtime.block_on(async move { object_store::ObjectStoreExt::get(&store, &path).await });
                let object =
                    object.map_err(|cause| crate::store::describe(&cause, &format!("`{}`", self.file.name)))?;
                let stream = futures::TryStreamExt::map_err(object.into_stream(), std::io::Error::other);
                Ok(Box::new(tokio_util::io::SyncIoBridge::new_with_handle(
                    tokio_util::io::StreamReader::new(Box::pin(stream)),
                    runtime,
                )))
            }
        }
    }

    /// A file that can be read at any place: an object is fetched into a temporary file first.
    pub fn seekable(&self) -> Result<File> {
        match &self.file.location {
            Location::Local(path) => open_local(path),
            Location::Object(..) => {
                let fetch = || -> std::io::Result<File> {
                    let mut file = tempfile::tempfile()?;
                    std::io::copy(&mut self.raw().map_err(std::io::Error::other)?, &mut file)?;
                    file.seek(SeekFrom::Start(0))?;
                    Ok(file)
                };
                fetch().map_err(|cause| unreadable(&self.file.name, &cause))
            }
        }
    }
}

/// The columns of all files, by first appearance. A column that is JSON in one file and text in another is text.
pub fn union(files: &[KnownFile]) -> Result<Vec<FieldRef>> {
    let mut all: Vec<FieldRef> = Vec::new();
    for file in files {
        for field in &file.columns {
            match all.iter_mut().find(|known| known.name() == field.name()) {
                None => all.push(field.clone()),
                Some(known) if known.data_type() == field.data_type() => {
                    if known.metadata() != field.metadata() {
                        *known = Arc::new(Field::new(known.name(), DataType::Utf8View, true));
                    }
                }
                Some(known) => {
                    return Err(Error::user(format!(
                        "column `{}` is {} in `{}`, but {} in a file before it",
                        field.name(),
                        field.data_type(),
                        file.file.name,
                        known.data_type()
                    )));
                }
            }
        }
    }
    let nullable = |field: FieldRef| Arc::new(field.as_ref().clone().with_nullable(true));
    Ok(all.into_iter().map(nullable).collect())
}

/// A column of JSON Lines as a field: text, marked where its values are JSON source.
pub fn json_field(column: &jsonl::Column) -> FieldRef {
    let field = Field::new(&column.name, DataType::Utf8View, true);
    Arc::new(match column.kind {
        jsonl::Kind::Text => field,
        jsonl::Kind::Raw => field.with_metadata([(JSON_METADATA.to_owned(), JSON_RAW.to_owned())].into()),
    })
}

/// A field as a column of JSON Lines.
pub fn json_column(field: &FieldRef) -> jsonl::Column {
    let raw = field.metadata().get(JSON_METADATA).is_some_and(|value| value == JSON_RAW);
    jsonl::Column { name: field.name().clone(), kind: if raw { jsonl::Kind::Raw } else { jsonl::Kind::Text } }
}

fn kinds(spec: &FilesSource, name: &str) -> Result<(SourceFormat, container::Compression)> {
    let lower = name.to_ascii_lowercase();
    let (stem, suffix) = match lower.rsplit_once('.') {
        Some((stem, "gz")) => (stem, container::Compression::Gzip),
        Some((stem, "zst" | "zstd")) => (stem, container::Compression::Zstd),
        _ => (lower.as_str(), container::Compression::None),
    };
    let compression = match spec.compression {
        None => suffix,
        Some(SourceCompression::None) => container::Compression::None,
        Some(SourceCompression::Gzip) => container::Compression::Gzip,
        Some(SourceCompression::Zstd) => container::Compression::Zstd,
    };
    let format = spec.format.or(match stem.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => Some(SourceFormat::Csv),
        Some("tsv" | "tab") => Some(SourceFormat::Tsv),
        Some("jsonl" | "ndjson" | "json") => Some(SourceFormat::Jsonl),
        Some("parquet") => Some(SourceFormat::Parquet),
        _ => None,
    });
    let format = format.ok_or_else(|| {
        Error::user(format!("the format of `{name}` is not told by its extension"))
            .hint("set `source.files.format` to csv, tsv, jsonl or parquet")
    })?;
    Ok((format, compression))
}

fn dialect(spec: &FilesSource, format: SourceFormat) -> Result<Dialect> {
    let default = if format == SourceFormat::Tsv { '\t' } else { ',' };
    let label = spec.encoding.as_deref().unwrap_or("utf-8");
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).ok_or_else(|| {
        Error::user(format!("unknown encoding `{label}`")).hint("use a WHATWG label such as `windows-1252`")
    })?;
    Ok(Dialect {
        delimiter: byte("delimiter", spec.delimiter.unwrap_or(default))?,
        quote: byte("quote", spec.quote.unwrap_or('"'))?,
        escape: match spec.escape {
            Some(EscapeSpec::Backslash) => Escape::Backslash,
            Some(EscapeSpec::Double) | None => Escape::Double,
        },
        null_text: spec.null_text.clone().unwrap_or_default(),
        encoding,
        ..Dialect::default()
    })
}

fn byte(option: &str, character: char) -> Result<u8> {
    u8::try_from(character).ok().filter(u8::is_ascii).ok_or_else(|| {
        Error::user(format!("source option `{option}` is {character:?}, which is not one ASCII character"))
    })
}

fn text_fields(names: Vec<String>) -> Vec<FieldRef> {
    names.into_iter().map(|name| Arc::new(Field::new(name, DataType::Utf8View, true))).collect()
}

fn open_local(path: &Path) -> Result<File> {
    File::open(path).map_err(|cause| unreadable(&path.display().to_string(), &cause))
}

fn unreadable(name: &str, cause: &std::io::Error) -> Error {
    Error::external(format!("cannot read `{name}`: {cause}"))
}

/// An error of a reader, with the file it came up in.
pub fn reading(name: &str, cause: &outflow_formats::Error) -> Error {
    let message = format!("cannot read `{name}`: {cause}");
    if cause.is_io() { Error::transient(message) } else { Error::user(message) }
}

struct Counted {
    inner: Bytes,
    progress: Arc<dyn Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.event(Event::Read(read as u64));
        Ok(read)
    }
}
