//! The transform `plugin-name`: writes names in a uniform way, and refuses rows whose name has digits. Only the column
//! it reads crosses to it; the other columns of the rows stay where they are.

use outflow_plugin_sdk::columns::{Columns, Text, TextBuilder};
use outflow_plugin_sdk::{Column, Diagnostic, Io, Mode, Reject, Step, Transform};

/// The options; `manifest.json` documents them, and outflow checks them against it first.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    column: String,
}

/// The transform with its options.
pub struct Plugin(Options);

impl Transform for Plugin {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, input: &[Column]) -> Result<Self, Vec<Diagnostic>> {
        if input.iter().any(|column| column.name == options.column) {
            return Ok(Self(options));
        }
        let message = format!("the rows have no column `{}`", options.column);
        Err(vec![Diagnostic::error("plugin-name/column", "/column", message)])
    }

    fn io(&self) -> Io {
        Io::new(Mode::OneToOne).read(&self.0.column, "Utf8").write(&self.0.column, "Utf8")
    }

    fn apply(&self, input: &Columns) -> Result<Step, String> {
        let names = input.column::<Text>(0)?;
        let mut written = TextBuilder::with_capacity(input.rows(), names.bytes());
        let mut rejects = Vec::new();
        for (row, name) in names.iter().enumerate() {
            match name {
                Some(name) if name.contains(|c: char| c.is_ascii_digit()) => {
                    rejects.push(Reject::new(row, "plugin-name/digits", format!("the name `{name}` has digits")));
                    written.push(None);
                }
                Some(name) => written.push_with(|text| uniform(name, text)),
                None => written.push(None),
            }
        }
        Ok(Step::new(input.rows()).column(written).rejects(rejects))
    }
}

/// Words with a capital first and one space between them.
fn uniform(name: &str, text: &mut String) {
    for (index, word) in name.split_whitespace().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        let mut letters = word.chars();
        text.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        text.extend(letters.flat_map(char::to_lowercase));
    }
}

outflow_plugin_sdk::export_transform!(Plugin);

#[cfg(test)]
mod tests {
    #[test]
    fn names() {
        let mut text = String::new();
        super::uniform("  JAN  de smet ", &mut text);
        assert_eq!(text, "Jan De Smet");
    }
}
