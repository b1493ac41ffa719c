//! Finding one's way in a JSON Schema: which parts speak about a value, and what they want it to be.

use serde_json::Value;

/// Calls `visit` for each schema directly below this one.
pub fn for_each_subschema(schema: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let Some(members) = schema.as_object_mut() else { return };
    for (keyword, member) in members {
        match (keyword.as_str(), member) {
            ("properties" | "patternProperties" | "$defs" | "dependentSchemas", Value::Object(schemas)) => {
                schemas.values_mut().for_each(&mut *visit);
            }
            ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(&mut *visit);
            }
            ("items" | "additionalProperties" | "if" | "then" | "else", schema) => visit(schema),
            _ => {}
        }
    }
}

/// A schema and all alternatives it offers, references followed.
pub fn expand<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = Vec::new();
    collect(root, schema, 0, &mut found);
    found
}

fn collect<'a>(root: &'a Value, schema: &'a Value, depth: usize, found: &mut Vec<&'a Value>) {
    // Schemas that refer to themselves end here; no option is nested this deep.
    if depth > 16 {
        return;
    }
    found.push(schema);
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| root.pointer(target.strip_prefix('#')?));
    if let Some(target) = target {
        collect(root, target, depth + 1, found);
    }
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for branch in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            collect(root, branch, depth + 1, found);
        }
    }
}

/// What speaks about the value below `key` of a mapping.
pub fn below_key<'a>(root: &'a Value, candidates: &[&'a Value], key: &str) -> Vec<&'a Value> {
    candidates
        .iter()
        .flat_map(|schema| {
            let declared = schema.get("properties").and_then(|properties| properties.get(key));
            declared.or_else(|| schema.get("additionalProperties").filter(|open| **open != Value::Bool(false)))
        })
        .flat_map(|schema| expand(root, schema))
        .collect()
}

/// What speaks about one item of a list.
pub fn item<'a>(root: &'a Value, candidates: &[&'a Value], index: usize) -> Vec<&'a Value> {
    let speaking =
        |schema: &&'a Value| schema.get("prefixItems").and_then(|first| first.get(index)).or(schema.get("items"));
    candidates.iter().filter_map(speaking).flat_map(|schema| expand(root, schema)).collect()
}

/// The types that a schema names itself, by `type`, `const` or `enum`.
pub fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => {
            let values = schema
                .get("const")
                .into_iter()
                .chain(schema.get("enum").and_then(Value::as_array).into_iter().flatten());
            values.map(type_of).collect()
        }
    }
}

/// The JSON Schema type of a value.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
