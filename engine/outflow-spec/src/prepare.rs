//! From the tree of a file to the JSON that is validated and typed: `x-…` keys leave, and text that `${…}`
//! filled becomes the number or truth value that the schema wants there. It never parses text as YAML.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value};

use crate::node::{Node, NodeKind, join};
use crate::schema::walk;
use crate::yaml::scalar;

/// The JSON of a filled tree.
pub(crate) fn prepare(root: &Node, schema: &Value, filled: &BTreeSet<String>) -> Value {
    Preparation { schema, filled }.value(root, "", &walk::expand(schema, schema))
}

struct Preparation<'a> {
    schema: &'a Value,
    filled: &'a BTreeSet<String>,
}

impl<'a> Preparation<'a> {
    fn value(&self, node: &Node, pointer: &str, candidates: &[&'a Value]) -> Value {
        match &node.kind {
            NodeKind::Mapping(entries) => {
                let mut members = Map::new();
                for entry in entries {
                    let below = walk::below_key(self.schema, candidates, &entry.key);
                    if below.is_empty() && entry.key.starts_with("x-") {
                        continue;
                    }
                    members.insert(entry.key.clone(), self.value(&entry.value, &join(pointer, &entry.key), &below));
                }
                Value::Object(members)
            }
            NodeKind::Sequence(items) => {
                let below = |index| walk::item(self.schema, candidates, index);
                let items = items.iter().enumerate();
                items.map(|(index, item)| self.value(item, &format!("{pointer}/{index}"), &below(index))).collect()
            }
            NodeKind::Text(text) if self.filled.contains(pointer) => convert(text, candidates),
            NodeKind::Number(number) => Value::Number(whole(number, candidates)),
            _ => node.to_value(),
        }
    }
}

/// Filled text as the type that the schema wants, or as text where it wants text or does not fit.
fn convert(text: &str, candidates: &[&Value]) -> Value {
    let types: Vec<&str> = candidates.iter().flat_map(|schema| walk::types(schema)).collect();
    let wants = |name: &str| types.contains(&name);
    match scalar::resolve(text) {
        _ if types.is_empty() || wants("string") => Value::String(text.to_owned()),
        Ok(NodeKind::Number(number)) if wants("integer") || wants("number") => {
            Value::Number(whole(&number, candidates))
        }
        Ok(NodeKind::Bool(value)) if wants("boolean") => Value::Bool(value),
        _ => Value::String(text.to_owned()),
    }
}

/// `1.0` where a whole number is wanted: the schema takes it, so the type has to.
fn whole(number: &Number, candidates: &[&Value]) -> Number {
    let types: Vec<&str> = candidates.iter().flat_map(|schema| walk::types(schema)).collect();
    match number.as_f64() {
        Some(value)
            if number.is_f64()
                && types.contains(&"integer")
                && !types.contains(&"number")
                && value.fract() == 0.0
                && value.abs() < 9e15 =>
        {
            // Below 2^53 the conversion is exact.
            Number::from(value as i64)
        }
        _ => number.clone(),
    }
}
