//! Validation against the schema, and its translation into findings. Where a schema offers alternatives, the
//! one that the author meant is picked, so that nobody reads "not valid under any of the schemas".

use std::collections::BTreeSet;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use crate::diagnostic::Finding;
use crate::load::is_muted;
use crate::node::{Node, Places, tokens};
use crate::schema::walk;
use crate::text::Span;

/// What validation needs to know about a file.
pub(crate) struct Subject<'a> {
    /// The strict schema.
    pub schema: &'a Value,
    /// The filled file.
    pub value: &'a Value,
    /// The file as it is written.
    pub raw: &'a Node,
    /// Where everything stands.
    pub places: &'a Places,
    /// Leaves that hold `${…}`.
    pub filled: &'a BTreeSet<String>,
    /// Pointers about which a finding was given already.
    pub muted: &'a BTreeSet<String>,
}

/// All findings of the schema.
pub(crate) fn check(validator: &Validator, subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for error in validator.iter_errors(subject.value) {
        subject.translate(&error, &mut findings);
    }
    findings
}

impl Subject<'_> {
    fn translate(&self, error: &ValidationError<'_>, findings: &mut Vec<Finding>) {
        let pointer = error.instance_path().as_str();
        if is_muted(pointer, self.muted) {
            return;
        }
        let alternatives = match error.kind() {
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => Some(context),
            _ => None,
        };
        if let Some(context) = alternatives {
            return self.alternatives(error, context, findings);
        }
        let place = self.places.get(pointer);
        let span = place.map_or(Span::default(), |place| place.best);
        let head = if pointer.is_empty() { self.head() } else { place.and_then(|place| place.key).unwrap_or(span) };
        let block = self.describe(pointer);
        if self.filled.contains(pointer) {
            findings.push(Finding::filled_value(span, &block, &self.wanted(error)));
            return;
        }
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let parent = self.parent_schema(error);
                let known: Vec<&str> = keys(parent.get("properties")).collect();
                for field in unexpected {
                    let at = self.places.get(&crate::node::join(pointer, field)).and_then(|place| place.key);
                    findings.push(Finding::unknown_field(at.unwrap_or(span), field, &block, &known));
                }
            }
            ValidationErrorKind::Required { property } => {
                let field = property.as_str().unwrap_or_default();
                findings.push(Finding::missing_field(head, field, &block));
            }
            ValidationErrorKind::Type { .. } => {
                findings.push(Finding::wrong_type(span, &block, &self.wanted(error), found(error.instance())));
            }
            ValidationErrorKind::Enum { options } => {
                let options: Vec<&Value> = options.as_array().into_iter().flatten().collect();
                findings.push(self.choice(span, &block, error.instance(), &options));
            }
            ValidationErrorKind::Constant { expected_value } => {
                findings.push(self.choice(span, &block, error.instance(), &[expected_value]));
            }
            ValidationErrorKind::Pattern { pattern } => findings.push(Finding::wrong_shape(span, &block, pattern)),
            kind => findings.push(match limit(kind) {
                Some(Limit::Length(wanted)) => Finding::wrong_length(span, &block, &wanted),
                Some(Limit::Range(wanted)) => Finding::out_of_range(span, &block, &wanted),
                None => Finding::other_rule(span, &block, kind.keyword()),
            }),
        }
    }

    /// Picks among the alternatives the one that was meant, and reports what is wrong with that one.
    fn alternatives(
        &self,
        error: &ValidationError<'_>,
        context: &[Vec<ValidationError<'static>>],
        findings: &mut Vec<Finding>,
    ) {
        let pointer = error.instance_path().as_str();
        let instance = error.instance();
        let branches: Vec<Vec<&Value>> = self
            .schema
            .pointer(error.schema_path().as_str())
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|branch| walk::expand(self.schema, branch))
            .collect();
        let all = branches.iter().flatten();
        let choices: Vec<&Value> = all
            .clone()
            .flat_map(|schema| {
                schema
                    .get("const")
                    .into_iter()
                    .chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten())
            })
            .collect();
        let span = self.places.get(pointer).map_or(Span::default(), |place| place.best);
        let block = self.describe(pointer);
        let fitting = |branch: &[&Value]| {
            branch.iter().flat_map(|schema| walk::types(schema)).any(|wanted| accepts(wanted, instance))
        };
        let declared = |branch: &[&Value]| {
            let keys = instance.as_object().into_iter().flat_map(|members| members.keys());
            keys.filter(|key| {
                branch
                    .iter()
                    .any(|schema| schema.get("properties").is_some_and(|known| known.get(key.as_str()).is_some()))
            })
            .count()
        };
        let meant = branches
            .iter()
            .zip(context)
            .filter(|(branch, _)| fitting(branch))
            .max_by_key(|(branch, _)| declared(branch));
        match meant {
            _ if self.filled.contains(pointer) => {
                let names: Vec<&str> = choices.iter().filter_map(|choice| choice.as_str()).collect();
                let wanted = match names.is_empty() {
                    true => wanted_types(all.copied()),
                    false => crate::diagnostic::listed(names),
                };
                findings.push(Finding::filled_value(span, &block, &wanted));
            }
            Some((branch, _))
                if instance.is_string()
                    && branch.iter().all(|schema| !walk::types(schema).contains(&"object"))
                    && !choices.is_empty() =>
            {
                findings.push(self.choice(span, &block, instance, &choices));
            }
            Some((_, errors)) => {
                for error in errors {
                    self.translate(error, findings);
                }
            }
            None => findings.push(Finding::wrong_type(span, &block, &wanted_types(all.copied()), found(instance))),
        }
    }

    fn choice(&self, span: Span, block: &str, instance: &Value, options: &[&Value]) -> Finding {
        let names: Vec<&str> = options.iter().filter_map(|option| option.as_str()).collect();
        match instance {
            Value::String(written) => Finding::not_allowed(span, block, written, &names),
            _ => Finding::wrong_type(
                span,
                block,
                &format!("one of {}", crate::diagnostic::listed(names)),
                found(instance),
            ),
        }
    }

    /// What the schema wanted where this error happened.
    fn wanted(&self, error: &ValidationError<'_>) -> String {
        let parent = self.parent_schema(error);
        wanted_types(walk::expand(self.schema, parent).into_iter())
    }

    fn parent_schema(&self, error: &ValidationError<'_>) -> &Value {
        let path = error.schema_path().as_str();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.schema.pointer(parent).unwrap_or(&Value::Null)
    }

    fn describe(&self, pointer: &str) -> String {
        let of_project = self.schema.pointer("/properties/connections").is_some();
        if pointer.is_empty() && of_project { "the project".to_owned() } else { describe(pointer) }
    }

    /// Where a finding about the file as a whole points: its first key.
    fn head(&self) -> Span {
        match &self.raw.kind {
            crate::node::NodeKind::Mapping(entries) => entries.first().map_or(self.raw.span, |entry| entry.key_span),
            _ => self.raw.span,
        }
    }
}

enum Limit {
    Length(String),
    Range(String),
}

fn limit(kind: &ValidationErrorKind) -> Option<Limit> {
    use ValidationErrorKind as Kind;
    let count = |number: u64, thing: &str| format!("{number} {thing}{}", if number == 1 { "" } else { "s" });
    Some(match kind {
        Kind::MinLength { limit } => Limit::Length(format!("at least {}", count(*limit, "character"))),
        Kind::MaxLength { limit } => Limit::Length(format!("at most {}", count(*limit, "character"))),
        Kind::MinItems { limit } => Limit::Length(format!("at least {}", count(*limit, "item"))),
        Kind::MaxItems { limit } => Limit::Length(format!("at most {}", count(*limit, "item"))),
        Kind::MinProperties { limit } => Limit::Length(format!("at least {}", count(*limit, "key"))),
        Kind::MaxProperties { limit } => Limit::Length(format!("at most {}", count(*limit, "key"))),
        Kind::Minimum { limit } => Limit::Range(format!("at least {limit}")),
        Kind::Maximum { limit } => Limit::Range(format!("at most {limit}")),
        Kind::ExclusiveMinimum { limit } => Limit::Range(format!("more than {limit}")),
        Kind::ExclusiveMaximum { limit } => Limit::Range(format!("less than {limit}")),
        _ => return None,
    })
}

fn accepts(wanted: &str, value: &Value) -> bool {
    let found = walk::type_of(value);
    wanted == found || (wanted == "number" && found == "integer")
}

fn keys(object: Option<&Value>) -> impl Iterator<Item = &str> {
    object.and_then(Value::as_object).into_iter().flat_map(|members| members.keys().map(String::as_str))
}

/// The types that schemas want, in words; null goes without saying.
fn wanted_types<'a>(schemas: impl Iterator<Item = &'a Value>) -> String {
    let mut words: Vec<&str> = Vec::new();
    for name in schemas.flat_map(walk::types) {
        let word = match name {
            "string" => "text",
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list",
            "object" => "a mapping",
            _ => continue,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.is_empty() {
        true => "what the schema allows".to_owned(),
        false => words.join(" or "),
    }
}

/// What a value is, in words.
pub(crate) fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// What a pointer stands for, in the words of the language.
pub(crate) fn describe(pointer: &str) -> String {
    let tokens = tokens(pointer);
    let named: Vec<&str> = tokens.iter().map(String::as_str).collect();
    match named.as_slice() {
        [] => "the pipeline".to_owned(),
        ["connections", _] => "the connection".to_owned(),
        ["connections", _, component] => format!("connection `{component}`"),
        ["transforms", _] => "the transform".to_owned(),
        ["transforms", _, component] => format!("transform `{component}`"),
        ["sinks", _] => "the sink".to_owned(),
        ["sinks", _, component] => format!("sink `{component}`"),
        [kind @ ("source" | "layout" | "sink"), component] => format!("{kind} `{component}`"),
        [.., list, index] if index.bytes().all(|b| b.is_ascii_digit()) => format!("an item of `{list}`"),
        [.., last] => format!("`{last}`"),
    }
}
