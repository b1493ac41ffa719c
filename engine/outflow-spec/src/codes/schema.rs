//! Codes of the OF1 family: fields, types and components.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Unknown field.
pub static OF101: CodeDoc = CodeDoc {
    code: "OF101",
    title: "unknown field",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The block has no such field, so the value would have no effect. Usually it is a spelling \
        mistake, or the field belongs one level higher or deeper. Keys that start with `x-` are free for notes and are \
        ignored.",
    bad: r#"source:
  files: {path: data/orders.csv, delimeter: ";"}
"#,
    good: r#"source:
  files: {path: data/orders.csv, delimiter: ";"}
"#,
};

/// Missing field.
pub static OF102: CodeDoc = CodeDoc {
    code: "OF102",
    title: "missing field",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The block cannot work without this field, and there is no sensible default.",
    bad: "sink:
  s3: {path: exports}
",
    good: "sink:
  s3: {bucket: acme-feeds, path: exports}
",
};

/// Wrong type.
pub static OF103: CodeDoc = CodeDoc {
    code: "OF103",
    title: "wrong type",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The field wants a value of another type. Values without quotes that look like a number, `true` \
        or `null` are not text in YAML; put them in quotes where text is wanted.",
    bad: "description: 2026
",
    good: r#"description: "2026"
"#,
};

/// Value not allowed.
pub static OF104: CodeDoc = CodeDoc {
    code: "OF104",
    title: "value not allowed",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The field takes one of a few values, listed in the message. They are written in lower case.",
    bad: "source:
  files: {path: data/orders.csv, format: xlsx}
",
    good: "source:
  files: {path: data/orders.csv, format: csv}
",
};

/// Unknown component.
pub static OF105: CodeDoc = CodeDoc {
    code: "OF105",
    title: "unknown component",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The key below `source`, `layout` or `sink`, and of each item of `transforms`, names the \
        component. There is none of this name.",
    bad: "sink:
  ftp: {host: files.example.com}
",
    good: "sink:
  local: {path: out}
",
};

/// Not exactly one component.
pub static OF106: CodeDoc = CodeDoc {
    code: "OF106",
    title: "not exactly one component",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "`source`, `layout`, `sink` and each item of `transforms` hold exactly one key, the name of the \
        component, with its fields one level deeper. Two transforms are two list items.",
    bad: "transforms:
  - hash: {columns: [order_id]}
    filter: total > 0
",
    good: "transforms:
  - hash: {columns: [order_id]}
  - filter: total > 0
",
};

/// Wrong shape.
pub static OF107: CodeDoc = CodeDoc {
    code: "OF107",
    title: "wrong shape",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The text has to follow a pattern. Names of pipelines, for example, become folders, labels of \
        metrics and keys of the ledger, so they are lower-case letters, digits and hyphens.",
    bad: "name: Welcome Flow
",
    good: "name: welcome-flow
",
};

/// Wrong length.
pub static OF108: CodeDoc = CodeDoc {
    code: "OF108",
    title: "wrong length",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The text or list is empty, or longer than allowed.",
    bad: r#"sink:
  local: {path: ""}
"#,
    good: "sink:
  local: {path: out}
",
};

/// Number out of range.
pub static OF109: CodeDoc = CodeDoc {
    code: "OF109",
    title: "number out of range",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The number is smaller or larger than the field allows.",
    bad: "version: 2
",
    good: "version: 1
",
};

/// Layout refuses its options.
pub static OF110: CodeDoc = CodeDoc {
    code: "OF110",
    title: "layout refuses its options",
    severity: Severity::Error,
    raised_by: RaisedBy::Engine,
    explanation: "The options have the right shape, but the layout says that they do not work together. The words \
        of the message are the layout's own.",
    bad: r#"layout:
  simon:
    client: acme
    segment_name: "   "
    flow: {id: "1", name: Welcome}
    format: csv
"#,
    good: r#"layout:
  simon:
    client: acme
    segment_name: Buyers
    flow: {id: "1", name: Welcome}
    format: csv
"#,
};

/// Filled value does not fit.
pub static OF111: CodeDoc = CodeDoc {
    code: "OF111",
    title: "filled value does not fit",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`${…}` is filled in first and converted to the type of the field then. Here the result is not \
        what the field takes. The value itself is never shown, because it may be a secret.",
    bad: r#"delivery: {max_rejects: "${env:LIMIT:-many}"}
"#,
    good: r#"delivery: {max_rejects: "${env:LIMIT:-10}"}
"#,
};

/// Other rule of the schema.
pub static OF112: CodeDoc = CodeDoc {
    code: "OF112",
    title: "other rule of the schema",
    severity: Severity::Error,
    raised_by: RaisedBy::Schema,
    explanation: "The schema of a layout plugin has a rule that is not a matter of type, range or spelling; for \
        example that the items of a list differ.",
    bad: r#"layout:
  simon:
    client: acme
    segment_name: Buyers
    flow: {id: "1", name: Welcome, actions: [mail, mail]}
    format: csv
"#,
    good: r#"layout:
  simon:
    client: acme
    segment_name: Buyers
    flow: {id: "1", name: Welcome, actions: [mail, sms]}
    format: csv
"#,
};

/// Cannot be held.
pub static OF113: CodeDoc = CodeDoc {
    code: "OF113",
    title: "cannot be held",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "The file follows the schema, but a value is beyond what the program can hold, such as a count \
        with hundreds of digits.",
    bad: "delivery: {max_rejects: 1e300}
",
    good: "delivery: {max_rejects: 1000}
",
};

/// Option does not apply.
pub static OF114: CodeDoc = CodeDoc {
    code: "OF114",
    title: "option does not apply",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "The option belongs to another format, so it would be ignored in silence: delimiters mean nothing \
        to JSON Lines or Parquet, and an `entry` exists only inside a zip archive.",
    bad: r#"source:
  files: {path: data/orders.jsonl, format: jsonl, delimiter: ";"}
"#,
    good: r#"source:
  files: {path: data/orders.csv, format: csv, delimiter: ";"}
"#,
};

/// Dialect contradicts itself.
pub static OF115: CodeDoc = CodeDoc {
    code: "OF115",
    title: "dialect contradicts itself",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "With these options a file could not be read back: the character between cells and the quote \
        character must differ, and neither ends a line.",
    bad: r#"source:
  files: {path: data/orders.csv, delimiter: "\"", quote: "\""}
"#,
    good: r#"source:
  files: {path: data/orders.csv, delimiter: ";", quote: "\""}
"#,
};

/// A rule of `reject` without its one condition.
pub static OF116: CodeDoc = CodeDoc {
    code: "OF116",
    title: "rule without its one condition",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "A rule of `reject` says what bad rows meet (`when`) or what good rows meet (`unless`). They differ \
        for null: a row for which `when` is null is kept, one for which `unless` is null is rejected.",
    bad: r#"transforms:
  - reject: [{when: "total < 0", unless: "city <> ''"}]
"#,
    good: r#"transforms:
  - reject: [{when: "total < 0"}, {unless: "city <> ''"}]
"#,
};

/// A transform that stands twice.
pub static OF117: CodeDoc = CodeDoc {
    code: "OF117",
    title: "transform stands twice",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`changes` compares the rows with the members of the last delivery, of whom there is one list for a \
        pipeline and its target. A second comparison would have nothing to compare with.",
    bad: r#"transforms:
  - changes: {key: [order_id]}
  - changes: {key: [city], column: change}
"#,
    good: r#"transforms:
  - changes: {key: [order_id, city]}
"#,
};

/// Options do not fit together.
pub static OF118: CodeDoc = CodeDoc {
    code: "OF118",
    title: "options do not fit together",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Some options need another beside them, and some exclude one another: a written column is either a \
        column or an expression, a split by time says its span, and names of outputs and counters differ.",
    bad: r#"layout:
  files:
    path: "orders_{{ at }}.csv"
    format: csv
    columns: [{header: Total}]
"#,
    good: r#"layout:
  files:
    path: "orders_{{ at }}.csv"
    format: csv
    columns: [{header: Total, column: total}]
"#,
};

/// Query that does not read.
pub static OF119: CodeDoc = CodeDoc {
    code: "OF119",
    title: "query that does not read",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "A source reads with one `SELECT` (or `WITH`, `TABLE`, `VALUES`). It runs in a transaction that the \
        server keeps from writing, and on a replica where there is one.",
    bad: r#"source:
  postgres: {url: "${env:OF_TEST_SET}", query: "DELETE FROM orders RETURNING order_id"}
"#,
    good: r#"source:
  postgres: {url: "${env:OF_TEST_SET}", query: "SELECT order_id FROM orders"}
"#,
};
