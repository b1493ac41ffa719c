//! Filters of the `files` layout's templates: times, padding, slugs and JSON.

use std::fmt;
use std::sync::Arc;

use jiff::Zoned;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use minijinja::value::{Kwargs, Object, ObjectRepr, Value};
use minijinja::{Environment, ErrorKind};

use crate::layout::Stamp;

/// Adds them.
pub fn register(environment: &mut Environment<'_>) {
    environment.add_filter("date", date);
    environment.add_filter("unix", unix);
    environment.add_filter("slug", slug);
    environment.add_filter("pad", pad);
    environment.add_filter("tojson", to_json);
}

/// A logical instant in the run's zone; prints as RFC 3339.
#[derive(Debug)]
pub struct Instant(Zoned);

impl Instant {
    /// The instant of a stamp.
    pub fn new(stamp: &Stamp) -> Self {
        let at = jiff::Timestamp::from_millisecond(stamp.epoch_ms).unwrap_or_default();
        let offset = Offset::from_seconds(i32::from(stamp.offset_minutes) * 60).unwrap_or(Offset::UTC);
        let zone = TimeZone::get(&stamp.zone).unwrap_or_else(|_| TimeZone::fixed(offset));
        Self(at.to_zoned(zone))
    }
}

impl Object for Instant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S%:z"))
    }
}

fn wrong(why: String) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, why)
}

fn instant<'a>(value: &'a Value, filter: &str) -> Result<&'a Zoned, minijinja::Error> {
    match value.downcast_object_ref() {
        Some(Instant(at)) => Ok(at),
        None => Err(wrong(format!("`{filter}` is for `at`, `window_start` and `window_end`"))),
    }
}

/// A time as `strftime` writes it, in the run's zone or another.
fn date(value: &Value, format: &str, options: Kwargs) -> Result<String, minijinja::Error> {
    let mut at = instant(value, "date")?.clone();
    if let Some(name) = options.get::<Option<&str>>("zone")? {
        let zone = TimeZone::get(name).map_err(|_| wrong(format!("`date`: there is no time zone `{name}`")))?;
        at = at.with_time_zone(zone);
    }
    options.assert_all_used()?;
    strtime::format(format, &at).map_err(|error| wrong(format!("`date('{format}')`: {error}")))
}

/// Seconds since 1970-01-01T00:00:00Z.
fn unix(value: &Value) -> Result<i64, minijinja::Error> {
    Ok(instant(value, "unix")?.timestamp().as_second())
}

/// Lower case; anything but ASCII letters, digits and hyphens becomes a hyphen.
fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Zeros in front, up to a width.
fn pad(value: &Value, width: usize) -> String {
    format!("{:0>width$}", value.to_string(), width = width.min(64))
}

/// Compact JSON. The filter of the same name that comes with the engine writes for HTML pages.
fn to_json(value: &Value) -> Result<String, minijinja::Error> {
    serde_json::to_string(value).map_err(|error| wrong(format!("`tojson`: {error}")))
}
