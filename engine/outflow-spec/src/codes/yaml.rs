//! Codes of the OF0 family, YAML itself, and OF9, comments for the linter.

use crate::codes::{CodeDoc, RaisedBy, Severity};

/// Not YAML.
pub static OF001: CodeDoc = CodeDoc {
    code: "OF001",
    title: "not YAML",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "The file breaks the grammar of YAML, so nothing behind that place can be read. Most often a \
        bracket or quote is left open, the indentation of a block is uneven, or text with a colon in it stands without \
        quotes.",
    bad: "sink:
  local: {path: out
",
    good: "sink:
  local: {path: out}
",
};

/// Key stands twice.
pub static OF002: CodeDoc = CodeDoc {
    code: "OF002",
    title: "key stands twice",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "A mapping names each key once. YAML readers disagree about which of two equal keys wins, so \
        neither is taken.",
    bad: "sink:
  local:
    path: out
    path: other
",
    good: "sink:
  local:
    path: out
",
};

/// Anchor or alias.
pub static OF003: CodeDoc = CodeDoc {
    code: "OF003",
    title: "anchor or alias",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "A pipeline file is read from top to bottom by people and tools. Anchors and aliases make a value \
        depend on a line elsewhere and let a small file grow without bound, so they are refused. Write the value out.",
    bad: "transforms:
  - select: {columns: &wanted [order_id]}
  - hash: {columns: *wanted}
",
    good: "transforms:
  - select: {columns: [order_id]}
  - hash: {columns: [order_id]}
",
};

/// Tag.
pub static OF004: CodeDoc = CodeDoc {
    code: "OF004",
    title: "tag",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "Types come from the pipeline language, not from tags in the file. Text that looks like a number \
        is put in quotes.",
    bad: "description: !!str 2026
",
    good: r#"description: "2026"
"#,
};

/// Merge key.
pub static OF005: CodeDoc = CodeDoc {
    code: "OF005",
    title: "merge key",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "`<<` is a leftover of YAML 1.1 that readers treat differently. Write the keys out.",
    bad: "labels:
  <<: {client: acme}
",
    good: "labels:
  client: acme
",
};

/// File too large.
pub static OF006: CodeDoc = CodeDoc {
    code: "OF006",
    title: "file too large",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "Pipeline files are at most 1 MiB. Data belongs in files that the source reads.",
    bad: "# a file of more than 1 MiB
",
    good: "description: small
",
};

/// Nested too deep.
pub static OF007: CodeDoc = CodeDoc {
    code: "OF007",
    title: "nested too deep",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "Mappings and lists may be nested 64 levels deep. No pipeline needs a tenth of that; a deeper \
        file is a mistake or an attack.",
    bad: "x-deep: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
",
    good: "x-deep: [[1]]
",
};

/// Number too long.
pub static OF008: CodeDoc = CodeDoc {
    code: "OF008",
    title: "number too long",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "A whole number beyond 64 bits would lose digits. Identifiers of that length are text: put them \
        in quotes.",
    bad: "labels: {account: 123456789012345678901234567890}
",
    good: r#"labels: {account: "123456789012345678901234567890"}
"#,
};

/// Several documents.
pub static OF009: CodeDoc = CodeDoc {
    code: "OF009",
    title: "several documents",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "One file is one pipeline. `---` may open the file, but not start a second document.",
    bad: "description: one
---
version: 1
",
    good: "description: one
",
};

/// Empty file.
pub static OF010: CodeDoc = CodeDoc {
    code: "OF010",
    title: "empty file",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "There is nothing to load: the file is empty, or has comments only.",
    bad: "# nothing but a comment
",
    good: "description: not empty
",
};

/// Key is not text.
pub static OF011: CodeDoc = CodeDoc {
    code: "OF011",
    title: "key is not text",
    severity: Severity::Error,
    raised_by: RaisedBy::Yaml,
    explanation: "Keys are names. A list or mapping as a key, or an alias, means nothing here.",
    bad: "labels:
  ? [a, b]
  : c
",
    good: "labels:
  a: c
",
};

/// Ignore without effect.
pub static OF901: CodeDoc = CodeDoc {
    code: "OF901",
    title: "ignore without effect",
    severity: Severity::Warning,
    raised_by: RaisedBy::Rule,
    explanation: "The comment silences a code that is not found on this line or the line below. It is a leftover, \
        or stands in the wrong place, and would hide a later mistake.",
    bad: "description: orders # outflow: ignore[OF302] old
",
    good: "description: orders
",
};

/// Ignore without reason.
pub static OF902: CodeDoc = CodeDoc {
    code: "OF902",
    title: "ignore without reason",
    severity: Severity::Warning,
    raised_by: RaisedBy::Rule,
    explanation: "Whoever reads the file next should know why a finding was silenced.",
    bad: "transforms:
  - select: {columns: [email]} # outflow: ignore[OF303]
",
    good: "transforms:
  - select: {columns: [email]} # outflow: ignore[OF303] the partner has consent
",
};

/// Comment that cannot be followed.
pub static OF903: CodeDoc = CodeDoc {
    code: "OF903",
    title: "comment that cannot be followed",
    severity: Severity::Warning,
    raised_by: RaisedBy::Rule,
    explanation: "The comment starts as one for the linter, but is not written as `# outflow: ignore[CODE] \
        reason`, names no known code, or names one that cannot be silenced: what keeps a file from being loaded has to \
        be repaired.",
    bad: "description: orders # outflow: ignore[OF101] please
",
    good: "description: orders
",
};
