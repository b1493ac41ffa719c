//! Codes of the OF6 family: windows and schedules.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Windows do not work.
pub static OF601: CodeDoc = CodeDoc {
    code: "OF601",
    title: "windows do not work",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Windows shorter than a day start again at each midnight in UTC, so their length has to go into a day \
        without rest: `10m`, `1h`, `6h`. Longer ones are whole days of the calendar, `1d` or `7d`. A window is a part of \
        the input, so transforms that compare the whole input with the last one do not go with it.",
    bad: "incremental: {cursor: created, start: 2026-01-01, every: 7m}
",
    good: "incremental: {cursor: order_id, start: 2026-01-01, every: 10m}
",
};
