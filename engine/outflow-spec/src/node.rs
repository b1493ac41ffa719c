//! The tree of a parsed pipeline file: every value with the range of bytes it was read from.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::text::Span;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The bytes it was read from.
    pub span: Span,
    /// The value.
    pub kind: NodeKind,
    /// Whether a finding already says that the value cannot be used.
    pub broken: bool,
}

/// A value, without its place.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// Null, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order written.
    Mapping(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// Where the thing behind a JSON pointer stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The key, for values of a mapping.
    pub key: Option<Span>,
    /// The value.
    pub value: Span,
    /// What a caret for the whole thing points at: scalars themselves, the key of anything larger.
    pub best: Span,
}

/// Every JSON pointer of a file and its place.
pub type Places = BTreeMap<String, Place>;

impl Node {
    /// The tree as JSON.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            NodeKind::Null => Value::Null,
            NodeKind::Bool(value) => Value::Bool(*value),
            NodeKind::Number(number) => Value::Number(number.clone()),
            NodeKind::Text(text) => Value::String(text.clone()),
            NodeKind::Sequence(items) => items.iter().map(Node::to_value).collect(),
            NodeKind::Mapping(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
            }
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Mapping(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The place of every pointer below and of the root itself.
    pub fn places(&self) -> Places {
        let mut places = Places::new();
        self.add_places(String::new(), None, &mut places);
        places
    }

    /// The pointers of values that cannot be used.
    pub fn broken_pointers(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(String::new(), &mut |pointer, node| {
            if node.broken {
                found.push(pointer.to_owned());
            }
        });
        found
    }

    /// Calls `visit` for this value and all below, parents first.
    pub fn walk(&self, pointer: String, visit: &mut impl FnMut(&str, &Node)) {
        visit(&pointer, self);
        match &self.kind {
            NodeKind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.walk(format!("{pointer}/{index}"), visit);
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    entry.value.walk(join(&pointer, &entry.key), visit);
                }
            }
            _ => {}
        }
    }

    fn add_places(&self, pointer: String, key: Option<Span>, places: &mut Places) {
        let best = match &self.kind {
            NodeKind::Mapping(entries) => key.or(entries.first().map(|entry| entry.key_span)).unwrap_or(self.span),
            NodeKind::Sequence(_) => key.unwrap_or(self.span),
            _ if self.span.is_empty() => key.unwrap_or(self.span),
            _ => self.span,
        };
        match &self.kind {
            NodeKind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.add_places(format!("{pointer}/{index}"), None, places);
                }
            }
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    entry.value.add_places(join(&pointer, &entry.key), Some(entry.key_span), places);
                }
            }
            _ => {}
        }
        places.insert(pointer, Place { key, value: self.span, best });
    }
}

/// A JSON pointer one step deeper.
pub fn join(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}

/// The steps of a JSON pointer.
pub fn tokens(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
}
