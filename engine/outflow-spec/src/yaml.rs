//! Reads YAML into a tree of spans, and reports everything in it that the pipeline language refuses:
//! anchors, aliases, merge keys, tags, duplicate keys, several documents, too much of anything.
//! It does not know what any key means.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span as RawSpan, StrInput};

use crate::diagnostic::Finding;
use crate::node::{Entry, Node, NodeKind};
use crate::text::Span;

pub mod scalar;
#[cfg(test)]
mod tests;

/// The largest file that is read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 64;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Document {
    /// The tree; none when the file is empty or broken.
    pub root: Option<Node>,
    /// Comments with the place of each, `#` included.
    pub comments: Vec<Span>,
    /// What is wrong with the YAML.
    pub findings: Vec<Finding>,
}

/// Parses a file.
pub fn parse(text: &str) -> Document {
    let mut document = Document::default();
    if text.len() > MAX_BYTES {
        document.findings.push(Finding::file_too_large(MAX_BYTES));
        return document;
    }
    let mut options = Options::default();
    options.emit_anchor_events = true;
    options.emit_unresolved_aliases = true;
    options.emit_comments = true;
    let mut reader = Reader { text, stack: Vec::new(), documents: 0, document };
    for event in Parser::<StrInput<'_>>::new_from_str_with_options(text, options) {
        let proceed = match event {
            Ok((event, span)) => reader.event(event, &span),
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len());
                reader.report(Finding::yaml_syntax(character_at(text, at), &error.kind().to_string()));
                reader.document.root = None;
                return reader.document;
            }
        };
        if !proceed {
            break;
        }
    }
    if reader.document.root.is_none() && reader.document.findings.is_empty() {
        reader.report(Finding::empty_file());
    }
    reader.document
}

struct Reader<'a> {
    text: &'a str,
    stack: Vec<Frame>,
    documents: usize,
    document: Document,
}

struct Frame {
    start: usize,
    broken: bool,
    contents: Contents,
    /// The keys of a mapping so far, so that the second of two is found at once.
    seen: HashMap<String, Span>,
}

enum Contents {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<Entry>, key: Option<Key> },
}

/// A key that waits for its value. Values of refused keys are read and dropped.
struct Key {
    name: String,
    span: Span,
    keep: bool,
}

impl Reader<'_> {
    /// Takes one event; `false` ends the reading.
    fn event(&mut self, event: Event<'_>, raw: &RawSpan) -> bool {
        let span = self.span(raw);
        match event {
            Event::Comment(..) => self.document.comments.push(span),
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.report(Finding::several_documents(span));
                    return false;
                }
            }
            Event::Anchor(..) => {
                self.report(Finding::anchor(span));
                self.mark_last_broken();
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.report(Finding::alias(span));
                self.value(Node { span, kind: NodeKind::Null, broken: true }, false);
            }
            Event::Scalar(value, style, _, tag) => {
                let broken = self.tag(tag.is_some(), raw);
                let plain = style == ScalarStyle::Plain;
                let kind = match plain && !self.expects_key() {
                    true => self.plain(&value, span),
                    false => Some(NodeKind::Text(value.into_owned())),
                };
                let broken = broken || kind.is_none();
                self.value(Node { span, kind: kind.unwrap_or(NodeKind::Null), broken }, plain);
            }
            Event::SequenceStart(_, _, tag) => return self.open(tag.is_some(), raw, Contents::Sequence(Vec::new())),
            Event::MappingStart(_, _, tag) => {
                return self.open(tag.is_some(), raw, Contents::Mapping { entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => {}
        }
        true
    }

    fn open(&mut self, tagged: bool, raw: &RawSpan, contents: Contents) -> bool {
        let span = self.span(raw);
        if self.stack.len() >= MAX_DEPTH {
            self.report(Finding::too_deep(character_at(self.text, span.start), MAX_DEPTH));
            self.document.root = None;
            return false;
        }
        let broken = self.tag(tagged, raw);
        if self.expects_key() {
            self.report(Finding::key_not_text(character_at(self.text, span.start)));
            self.document.root = None;
            return false;
        }
        self.stack.push(Frame { start: span.start, broken, contents, seen: HashMap::new() });
        true
    }

    fn close(&mut self, end: Span) {
        let Some(frame) = self.stack.pop() else { return };
        let (kind, last) = match frame.contents {
            Contents::Sequence(items) => {
                let last = items.last().map(|item| item.span.end);
                (NodeKind::Sequence(items), last)
            }
            Contents::Mapping { entries, .. } => {
                let last = entries.last().map(|entry| entry.value.span.end.max(entry.key_span.end));
                (NodeKind::Mapping(entries), last)
            }
        };
        // The end event of a block collection stands at the next token, often lines below.
        let end = if end.is_empty() { last.unwrap_or(frame.start) } else { end.end };
        self.value(Node { span: Span::new(frame.start, end), kind, broken: frame.broken }, false);
    }

    /// Puts a finished node where it belongs: as key, as value, as item or as root.
    fn value(&mut self, node: Node, plain: bool) {
        if self.expects_key() {
            match node.kind {
                NodeKind::Text(name) => self.key(name, node.span, plain),
                _ => {
                    self.report(Finding::key_not_text(node.span));
                    self.take_key(Key { name: String::new(), span: node.span, keep: false });
                }
            }
            return;
        }
        match self.stack.last_mut().map(|frame| &mut frame.contents) {
            None => self.document.root = Some(node),
            Some(Contents::Sequence(items)) => items.push(node),
            Some(Contents::Mapping { entries, key }) => {
                if let Some(key) = key.take()
                    && key.keep
                {
                    entries.push(Entry { key: key.name, key_span: key.span, value: node });
                }
            }
        }
    }

    fn key(&mut self, name: String, span: Span, plain: bool) {
        let mut keep = true;
        if plain && name == "<<" {
            self.report(Finding::merge_key(span));
            keep = false;
            if let Some(frame) = self.stack.last_mut() {
                frame.broken = true;
            }
        } else if let Some(frame) = self.stack.last_mut() {
            if let Some(first) = frame.seen.get(&name) {
                let finding = Finding::duplicate_key(span, &name, *first);
                self.report(finding);
                keep = false;
            } else {
                frame.seen.insert(name.clone(), span);
            }
        }
        self.take_key(Key { name, span, keep });
    }

    fn take_key(&mut self, taken: Key) {
        if let Some(Frame { contents: Contents::Mapping { key, .. }, .. }) = self.stack.last_mut() {
            *key = Some(taken);
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { contents: Contents::Mapping { key: None, .. }, .. }))
    }

    fn plain(&mut self, value: &str, span: Span) -> Option<NodeKind> {
        match scalar::resolve(value) {
            Ok(kind) => Some(kind),
            Err(scalar::InexactNumber) => {
                self.report(Finding::inexact_number(span));
                None
            }
        }
    }

    fn tag(&mut self, tagged: bool, raw: &RawSpan) -> bool {
        if tagged {
            let span = raw.tag_span().map_or_else(|| self.span(raw), |tag| self.span(&tag));
            self.report(Finding::tag(span));
        }
        tagged
    }

    /// The anchor event comes right behind its node: an open collection, a key or a value.
    fn mark_last_broken(&mut self) {
        match self.stack.last_mut() {
            None => {
                if let Some(root) = &mut self.document.root {
                    root.broken = true;
                }
            }
            Some(frame) => match &mut frame.contents {
                Contents::Sequence(items) if !items.is_empty() => {
                    if let Some(item) = items.last_mut() {
                        item.broken = true;
                    }
                }
                Contents::Mapping { entries, key: None } if !entries.is_empty() => {
                    if let Some(entry) = entries.last_mut() {
                        entry.value.broken = true;
                    }
                }
                _ => frame.broken = true,
            },
        }
    }

    fn report(&mut self, finding: Finding) {
        self.document.findings.push(finding);
    }

    fn span(&self, raw: &RawSpan) -> Span {
        let range = raw.byte_range().unwrap_or(0..0);
        let text = self.text.get(range.clone()).unwrap_or_default();
        Span::new(range.start, range.start + text.trim_end().len())
    }
}

/// The span of the character at a byte, or an empty one at the end of its line.
fn character_at(text: &str, at: usize) -> Span {
    let at = at.min(text.len());
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some(c) if c != '\n' && c != '\r' => Span::new(at, at + c.len_utf8()),
        _ => Span::new(at, at),
    }
}
