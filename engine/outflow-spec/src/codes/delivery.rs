//! Codes of the OF7 family: delivery against what a layout's readers expect.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Layout allows no companions.
pub static OF701: CodeDoc = CodeDoc {
    code: "OF701",
    title: "layout allows no companions",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Readers of this layout take every object in the bucket for data of theirs, so nothing else may lie \
        there: no checksums, no markers. Sizes and digests of what was delivered are in the report of the run.",
    bad: "layout:
  sailthru: {tables: [campaign_click]}
delivery: {checksums: sha256}
",
    good: "layout:
  sailthru: {tables: [campaign_click]}
",
};

/// Empty-run policy contradicts the layout.
pub static OF702: CodeDoc = CodeDoc {
    code: "OF702",
    title: "empty-run policy contradicts the layout",
    severity: Severity::Warning,
    raised_by: RaisedBy::Rule,
    explanation: "The layout's vendor says what a day without rows looks like: ACTITO delivers a file with nothing \
        but its header every day, Simon and Sailthru deliver no file at all. `on_empty` says the opposite; if that \
        is what was agreed with the reader, silence this.",
    bad: "layout:
  sailthru: {tables: [campaign_click]}
delivery: {on_empty: header_only}
",
    good: "layout:
  sailthru: {tables: [campaign_click]}
delivery: {on_empty: fail}
",
};

/// Key cannot be used.
pub static OF703: CodeDoc = CodeDoc {
    code: "OF703",
    title: "key cannot be used",
    severity: Severity::Error,
    raised_by: RaisedBy::Engine,
    explanation: "Files are encrypted for public keys that are valid now and have a part for encryption. A private \
        key among `keys` is refused: it has no place here, and whoever sent it should replace it.",
    bad: "delivery:
  encrypt:
    pgp: {keys: [keys/expired.asc]}
",
    good: "delivery:
  encrypt:
    pgp: {keys: [keys/acme.asc]}
",
};
