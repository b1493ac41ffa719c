//! Rules beyond the schema, one a file. A rule sees the file as written, its filled values and, once the
//! file loads, its spec; it reports and changes nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::load::{is_muted, place};
use crate::node::{Places, join};
use crate::pipeline::PipelineSpec;
use crate::text::Span;

pub(crate) mod bucket_name;
pub(crate) mod columns;
pub(crate) mod delivery;
pub(crate) mod dialect;
pub(crate) mod hash_key;
pub(crate) mod host_key;
pub(crate) mod incremental;
pub(crate) mod known_names;
pub(crate) mod literal_secret;
pub(crate) mod name_unique;
pub(crate) mod notices;
pub(crate) mod option_applies;
pub(crate) mod options_agree;
pub(crate) mod outputs;
pub(crate) mod path_shape;
pub mod personal;
pub(crate) mod postgres;
pub(crate) mod repeated_column;
pub(crate) mod sinks;
pub(crate) mod template_syntax;
pub(crate) mod transform_rules;

pub use columns::check_columns;
pub use template_syntax::names_in;

type Rule = fn(&Scope<'_>, &mut Vec<Finding>);

/// Every rule, in the order of the alphabet.
const RULES: &[Rule] = &[
    bucket_name::check,
    columns::check,
    delivery::check,
    dialect::check,
    hash_key::check,
    host_key::check,
    incremental::check,
    known_names::check,
    literal_secret::check,
    name_unique::check,
    notices::check,
    option_applies::check,
    options_agree::check,
    path_shape::check,
    postgres::check,
    repeated_column::check,
    sinks::check,
    template_syntax::check,
    transform_rules::check,
];

/// Applies every rule.
pub(crate) fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for rule in RULES {
        let mut found = Vec::new();
        rule(scope, &mut found);
        // What several outputs share is looked at for each, and wrong once.
        for finding in found {
            if !findings.iter().any(|known| known.is_same(&finding)) {
                findings.push(finding);
            }
        }
    }
}

/// What rules look at.
pub(crate) struct Scope<'a> {
    /// The text of the file.
    pub text: &'a str,
    /// The strict schema.
    pub schema: &'a Value,
    /// The file as written.
    pub raw: &'a Value,
    /// The file with `${…}` filled.
    pub value: &'a Value,
    /// Where everything stands.
    pub places: &'a Places,
    /// Leaves that hold `${…}`.
    pub filled: &'a BTreeSet<String>,
    /// Those of them whose value a `matrix` holds as it is.
    pub literal: &'a BTreeSet<String>,
    /// Blocks that are known to be broken.
    pub muted: &'a BTreeSet<String>,
    /// The spec, if the file loads.
    pub spec: Option<&'a PipelineSpec>,
}

impl<'a> Scope<'a> {
    /// The text behind a pointer, filled; none where it is no text or already known to be broken.
    pub fn text_at(&self, pointer: &str) -> Option<&'a str> {
        self.value.pointer(pointer).and_then(Value::as_str).filter(|_| !is_muted(pointer, self.muted))
    }

    /// The text behind a pointer as the file writes it.
    pub fn written_at(&self, pointer: &str) -> &'a str {
        self.raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the leaf holds `${…}`, so that its value is not to be shown.
    pub fn is_filled(&self, pointer: &str) -> bool {
        self.filled.contains(pointer)
    }

    /// Where it stands.
    pub fn span(&self, pointer: &str) -> Span {
        place(self.places, pointer)
    }

    /// Where its key stands.
    pub fn key_span(&self, pointer: &str) -> Span {
        self.places.get(pointer).and_then(|place| place.key).unwrap_or_else(|| self.span(pointer))
    }

    /// The items of a list, with their pointers.
    pub fn items(&self, pointer: &str) -> Vec<(String, &'a Value)> {
        let items = self.value.pointer(pointer).and_then(Value::as_array);
        items.into_iter().flatten().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)).collect()
    }

    /// Pointers of the blocks of one transform: `hash` gives `/transforms/0/hash` and so on.
    pub fn transforms(&self, component: &str) -> Vec<String> {
        self.items("/transforms")
            .into_iter()
            .filter(|(_, item)| item.get(component).is_some())
            .map(|(pointer, _)| format!("{pointer}/{component}"))
            .collect()
    }

    /// Pointers of every sink and connection of one kind.
    pub fn sinks(&self, component: &str) -> Vec<String> {
        let named = self.value.pointer("/connections").and_then(Value::as_object);
        let named = named.into_iter().flatten().map(|(name, target)| (join("/connections", name), target));
        let one = self.value.pointer("/sink").map(|sink| ("/sink".to_owned(), sink));
        let all = one.into_iter().chain(self.items("/sinks")).chain(named);
        all.filter(|(_, sink)| sink.get(component).is_some())
            .map(|(pointer, _)| format!("{pointer}/{component}"))
            .collect()
    }

    /// Part of a text leaf, by bytes of its value; the whole leaf where escapes or folding hide it.
    pub fn part(&self, pointer: &str, start: usize, end: usize) -> Span {
        let span = self.span(pointer);
        let written = self.written_at(pointer);
        match span.of(self.text).find(written) {
            Some(at) if !written.is_empty() && end <= written.len() => {
                Span::new(span.start + at + start, span.start + at + end)
            }
            _ => span,
        }
    }
}
