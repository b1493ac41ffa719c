//! The SQL that gathers long rows into profiles: what is requested of each row, then its section, then its profile.
//! Every id reaches the text as a quoted literal.

use outflow_plugin_sdk::{Dataset, sql};

use crate::options::{Attribute, Kind, Options, Section, Window};

/// Columns that every row must have.
pub const REQUIRED: [&str; 4] = ["profile", "section", "kind", "id"];

/// What a row can be.
pub const KINDS: [&str; 4] = ["attribute", "tag", "event", "topic"];

/// A JSON number (RFC 8259): what may go into the document without quotes.
const NUMBER: &str = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$";

/// A column as text, whatever the input has; null when it has no such column.
pub fn text(input: &Dataset, column: &str) -> String {
    match input.column(column) {
        Some(_) => format!("({} || '')", sql::column(column)),
        None => "CAST(NULL AS VARCHAR)".to_string(),
    }
}

/// A column as milliseconds since 1970; null when it is neither a whole number nor a time.
pub fn millis(input: &Dataset, column: &str) -> String {
    match input.column(column) {
        Some(found) if found.data_type.starts_with("Timestamp") => {
            let cast = format!("arrow_cast({}, 'Timestamp(Millisecond, None)')", sql::column(column));
            format!("CAST({cast} AS BIGINT)")
        }
        _ => format!("TRY_CAST({} AS BIGINT)", text(input, column)),
    }
}

/// The profiles with their sections, in order of their keys.
pub fn profiles(options: &Options, window: Option<Window>, input: &Dataset) -> String {
    let requested = options.sections.iter().map(|section| section.section.as_str());
    let here = if options.shows_profiles() { is_one_of("section", requested) } else { "false".to_string() };
    format!(
        "SELECT profile, json_object_agg(section, json_raw(body)) AS sections \
         FROM (SELECT profile, section, {body} AS body \
         FROM (SELECT profile, section, id, {place} AS place, {member} AS member FROM ({rows}) WHERE {here}) \
         GROUP BY profile, section ORDER BY profile, section) \
         GROUP BY profile ORDER BY profile",
        body = body(&options.sections),
        place = place(options, window),
        member = member(options),
        rows = rows(input),
    )
}

/// The columns under names that nothing else has.
fn rows(input: &Dataset) -> String {
    let column = |name: &str| format!("{} AS {name}", text(input, name));
    let texts = ["profile", "section", "kind", "id", "correlation_id"].map(column).join(", ");
    let value = if input.column("value").is_some() { "\"value\"" } else { "CAST(NULL AS VARCHAR)" };
    let data = if input.column("data").is_some() { "\"data\"" } else { "CAST(NULL AS VARCHAR)" };
    format!(
        "SELECT {texts}, {value} AS value, {data} AS data, {} AS created_at, {} AS source_event_time FROM input",
        millis(input, "created_at"),
        millis(input, "source_event_time")
    )
}

/// Where in its section a row belongs; null when it is not requested.
fn place(options: &Options, window: Option<Window>) -> String {
    let mut cases = Vec::new();
    let mut case = |kind: &str, place: &str, ids: &dyn Fn(&Section) -> Vec<&str>, also: &str| {
        let listed = any_section(&options.sections, ids);
        if !listed.is_empty() {
            cases.push(format!("WHEN kind = '{kind}' AND ({listed}){also} THEN '{place}'"));
        }
    };
    case("attribute", "attributes", &|section| section.attributes.iter().map(Attribute::id).collect(), "");
    case("tag", "attributes", &|section| section.tags.iter().map(String::as_str).collect(), "");
    case("topic", "topics", &|section| section.topics.iter().map(String::as_str).collect(), "");
    if let Some(Window { start, end }) = window {
        let within = format!(" AND created_at >= {start} AND created_at < {end}");
        case("event", "events", &|section| section.events.iter().map(String::as_str).collect(), &within);
    }
    if cases.is_empty() { "CAST(NULL AS VARCHAR)".to_string() } else { format!("CASE {} END", cases.join(" ")) }
}

/// What a row becomes. Texts get quotes; what has another type is JSON already, which the rules have seen to.
fn member(options: &Options) -> String {
    let typed = any_section(&options.sections, &|section| typed(section, |kind| kind != Kind::Text));
    let value = "json_text(value || '')";
    let value = match typed.as_str() {
        "" => value.to_string(),
        typed => format!("json_raw(CASE WHEN kind = 'attribute' AND ({typed}) THEN json_raw(value) ELSE {value} END)"),
    };
    format!(
        "json_raw(CASE kind WHEN 'event' THEN json_object('correlationId', correlation_id, \
         'sourceEventTime', coalesce(source_event_time, 0), 'typeId', id, 'createdAt', created_at, \
         'data', json_raw(coalesce(json_raw(data), '{{}}'))) \
         WHEN 'tag' THEN '{{\"value\":null}}' ELSE json_object('value', {value}) END)"
    )
}

/// A section's object: it has `events` and `topics` when any are requested of it.
fn body(sections: &[Section]) -> String {
    let attributes = "'attributes', json_raw(coalesce(json_object_agg(id, member) \
                      FILTER (WHERE place = 'attributes'), '{}'))";
    let events = ", 'events', json_raw(coalesce(json_array_agg(member) FILTER (WHERE place = 'events'), '[]'))";
    let topics = ", 'topics', json_raw(coalesce(json_object_agg(id, member) FILTER (WHERE place = 'topics'), '{}'))";
    let mut cases = Vec::new();
    for (with_events, with_topics) in [(true, true), (true, false), (false, true)] {
        let alike =
            |section: &&Section| section.events.is_empty() != with_events && section.topics.is_empty() != with_topics;
        let alike: Vec<_> = sections.iter().filter(alike).map(|section| section.section.as_str()).collect();
        if !alike.is_empty() {
            let events = if with_events { events } else { "" };
            let topics = if with_topics { topics } else { "" };
            let here = is_one_of("section", alike);
            cases.push(format!("WHEN {here} THEN json_object({attributes}{events}{topics})"));
        }
    }
    let plain = format!("json_object({attributes})");
    if cases.is_empty() { plain } else { format!("CASE {} ELSE {plain} END", cases.join(" ")) }
}

/// Conditions that rows must meet, each with its code and message.
pub fn rules(options: &Options, input: &Dataset) -> Vec<(String, &'static str, &'static str)> {
    let (kind, value) = (sql::column("kind"), text(input, "value"));
    let event = |condition: String| format!("({kind} IS DISTINCT FROM 'event') OR {condition}");
    let present = REQUIRED.map(|name| format!("{} <> ''", sql::column(name))).join(" AND ");
    let mut rules = vec![
        (present, "apsis/key", "`profile`, `section`, `kind` or `id` is missing"),
        (is_one_of(&kind, KINDS), "apsis/kind", "`kind` is none of attribute, tag, event and topic"),
    ];
    for (wanted, fits, code, message) in [
        (Kind::Number, format!("regexp_like({value}, '{NUMBER}')"), "apsis/number", "`value` is not a number"),
        (Kind::Boolean, is_one_of(&value, ["true", "false"]), "apsis/boolean", "`value` is neither true nor false"),
    ] {
        let listed = any_section(&options.sections, &|section| typed(section, |kind| kind == wanted));
        if !listed.is_empty() {
            let other = format!("{kind} <> 'attribute' OR NOT ({listed})");
            rules.push((format!("{other} OR {value} IS NULL OR {fits}"), code, message));
        }
    }
    if options.has_events() {
        let (created, source) = (millis(input, "created_at"), millis(input, "source_event_time"));
        let given = text(input, "source_event_time");
        let created = event(format!("{created} IS NOT NULL"));
        rules.push((created, "apsis/created-at", "`created_at` is not a time in milliseconds"));
        let source = event(format!("{given} IS NULL OR {source} IS NOT NULL"));
        rules.push((source, "apsis/source-event-time", "`source_event_time` is not a time in milliseconds"));
        if input.column("data").is_some() {
            let data = event("\"data\" IS NULL OR json_raw(\"data\") LIKE '{%'".to_string());
            rules.push((data, "apsis/data", "`data` is not a JSON object"));
        }
    }
    rules
}

/// Ids of a section's attributes whose type is wanted.
fn typed(section: &Section, wanted: impl Fn(Kind) -> bool) -> Vec<&str> {
    section.attributes.iter().filter(|attribute| wanted(attribute.kind())).map(Attribute::id).collect()
}

/// Whether a row is of one of the ids that some section lists; empty when none lists any.
fn any_section(sections: &[Section], ids: &dyn Fn(&Section) -> Vec<&str>) -> String {
    let listed = sections.iter().map(|section| (section, ids(section))).filter(|(_, ids)| !ids.is_empty());
    let listed = listed.map(|(section, ids)| {
        format!("{} = {} AND {}", sql::column("section"), sql::text(&section.section), is_one_of("\"id\"", ids))
    });
    listed.collect::<Vec<_>>().join(" OR ")
}

fn is_one_of<'a>(expr: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let values: Vec<String> = values.into_iter().map(sql::text).collect();
    format!("{expr} IN ({})", values.join(", "))
}
