//! The six types of calls and the columns of each. A column knows the names that rows may bring it under; what rows
//! bring beyond these columns is not written.

use outflow_plugin_sdk::{Dataset, Field, sql};
use serde::Deserialize;

/// A type of call.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Call {
    Identify,
    Group,
    Track,
    Page,
    Screen,
    Alias,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Identify, Self::Group, Self::Track, Self::Page, Self::Screen, Self::Alias];

    /// The type as rows and file names have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Alias => "alias",
        }
    }

    /// The type as the older names have it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Identify => "identifies",
            Self::Group => "groups",
            Self::Track => "tracks",
            Self::Page => "pages",
            Self::Screen => "screens",
            Self::Alias => "aliases",
        }
    }

    /// The columns of its files, in order.
    pub fn fields(self, input: &Dataset) -> Vec<Field> {
        let common = COMMON.iter().filter(|column| self != Self::Alias || column.name != "anonymous_id");
        common.chain(self.own()).map(|column| column.field(input)).collect()
    }

    fn own(self) -> &'static [Column] {
        const TRAITS: Column = Column { name: "traits", from: &["traits"], holds: Holds::Json };
        const PROPERTIES: Column = Column { name: "properties", from: &["properties"], holds: Holds::Json };
        const NAME: Column = Column { name: "name", from: &["name"], holds: Holds::Text };
        const CATEGORY: Column = Column { name: "category", from: &["category"], holds: Holds::Text };
        // Rows that went through this layout before have the slug in `event` and the name in `event_text`.
        const EVENT: Column = Column { name: "event", from: &["event_text", "event"], holds: Holds::Slug };
        const EVENT_TEXT: Column = Column { name: "event_text", from: &["event_text", "event"], holds: Holds::Text };
        const GROUP: Column = Column { name: "group_id", from: &["groupId", "group_id"], holds: Holds::Text };
        const PREVIOUS: Column =
            Column { name: "previous_id", from: &["previousId", "previous_id"], holds: Holds::Text };
        match self {
            Self::Identify => &[TRAITS],
            Self::Group => &[GROUP, TRAITS],
            Self::Track => &[EVENT, EVENT_TEXT, PROPERTIES],
            Self::Page => &[NAME, CATEGORY, PROPERTIES],
            Self::Screen => &[NAME, PROPERTIES],
            Self::Alias => &[PREVIOUS],
        }
    }
}

/// Columns of every type, but that an alias has no `anonymous_id`.
const COMMON: [Column; 8] = [
    Column { name: "id", from: &["messageId", "message_id", "id"], holds: Holds::Text },
    Column { name: "anonymous_id", from: &["anonymousId", "anonymous_id"], holds: Holds::Text },
    Column { name: "user_id", from: &["userId", "user_id"], holds: Holds::Text },
    Column { name: "context", from: &["context"], holds: Holds::Json },
    Column { name: "original_timestamp", from: &["originalTimestamp", "original_timestamp"], holds: Holds::Instant },
    Column { name: "sent_at", from: &["sentAt", "sent_at"], holds: Holds::Instant },
    Column { name: "received_at", from: &["receivedAt", "received_at"], holds: Holds::Instant },
    Column { name: "timestamp", from: &["timestamp"], holds: Holds::Instant },
];

/// A column of a file.
struct Column {
    name: &'static str,
    /// Names in the rows; the first that is there and not null counts.
    from: &'static [&'static str],
    holds: Holds,
}

/// What a column holds.
enum Holds {
    /// Text, also when the rows have a number: an id must not change its type from file to file.
    Text,
    /// The text as a slug.
    Slug,
    /// A time, as the rows have it.
    Instant,
    /// An object.
    Json,
}

impl Column {
    fn field(&self, input: &Dataset) -> Field {
        let found: Vec<String> =
            self.from.iter().filter(|name| input.column(name).is_some()).map(|name| sql::column(name)).collect();
        let value = match found.as_slice() {
            [] => "CAST(NULL AS VARCHAR)".to_string(),
            [one] => one.clone(),
            several => format!("coalesce({})", several.join(", ")),
        };
        let expr = match self.holds {
            _ if found.is_empty() => value,
            Holds::Text => format!("{value} || ''"),
            Holds::Slug => format!("snake_case({value} || '')"),
            Holds::Instant => value,
            Holds::Json => format!("json_raw({value})"),
        };
        Field { name: self.name.to_string(), expr, json: matches!(self.holds, Holds::Json), doc: None }
    }
}
