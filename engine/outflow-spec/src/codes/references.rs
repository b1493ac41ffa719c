//! Codes of the OF2 family: what names refer to.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// `${…}` has no value.
pub static OF201: CodeDoc = CodeDoc {
    code: "OF201",
    title: "`${…}` has no value",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "The variable, parameter or file is not there, and no default is given. `${env:NAME:-default}` \
        gives one; `${env:NAME:?why}` says what is needed. An empty value counts as unset for both.",
    bad: r#"sink:
  local: {path: "${env:NOT_SET_ANYWHERE}"}
"#,
    good: r#"sink:
  local: {path: "${env:NOT_SET_ANYWHERE:-out}"}
"#,
};

/// `${…}` cannot be read.
pub static OF202: CodeDoc = CodeDoc {
    code: "OF202",
    title: "`${…}` cannot be read",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`${` opens a placeholder, which needs a kind, a name and the closing brace. Write `$${` where \
        the characters themselves are meant.",
    bad: r#"sink:
  local: {path: "${env:OUT"}
"#,
    good: r#"sink:
  local: {path: "${env:OUT:-out}"}
"#,
};

/// `${…}` of unknown kind.
pub static OF203: CodeDoc = CodeDoc {
    code: "OF203",
    title: "`${…}` of unknown kind",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Placeholders say where they look: `env` for environment variables, `file` for the content of a \
        file, `param` for `--param`, `matrix` for the values of an instance.",
    bad: r#"sink:
  local: {path: "${OUT}"}
"#,
    good: r#"sink:
  local: {path: "${env:OUT:-out}"}
"#,
};

/// SQL refused.
pub static OF204: CodeDoc = CodeDoc {
    code: "OF204",
    title: "SQL refused",
    severity: Severity::Error,
    raised_by: RaisedBy::Engine,
    explanation: "`filter`, `derive` and `sql` are SQL over the columns of the rows at that step. The expression \
        does not parse, or names a column or function that is not there. Names with capitals or blanks go in double \
        quotes, text in single quotes.",
    bad: "transforms:
  - filter: totl >
",
    good: "transforms:
  - filter: total > 0
",
};

/// Unknown column.
pub static OF205: CodeDoc = CodeDoc {
    code: "OF205",
    title: "unknown column",
    severity: Severity::Error,
    raised_by: RaisedBy::Columns,
    explanation: "The rows have no such column at this step: it is spelled differently in the source, an earlier \
        `select` left it out, or a later step adds it. For columns that may be absent, `select` has `on_missing`.",
    bad: "transforms:
  - select: {columns: [order_id]}
  - hash: {columns: [emial]}
",
    good: "transforms:
  - select: {columns: [order_id, total]}
  - hash: {columns: [order_id]}
",
};

/// Invalid template.
pub static OF206: CodeDoc = CodeDoc {
    code: "OF206",
    title: "invalid template",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Templates follow Jinja: `{{ name }}` for values, `{% if … %}` for conditions. A brace is left \
        open, or an expression is not finished.",
    bad: r#"transforms:
  - contexts: {greeting: "Hello {{ city"}
"#,
    good: r#"transforms:
  - contexts: {greeting: "Hello {{ city }}"}
"#,
};

/// Unknown time zone.
pub static OF207: CodeDoc = CodeDoc {
    code: "OF207",
    title: "unknown time zone",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Time zones are written by their IANA name, so that summer time is known. Abbreviations such as \
        `CEST` and offsets are not names.",
    bad: "timezone: Europe/Brusels
",
    good: "timezone: Europe/Brussels
",
};

/// Unknown encoding.
pub static OF208: CodeDoc = CodeDoc {
    code: "OF208",
    title: "unknown encoding",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Encodings are written by a label of the WHATWG Encoding Standard, such as `utf-8`, `utf-16le` or \
        `windows-1252`.",
    bad: "source:
  files: {path: data/orders.csv, encoding: utf-9}
",
    good: "source:
  files: {path: data/orders.csv, encoding: utf-8}
",
};

/// Column named twice.
pub static OF209: CodeDoc = CodeDoc {
    code: "OF209",
    title: "column named twice",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "A list of columns names each once; twice the same column would give a file with two equal \
        headers, or hash a hash.",
    bad: "transforms:
  - select: {columns: [order_id, total, order_id]}
",
    good: "transforms:
  - select: {columns: [order_id, total]}
",
};

/// Column already there.
pub static OF210: CodeDoc = CodeDoc {
    code: "OF210",
    title: "column already there",
    severity: Severity::Error,
    raised_by: RaisedBy::Columns,
    explanation: "`contexts` adds columns. One with this name is already there, so the file would hold it twice.",
    bad: r#"transforms:
  - contexts: {city: "{{ city }}!"}
"#,
    good: r#"transforms:
  - contexts: {greeting: "{{ city }}!"}
"#,
};

/// Unknown name in a template of the layout.
pub static OF211: CodeDoc = CodeDoc {
    code: "OF211",
    title: "unknown name in a template of the layout",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Path templates see the run, not the rows: `pipeline`, `at`, `window_start`, `window_end`, \
        `partition`, `part`, `nonce`, `rows`; companions also see `file`. Columns are there as `partition.<column>` \
        once they stand in `split_by`.",
    bad: r#"layout:
  files: {path: "{{ now }}.csv", format: csv}
"#,
    good: r#"layout:
  files: {path: "{{ at }}.csv", format: csv}
"#,
};

/// Unknown connection.
pub static OF212: CodeDoc = CodeDoc {
    code: "OF212",
    title: "unknown connection",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Connections are declared once in `outflow.yaml`, which is looked for in the folder of the pipeline \
        and every folder above it. No connection of this name is there.",
    bad: "sink:
  connection: acme_buckett
",
    good: "sink:
  connection: acme_bucket
  path: in/feeds
",
};

/// Entry of a matrix cannot be used.
pub static OF213: CodeDoc = CodeDoc {
    code: "OF213",
    title: "instance cannot be used",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Each entry of `matrix` is an instance of the pipeline with a name of its own: what its key \
        `instance` says, or else the value of its first key. Names are folders of the state and show in reports, so \
        they are written as they are, without `${…}`, and no two are the same.",
    bad: r#"matrix: [{client_id: "0001"}, {client_id: "0001"}]
"#,
    good: r#"matrix: [{client_id: "0001"}, {client_id: "0002"}]
"#,
};
