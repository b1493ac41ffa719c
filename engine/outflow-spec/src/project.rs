//! The project file `outflow.yaml`: what the pipelines below its folder share. It is loaded as pipeline files are, with
//! every finding at its place, and a pipeline that uses a connection is loaded as if it had written the sink itself.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diagnostic::Finding;
use crate::fill::Lookup;
use crate::ledger::LedgerSpec;
use crate::load::{self, Language, Loaded};
use crate::node::{Entry, Node, NodeKind, join};
use crate::notify::NotifySpec;
use crate::schema::check::found;
use crate::sink::SinkSpec;
use crate::text::Span;

#[cfg(test)]
mod tests;

/// Name of the file, which is looked for in the folder of a pipeline and every folder above it.
pub const FILE_NAME: &str = "outflow.yaml";

/// What the pipelines of a project share. Paths in it start at its own folder.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectSpec {
    /// Version of the project file. Always `1`.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Targets by name, each written as a sink is. A pipeline delivers to one with
    /// `sink: {connection: acme_bucket, path: in/feeds}`.
    /// Example: `{acme_bucket: {s3: {bucket: acme-feeds, region: eu-west-1}}}`.
    #[serde(default)]
    pub connections: BTreeMap<String, SinkSpec>,
    /// Where deliveries are remembered, for workers that share them. Unset: a SQLite file in the state folder of each
    /// pipeline. Example: `{postgres: {url: "${env:LEDGER_URL}"}}`.
    #[serde(default)]
    pub ledger: Option<LedgerSpec>,
    /// Who is told of failures and recoveries of every pipeline, beside those whom the pipeline itself names.
    /// Example: `[{on: [failure, recovery], webhook: "${env:ALERT_URL}"}]`.
    #[serde(default)]
    pub notify: Vec<NotifySpec>,
}

/// A target that the project file declares. Stands where a sink stands.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "the loader puts the sink in its place, so only its schema is used")]
pub(crate) struct ConnectionUse {
    /// Name of one of the `connections` in `outflow.yaml`. Example: `acme_bucket`.
    #[schemars(length(min = 1))]
    connection: String,
    /// Folder or prefix below the connection's own. Example: `in/feeds`.
    #[serde(default)]
    path: String,
}

/// A loaded project file, as pipelines see it.
#[derive(Debug)]
pub struct Project {
    /// Its spec and findings.
    pub loaded: Loaded<ProjectSpec>,
    connections: BTreeMap<String, Node>,
    up: String,
}

impl Project {
    /// Loads a project file; `language` is [`Language::of_projects`].
    pub fn load(text: &str, language: &Language, lookup: &dyn Lookup) -> Self {
        let (loaded, root) = load::load_document::<ProjectSpec>(text, language, lookup, None);
        let named = match root.and_then(|root| root.get("connections").cloned()) {
            Some(Node { kind: NodeKind::Mapping(entries), .. }) => entries,
            _ => Vec::new(),
        };
        let connections = named.into_iter().map(|entry| (entry.key, entry.value)).collect();
        Self { loaded, connections, up: String::new() }
    }

    /// The same for pipelines in a folder so many levels below.
    #[must_use]
    pub fn seen_from_below(mut self, levels: usize) -> Self {
        self.up = "../".repeat(levels);
        self
    }
}

/// Options that name a file or folder of this machine.
const LOCAL_PATHS: [(&str, &str); 4] =
    [("ftps", "ca_file"), ("local", "path"), ("sftp", "agent"), ("sftp", "known_hosts")];

/// What putting sinks in place of connections changed.
#[derive(Debug, Default)]
pub(crate) struct Connected {
    /// Connections that cannot be used.
    pub findings: Vec<Finding>,
    /// Sinks that are not worth validating.
    pub muted: BTreeSet<String>,
    /// Leaves whose value is not in the pipeline file, so that it is not to be shown.
    pub filled: BTreeSet<String>,
}

/// Puts the sink that the project file declares in place of each connection that a pipeline uses.
pub(crate) fn connect(root: &mut Node, project: Option<&Project>, filled: &BTreeSet<String>) -> Connected {
    let mut connected = Connected { filled: filled.clone(), ..Connected::default() };
    let NodeKind::Mapping(entries) = &mut root.kind else { return connected };
    for entry in entries {
        match (entry.key.as_str(), &mut entry.value) {
            ("sink", sink) => connected.block("/sink", sink, project),
            ("sinks", Node { kind: NodeKind::Sequence(items), .. }) => {
                for (index, sink) in items.iter_mut().enumerate() {
                    connected.block(&format!("/sinks/{index}"), sink, project);
                }
            }
            _ => {}
        }
    }
    connected
}

impl Connected {
    fn block(&mut self, pointer: &str, sink: &mut Node, project: Option<&Project>) {
        if sink.get("connection").is_none() {
            return;
        }
        match self.resolved(pointer, sink, project) {
            Some(resolved) => *sink = resolved,
            None => {
                self.muted.insert(pointer.to_owned());
            }
        }
    }

    /// The sink that a use of a connection stands for; none where it cannot be told.
    fn resolved(&mut self, pointer: &str, sink: &Node, project: Option<&Project>) -> Option<Node> {
        let (name, path) = self.written(sink)?;
        let known: Vec<&str> =
            project.into_iter().flat_map(|project| project.connections.keys()).map(String::as_str).collect();
        let NodeKind::Text(text) = &name.kind else { return None };
        let Some((project, target)) = project.and_then(|project| Some((project, project.connections.get(text)?)))
        else {
            self.findings.push(Finding::unknown_connection(name.span, text, &known));
            return None;
        };
        // A broken project file has findings of its own.
        let NodeKind::Mapping(components) = &target.kind else { return None };
        let component = components.iter().find(|entry| !entry.key.starts_with("x-"))?;
        if project.loaded.has_errors() {
            return None;
        }
        let below = join(pointer, &component.key);
        let mut options = component.value.clone();
        options.walk(below.clone(), &mut |leaf, _| {
            self.filled.insert(leaf.to_owned());
        });
        set_spans(&mut options, name.span);
        lead_up(&mut options, &component.key, &project.up);
        if let Some(path) = path {
            let shown = !self.filled.contains(&join(pointer, "path"));
            self.append(&mut options, path, &below, shown);
        }
        let entry = Entry { key: component.key.clone(), key_span: name.span, value: options };
        Some(Node { span: sink.span, kind: NodeKind::Mapping(vec![entry]), broken: false })
    }

    /// The two things that a use says.
    fn written<'a>(&mut self, sink: &'a Node) -> Option<(&'a Node, Option<&'a Entry>)> {
        let NodeKind::Mapping(entries) = &sink.kind else { return None };
        let (mut name, mut path, mut sound) = (None, None, true);
        for entry in entries.iter().filter(|entry| !entry.key.starts_with("x-")) {
            match entry.key.as_str() {
                "connection" => name = Some(&entry.value),
                "path" => path = Some(entry),
                key => {
                    let known = ["connection", "path"];
                    self.findings.push(Finding::unknown_field(entry.key_span, key, "a use of a connection", &known));
                    sound = false;
                }
            }
            sound &= !entry.value.broken;
            if !matches!(entry.value.kind, NodeKind::Text(_)) && matches!(entry.key.as_str(), "connection" | "path") {
                let (span, found) = (entry.value.span, found(&entry.value.to_value()));
                self.findings.push(Finding::wrong_type(span, &format!("`{}`", entry.key), "text", found));
                sound = false;
            }
        }
        name.filter(|_| sound).map(|name| (name, path))
    }

    /// Puts the use's path below the connection's own.
    fn append(&mut self, options: &mut Node, path: &Entry, below: &str, shown: bool) {
        let (NodeKind::Mapping(entries), NodeKind::Text(text)) = (&mut options.kind, &path.value.kind) else { return };
        let pointer = join(below, "path");
        let own = entries.iter().find(|entry| entry.key == "path").map(|entry| entry.value.kind.clone());
        let mut value = path.value.clone();
        match own {
            Some(NodeKind::Text(own)) if !own.is_empty() => {
                if text.starts_with('/') {
                    self.findings.push(Finding::slash_at_end(value.span, "`path`", "starts with a slash", None));
                }
                let joined = format!("{}/{}", own.trim_end_matches('/'), text.trim_start_matches('/'));
                value.kind = NodeKind::Text(if text.is_empty() { own } else { joined });
            }
            _ if shown => {
                self.filled.remove(&pointer);
            }
            _ => {
                self.filled.insert(pointer);
            }
        }
        entries.retain(|entry| entry.key != "path");
        entries.push(Entry { key: "path".to_owned(), key_span: path.key_span, value });
    }
}

fn set_spans(node: &mut Node, span: Span) {
    node.span = span;
    match &mut node.kind {
        NodeKind::Sequence(items) => items.iter_mut().for_each(|item| set_spans(item, span)),
        NodeKind::Mapping(entries) => {
            for entry in entries {
                entry.key_span = span;
                set_spans(&mut entry.value, span);
            }
        }
        _ => {}
    }
}

/// Makes paths that start at the project's folder start at the pipeline's.
fn lead_up(options: &mut Node, component: &str, up: &str) {
    let NodeKind::Mapping(entries) = &mut options.kind else { return };
    for entry in entries {
        if let NodeKind::Text(path) = &mut entry.value.kind
            && LOCAL_PATHS.contains(&(component, entry.key.as_str()))
            && !path.starts_with('/')
        {
            path.insert_str(0, up);
        }
    }
}
