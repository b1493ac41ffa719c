//! The options of one output: the layout's, with the output's own in their place. Each knows where it was written,
//! so that a fault is shown there.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use outflow_spec::layout::{
    CompanionScope, ContentEncoding, FilesLayout, LayoutCompression, LayoutFormat, OutputSpec, SplitSpec,
};

use super::template::{Place, Templates};
use super::{error, format};
use crate::layout::{Diagnostic, FileName, LayoutError};

/// The name of the only output of a layout without `outputs`.
const ONLY: &str = "files";

/// Help about time zones.
const IANA: &str = "write an IANA name, such as `Europe/Brussels`";

/// The options of one output.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// Its name.
    pub name: String,
    /// Condition of the rows that it takes.
    pub filter: Option<String>,
    /// The layout with the output's options in it.
    pub spec: FilesLayout,
    /// Its index in `outputs`, and the options that it sets there.
    own: Option<(usize, Vec<&'static str>)>,
}

impl FileOptions {
    /// Every output of a layout.
    pub fn all(spec: &FilesLayout) -> Vec<Self> {
        if spec.outputs.is_empty() {
            return vec![Self { name: ONLY.to_owned(), filter: None, spec: spec.clone(), own: None }];
        }
        spec.outputs.iter().enumerate().map(|(index, output)| Self::merged(spec, index, output)).collect()
    }

    fn merged(layout: &FilesLayout, index: usize, output: &OutputSpec) -> Self {
        let mut spec = layout.clone();
        let mut own = Vec::new();
        macro_rules! replace {
            ($($option:ident),*) => {$(
                if let Some(value) = &output.$option {
                    spec.$option = value.clone().into();
                    own.push(stringify!($option));
                }
            )*};
        }
        replace!(path, format, csv, json, omit_null, split_by, rotate, when_empty);
        replace!(columns, keep_split_columns, entry);
        Self { name: output.name.clone(), filter: output.filter.clone(), spec, own: Some((index, own)) }
    }

    /// Whether the layout has other outputs beside it.
    pub fn is_one_of_several(&self) -> bool {
        self.spec.outputs.len() > 1
    }

    /// JSON pointer to an option, below the layout.
    pub fn at(&self, option: &str) -> String {
        match &self.own {
            Some((index, own)) if own.iter().any(|name| option.split('/').next() == Some(name)) => {
                format!("/outputs/{index}/{option}")
            }
            _ => format!("/{option}"),
        }
    }

    /// Names of what splits the rows.
    pub fn split_names(&self) -> Vec<&str> {
        self.spec.split_by.iter().map(SplitSpec::name).collect()
    }

    /// Adds what is wrong with the options before any row is known.
    pub fn check(&self, templates: &Templates, found: &mut Vec<Diagnostic>) {
        let spec = &self.spec;
        let users = [self];
        templates.check(&self.at("path"), &spec.path, Place::Name, &users, found);
        if let Some(entry) = &spec.entry {
            templates.check(&self.at("entry"), entry, Place::Entry, &users, found);
            if spec.compression != LayoutCompression::Zip {
                let message = "names the entry of a zip archive";
                found.push(error("files/entry", &self.at("entry"), message, "write `compression: zip`"));
            }
        }
        for (name, value) in &spec.metadata {
            templates.check(&format!("/metadata/{name}"), value, Place::Name, &users, found);
            let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || !name.chars().all(is_token) {
                let message = format!("`{name}` cannot be the name of a header");
                let help = "use ASCII letters, digits and hyphens";
                found.push(error("files/metadata", &format!("/metadata/{name}"), &message, help));
            }
        }
        let wanted = match spec.content_encoding {
            None => spec.compression,
            Some(ContentEncoding::Gzip) => LayoutCompression::Gzip,
            Some(ContentEncoding::Zstd) => LayoutCompression::Zstd,
        };
        if wanted != spec.compression {
            let message = "is not the `compression` of the files";
            found.push(error("files/content-encoding", "/content_encoding", message, "write the same `compression`"));
        }
        if spec.compression == LayoutCompression::Zip && self.name_after() {
            let message = "a zip file is named before it is written, and this waits for its rows, bytes or digest";
            found.push(error("files/zip", &self.at("path"), message, "leave `rows`, `bytes` and `sha256` out"));
        }
        if spec.format == LayoutFormat::Parquet && spec.rotate.bytes.is_some() {
            let message = "the size of a Parquet file is not known before it is complete";
            found.push(error("files/rotate", &self.at("rotate/bytes"), message, "limit its `rows` instead"));
        }
        self.check_split(found);
        self.check_parts(found);
        format::check(self, found);
    }

    fn check_split(&self, found: &mut Vec<Diagnostic>) {
        let names = self.split_names();
        for (index, split) in self.spec.split_by.iter().enumerate() {
            let at = self.at(&format!("split_by/{index}"));
            if names[..index].contains(&names[index]) {
                let message = format!("`{}` is listed twice", names[index]);
                found.push(error("files/split-by", &at, &message, "take one out, or give it another `name`"));
            }
            let SplitSpec::Computed(split) = split else { continue };
            let whole = match (&split.column, &split.value) {
                (Some(_), None) => split.by.is_some(),
                (None, Some(_)) => split.name.is_some() && split.by.is_none(),
                _ => false,
            };
            if !whole {
                let help = "write `{column: event_time, by: day}` or `{name: initial, value: \"…\"}`";
                found.push(error("files/split-by", &at, "is neither a time nor an expression", help));
            }
            let zone = split.zone.as_deref().map_or(Ok(TimeZone::UTC), TimeZone::get);
            let pattern = split.format.as_deref().unwrap_or_default();
            match zone.map(|zone| strtime::format(pattern, &Timestamp::UNIX_EPOCH.to_zoned(zone))) {
                Err(why) => found.push(error("files/split-by", &format!("{at}/zone"), &why.to_string(), IANA)),
                Ok(Err(why)) => {
                    let help = "see `strftime`, such as `%Y%m%d`";
                    found.push(error("files/split-by", &format!("{at}/format"), &why.to_string(), help));
                }
                Ok(Ok(_)) => {}
            }
        }
    }

    /// Parts of a rotated file need names that differ.
    fn check_parts(&self, found: &mut Vec<Diagnostic>) {
        let rotates = self.spec.rotate.rows.is_some() || self.spec.rotate.bytes.is_some();
        let named = |source: &String| Templates::uses(source, &["part", "nonce", "counter", "sha256"]);
        if rotates && !named(&self.spec.path) && !self.spec.entry.as_ref().is_some_and(named) {
            let message = "is the same for every part of a rotated file";
            found.push(error("files/part", &self.at("path"), message, "add `{{ part }}` or `{{ nonce[:8] }}`"));
        }
    }

    /// Whether names need the facts of the written file.
    pub fn name_after(&self) -> bool {
        let named = [Some(&self.spec.path), self.spec.entry.as_ref()].into_iter().flatten();
        let mut named = named.chain(self.spec.metadata.values());
        named.any(|source| Templates::uses(source, &["rows", "bytes", "sha256"]))
    }

    /// The name of a file and what goes with it.
    pub fn file_name(&self, templates: &Templates, values: &minijinja::Value) -> Result<FileName, LayoutError> {
        let spec = &self.spec;
        let path = templates.render(&self.at("path"), &spec.path, values)?;
        let archive_entry = match (spec.compression, &spec.entry) {
            (LayoutCompression::Zip, Some(entry)) => Some(templates.render(&self.at("entry"), entry, values)?),
            (LayoutCompression::Zip, None) => Some(self.entry_name(&path)),
            _ => None,
        };
        let mut metadata = Vec::new();
        for (name, value) in &spec.metadata {
            metadata.push((name.clone(), templates.render(&format!("/metadata/{name}"), value, values)?));
        }
        if let Some(encoding) = spec.content_encoding {
            let name = match encoding {
                ContentEncoding::Gzip => "gzip",
                ContentEncoding::Zstd => "zstd",
            };
            metadata.push(("content-encoding".to_owned(), name.to_owned()));
        }
        let content_type = spec.content_type.clone().unwrap_or_else(|| format::media_type(spec).to_owned());
        Ok(FileName { path, archive_entry, content_type: Some(content_type), metadata })
    }

    /// Name of a zip's entry: the output's, or else the archive's, with the extension of what is inside.
    fn entry_name(&self, path: &str) -> String {
        let extension = extension(self.spec.format);
        let name = path.rsplit('/').next().unwrap_or(path);
        let base = if self.own.is_some() { &self.name } else { name.strip_suffix(".zip").unwrap_or(name) };
        let named = base.strip_suffix(extension).is_some_and(|rest| rest.ends_with('.'));
        if named { base.to_string() } else { format!("{base}.{extension}") }
    }
}

/// Adds what is wrong with the companions' templates.
pub fn check_companions(
    spec: &FilesLayout,
    outputs: &[FileOptions],
    templates: &Templates,
    found: &mut Vec<Diagnostic>,
) {
    let users: Vec<&FileOptions> = outputs.iter().collect();
    for (index, companion) in spec.companions.iter().enumerate() {
        let place = match companion.scope {
            CompanionScope::File => Place::Companion,
            CompanionScope::Run => Place::RunCompanion,
        };
        let path = |member| format!("/companions/{index}/{member}");
        templates.check(&path("path"), &companion.path, place, &users, found);
        templates.check(&path("body"), &companion.body, place, &users, found);
    }
}

/// The extension of a format.
pub fn extension(format: LayoutFormat) -> &'static str {
    match format {
        LayoutFormat::Csv => "csv",
        LayoutFormat::Tsv => "tsv",
        LayoutFormat::Jsonl => "jsonl",
        LayoutFormat::JsonArray | LayoutFormat::JsonObject => "json",
        LayoutFormat::Parquet => "parquet",
    }
}
