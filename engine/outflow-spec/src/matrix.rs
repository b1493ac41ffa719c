//! One pipeline file, many instances: reads the `matrix` of a file and loads the file once for each of its entries.
//! An entry stands by itself: what is wrong with one, such as a variable that is not set, is no matter of the others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use crate::diagnostic::{Finding, listed};
use crate::fill::{Lookup, MatrixValue, fill, has_literal};
use crate::load::{LoadOptions, Loaded, load};
use crate::node::{Entry, Node, NodeKind};
use crate::text::{Span, position};
use crate::yaml;

#[cfg(test)]
mod tests;

/// The key of the block, which is read before all others and is not filled with them.
pub(crate) const KEY: &str = "matrix";

/// The key that names an instance.
const NAME: &str = "instance";

/// The instances of a pipeline as written: a list of entries, or a file with such a list. The loader reads them with
/// [`Matrix::read`]; to a pipeline's spec only its own values matter.
#[derive(Clone, Copy, Debug)]
pub struct MatrixSpec;

impl<'de> Deserialize<'de> for MatrixSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for MatrixSpec {
    fn schema_name() -> Cow<'static, str> {
        "MatrixSpec".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The instances of a pipeline: a list with the values of each, or a file with such a list.",
            "anyOf": [{
                "type": "array",
                "minItems": 1,
                "items": {
                    "description": "The values of an instance, for `${matrix:key}`. They may hold `${env:…}`.",
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": {"type": ["string", "number", "boolean"]},
                },
            }, {
                "type": "object",
                "properties": {"file": {
                    "description": "A YAML file with the list, relative to the pipeline file. Example: `clients.yaml`.",
                    "type": "string",
                    "minLength": 1,
                }},
                "required": ["file"],
                "additionalProperties": false,
            }],
        })
    }
}

/// The instances of a file.
#[derive(Debug, Default)]
pub struct Matrix {
    /// Every instance, in the order written.
    pub instances: Vec<Instance>,
    /// What is wrong with the matrix as a whole. What the schema says of it is found when an instance is loaded.
    pub findings: Vec<Finding>,
    /// The file that holds the entries, if one does.
    pub file: Option<String>,
    /// The text of the pipeline file without the matrix: what all instances have in common.
    pub common: String,
}

/// An entry of a matrix.
#[derive(Debug)]
pub struct Instance {
    /// What it is called, unique in its pipeline.
    pub name: String,
    /// The entry as written, `${…}` unfilled.
    pub written: String,
    findings: Vec<Finding>,
    values: BTreeMap<String, MatrixValue>,
}

impl Matrix {
    /// Reads the matrix of a pipeline file; none when it has no `matrix`, or is no YAML.
    pub fn read(text: &str, lookup: &dyn Lookup) -> Option<Self> {
        let root = yaml::parse(text).root?;
        let NodeKind::Mapping(entries) = root.kind else { return None };
        let entry = entries.into_iter().find(|entry| entry.key == KEY)?;
        let mut matrix = Self { common: outside(text, &entry), ..Self::default() };
        match &entry.value.kind {
            NodeKind::Sequence(items) => matrix.add(items, text, &|span| span, lookup),
            NodeKind::Mapping(_) => {
                if let Some(Node { kind: NodeKind::Text(_), .. }) = entry.value.get("file") {
                    matrix.read_file(&entry, text, lookup);
                }
            }
            _ => {}
        }
        Some(matrix)
    }

    fn read_file(&mut self, entry: &Entry, text: &str, lookup: &dyn Lookup) {
        let mut block = entry.value.clone();
        self.findings.extend(fill(&mut block, text, lookup).findings);
        let Some(Node { kind: NodeKind::Text(path), span, broken: false }) = block.get("file") else { return };
        self.file = Some(path.clone());
        let listing = match lookup.file(path) {
            Ok(listing) => listing,
            Err(reason) => {
                let help = "the path starts at the folder of the pipeline file";
                self.findings.push(Finding::matrix_entry(*span, &format!("the file cannot be read: {reason}"), help));
                return;
            }
        };
        let document = yaml::parse(&listing);
        let told = |finding: &Finding| Self::told(finding, &listing, *span);
        self.findings.extend(document.findings.iter().map(told));
        match document.root.map(|root| root.kind) {
            Some(NodeKind::Sequence(items)) if !items.is_empty() => self.add(&items, &listing, &|_| *span, lookup),
            Some(_) => {
                let help = "write a `-` for each instance, and its values behind it: `- {client_id: \"0000\"}`";
                self.findings.push(Finding::matrix_entry(*span, "the file holds no list", help));
            }
            None => {}
        }
    }

    /// A finding of another file, told at the place that names the file.
    fn told(finding: &Finding, listing: &str, span: Span) -> Finding {
        let at = position(listing, finding.span.start);
        let message = format!("line {} of the file, column {}: {}", at.line, at.column, finding.message);
        let help = finding.help.as_deref().unwrap_or("see what the code means with `outflow explain`");
        Finding { span, ..Finding::matrix_entry(span, &message, help) }
    }

    /// Adds entries; `place` gives the place in the pipeline file of a place in `source`.
    fn add(&mut self, items: &[Node], source: &str, place: &dyn Fn(Span) -> Span, lookup: &dyn Lookup) {
        let elsewhere = |span: Span| place(span) != span;
        for item in items {
            let NodeKind::Mapping(entries) = &item.kind else {
                // In the pipeline file itself the schema says so.
                if elsewhere(item.span) {
                    let line = position(source, item.span.start).line;
                    let message = format!("line {line} of the file: an entry is no mapping of names to values");
                    self.findings.push(Finding::matrix_entry(
                        place(item.span),
                        &message,
                        "write `{client_id: \"0000\"}`",
                    ));
                }
                continue;
            };
            match self.name(entries) {
                Ok(name) => {
                    let mut instance = Instance::read(name, item, source, lookup);
                    if elsewhere(item.span) {
                        let at = place(item.span);
                        instance.findings =
                            instance.findings.iter().map(|found| Self::told(found, source, at)).collect();
                    }
                    self.instances.push(instance);
                }
                Err((span, message, help)) => {
                    let at = position(source, span.start).line;
                    let line = if elsewhere(span) { format!("line {at} of the file: ") } else { String::new() };
                    self.findings.push(Finding::matrix_entry(place(span), &format!("{line}{message}"), &help));
                }
            }
        }
    }

    /// What an entry is called, or what is wrong with that.
    fn name(&self, entries: &[Entry]) -> Result<String, (Span, String, String)> {
        let named = entries.iter().find(|entry| entry.key == NAME).or(entries.first());
        let help = format!("give each entry a value of its own for its first key, or for `{NAME}`");
        let Some(entry) = named else { return Err((Span::default(), "an entry is empty".to_owned(), help)) };
        let refuse = |message: String| Err((entry.value.span, message, help.clone()));
        let Some(name) = scalar(&entry.value) else { return refuse(format!("`{}` names no instance", entry.key)) };
        if name.contains("${") {
            return refuse(format!("`{}` names the instance, and names are written as they are", entry.key));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(fits) || !name.starts_with(char::is_alphanumeric) {
            return refuse(format!("{name:?} is no name: names have letters, digits, `-`, `_` and `.`"));
        }
        // Names are folders of the state, and some file systems know no capital letters.
        if self.instances.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
            return refuse(format!("two instances are called `{name}`"));
        }
        Ok(name)
    }

    /// The instances of these names, all without names; or what is wrong with the names.
    pub fn pick(&self, names: &[String]) -> Result<Vec<&Instance>, String> {
        let known = |name: &String| self.instances.iter().any(|instance| instance.name == *name);
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            let names = listed(self.instances.iter().map(|instance| instance.name.as_str()));
            return Err(format!("the pipeline has no instance `{unknown}`; it has {names}"));
        }
        let wanted = |instance: &&Instance| names.is_empty() || names.contains(&instance.name);
        Ok(self.instances.iter().filter(wanted).collect())
    }
}

impl Instance {
    fn read(name: String, item: &Node, source: &str, lookup: &dyn Lookup) -> Self {
        let mut findings = Vec::new();
        let mut values = BTreeMap::new();
        let mut filled = item.clone();
        findings.extend(fill(&mut filled, source, lookup).findings);
        if let (NodeKind::Mapping(written), NodeKind::Mapping(entries)) = (&item.kind, &filled.kind) {
            for (written, entry) in written.iter().zip(entries) {
                let literal = scalar(&written.value).is_some_and(|text| has_literal(&text));
                let text = scalar(&entry.value).filter(|_| !entry.value.broken);
                if text.is_none() && !entry.value.broken {
                    let message = format!("`{}` is no text, number or truth value", entry.key);
                    findings.push(Finding::matrix_entry(entry.value.span, &message, "write one value for each key"));
                }
                values.insert(entry.key.clone(), MatrixValue { text, literal });
            }
        }
        Self { name, written: item.to_value().to_string(), findings, values }
    }

    /// Whether its entry alone already keeps it from running.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// Loads a pipeline file as this instance of it.
    pub fn load(&self, text: &str, options: &LoadOptions<'_>) -> Loaded {
        let lookup = Layered { instance: self, below: options.lookup };
        let mut loaded = load(text, &LoadOptions { lookup: &lookup, ..*options });
        if self.has_errors() {
            loaded.spec = None;
        }
        loaded.add(self.findings.clone());
        loaded
    }
}

/// Loads a pipeline file with all its instances, and tells all that was found of any; the spec is that of the first.
pub fn load_every(text: &str, options: &LoadOptions<'_>) -> Loaded {
    let Some(matrix) = Matrix::read(text, options.lookup) else { return load(text, options) };
    let mut loaded = matrix.instances.iter().map(|instance| (instance.name.clone(), instance.load(text, options)));
    let Some((first, mut told)) = loaded.next() else {
        let mut told = load(text, options);
        told.add(matrix.findings);
        return told;
    };
    let mut found = vec![(first, std::mem::take(&mut told.findings))];
    found.extend(loaded.map(|(name, other)| (name, other.findings)));
    told.findings = merged(found);
    told.add(matrix.findings);
    told
}

/// The values of an instance in front of all others.
struct Layered<'a> {
    instance: &'a Instance,
    below: &'a dyn Lookup,
}

impl Lookup for Layered<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.below.env(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.below.file(path)
    }

    fn param(&self, name: &str) -> Option<String> {
        self.below.param(name)
    }

    fn matrix(&self, key: &str) -> Option<MatrixValue> {
        self.instance.values.get(key).cloned()
    }
}

/// The findings of all instances of a file: what all have is told once, what some have is told with their names.
pub fn merged(found: Vec<(String, Vec<Finding>)>) -> Vec<Finding> {
    let all = found.len();
    let mut merged: Vec<(Finding, Vec<String>)> = Vec::new();
    for (name, findings) in found {
        for finding in findings {
            match merged.iter_mut().find(|(known, _)| known.is_same(&finding)) {
                Some((_, names)) => names.push(name.clone()),
                None => merged.push((finding, vec![name.clone()])),
            }
        }
    }
    let mut findings = Vec::new();
    for (mut finding, names) in merged {
        if names.len() < all {
            // A comment that silences something in one instance has its use.
            if finding.is_unused_ignore() {
                continue;
            }
            let plural = if names.len() == 1 { "" } else { "s" };
            finding.message += &format!(" (instance{plural} {})", listed(names.iter().map(String::as_str)));
        }
        findings.push(finding);
    }
    findings.sort_by_key(|finding| (finding.span, finding.code.code));
    findings
}

/// The text of a scalar as it stands in a value.
fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Text(text) => Some(text.clone()),
        NodeKind::Number(number) => Some(number.to_string()),
        NodeKind::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn outside(text: &str, entry: &Entry) -> String {
    let before = text.get(..entry.key_span.start).unwrap_or(text);
    let after = text.get(entry.value.span.end..).unwrap_or_default();
    format!("{before}{after}")
}
