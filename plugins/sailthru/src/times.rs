//! Times as SQL: read from text in either of the vendor's shapes or from timestamps, and written in its shapes.

use outflow_plugin_sdk::{Column, Stamp, sql};

/// Whether an instant can be read from a column.
pub fn is_time(column: &Column) -> bool {
    let kind = column.data_type.as_str();
    is_text(kind) || kind.starts_with("Timestamp") || kind.starts_with("Date") || kind == "Null"
}

fn is_text(kind: &str) -> bool {
    matches!(kind, "Utf8" | "LargeUtf8" | "Utf8View")
}

/// The instant in UTC; null when the text is no time.
pub fn instant(column: &Column) -> String {
    let name = sql::column(&column.name);
    // A zone is the second parameter of a timestamp's type.
    if column.data_type.starts_with("Timestamp") && column.data_type.contains('"') {
        format!("CAST(arrow_cast({name}, 'Timestamp(Nanosecond, Some(\"+00:00\"))') AS TIMESTAMP)")
    } else {
        format!("TRY_CAST({name} AS TIMESTAMP)")
    }
}

/// `2019-09-26T21:42:15.520Z`.
pub fn with_milliseconds(instant: &str) -> String {
    format!("to_char({instant}, '%Y-%m-%dT%H:%M:%S%.3fZ')")
}

/// `2019-09-26 21:42:15`.
pub fn to_seconds(instant: &str) -> String {
    format!("to_char({instant}, '%Y-%m-%d %H:%M:%S')")
}

/// `20190926`.
pub fn day(instant: &str) -> String {
    format!("to_char({instant}, '%Y%m%d')")
}

/// An instant that is known.
pub fn literal(at: &Stamp) -> String {
    let millisecond = at.epoch_ms.rem_euclid(1000);
    let text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{millisecond:03}",
        at.year, at.month, at.day, at.hour, at.minute, at.second
    );
    format!("CAST({} AS TIMESTAMP)", sql::text(&text))
}
