//! Blocks with several written forms: how each is read and what its schema says, side by side, so that
//! neither can accept what the other refuses. Everything with one form derives both on its type.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::layout::{FilesLayout, LayoutSpec, PluginLayout};
use crate::transform::{
    ContextColumn, ContextsTransform, OnMissing, OnUndefined, Pairs, RejectRuleSpec, RejectTransform,
};

impl<'de> Deserialize<'de> for LayoutSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LayoutVisitor)
    }
}

struct LayoutVisitor;

impl<'de> Visitor<'de> for LayoutVisitor {
    type Value = LayoutSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with one key, the name of the layout")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LayoutSpec, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| de::Error::custom("the layout names no component"))?;
        let layout = match name.as_str() {
            "files" => LayoutSpec::Files(map.next_value()?),
            "plugin" => LayoutSpec::Component(map.next_value()?),
            _ => LayoutSpec::Plugin { name, options: map.next_value()? },
        };
        match map.next_key::<String>()? {
            None => Ok(layout),
            Some(second) => Err(de::Error::custom(format!("the layout names a second component, `{second}`"))),
        }
    }
}

impl JsonSchema for LayoutSpec {
    fn schema_name() -> Cow<'static, str> {
        "LayoutSpec".into()
    }

    /// The built-in layout and plugins from files; `schema::strict` adds a branch for each built-in plugin.
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A layout; its one key names the component.",
            "oneOf": [{
                "description": "The built-in layout, described in YAML.",
                "type": "object",
                "properties": {"files": generator.subschema_for::<FilesLayout>()},
                "required": ["files"],
                "additionalProperties": false,
            }, {
                "description": "A layout plugin from a file, which runs only if the file is the one that was pinned.",
                "type": "object",
                "properties": {"plugin": generator.subschema_for::<PluginLayout>()},
                "required": ["plugin"],
                "additionalProperties": false,
            }],
        })
    }
}

/// A context column with its options, as written below its name.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ContextOptions {
    /// The template. Example: `{{ first_name }} {{ last_name }}`.
    template: String,
    /// What an undefined name in the template does at run time. Default `empty`.
    #[serde(default)]
    on_undefined: OnUndefined,
}

/// A context column as written: its template, or options.
struct ContextWritten(ContextOptions);

impl<'de> Deserialize<'de> for ContextWritten {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContextVisitor)
    }
}

struct ContextVisitor;

impl<'de> Visitor<'de> for ContextVisitor {
    type Value = ContextWritten;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a template, or a mapping with `template`")
    }

    fn visit_str<E: de::Error>(self, template: &str) -> Result<ContextWritten, E> {
        Ok(ContextWritten(ContextOptions { template: template.to_owned(), on_undefined: OnUndefined::default() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ContextWritten, A::Error> {
        ContextOptions::deserialize(de::value::MapAccessDeserializer::new(map)).map(ContextWritten)
    }
}

impl<'de> Deserialize<'de> for ContextsTransform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ContextsVisitor)
    }
}

struct ContextsVisitor;

impl<'de> Visitor<'de> for ContextsVisitor {
    type Value = ContextsTransform;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of column names to templates")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ContextsTransform, A::Error> {
        let mut columns = Vec::new();
        while let Some((name, ContextWritten(options))) = map.next_entry::<String, ContextWritten>()? {
            columns.push(ContextColumn { name, template: options.template, on_undefined: options.on_undefined });
        }
        Ok(ContextsTransform { columns })
    }
}

impl JsonSchema for ContextsTransform {
    fn schema_name() -> Cow<'static, str> {
        "ContextsTransform".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Adds columns written as templates over the row, appended in the order written.",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [
                {"description": "The template. Example: `{{ first_name }} {{ last_name }}`.", "type": "string"},
                generator.subschema_for::<ContextOptions>(),
            ]},
        })
    }
}

impl<'de> Deserialize<'de> for OnMissing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnMissingVisitor)
    }
}

struct OnMissingVisitor;

impl<'de> Visitor<'de> for OnMissingVisitor {
    type Value = OnMissing;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`null`, `error` or `{default: text}`")
    }

    fn visit_unit<E: de::Error>(self) -> Result<OnMissing, E> {
        Ok(OnMissing::Null)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OnMissing, E> {
        match text {
            "null" => Ok(OnMissing::Null),
            "error" => Ok(OnMissing::Error),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OnMissing, A::Error> {
        let written = DefaultWritten::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(OnMissing::Default(written.default))
    }
}

/// A default for a column that the input lacks.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DefaultWritten {
    /// The text that every row has then.
    default: String,
}

impl JsonSchema for OnMissing {
    fn schema_name() -> Cow<'static, str> {
        "OnMissing".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What a named column does that the input lacks: `null` (every row has null), `error` \
                (the run fails before anything is read), or `{default: text}`.",
            "anyOf": [
                {"enum": ["null", "error"]},
                {"type": "null"},
                generator.subschema_for::<DefaultWritten>(),
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or a mapping of names to names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = items.next_element::<String>()? {
            pairs.push((name.clone(), name));
        }
        Ok(Pairs(pairs))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry::<String, String>()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

impl JsonSchema for Pairs {
    fn schema_name() -> Cow<'static, str> {
        "Pairs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Names, each with the name it has elsewhere: a mapping, or a list where they are the same.",
            "anyOf": [
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
            ],
        })
    }
}

impl<'de> Deserialize<'de> for RejectTransform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RejectVisitor)
    }
}

struct RejectVisitor;

impl<'de> Visitor<'de> for RejectVisitor {
    type Value = RejectTransform;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a condition, or a list of rules")
    }

    fn visit_str<E: de::Error>(self, condition: &str) -> Result<RejectTransform, E> {
        Ok(RejectTransform {
            rules: vec![RejectRuleSpec { when: Some(condition.to_owned()), ..RejectRuleSpec::default() }],
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RejectTransform, A::Error> {
        let mut rules = Vec::new();
        while let Some(rule) = items.next_element()? {
            rules.push(rule);
        }
        Ok(RejectTransform { rules })
    }
}

impl JsonSchema for RejectTransform {
    fn schema_name() -> Cow<'static, str> {
        "RejectTransform".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Sends rows that break a rule to the dead-letter file, each under the first rule it breaks.",
            "anyOf": [
                {"description": "The SQL condition that bad rows meet. Example: `amount < 0`.", "type": "string"},
                {
                    "description": "The rules, in order.",
                    "type": "array",
                    "items": generator.subschema_for::<RejectRuleSpec>(),
                    "minItems": 1,
                },
            ],
        })
    }
}
