//! A transform that writes e-mail addresses and phone numbers in one spelling, so that equal ones are equal.
//! It is also the example of the guide: small, with options, rejects and a native test.

pub mod spelling;

use outflow_plugin_sdk::columns::{Columns, Text, TextBuilder};
use outflow_plugin_sdk::{Column, Diagnostic, Io, Mode, Reject, Step, Transform};

/// The transform.
pub struct Normalise(Options);

/// Its options as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    #[serde(default)]
    emails: Vec<String>,
    #[serde(default)]
    phones: Vec<String>,
    #[serde(default = "yes")]
    gmail: bool,
    #[serde(default)]
    reject_invalid: bool,
}

fn yes() -> bool {
    true
}

impl Transform for Normalise {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, input: &[Column]) -> Result<Self, Vec<Diagnostic>> {
        let lists = [("emails", &options.emails), ("phones", &options.phones)];
        let mut found = Vec::new();
        for (list, names) in lists {
            for (index, name) in names.iter().enumerate() {
                if input.iter().all(|column| column.name != *name) {
                    let known = input.iter().map(|column| format!("`{}`", column.name)).collect::<Vec<_>>();
                    let message = format!("the rows have no column `{name}`");
                    let finding = Diagnostic::error("normalise/column", &format!("/{list}/{index}"), message);
                    found.push(finding.help(format!("the columns are {}", known.join(", "))));
                }
            }
        }
        if let Some(name) = options.phones.iter().find(|name| options.emails.contains(name)) {
            found.push(Diagnostic::error("normalise/twice", "/phones", format!("`{name}` is in `emails` too")));
        }
        if found.is_empty() { Ok(Self(options)) } else { Err(found) }
    }

    fn io(&self) -> Io {
        let names = self.0.emails.iter().chain(&self.0.phones);
        names.fold(Io::new(Mode::OneToOne), |io, name| io.read(name, "Utf8").write(name, "Utf8"))
    }

    fn apply(&self, input: &Columns) -> Result<Step, String> {
        let Options { emails, phones, gmail, reject_invalid } = &self.0;
        let mut step = Step::new(input.rows());
        let mut rejects: Vec<Reject> = Vec::new();
        for (index, name) in emails.iter().chain(phones).enumerate() {
            let is_email = index < emails.len();
            let column: Text = input.column(index)?;
            let mut out = TextBuilder::with_capacity(input.rows(), column.bytes());
            for (row, value) in column.iter().enumerate() {
                let Some(value) = value else {
                    out.push(None);
                    continue;
                };
                let mut valid = true;
                out.push_with(|out| {
                    valid = if is_email { spelling::email(value, *gmail, out) } else { spelling::phone(value, out) };
                    if !valid && !is_email {
                        out.push_str(value);
                    }
                });
                if !valid && *reject_invalid {
                    let (code, what) = match is_email {
                        true => ("normalise/email", "an e-mail address"),
                        false => ("normalise/phone", "a phone number"),
                    };
                    rejects.push(Reject::new(row, code, format!("`{name}` is not {what}")));
                }
            }
            step = step.column(out);
        }
        rejects.sort_by_key(|reject| reject.row);
        rejects.dedup_by_key(|reject| reject.row);
        Ok(step.rejects(rejects))
    }
}

outflow_plugin_sdk::export_transform!(Normalise);

#[cfg(test)]
mod tests;
