//! From the bytes of a pipeline file to its typed spec and every finding, in one pass: parse, fill, pick
//! components, validate, apply rules, type. Pure: what is outside comes in through `Lookup`.

use std::collections::BTreeSet;
use std::fmt;

use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::component;
use crate::diagnostic::Finding;
use crate::fill::{Lookup, fill};
use crate::ignores::Ignores;
use crate::lint::{self, Scope};
use crate::node::{Node, Places};
use crate::pipeline::PipelineSpec;
use crate::prepare::prepare;
use crate::project::{Project, ProjectSpec, connect};
use crate::schema::{self, LayoutSchema, PluginOptions, check};
use crate::text::Span;
use crate::yaml;

/// The language with its layout plugins, ready to load files. Making one takes milliseconds; keep it.
#[derive(Debug)]
pub struct Language {
    schema: Value,
    validator: Validator,
}

/// A plugin has a schema that is none.
#[derive(Debug)]
pub struct SchemaError(String);

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the schema of a plugin's options is invalid: {}", self.0)
    }
}

impl std::error::Error for SchemaError {}

impl Language {
    /// The language with these layouts beside the built-in one.
    pub fn new(layouts: &[LayoutSchema]) -> Result<Self, SchemaError> {
        Self::of(schema::strict(layouts))
    }

    /// The language of project files.
    pub fn of_projects() -> Result<Self, SchemaError> {
        Self::of(schema::strict_project())
    }

    /// The language of one file, with the options of the plugins that it names.
    pub fn with_options(&self, plugins: &[PluginOptions]) -> Result<Self, SchemaError> {
        let mut schema = self.schema.clone();
        plugins.iter().for_each(|plugin| schema::add_options(&mut schema, plugin));
        Self::of(schema)
    }

    fn of(schema: Value) -> Result<Self, SchemaError> {
        let validator = jsonschema::draft202012::new(&schema).map_err(|error| SchemaError(error.to_string()))?;
        Ok(Self { schema, validator })
    }
}

/// What loading needs beside the file.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// The language.
    pub language: &'a Language,
    /// Where `${…}` gets its values.
    pub lookup: &'a dyn Lookup,
    /// The project the pipeline is part of.
    pub project: Option<&'a Project>,
}

/// A kind of file that is loaded so.
pub(crate) trait Document: DeserializeOwned {
    /// The pipeline, if it is one: many rules are about nothing else.
    fn pipeline(&self) -> Option<&PipelineSpec>;
}

impl Document for PipelineSpec {
    fn pipeline(&self) -> Option<&PipelineSpec> {
        Some(self)
    }
}

impl Document for ProjectSpec {
    fn pipeline(&self) -> Option<&PipelineSpec> {
        None
    }
}

/// A loaded file.
#[derive(Debug)]
pub struct Loaded<T = PipelineSpec> {
    /// The pipeline; none where findings stand in the way of typing it. Other errors may be there all the
    /// same: ask `has_errors` before running it.
    pub spec: Option<T>,
    /// Everything wrong in the file, in the order of the file.
    pub findings: Vec<Finding>,
    text: String,
    raw: Value,
    places: Places,
    pub(crate) ignores: Ignores,
}

impl<T> Loaded<T> {
    /// Whether an error was found.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the thing behind a JSON pointer stands, or the nearest thing around it.
    pub fn place(&self, pointer: &str) -> Span {
        place(&self.places, pointer)
    }

    /// The value behind a JSON pointer as the file writes it, `${…}` unfilled.
    pub fn written(&self, pointer: &str) -> Option<&Value> {
        self.raw.pointer(pointer)
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) fn raw(&self) -> &Value {
        &self.raw
    }

    /// Takes findings of a later step: drops the silenced ones and those already there, and sorts the rest in.
    pub fn add(&mut self, findings: Vec<Finding>) {
        let fresh = self.ignores.filter(&self.text, findings);
        for finding in fresh {
            if !self.findings.iter().any(|known| known.is_same(&finding)) {
                self.findings.push(finding);
            }
        }
        self.findings.sort_by_key(|finding| (finding.span, finding.code.code));
    }
}

/// Loads a pipeline file.
pub fn load(text: &str, options: &LoadOptions<'_>) -> Loaded {
    load_document(text, options.language, options.lookup, options.project).0
}

/// Loads a file of either kind; gives its filled tree too.
pub(crate) fn load_document<T: Document>(
    text: &str,
    language: &Language,
    lookup: &dyn Lookup,
    project: Option<&Project>,
) -> (Loaded<T>, Option<Node>) {
    let mut document = yaml::parse(text);
    let ignores = Ignores::read(text, &document.comments);
    let mut loaded = Loaded {
        spec: None,
        findings: std::mem::take(&mut document.findings),
        text: text.to_owned(),
        raw: Value::Null,
        places: Places::new(),
        ignores,
    };
    if let Some(root) = &mut document.root {
        loaded.places = root.places();
        loaded.raw = root.to_value();
        let findings = read(text, root, language, lookup, project, &mut loaded);
        loaded.findings.extend(findings);
    }
    let findings = std::mem::take(&mut loaded.findings);
    let (mut findings, ignore_findings) = loaded.ignores.apply(text, findings);
    findings.extend(ignore_findings);
    findings.sort_by_key(|finding| (finding.span, finding.code.code));
    loaded.findings = findings;
    (loaded, document.root)
}

fn read<T: Document>(
    text: &str,
    root: &mut Node,
    language: &Language,
    lookup: &dyn Lookup,
    project: Option<&Project>,
    loaded: &mut Loaded<T>,
) -> Vec<Finding> {
    let filled = fill(root, text, lookup);
    let connected = connect(root, project, &filled.leaves);
    for (pointer, place) in root.places() {
        loaded.places.entry(pointer).or_insert(place);
    }
    let value = prepare(root, &language.schema, &connected.filled);
    let blocked = !connected.muted.is_empty();
    let (mut findings, mut muted) = component::check(root, &language.schema, connected.muted);
    findings.extend(connected.findings);
    muted.extend(root.broken_pointers());
    let subject = check::Subject {
        schema: &language.schema,
        value: &value,
        raw: root,
        places: &loaded.places,
        filled: &connected.filled,
        muted: &muted,
    };
    findings.extend(check::check(&language.validator, &subject));
    findings.extend(filled.findings);
    if loaded.findings.is_empty() && findings.is_empty() && !blocked {
        match serde_json::from_value(value.clone()) {
            Ok(spec) => loaded.spec = Some(spec),
            // The reason may quote a value; it is shown only where the file itself holds all values.
            Err(error) => {
                let reason =
                    if connected.filled.is_empty() { error.to_string() } else { "a value does not fit".to_owned() };
                findings.push(Finding::not_loadable(loaded.place(""), &reason));
            }
        }
    }
    let scope = Scope {
        text,
        schema: &language.schema,
        raw: &loaded.raw,
        value: &value,
        places: &loaded.places,
        filled: &connected.filled,
        literal: &filled.literal,
        muted: &muted,
        spec: loaded.spec.as_ref().and_then(Document::pipeline),
    };
    lint::check(&scope, &mut findings);
    findings
}

/// Where the thing behind a pointer stands, or the nearest thing around it.
pub(crate) fn place(places: &Places, pointer: &str) -> Span {
    let mut pointer = pointer;
    loop {
        if let Some(place) = places.get(pointer) {
            return place.best;
        }
        match pointer.rsplit_once('/') {
            Some((parent, _)) => pointer = parent,
            None => return Span::default(),
        }
    }
}

/// Whether a pointer lies in one of these blocks.
pub(crate) fn is_muted(pointer: &str, muted: &BTreeSet<String>) -> bool {
    let ends = pointer.match_indices('/').map(|(at, _)| at).chain([pointer.len()]);
    ends.into_iter().any(|end| muted.contains(&pointer[..end]))
}
