//! Lengths of time as people write them: a number with its unit.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Units and how many seconds each has.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

/// A length of time, written `90s`, `10m`, `26h` or `5d`. A day has 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    /// Whole seconds.
    pub seconds: u64,
}

impl Duration {
    /// As the standard library has it.
    pub fn as_std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.seconds)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().rev().find(|(_, seconds)| self.seconds.is_multiple_of(*seconds));
        let (unit, seconds) = whole.unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.seconds / seconds)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as `10m`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        let unit = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
        let length = unit.and_then(|(number, seconds)| number.parse::<u64>().ok()?.checked_mul(*seconds));
        length.map(|seconds| Duration { seconds }).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: a number with `s`, `m`, `h` or `d` behind it, such as `10m`.",
            "type": "string",
            "pattern": "^[1-9][0-9]{0,8}[smhd]$",
        })
    }
}
