//! `incremental` as written in a pipeline file: the rows of a run are those of a window of positions. What windows are
//! due, and which rows are in them, is the engine's business.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// What a span of time looks like: a whole number and `s`, `m`, `h` or `d`.
pub const SPAN_PATTERN: &str = "^[1-9][0-9]{0,8}[smhd]$";

/// Delivers in each run the rows that came to be since the last delivery, and each row once.
///
/// Windows are half-open, `[from, to)`, and the next one begins where the last delivered one ended: no gap and no
/// overlap. How far deliveries have come is kept for each sink, and moves with the commit of a delivery only, so a
/// window that failed is delivered by the next run that succeeds, however long that takes.
///
/// A row of a file is in the window of its cursor. A row that turns up after its window was delivered (in a file that
/// was not there, or behind what a file held then) is late: it is delivered with the next window, and counted as
/// `late_rows` in the report. So files may arrive, and may grow at their end; a file that was written anew from its
/// beginning is read by its cursor alone, and the report warns of the older rows in it. Rows whose cursor is before
/// `start` are not delivered; rows whose cursor is empty or no time go to the dead-letter file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncrementalSpec {
    /// Column of the source that tells when a row came to be, and never changes: RFC 3339, a date and time in UTC,
    /// a timestamp, or milliseconds since 1970. Example: `received_at`.
    #[schemars(length(min = 1))]
    pub cursor: String,
    /// Where the first window begins: an instant, or a date in the pipeline's time zone.
    /// Example: `2026-01-01T00:00:00Z`.
    #[schemars(length(min = 1))]
    pub start: String,
    /// How long rows may take to reach the source: a window is not delivered before its end is so long ago.
    /// Unset: not at all. Example: `5m`.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = SPAN_PATTERN))]
    pub lateness: Option<Span>,
    /// How long a window is. `10m` and other parts of a day are aligned to midnight in UTC and always as long; `1d`
    /// goes from midnight to midnight in the pipeline's time zone, 23 or 25 hours where clocks change.
    /// Unset: one window up to the instant of the run. Example: `10m`.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = SPAN_PATTERN))]
    pub every: Option<Span>,
    /// What becomes of several windows that are due at once. Unset: as the layout's receiver expects it, `each` for
    /// `customerio` and `merge` for all others.
    #[serde(default)]
    pub catch_up: Option<CatchUp>,
    /// For a `postgres` source whose cursor is not an `xid8`: columns that tell rows apart. Example: `[id]`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub key: Option<Vec<String>>,
    /// For a `postgres` source whose cursor is not an `xid8`: how far before a window its reading begins, at least as
    /// long as transactions take. What was delivered from there already is told by `key` and left out. A length of
    /// time, or a number where the cursor is one. Example: `15m`.
    #[serde(default)]
    pub overlap: Option<Overlap>,
}

/// How far before a window its reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Overlap {
    /// So many positions, for a cursor of numbers.
    Positions(u64),
    /// So long, for a cursor of instants.
    Time(Span),
}

impl Overlap {
    /// In positions, or in seconds.
    pub fn back(self) -> u64 {
        match self {
            Self::Positions(back) | Self::Time(Span::Seconds(back)) => back,
            Self::Time(Span::Days(days)) => days * 86_400,
        }
    }
}

impl JsonSchema for Overlap {
    fn schema_name() -> Cow<'static, str> {
        "Overlap".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time such as `15m`, or a number of positions.",
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": SPAN_PATTERN}],
        })
    }
}

/// What becomes of several windows that are due at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// One delivery of all of them.
    Merge,
    /// A delivery each, the oldest first.
    Each,
}

/// A span of time as written: `90s`, `10m`, `6h`, `5d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Span {
    /// So many seconds, whatever the clocks do.
    Seconds(u64),
    /// So many days of the calendar.
    Days(u64),
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no span of time; write a whole number and `s`, `m`, `h` or `d`");
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
        match unit {
            _ if number == 0 || number > 999_999_999 => Err(wrong()),
            's' => Ok(Self::Seconds(number)),
            'm' => Ok(Self::Seconds(number * 60)),
            'h' => Ok(Self::Seconds(number * 3600)),
            'd' => Ok(Self::Days(number)),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}
