//! Short ways to the records of the interface; each starts from the plain case and is changed from there.

use crate::{
    Artifact, Column, Compression, Csv, Dataset, Diagnostic, Field, FileName, Format, Json, Naming, NestedAs, Output,
    PartitionKey, Roll, Severity, WhenEmpty,
};

impl Output {
    /// Files of `dataset` from the rows of `input`: every row, no column yet, one file, none when there are no rows.
    pub fn new(dataset: &str, format: Format) -> Self {
        Self {
            dataset: dataset.to_string(),
            kind: "data".to_string(),
            input: "input".to_string(),
            query: None,
            expand: None,
            filter: None,
            fields: Vec::new(),
            pass_through: false,
            partition_by: Vec::new(),
            order_by: Vec::new(),
            format,
            compression: Compression::None,
            roll: Roll { max_rows: None, max_bytes: None },
            when_empty: WhenEmpty::Skip,
            naming: Naming::Before,
            counters: Vec::new(),
            extras: Vec::new(),
        }
    }

    /// Adds a column.
    pub fn field(mut self, name: &str, expr: impl Into<String>) -> Self {
        self.fields.push(Field { name: name.to_string(), expr: expr.into(), json: false, doc: None });
        self
    }

    /// Splits the rows by the value of an expression.
    pub fn partition(mut self, name: &str, value: impl Into<String>) -> Self {
        self.partition_by.push(PartitionKey { name: name.to_string(), value: value.into() });
        self
    }

    /// Rejects the rows of this output for which `condition` is not true.
    pub fn rule(self, condition: &str, code: &str, message: &str) -> Self {
        self.keep("rule", condition, code, message)
    }

    /// Rejects the rows of the whole input for which `condition` is not true, before any output takes its share.
    pub fn input_rule(self, condition: &str, code: &str, message: &str) -> Self {
        self.keep("input-rule", condition, code, message)
    }

    fn keep(mut self, key: &str, condition: &str, code: &str, message: &str) -> Self {
        let rule = serde_json::json!({"condition": condition, "code": code, "message": message});
        self.extras.push((key.to_string(), rule.to_string()));
        self
    }
}

impl Default for Csv {
    /// RFC 4180 in UTF-8 with `\n` line ends, a header, and null as the empty cell.
    fn default() -> Self {
        Self {
            delimiter: ',',
            quote: '"',
            escape: '"',
            terminator: "\n".to_string(),
            header: true,
            null_text: String::new(),
            list_separator: ",".to_string(),
            decimal_point: '.',
            encoding: "utf-8".to_string(),
            bom: false,
        }
    }
}

impl Default for Json {
    /// Nested values as JSON, nulls written.
    fn default() -> Self {
        Self { nested: NestedAs::Native, omit_null: false }
    }
}

impl FileName {
    /// A name with its media type.
    pub fn new(path: impl Into<String>, content_type: &str) -> Self {
        Self {
            path: path.into(),
            archive_entry: None,
            content_type: Some(content_type.to_string()),
            metadata: Vec::new(),
        }
    }
}

impl Artifact {
    /// A JSON file: `value` on one line, then a line feed.
    pub fn json(path: impl Into<String>, value: &impl serde::Serialize) -> Result<Self, String> {
        let path = path.into();
        let mut body = serde_json::to_vec(value).map_err(|error| format!("writing `{path}`: {error}"))?;
        body.push(b'\n');
        Ok(Self { path, content_type: "application/json".to_string(), body })
    }
}

impl Diagnostic {
    /// An error at a JSON pointer into the options.
    pub fn error(code: &str, path: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: code.to_string(),
            path: path.to_string(),
            message: message.into(),
            help: None,
        }
    }

    /// The same with advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Dataset {
    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
