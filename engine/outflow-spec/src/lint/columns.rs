//! OF205, OF210, OF303, OF306: follows the columns from the source through the transforms to the layout.
//! It stops knowing them at `sql`, whose columns only the planner knows, and at plugins unless somebody has asked
//! them. SQL itself is left to the planner.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::layout::{ColumnSpec, FilesLayout, LayoutSpec, OutputSpec, SplitSpec, WrittenColumn};
use crate::lint::Scope;
use crate::lint::personal::is_personal;
use crate::lint::template_syntax::{find_name, names_in};
use crate::load::{Loaded, place};
use crate::node::{Places, join};
use crate::pipeline::PipelineSpec;
use crate::source::SourceSpec;
use crate::text::Span;
use crate::transform::{ContextsTransform, LookupTransform, OnMissing, OnNew, SelectTransform, TransformSpec};

#[cfg(test)]
mod tests;

/// Applies the rule with what the file alone says about columns.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let Some(spec) = scope.spec else { return };
    let after = BTreeMap::new();
    let view = View { spec, places: scope.places, raw: scope.raw, text: scope.text, after: &after };
    let (names, list) = match &spec.source {
        // A header that is there wins over the list, so only a source without one is known.
        SourceSpec::Files(files) => {
            (files.columns.as_ref().filter(|_| files.header == Some(false)), "/source/files/columns")
        }
        SourceSpec::Postgres(source) => (source.columns.as_ref(), "/source/postgres/columns"),
    };
    let columns = names.map(|names| {
        names.iter().enumerate().map(|(index, name)| view.column(name, &format!("{list}/{index}"))).collect()
    });
    view.track(columns, findings);
}

/// What is wrong once the columns of the source are known, as its files have them. Findings that the file
/// alone gave already come again; `Loaded::add` drops them.
/// `after` has the columns behind transforms that only plugins know, by their place.
pub fn check_columns(loaded: &Loaded, source_columns: &[String], after: &BTreeMap<usize, Vec<String>>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(spec) = &loaded.spec {
        let view = View { spec, places: loaded.places(), raw: loaded.raw(), text: loaded.text(), after };
        let columns =
            source_columns.iter().map(|name| Column { name: name.clone(), origin: None, filled: false }).collect();
        view.track(Some(columns), &mut findings);
    }
    findings
}

/// A column and the pointer to where the file names it.
#[derive(Clone)]
struct Column {
    name: String,
    origin: Option<String>,
    /// Whether the file writes the name as `${…}`, so that it is not to be shown.
    filled: bool,
}

/// The rows between two steps.
struct Rows {
    /// Their columns in order, if known.
    columns: Option<Vec<Column>>,
    /// Columns that hold a digest, with the pointer to where they were hashed.
    hashed: BTreeMap<String, String>,
}

impl Rows {
    fn lacks(&self, name: &str) -> bool {
        self.columns.as_ref().is_some_and(|columns| columns.iter().all(|column| column.name != name))
    }

    fn has(&self, name: &str) -> bool {
        self.columns.as_ref().is_some_and(|columns| columns.iter().any(|column| column.name == name))
    }

    /// The names that a message may show: none that `${…}` filled in.
    fn names(&self) -> Vec<&str> {
        let shown = self.columns.iter().flatten().filter(|column| !column.filled);
        shown.map(|column| column.name.as_str()).collect()
    }

    /// These columns: those that were there keep what is known of them.
    fn renewed(&self, names: &[String], origin: &str) -> Vec<Column> {
        let known = |name: &String| self.columns.iter().flatten().find(|column| column.name == *name).cloned();
        let fresh = |name: &String| Column { name: name.clone(), origin: Some(origin.to_owned()), filled: false };
        names.iter().map(|name| known(name).unwrap_or_else(|| fresh(name))).collect()
    }

    fn put(&mut self, name: &str, origin: String) {
        self.hashed.remove(name);
        if let Some(columns) = &mut self.columns {
            match columns.iter_mut().find(|column| column.name == name) {
                Some(column) => column.origin = Some(origin),
                None => columns.push(Column { name: name.to_owned(), origin: Some(origin), filled: false }),
            }
        }
    }
}

struct View<'a> {
    spec: &'a PipelineSpec,
    places: &'a Places,
    raw: &'a Value,
    text: &'a str,
    after: &'a BTreeMap<usize, Vec<String>>,
}

impl View<'_> {
    fn track(&self, columns: Option<Vec<Column>>, findings: &mut Vec<Finding>) {
        let mut rows = Rows { columns, hashed: BTreeMap::new() };
        // A database windows its rows itself, by a column that need not leave it.
        if let (Some(incremental), SourceSpec::Files(_)) = (&self.spec.incremental, &self.spec.source) {
            self.require("/incremental/cursor", &incremental.cursor, &rows, findings);
        }
        for (index, transform) in self.spec.transforms.iter().enumerate() {
            self.transform(&format!("/transforms/{index}"), transform, &mut rows, findings);
        }
        self.layout(&rows, findings);
    }

    fn transform(&self, pointer: &str, transform: &TransformSpec, rows: &mut Rows, findings: &mut Vec<Finding>) {
        match transform {
            TransformSpec::Changes(changes) => {
                self.require_all(&format!("{pointer}/changes/key"), &changes.key, rows, findings);
                self.add(&format!("{pointer}/changes/column"), &changes.column, rows, findings);
            }
            TransformSpec::Contexts(contexts) => self.contexts(pointer, contexts, rows, findings),
            TransformSpec::Deduplicate(deduplicate) => {
                self.require_all(&format!("{pointer}/deduplicate/by"), &deduplicate.by, rows, findings);
                let order = deduplicate.order_by.as_deref().unwrap_or_default();
                self.expression(&format!("{pointer}/deduplicate/order_by"), order, rows, findings);
            }
            TransformSpec::Derive(columns) => {
                for (name, expression) in columns {
                    let origin = join(&format!("{pointer}/derive"), name);
                    self.expression(&origin, expression.as_str().unwrap_or_default(), rows, findings);
                }
                for name in columns.keys() {
                    rows.put(name, join(&format!("{pointer}/derive"), name));
                }
            }
            TransformSpec::Filter(condition) => {
                self.expression(&format!("{pointer}/filter"), condition, rows, findings)
            }
            TransformSpec::Hash(hash) => {
                for (index, name) in hash.columns.iter().enumerate() {
                    let item = format!("{pointer}/hash/columns/{index}");
                    self.require(&item, name, rows, findings);
                    rows.hashed.insert(name.clone(), item);
                }
            }
            TransformSpec::Lookup(lookup) => self.lookup(&format!("{pointer}/lookup"), lookup, rows, findings),
            TransformSpec::Reject(reject) => {
                for (index, rule) in reject.rules.iter().enumerate() {
                    for (name, text) in [("when", &rule.when), ("unless", &rule.unless)] {
                        let nested = format!("{pointer}/reject/{index}/{name}");
                        let leaf = if self.places.contains_key(&nested) { nested } else { format!("{pointer}/reject") };
                        self.expression(&leaf, text.as_deref().unwrap_or_default(), rows, findings);
                    }
                }
            }
            TransformSpec::Plugin(_) => {
                let known = pointer.rsplit('/').next().and_then(|index| self.after.get(&index.parse().ok()?));
                rows.columns = known.map(|names| rows.renewed(names, &format!("{pointer}/plugin")));
            }
            TransformSpec::Select(select) => self.select(pointer, select, rows, findings),
            TransformSpec::Sql(_) => rows.columns = None,
        }
    }

    fn lookup(&self, pointer: &str, lookup: &LookupTransform, rows: &mut Rows, findings: &mut Vec<Finding>) {
        // A list names both sides at once; in a mapping the key is the side of the rows.
        let leaf = |block: &str, index: usize, name: &str| {
            let item = format!("{pointer}/{block}/{index}");
            if self.places.contains_key(&item) { item } else { join(&format!("{pointer}/{block}"), name) }
        };
        for (index, (name, _)) in lookup.on.0.iter().enumerate() {
            let item = leaf("on", index, name);
            if rows.lacks(name) {
                let written = self.written(&item).filter(|_| item.ends_with(&format!("/{index}"))).unwrap_or(name);
                findings.push(Finding::unknown_column(self.key(&item), written, &rows.names()));
            }
        }
        for (index, (name, _)) in lookup.columns.0.iter().enumerate() {
            self.add(&leaf("columns", index, name), name, rows, findings);
        }
    }

    /// A column that must not be there yet.
    fn add(&self, origin: &str, name: &str, rows: &mut Rows, findings: &mut Vec<Finding>) {
        if rows.has(name) {
            findings.push(Finding::column_exists(self.key(origin), name));
        }
        rows.put(name, origin.to_owned());
    }

    fn require_all(&self, list: &str, names: &[String], rows: &Rows, findings: &mut Vec<Finding>) {
        for (index, name) in names.iter().enumerate() {
            self.require(&format!("{list}/{index}"), name, rows, findings);
        }
    }

    fn select(&self, pointer: &str, select: &SelectTransform, rows: &mut Rows, findings: &mut Vec<Finding>) {
        let mut chosen: Vec<Column> = Vec::new();
        for (index, name) in select.columns.iter().enumerate() {
            let item = format!("{pointer}/select/columns/{index}");
            if select.on_missing == OnMissing::Error {
                self.require(&item, name, rows, findings);
            }
            chosen.push(self.column(name, &item));
        }
        rows.columns = match (select.on_new, rows.columns.take()) {
            (OnNew::Append, None) => None,
            (OnNew::Append, Some(columns)) => {
                let rest = columns.into_iter().filter(|column| !select.columns.contains(&column.name));
                let rest: Vec<Column> = rest.collect();
                chosen.extend(rest);
                Some(chosen)
            }
            _ => Some(chosen),
        };
    }

    fn contexts(&self, pointer: &str, contexts: &ContextsTransform, rows: &mut Rows, findings: &mut Vec<Finding>) {
        for column in &contexts.columns {
            let origin = join(&format!("{pointer}/contexts"), &column.name);
            let nested = format!("{origin}/template");
            let is_nested = self.places.contains_key(&nested);
            let template = if is_nested { nested } else { origin.clone() };
            // Whoever says what an undefined name does knows that it may be undefined.
            let tolerant = self.places.contains_key(&format!("{origin}/on_undefined"));
            self.template(&template, &column.template, tolerant, rows, findings);
            self.add(&origin, &column.name, rows, findings);
        }
    }

    fn template(&self, pointer: &str, template: &str, tolerant: bool, rows: &Rows, findings: &mut Vec<Finding>) {
        let mut names: Vec<String> = names_in(template).unwrap_or_default().into_iter().collect();
        names.sort();
        names.dedup_by_key(|name| column_of(name, rows).to_owned());
        for name in &names {
            let column = column_of(name, rows);
            if let Some(item) = rows.hashed.get(column) {
                let hashed = place(self.places, item);
                findings.push(Finding::hashed_used_as_plain(self.word(pointer, column), column, Some(hashed)));
            } else if identity_columns(&self.spec.layout).contains(&column) {
                findings.push(Finding::identity_in_template(self.word(pointer, column), column));
            }
            if rows.lacks(column) && !tolerant && !matches!(column, "range" | "dict" | "namespace" | "debug" | "loop") {
                findings.push(Finding::unknown_column(self.word(pointer, column), column, &rows.names()));
            }
        }
    }

    fn expression(&self, pointer: &str, expression: &str, rows: &Rows, findings: &mut Vec<Finding>) {
        for (column, item) in &rows.hashed {
            if names_column(expression, column) {
                let hashed = place(self.places, item);
                findings.push(Finding::hashed_used_as_plain(self.word(pointer, column), column, Some(hashed)));
            }
        }
    }

    fn layout(&self, rows: &Rows, findings: &mut Vec<Finding>) {
        let hashed_by_layout = identity_columns(&self.spec.layout);
        let pointer = match &self.spec.layout {
            LayoutSpec::Files(_) => "/layout/files".to_owned(),
            LayoutSpec::Plugin { name, .. } => join("/layout", name),
            LayoutSpec::Component(_) => "/layout/plugin".to_owned(),
        };
        let mut leaving: Vec<Column> = Vec::new();
        match &self.spec.layout {
            LayoutSpec::Files(files) => self.files(files, rows, &mut leaving, findings),
            LayoutSpec::Plugin { .. } | LayoutSpec::Component(_) => {
                leaving.extend(rows.columns.iter().flatten().cloned());
            }
        }
        for column in leaving {
            let hashed = rows.hashed.contains_key(&column.name) || hashed_by_layout.contains(&column.name.as_str());
            if is_personal(&column.name) && !hashed {
                let span = column.origin.as_deref().map_or_else(|| self.key(&pointer), |origin| self.key(origin));
                let origin = column.origin.as_deref().filter(|_| column.filled);
                let shown = origin.and_then(|origin| self.written(origin)).unwrap_or(&column.name);
                findings.push(Finding::personal_column(span, shown));
            }
        }
    }

    /// The columns that the `files` layout names, and those that leave: all, unless it lists them.
    fn files(&self, files: &FilesLayout, rows: &Rows, leaving: &mut Vec<Column>, findings: &mut Vec<Finding>) {
        let own = files.outputs.iter().enumerate().map(|(index, output)| {
            let pointer = format!("/layout/files/outputs/{index}");
            (pointer, output.split_by.as_deref().unwrap_or_default(), output.columns.as_deref())
        });
        let shared = ("/layout/files".to_owned(), files.split_by.as_slice(), files.columns.as_deref());
        for (pointer, split, columns) in own.chain([shared]) {
            for (index, item) in split.iter().enumerate() {
                let item_pointer = format!("{pointer}/split_by/{index}");
                let place = match item {
                    SplitSpec::Column(_) => item_pointer,
                    SplitSpec::Computed(_) => format!("{item_pointer}/column"),
                };
                if let Some(column) = item.column() {
                    self.require(&place, column, rows, findings);
                }
            }
            for (index, item) in columns.into_iter().flatten().enumerate() {
                let item_pointer = format!("{pointer}/columns/{index}");
                let (name, place) = match item {
                    ColumnSpec::Name(name) => (name, item_pointer),
                    ColumnSpec::Written(WrittenColumn { column: Some(column), .. }) => {
                        (column, format!("{item_pointer}/column"))
                    }
                    ColumnSpec::Written(written) => {
                        let value = format!("{item_pointer}/value");
                        self.expression(&value, written.value.as_deref().unwrap_or_default(), rows, findings);
                        continue;
                    }
                };
                self.require(&place, name, rows, findings);
                leaving.push(self.column(name, &place));
            }
        }
        let listed = |output: &OutputSpec| output.columns.is_some();
        let all_listed = files.columns.is_some() || (!files.outputs.is_empty() && files.outputs.iter().all(listed));
        if !all_listed {
            leaving.splice(0..0, rows.columns.iter().flatten().cloned());
        }
    }

    fn require(&self, pointer: &str, name: &str, rows: &Rows, findings: &mut Vec<Finding>) {
        if rows.lacks(name) {
            let written = self.written(pointer).unwrap_or(name);
            findings.push(Finding::unknown_column(place(self.places, pointer), written, &rows.names()));
        }
    }

    /// A column that an item of a list names.
    fn column(&self, name: &str, item: &str) -> Column {
        let filled = self.written(item).is_some_and(|written| written != name);
        Column { name: name.to_owned(), origin: Some(item.to_owned()), filled }
    }

    fn written(&self, pointer: &str) -> Option<&str> {
        self.raw.pointer(pointer).and_then(Value::as_str)
    }

    fn key(&self, pointer: &str) -> Span {
        self.places.get(pointer).and_then(|place| place.key).unwrap_or_else(|| place(self.places, pointer))
    }

    /// A word inside a text leaf, or the whole leaf.
    fn word(&self, pointer: &str, word: &str) -> Span {
        let span = place(self.places, pointer);
        match find_name(span.of(self.text), word) {
            Some(at) => Span::new(span.start + at, span.start + at + word.len()),
            None => span,
        }
    }
}

/// The column that a name of a template reads: `contact.city` is the vendors' way to write `city`.
fn column_of<'a>(name: &'a str, rows: &Rows) -> &'a str {
    let mut parts = name.split('.');
    match (parts.next(), parts.next()) {
        (Some("contact"), Some(column)) if !rows.has("contact") => column,
        (Some(column), _) => column,
        _ => name,
    }
}

/// The columns that a layout hashes itself, by the options that layouts use for it.
fn identity_columns(layout: &LayoutSpec) -> Vec<&str> {
    let option = |name: &str| match layout {
        LayoutSpec::Plugin { options, .. } => options.get(name),
        LayoutSpec::Component(plugin) => plugin.options.get(name),
        LayoutSpec::Files(_) => None,
    };
    if option("hash_identity") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let further = option("identity_columns").and_then(Value::as_array).into_iter().flatten();
    further.filter_map(Value::as_str).chain(["identifier"]).collect()
}

/// Whether SQL names a column, outside of its texts. Names without quotes are folded to lower case.
fn names_column(expression: &str, column: &str) -> bool {
    let outside: String = expression.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    let quoted = format!("\"{column}\"");
    outside.contains(&quoted) || find_name(&outside.to_lowercase(), column).is_some()
}
