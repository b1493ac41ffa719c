//! Codes of the OF4 family: names of buckets and files.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Bucket is not a name.
pub static OF401: CodeDoc = CodeDoc {
    code: "OF401",
    title: "bucket is not a name",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`bucket` is the bare name. The scheme `s3://` is implied by the sink, and folders go to `path`.",
    bad: r#"sink:
  s3: {bucket: "s3://acme-feeds/"}
"#,
    good: "sink:
  s3: {bucket: acme-feeds}
",
};

/// Slash at an end of a path.
pub static OF402: CodeDoc = CodeDoc {
    code: "OF402",
    title: "slash at an end of a path",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Keys of an object store are joined with one slash. A slash at an end would make a folder without \
        name, which partners cannot find.",
    bad: "sink:
  s3: {bucket: acme-feeds, path: /exports/simon/}
",
    good: "sink:
  s3: {bucket: acme-feeds, path: exports/simon}
",
};

/// Path leaves its folder.
pub static OF403: CodeDoc = CodeDoc {
    code: "OF403",
    title: "path leaves its folder",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`..` in a name would put a file outside of the folder that the sink owns.",
    bad: "sink:
  s3: {bucket: acme-feeds, path: exports/../private}
",
    good: "sink:
  s3: {bucket: acme-feeds, path: private}
",
};

/// Character that names cannot have.
pub static OF404: CodeDoc = CodeDoc {
    code: "OF404",
    title: "character that names cannot have",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Back-slashes and control characters mean different things on different systems, and break the \
        tools that read lists of files.",
    bad: r"sink:
  s3: {bucket: acme-feeds, path: 'exports\simon'}
",
    good: "sink:
  s3: {bucket: acme-feeds, path: exports/simon}
",
};

/// Name is the same in every run.
pub static OF405: CodeDoc = CodeDoc {
    code: "OF405",
    title: "name is the same in every run",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "A delivered file is never overwritten. A name needs something that changes from run to run: a \
        time or the random token.",
    bad: "layout:
  files: {path: orders.csv, format: csv}
",
    good: r#"layout:
  files: {path: "orders_{{ at }}.csv", format: csv}
"#,
};

/// Name is the same for several partitions.
pub static OF406: CodeDoc = CodeDoc {
    code: "OF406",
    title: "name is the same for several partitions",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`split_by` writes one file for each combination of values. The name has to tell them apart: by \
        those values, or by the random token.",
    bad: r#"layout:
  files: {path: "orders_{{ at }}.csv", format: csv, split_by: [country]}
"#,
    good: r#"layout:
  files: {path: "{{ partition.country }}/orders_{{ at }}.csv", format: csv, split_by: [country]}
"#,
};

/// Name is the same for every part.
pub static OF407: CodeDoc = CodeDoc {
    code: "OF407",
    title: "name is the same for every part",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "`rotate` closes a full file and begins the next part. The name has to tell parts apart: by their \
        number, a counter of scope `file`, or the random token.",
    bad: r#"layout:
  files: {path: "orders_{{ at }}.csv", format: csv, rotate: {rows: 100000}}
"#,
    good: r#"layout:
  files: {path: "orders_{{ at }}_{{ part | pad(3) }}.csv", format: csv, rotate: {rows: 100000}}
"#,
};

/// Two outputs share a name.
pub static OF408: CodeDoc = CodeDoc {
    code: "OF408",
    title: "two outputs share a name",
    severity: Severity::Error,
    raised_by: RaisedBy::Rule,
    explanation: "Each output writes its own files. Their names differ by `{{ output }}`, or because each output has \
        a `path` of its own; in a shared zip archive, the entries differ.",
    bad: r#"layout:
  files:
    path: "orders_{{ at }}.csv"
    format: csv
    outputs: [{name: paid, filter: "total > 0"}, {name: free, filter: "total = 0"}]
"#,
    good: r#"layout:
  files:
    path: "{{ output }}_{{ at }}.csv"
    format: csv
    outputs: [{name: paid, filter: "total > 0"}, {name: free, filter: "total = 0"}]
"#,
};
