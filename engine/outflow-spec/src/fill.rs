//! Fills `${…}` in text after parsing, so that a filled value can never change the structure of the file.
//! Where values come from is the caller's business; findings show what the file says, never what was filled in.

use std::collections::BTreeSet;

use crate::diagnostic::Finding;
use crate::matrix;
use crate::node::{Entry, Node, NodeKind, join};
use crate::text::Span;

#[cfg(test)]
mod tests;

/// Where `${…}` gets its values.
pub trait Lookup {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// The content of a file, or why it cannot be read.
    fn file(&self, path: &str) -> Result<String, String>;
    /// A parameter given on the command line.
    fn param(&self, name: &str) -> Option<String>;
    /// A value of the instance that is loaded; there is none outside of an instance.
    fn matrix(&self, _key: &str) -> Option<MatrixValue> {
        None
    }
}

/// A value of an instance.
#[derive(Clone, Debug)]
pub struct MatrixValue {
    /// The value; none where a finding of the instance already says why.
    pub text: Option<String>,
    /// Whether the file itself holds some of it, so that it may not stand for a secret.
    pub literal: bool,
}

/// Finds nothing anywhere: every `${…}` needs its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &str) -> Result<String, String> {
        Err("files are not read here".to_owned())
    }

    fn param(&self, _: &str) -> Option<String> {
        None
    }
}

/// What filling did to a tree.
#[derive(Debug, Default)]
pub struct Filled {
    /// Pointers of the leaves that hold `${…}`.
    pub leaves: BTreeSet<String>,
    /// Those of them whose value a `matrix` holds as it is.
    pub literal: BTreeSet<String>,
    /// What could not be filled; such leaves are marked broken.
    pub findings: Vec<Finding>,
}

/// Fills every text leaf of a tree in place.
pub fn fill(root: &mut Node, text: &str, lookup: &dyn Lookup) -> Filled {
    let mut filled = Filled::default();
    fill_node(root, String::new(), text, lookup, &mut filled);
    filled
}

fn fill_node(node: &mut Node, pointer: String, text: &str, lookup: &dyn Lookup, filled: &mut Filled) {
    match &mut node.kind {
        NodeKind::Text(value) if value.contains("${") => {
            let mut leaf = Leaf { source: text, span: node.span, searched: node.span.start, literal: false };
            match leaf.fill(value, lookup, &mut filled.findings) {
                Some(result) => *value = result,
                None => node.broken = true,
            }
            if leaf.literal {
                filled.literal.insert(pointer.clone());
            }
            filled.leaves.insert(pointer);
        }
        NodeKind::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fill_node(item, format!("{pointer}/{index}"), text, lookup, filled);
            }
        }
        NodeKind::Mapping(entries) => {
            // Instances fill themselves: what one lacks is no matter of the others.
            let is_matrix = |entry: &Entry| pointer.is_empty() && entry.key == matrix::KEY;
            for entry in entries.iter_mut().filter(|entry| !is_matrix(entry)) {
                fill_node(&mut entry.value, join(&pointer, &entry.key), text, lookup, filled);
            }
        }
        _ => {}
    }
}

struct Leaf<'a> {
    source: &'a str,
    span: Span,
    /// Placeholders before this byte have been placed already.
    searched: usize,
    /// Whether a part of it came from a matrix that holds it as it is.
    literal: bool,
}

impl Leaf<'_> {
    fn fill(&mut self, value: &str, lookup: &dyn Lookup, findings: &mut Vec<Finding>) -> Option<String> {
        let mut output = String::new();
        let mut complete = true;
        let mut rest = value;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                // `$${` writes `${`.
                output.push_str(&rest[..at - 1]);
                output.push_str("${");
                rest = &rest[at + 2..];
                continue;
            }
            output.push_str(&rest[..at]);
            let length = rest[at..].find('}').map_or(rest.len() - at, |end| end + 1);
            let written = &rest[at..at + length];
            rest = &rest[at + length..];
            let span = self.place(written);
            match Placeholder::parse(written).and_then(|placeholder| placeholder.value(lookup)) {
                Ok((value, literal)) => {
                    output.push_str(&value);
                    self.literal |= literal;
                }
                Err(refusal) => {
                    complete = false;
                    findings.extend(refusal.finding(span, written));
                }
            }
        }
        output.push_str(rest);
        complete.then_some(output)
    }

    /// The span of a placeholder as it stands in the file; the whole scalar where escapes or folding hide it.
    fn place(&mut self, written: &str) -> Span {
        let raw = self.source.get(self.searched..self.span.end).unwrap_or_default();
        match raw.find(written) {
            Some(at) => {
                let start = self.searched + at;
                self.searched = start + written.len();
                Span::new(start, self.searched)
            }
            None => self.span,
        }
    }
}

/// `${kind:name}` with what to do when it is unset.
struct Placeholder<'a> {
    kind: Kind,
    name: &'a str,
    otherwise: Otherwise<'a>,
}

#[derive(Clone, Copy)]
enum Kind {
    Env,
    File,
    Param,
    Matrix,
}

enum Otherwise<'a> {
    Fail,
    FailWith(&'a str),
    Default(&'a str),
}

/// Why a placeholder has no value.
enum Refusal {
    Malformed(&'static str),
    UnknownKind(String),
    Unset {
        what: String,
        message: Option<String>,
    },
    /// A finding of the instance says why.
    Told,
}

impl Refusal {
    fn finding(self, span: Span, written: &str) -> Option<Finding> {
        Some(match self {
            Refusal::Malformed(reason) => Finding::placeholder_malformed(span, reason),
            Refusal::UnknownKind(kind) => Finding::placeholder_kind(span, written, &kind),
            Refusal::Unset { what, message } => Finding::placeholder_unset(span, &what, message.as_deref()),
            Refusal::Told => return None,
        })
    }
}

impl<'a> Placeholder<'a> {
    fn parse(written: &'a str) -> Result<Self, Refusal> {
        let inner = written.strip_prefix("${").unwrap_or(written);
        let inner = inner.strip_suffix('}').ok_or(Refusal::Malformed("the closing `}` is missing"))?;
        if inner.contains("${") {
            return Err(Refusal::Malformed("`${` cannot stand inside `${…}`"));
        }
        let (kind, rest) = inner.split_once(':').unwrap_or((inner, ""));
        let kind = match kind {
            "env" => Kind::Env,
            "file" => Kind::File,
            "param" => Kind::Param,
            "matrix" => Kind::Matrix,
            _ => return Err(Refusal::UnknownKind(kind.to_owned())),
        };
        let (name, otherwise) = match (rest.split_once(":-"), rest.split_once(":?")) {
            (Some((name, default)), None) => (name, Otherwise::Default(default)),
            (None, Some((name, message))) => (name, Otherwise::FailWith(message)),
            (Some((name, default)), Some((shorter, _))) if name.len() < shorter.len() => {
                (name, Otherwise::Default(default))
            }
            (Some(_), Some((name, message))) => (name, Otherwise::FailWith(message)),
            (None, None) => (rest, Otherwise::Fail),
        };
        let well_formed = match kind {
            Kind::Env => {
                !name.starts_with(|c: char| c.is_ascii_digit())
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            }
            Kind::File => true,
            Kind::Param | Kind::Matrix => {
                name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            }
        };
        match (name.is_empty(), well_formed) {
            (true, _) => Err(Refusal::Malformed("it names nothing")),
            (_, false) => Err(Refusal::Malformed("the name holds a character that names cannot have")),
            _ => Ok(Self { kind, name, otherwise }),
        }
    }

    /// The value, and whether a matrix holds it as it is.
    fn value(&self, lookup: &dyn Lookup) -> Result<(String, bool), Refusal> {
        let mut literal = false;
        let (what, found) = match self.kind {
            Kind::Env => (format!("environment variable `{}` is not set", self.name), lookup.env(self.name)),
            Kind::Param => (format!("parameter `{}` is not given", self.name), lookup.param(self.name)),
            Kind::Matrix => {
                let what = format!("`{}` is no value of an instance in `matrix`", self.name);
                match lookup.matrix(self.name) {
                    Some(MatrixValue { text: None, .. }) => return Err(Refusal::Told),
                    Some(MatrixValue { text, literal: as_it_is }) => {
                        literal = as_it_is;
                        (what, text)
                    }
                    None => (what, None),
                }
            }
            Kind::File => match lookup.file(self.name) {
                // One line end closes the file, it is no part of the value.
                Ok(content) => {
                    let line = content.strip_suffix('\n').unwrap_or(&content);
                    (String::new(), Some(line.strip_suffix('\r').unwrap_or(line).to_owned()))
                }
                Err(reason) => (format!("file `{}` cannot be read: {reason}", self.name), None),
            },
        };
        match (found, &self.otherwise) {
            (Some(value), Otherwise::Fail) => Ok((value, literal)),
            (Some(value), _) if !value.is_empty() => Ok((value, literal)),
            (_, Otherwise::Default(default)) => Ok(((*default).to_owned(), false)),
            (_, Otherwise::Fail) => Err(Refusal::Unset { what, message: None }),
            (found, Otherwise::FailWith(message)) => {
                let what = if found.is_some() { format!("`{}` is empty", self.name) } else { what };
                Err(Refusal::Unset { what, message: Some((*message).to_owned()) })
            }
        }
    }
}

/// Whether a text says something itself, beside placeholders that are filled from outside.
pub(crate) fn has_literal(text: &str) -> bool {
    !crate::lint::literal_secret::outside_placeholders(text).is_empty()
}
