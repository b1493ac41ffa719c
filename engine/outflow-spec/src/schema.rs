//! The JSON Schema of the pipeline language, generated from the spec types and the options of layouts.
//! There are two views of it: the strict one, for files whose `${…}` are filled, and the published one,
//! for files as they are written.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::pipeline::PipelineSpec;
use crate::project::{ConnectionUse, ProjectSpec};

pub(crate) mod check;
pub(crate) mod walk;

/// A layout plugin as the language sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayoutSchema {
    /// Its name in `layout:`.
    pub name: String,
    /// One line for people.
    pub summary: String,
    /// JSON Schema (2020-12) of its options.
    pub schema: Value,
}

/// The options of a plugin from a file, at their place in one pipeline file.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginOptions {
    /// JSON pointer to the plugin's block. Example: `/transforms/2/plugin`.
    pub pointer: String,
    /// JSON Schema (2020-12) of its options.
    pub schema: Value,
}

/// The schema to publish: for editors and for other linters. It takes `x-…` keys wherever fields have fixed
/// names, and text with `${…}` wherever a value with rules is wanted.
pub fn schema(layouts: &[LayoutSchema]) -> Value {
    published("outflow pipeline", strict(layouts))
}

/// The same for project files.
pub fn project_schema() -> Value {
    published("outflow project", strict_project())
}

fn published(title: &str, mut root: Value) -> Value {
    publish(&mut root);
    if let Some(definitions) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.insert(
            "Placeholder".to_owned(),
            json!({
                "description": "Filled when the file is loaded: `${env:NAME}`, `${file:path}`, `${param:name}`.",
                "type": "string",
                "pattern": "\\$\\{",
            }),
        );
    }
    let Value::Object(body) = root else { return root };
    let mut published = Map::new();
    published.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    published.insert("title".to_owned(), json!(title));
    published.extend(body.into_iter().filter(|(key, _)| key != "$schema" && key != "title"));
    Value::Object(published)
}

/// The schema of a filled pipeline file.
pub(crate) fn strict(layouts: &[LayoutSchema]) -> Value {
    let mut root = generated::<PipelineSpec>();
    let connection = generated::<ConnectionUse>();
    if let Some(branches) = root.pointer_mut("/$defs/SinkSpec/oneOf").and_then(Value::as_array_mut) {
        let members = connection
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| !matches!(key.as_str(), "$schema" | "title"));
        branches.push(Value::Object(members.map(|(key, member)| (key.clone(), member.clone())).collect()));
    }
    for layout in layouts {
        add_layout(&mut root, layout);
    }
    root
}

/// The schema of a filled project file.
pub(crate) fn strict_project() -> Value {
    generated::<ProjectSpec>()
}

fn generated<T: JsonSchema>() -> Value {
    let mut root = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut root);
    root
}

fn add_layout(root: &mut Value, layout: &LayoutSchema) {
    let definition = format!("Layout_{}", layout.name);
    let reference = format!("#/$defs/{definition}");
    let mut options = layout.schema.clone();
    rebase(&mut options, &reference);
    if let Some(options) = options.as_object_mut() {
        options.remove("$schema");
        options.remove("$id");
    }
    if let Some(definitions) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.insert(definition, options);
    }
    if let Some(branches) = root.pointer_mut("/$defs/LayoutSpec/oneOf").and_then(Value::as_array_mut) {
        branches.push(json!({
            "description": layout.summary,
            "type": "object",
            "properties": {layout.name.as_str(): {"$ref": reference}},
            "required": [layout.name],
            "additionalProperties": false,
        }));
    }
}

/// Adds the rules of a plugin's options at the one place where they hold.
pub(crate) fn add_options(root: &mut Value, plugin: &PluginOptions) {
    let required = plugin.schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
    let mut options = plugin.schema.clone();
    let places = root.get("allOf").and_then(Value::as_array).map_or(0, Vec::len);
    let definition = format!("Plugin_{places}");
    let reference = format!("#/$defs/{definition}");
    rebase(&mut options, &reference);
    if let Some(options) = options.as_object_mut() {
        options.remove("$schema");
        options.remove("$id");
    }
    let mut rule = json!({"properties": {"options": {"$ref": reference}}});
    if required {
        rule["required"] = json!(["options"]);
    }
    for token in crate::node::tokens(&plugin.pointer).iter().rev() {
        rule = match token.parse::<usize>() {
            Ok(index) => {
                let mut items = vec![Value::Bool(true); index];
                items.push(rule);
                json!({"prefixItems": items})
            }
            Err(_) => json!({"properties": {token.as_str(): rule}}),
        };
    }
    let Some(members) = root.as_object_mut() else { return };
    if let Some(definitions) = members.entry("$defs").or_insert_with(|| json!({})).as_object_mut() {
        definitions.insert(definition, options);
    }
    if let Some(rules) = members.entry("allOf").or_insert_with(|| json!([])).as_array_mut() {
        rules.push(rule);
    }
}

/// Makes the references inside a plugin's schema point at its new place.
fn rebase(value: &mut Value, base: &str) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(target) if key == "$ref" && target.starts_with('#') => {
                        *target = format!("{base}{}", &target[1..]);
                    }
                    _ => rebase(member, base),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rebase(item, base)),
        _ => {}
    }
}

/// Removes the formats of Rust's integers, which validators do not know.
fn tidy(schema: &mut Value) {
    let integer =
        |format: &Value| format.as_str().is_some_and(|name| name.starts_with("uint") || name.starts_with("int"));
    if schema.get("format").is_some_and(integer)
        && let Some(members) = schema.as_object_mut()
    {
        members.remove("format");
    }
    walk::for_each_subschema(schema, &mut tidy);
}

/// Turns a strict schema into the published one, in place.
fn publish(schema: &mut Value) {
    for keyword in ["oneOf", "anyOf"] {
        let Some(branches) = schema.get_mut(keyword).and_then(Value::as_array_mut) else { continue };
        // A scalar branch stays strict and the whole is loosened once: in `oneOf`, text with `${…}` must
        // not fit two branches.
        let has_scalar = branches.iter().any(is_ruled_scalar);
        branches.iter_mut().filter(|branch| !is_ruled_scalar(branch)).for_each(publish);
        if has_scalar {
            loosen(schema);
        }
        return;
    }
    if is_ruled_scalar(schema) {
        loosen(schema);
        return;
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    walk::for_each_subschema(schema, &mut publish);
    if closed && let Some(members) = schema.as_object_mut() {
        let patterns = members.entry("patternProperties").or_insert_with(|| json!({}));
        if let Some(patterns) = patterns.as_object_mut() {
            patterns.insert("^x-".to_owned(), Value::Bool(true));
        }
    }
}

/// Whether text cannot simply stand here: another scalar type, or text with rules.
fn is_ruled_scalar(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else { return false };
    if members.contains_key("const") || members.contains_key("enum") {
        return true;
    }
    let types = walk::types(schema);
    let structured = types.iter().any(|name| matches!(*name, "object" | "array"));
    let scalar = types.iter().any(|name| matches!(*name, "integer" | "number" | "boolean"));
    let ruled_text = types.contains(&"string")
        && ["pattern", "format", "minLength", "maxLength"].iter().any(|rule| members.contains_key(*rule));
    !structured && (ruled_text || (scalar && !types.contains(&"string")))
}

/// Lets text with `${…}` stand instead of what the schema wants.
fn loosen(schema: &mut Value) {
    let Value::Object(members) = schema.take() else { return };
    let (outside, inside): (Map<_, _>, Map<_, _>) =
        members.into_iter().partition(|(key, _)| matches!(key.as_str(), "description" | "default" | "title"));
    let mut loosened = outside;
    loosened.insert("anyOf".to_owned(), json!([inside, {"$ref": "#/$defs/Placeholder"}]));
    *schema = Value::Object(loosened);
}
