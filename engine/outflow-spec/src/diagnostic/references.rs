//! Constructors of the OF2 family: what a name in the file refers to.

use crate::codes;
use crate::diagnostic::{Finding, similar};
use crate::text::Span;

impl Finding {
    /// `${…}` without a value.
    pub fn placeholder_unset(span: Span, what: &str, message: Option<&str>) -> Self {
        let finding = Self::new(&codes::OF201, span, what, "has no value");
        match message {
            Some(message) if !message.is_empty() => finding.with_help(message),
            _ => finding.with_help("set it, or give a default behind `:-`"),
        }
    }

    /// `${…}` that cannot be read.
    pub fn placeholder_malformed(span: Span, reason: &str) -> Self {
        Self::new(&codes::OF202, span, format!("`${{…}}` cannot be read: {reason}"), "malformed")
            .with_help("write `${env:NAME}`, `${file:path}`, `${param:name}` or `${matrix:key}`, or `$${` for the characters themselves")
    }

    /// `${…}` of a kind that does not exist.
    pub fn placeholder_kind(span: Span, written: &str, kind: &str) -> Self {
        let finding = Self::new(&codes::OF203, span, format!("`{written}` names no place to look"), "unknown kind");
        match similar(kind, ["env", "file", "param", "matrix"]) {
            Some(name) => finding.with_help(format!("a similar kind exists: `${{{name}:…}}`")),
            None => {
                let kinds = "write `${env:…}`, `${file:…}`, `${param:…}` or `${matrix:…}`";
                finding.with_help(format!("{kinds}; `$${{` for the characters themselves"))
            }
        }
    }

    /// SQL that does not parse or names what is not there; the words are the planner's.
    pub fn sql_expression(span: Span, message: &str) -> Self {
        Self::new(&codes::OF204, span, format!("SQL: {message}"), "refused")
    }

    /// A column that the rows do not have at this step.
    pub fn unknown_column(span: Span, column: &str, known: &[&str]) -> Self {
        let finding =
            Self::new(&codes::OF205, span, format!("unknown column `{column}`"), "the rows have no such column here");
        match similar(column, known.iter().copied()) {
            Some(name) => finding.with_help(format!("a similar column exists: `{name}`")),
            None => finding.with_similar("", known.iter().copied(), span),
        }
    }

    /// A template that does not parse.
    pub fn template_syntax(span: Span, reason: &str) -> Self {
        Self::new(&codes::OF206, span, format!("invalid template: {reason}"), "in this template")
    }

    /// A time zone that does not exist.
    pub fn unknown_time_zone(span: Span, name: &str, known: &[&str]) -> Self {
        let finding = Self::new(&codes::OF207, span, format!("unknown time zone `{name}`"), "not an IANA name");
        match similar(name, known.iter().copied()) {
            Some(name) => finding.with_help(format!("a similar name exists: `{name}`")).with_fix(span, name),
            None => finding.with_help("write an IANA name, such as `Europe/Brussels`"),
        }
    }

    /// An encoding that does not exist.
    pub fn unknown_encoding(span: Span, label: &str) -> Self {
        let common = ["utf-8", "utf-16le", "utf-16be", "windows-1252", "iso-8859-1", "iso-8859-15", "shift_jis", "gbk"];
        Self::new(&codes::OF208, span, format!("unknown encoding `{label}`"), "not a WHATWG label")
            .with_similar(label, common, span)
    }

    /// A column named twice in one list.
    pub fn repeated_column(span: Span, column: &str, first: Span) -> Self {
        Self::new(&codes::OF209, span, format!("column `{column}` is named twice"), "second time")
            .with_secondary(first, "first time")
            .with_help("keep one of the two")
    }

    /// A new column with the name of one that is there.
    pub fn column_exists(span: Span, column: &str) -> Self {
        Self::new(&codes::OF210, span, format!("the rows already have a column `{column}`"), "would stand twice")
            .with_help("choose another name, or drop the old column with `select` before")
    }

    /// A name that templates of the layout do not have.
    pub fn unknown_template_name(span: Span, name: &str, known: &[&str]) -> Self {
        Self::new(&codes::OF211, span, format!("templates here know no `{name}`"), "unknown name")
            .with_similar(name, known.iter().copied(), span)
            .without_fix()
    }

    /// A connection that the project file does not declare.
    pub fn unknown_connection(span: Span, name: &str, known: &[&str]) -> Self {
        let finding = Self::new(&codes::OF212, span, format!("unknown connection `{name}`"), "not declared");
        match known.is_empty() {
            true => finding.with_help("declare it under `connections` in `outflow.yaml`, in this folder or one above"),
            false => finding.with_similar(name, known.iter().copied(), span),
        }
    }

    fn without_fix(mut self) -> Self {
        self.fix = None;
        self
    }

    /// An entry of a matrix, or the whole, that cannot be used.
    pub fn matrix_entry(span: Span, message: &str, help: &str) -> Self {
        Self::new(&codes::OF213, span, format!("`matrix`: {message}"), "cannot be used").with_help(help)
    }
}
