//! Layout of the APSIS One export of profiles: one JSON document of profiles, their sections, and what is requested of
//! each. Asking for an export over HTTP is not here; README.md says which requirement is met where.

mod instant;
mod options;
mod query;

use options::{Compression, Options, Window};
use outflow_plugin_sdk::{
    Compression as Container, Dataset, Diagnostic, Field, FileIntent, FileName, Format, Json, Layout, Output, Run,
    WhenEmpty,
};

/// The layout with its options, for one run.
pub struct Apsis {
    options: Options,
    window: Option<Window>,
    run: Run,
}

impl Layout for Apsis {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, run: Run) -> Result<Self, Vec<Diagnostic>> {
        let window = options.check()?;
        Ok(Self { options, window, run })
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        let Some(input) = inputs.iter().find(|dataset| dataset.name == "input") else {
            return Err(vec![Diagnostic::error("apsis/input", "", "there is no dataset `input`")]);
        };
        let missing = self.missing(input);
        if !missing.is_empty() {
            let message = format!("the rows have no column {}", missing.join(", "));
            return Err(vec![Diagnostic::error("apsis/columns", "", message).help(
                "each row is an attribute, tag, event or topic of a profile; bring it into that shape with a `sql` \
                 transform",
            )]);
        }
        let mut output = Output::new("profiles", Format::JsonObject(("profile".to_string(), Json::default())));
        output.query = Some(query::profiles(&self.options, self.window, input));
        output = output.field("profile", "\"profile\"");
        output.fields.push(Field { name: "sections".into(), expr: "\"sections\"".into(), json: true, doc: None });
        output.extras.push(("json-root".to_string(), "profiles".to_string()));
        output.when_empty = WhenEmpty::Write;
        if self.options.compression == Compression::Gzip {
            output.compression = Container::Gzip;
        }
        for (condition, code, message) in query::rules(&self.options, input) {
            output = output.input_rule(&condition, code, message);
        }
        Ok(vec![output])
    }

    fn name_file(&self, _file: &FileIntent) -> Result<FileName, String> {
        let at = self.run.scheduled.utc();
        let name = format!(
            "{}_{:04}{:02}{:02}T{:02}{:02}{:02}Z.json",
            self.options.file_name.as_ref().unwrap_or(&self.run.pipeline),
            at.year,
            at.month,
            at.day,
            at.hour,
            at.minute,
            at.second
        );
        Ok(match self.options.compression {
            Compression::None => FileName::new(name, "application/json"),
            Compression::Gzip => FileName::new(format!("{name}.gz"), "application/gzip"),
        })
    }
}

impl Apsis {
    /// Columns that the request needs and the rows lack.
    fn missing(&self, input: &Dataset) -> Vec<String> {
        let mut needed = query::REQUIRED.to_vec();
        if self.options.sections.iter().any(|section| !section.attributes.is_empty() || !section.topics.is_empty()) {
            needed.push("value");
        }
        if self.options.has_events() {
            needed.push("created_at");
        }
        needed.into_iter().filter(|name| input.column(name).is_none()).map(|name| format!("`{name}`")).collect()
    }
}

outflow_plugin_sdk::export_layout!(Apsis);

#[cfg(test)]
mod tests;
