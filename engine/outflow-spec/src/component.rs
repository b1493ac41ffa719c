//! The one key that names a component. A schema could only say that no alternative fits; here the name is
//! looked at first, and the author hears what is wrong with it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::node::{Entry, Node, NodeKind, join};

/// Checks the component of each block; returns findings and the pointers of blocks not worth validating, to those of
/// `muted`.
pub(crate) fn check(root: &Node, schema: &Value, muted: BTreeSet<String>) -> (Vec<Finding>, BTreeSet<String>) {
    let mut picks = Picks { findings: Vec::new(), muted };
    for (kind, definition) in [("source", "SourceSpec"), ("layout", "LayoutSpec"), ("sink", "SinkSpec")] {
        if let NodeKind::Mapping(entries) = &root.kind
            && let Some(entry) = entries.iter().find(|entry| entry.key == kind)
        {
            picks.block(kind, &format!("/{kind}"), &entry.value, Some(entry), &names(schema, definition));
        }
    }
    if let Some(Node { kind: NodeKind::Sequence(items), .. }) = root.get("sinks") {
        let known = names(schema, "SinkSpec");
        for (index, item) in items.iter().enumerate() {
            picks.block("sink", &format!("/sinks/{index}"), item, None, &known);
        }
    }
    if let Some(Node { kind: NodeKind::Sequence(items), .. }) = root.get("transforms") {
        let known = names(schema, "TransformSpec");
        for (index, item) in items.iter().enumerate() {
            picks.block("transform", &format!("/transforms/{index}"), item, None, &known);
            let lookup = item.get("lookup").map(|lookup| &lookup.kind);
            if let Some(NodeKind::Mapping(entries)) = lookup
                && let Some(entry) = entries.iter().find(|entry| entry.key == "source")
            {
                let pointer = format!("/transforms/{index}/lookup/source");
                picks.block("source", &pointer, &entry.value, Some(entry), &names(schema, "SourceSpec"));
            }
        }
    }
    if let Some(Node { kind: NodeKind::Mapping(entries), .. }) = root.get("connections")
        && schema.pointer("/properties/connections").is_some()
    {
        let known = names(schema, "SinkSpec");
        for entry in entries {
            picks.block("connection", &join("/connections", &entry.key), &entry.value, Some(entry), &known);
        }
    }
    (picks.findings, picks.muted)
}

/// The components of a kind, from the schema.
pub(crate) fn names<'a>(schema: &'a Value, definition: &str) -> Vec<&'a str> {
    let branches = schema.pointer(&format!("/$defs/{definition}/oneOf")).and_then(Value::as_array);
    branches
        .into_iter()
        .flatten()
        .filter_map(|branch| branch.get("properties")?.as_object()?.keys().next())
        .map(String::as_str)
        .collect()
}

struct Picks {
    findings: Vec<Finding>,
    muted: BTreeSet<String>,
}

impl Picks {
    fn block(&mut self, kind: &str, pointer: &str, node: &Node, entry: Option<&Entry>, known: &[&str]) {
        if node.broken || self.muted.contains(pointer) {
            return;
        }
        let at = match (&node.kind, entry) {
            (NodeKind::Mapping(_) | NodeKind::Null | NodeKind::Sequence(_), Some(entry)) => entry.key_span,
            _ => node.span,
        };
        let keys: Vec<&Entry> = match &node.kind {
            NodeKind::Mapping(entries) => entries.iter().filter(|entry| !entry.key.starts_with("x-")).collect(),
            _ => Vec::new(),
        };
        let finding = match keys.as_slice() {
            [] => Finding::no_component(at, kind, known),
            [only] if known.contains(&only.key.as_str()) => return,
            [only] => Finding::unknown_component(only.key_span, kind, &only.key, known),
            [first, second, ..] => {
                Finding::several_components(second.key_span, kind, &second.key, (&first.key, first.key_span))
            }
        };
        self.findings.push(finding);
        self.muted.insert(pointer.to_owned());
    }
}
