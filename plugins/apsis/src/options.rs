//! The options as written, which are the vendor's request: what is exported of which section, and of which time.
//! `manifest.json` documents each; what the schema cannot say is checked here.

use std::collections::BTreeSet;

use outflow_plugin_sdk::Diagnostic;
use serde::Deserialize;

use crate::instant::Instant;

/// Most attributes of an export, all sections together.
pub const MOST_ATTRIBUTES: usize = 75;
/// Most tags of an export, all sections together.
pub const MOST_TAGS: usize = 25;
/// Longest time that events are exported of, in calendar months.
pub const MOST_MONTHS: u32 = 3;
/// Time that events are exported of when `end_at` is not written.
const WEEK: i64 = 7 * 86_400_000;

/// Options of the layout.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub sections: Vec<Section>,
    pub start_at: Option<String>,
    pub end_at: Option<String>,
    #[serde(default)]
    pub compression: Compression,
    pub file_name: Option<String>,
}

/// What is exported of a section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    pub section: String,
    #[serde(default)]
    pub attributes: Vec<Attribute>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub events: Vec<String>,
    #[serde(default)]
    pub topics: Vec<String>,
}

/// An attribute: its id, for text, or its id and type.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Attribute {
    Text(String),
    Typed(TypedAttribute),
}

/// An attribute whose values are not text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedAttribute {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Kind,
}

/// Type of an attribute's values.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Text,
    Number,
    Boolean,
    Json,
}

/// Container around the document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    #[default]
    None,
    Gzip,
}

impl Attribute {
    pub fn id(&self) -> &str {
        match self {
            Self::Text(id) => id,
            Self::Typed(typed) => &typed.id,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Typed(typed) => typed.kind,
        }
    }
}

/// Time that events are exported of, in milliseconds since 1970; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

impl Options {
    /// The time that events are exported of, or everything that is wrong.
    pub fn check(&self) -> Result<Option<Window>, Vec<Diagnostic>> {
        let mut found = Vec::new();
        self.check_sections(&mut found);
        let window = self.window().unwrap_or_else(|diagnostic| {
            found.push(diagnostic);
            None
        });
        if self.file_name.as_ref().is_some_and(String::is_empty) {
            found.push(Diagnostic::error("apsis/empty", "/file_name", "must not be empty"));
        }
        if found.is_empty() { Ok(window) } else { Err(found) }
    }

    /// Whether profiles show up at all: events alone bring none.
    pub fn shows_profiles(&self) -> bool {
        self.sections.iter().any(|section| !section.attributes.is_empty() || !section.tags.is_empty())
    }

    /// Whether any event is exported.
    pub fn has_events(&self) -> bool {
        self.sections.iter().any(|section| !section.events.is_empty())
    }

    fn window(&self) -> Result<Option<Window>, Diagnostic> {
        let error = |path: &str, message: &str| Diagnostic::error("apsis/window", path, message);
        let instant = |path: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => Instant::parse(text).map(Some).ok_or_else(|| {
                error(path, &format!("`{text}` is not an instant")).help("write it as 2020-01-01T00:00:00Z")
            }),
        };
        let (start, end) = (instant("/start_at", &self.start_at)?, instant("/end_at", &self.end_at)?);
        let Some(start) = start else {
            return match (self.has_events(), end) {
                (true, _) => Err(error("/start_at", "is missing: events are exported of a time that you name")
                    .help("write `start_at: 2020-01-01T00:00:00Z`")),
                (false, Some(_)) => Err(error("/end_at", "has no `start_at`").help("write both, or neither")),
                (false, None) => Ok(None),
            };
        };
        let end = end.unwrap_or(start.plus(WEEK));
        if end.millis <= start.millis {
            return Err(error("/end_at", "is not after `start_at`"));
        }
        if end.millis > start.plus_months(MOST_MONTHS).millis {
            let message = format!("is more than {MOST_MONTHS} calendar months after `start_at`");
            return Err(error("/end_at", &message).help("export the time in several pieces"));
        }
        Ok(Some(Window { start: start.millis, end: end.millis }))
    }

    fn check_sections(&self, found: &mut Vec<Diagnostic>) {
        let sum = |count: fn(&Section) -> usize| self.sections.iter().map(count).sum::<usize>();
        let (attributes, tags) = (sum(|section| section.attributes.len()), sum(|section| section.tags.len()));
        for (what, count, most) in [("attributes", attributes, MOST_ATTRIBUTES), ("tags", tags, MOST_TAGS)] {
            if count > most {
                let message = format!("{count} {what}; an export has at most {most}, all sections together");
                found.push(Diagnostic::error("apsis/limit", "/sections", message).help("export fewer, or twice"));
            }
        }
        if attributes + tags + sum(|section| section.events.len()) == 0 {
            let message = "nothing is exported: there is no attribute, tag or event";
            found.push(
                Diagnostic::error("apsis/sections", "/sections", message)
                    .help("profiles show up once an attribute or a tag is named"),
            );
        }
        for (index, section) in self.sections.iter().enumerate() {
            let path = format!("/sections/{index}");
            if self.sections[..index].iter().any(|other| other.section == section.section) {
                let message = format!("the section `{}` is listed twice", section.section);
                found.push(Diagnostic::error("apsis/twice", &format!("{path}/section"), message));
            }
            section.check(&path, found);
        }
    }
}

impl Section {
    fn check(&self, path: &str, found: &mut Vec<Diagnostic>) {
        if self.section.is_empty() {
            found.push(Diagnostic::error("apsis/empty", &format!("{path}/section"), "must not be empty"));
        }
        // Attributes and tags become members of one object.
        let mut taken = BTreeSet::new();
        let attributes = self.attributes.iter().map(Attribute::id).collect::<Vec<_>>();
        for (list, ids) in [
            ("attributes", attributes),
            ("tags", self.tags.iter().map(String::as_str).collect()),
            ("events", self.events.iter().map(String::as_str).collect()),
            ("topics", self.topics.iter().map(String::as_str).collect()),
        ] {
            let group = if list == "tags" { "attributes" } else { list };
            for (index, id) in ids.into_iter().enumerate() {
                let path = format!("{path}/{list}/{index}");
                if id.is_empty() {
                    found.push(Diagnostic::error("apsis/empty", &path, "must not be empty"));
                } else if !taken.insert((group, id)) {
                    found.push(Diagnostic::error("apsis/twice", &path, format!("`{id}` is listed twice")));
                }
            }
        }
    }
}
