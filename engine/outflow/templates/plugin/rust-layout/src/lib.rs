//! The layout `plugin-name`: contacts as one CSV file a run, and a small file beside it that says it is complete.
//! It sees no row: it answers with columns as SQL expressions, with names, and with what follows a file.

use outflow_plugin_sdk::{
    Artifact, Csv, Dataset, Diagnostic, FileIntent, FileName, Format, Layout, Output, Run, Written, sql,
};

/// The options; `manifest.json` documents them, and outflow checks them against it first.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    client: String,
}

/// The layout with its options, for one run.
pub struct Plugin {
    options: Options,
    run: Run,
}

impl Layout for Plugin {
    const MANIFEST: &'static str = include_str!("manifest.json");
    type Options = Options;

    fn open(options: Options, run: Run) -> Result<Self, Vec<Diagnostic>> {
        if options.client.contains('/') {
            let found = Diagnostic::error("plugin-name/client", "/client", "holds a `/`, and it is one folder's name");
            return Err(vec![found.help("leave the `/` out")]);
        }
        Ok(Self { options, run })
    }

    fn outputs(&self, inputs: &[Dataset]) -> Result<Vec<Output>, Vec<Diagnostic>> {
        if !inputs.iter().any(|input| input.name == "input" && input.column("email").is_some()) {
            let found = Diagnostic::error("plugin-name/columns", "", "the rows have no column `email`");
            return Err(vec![found.help("add one with a `derive` transform")]);
        }
        let mut output = Output::new("contacts", Format::Csv(Csv::default()))
            .field("email", "sha256_identity(\"email\")")
            .field("client", sql::text(&self.options.client))
            .rule("\"email\" IS NOT NULL", "plugin-name/email", "the contact has no `email`");
        // The other columns of the rows follow, whatever they are.
        output.pass_through = true;
        Ok(vec![output])
    }

    fn name_file(&self, file: &FileIntent) -> Result<FileName, String> {
        let at = &self.run.scheduled;
        let random = file.nonce.get(..8).ok_or("the nonce is too short")?;
        let day = format!("{:04}{:02}{:02}", at.year, at.month, at.day);
        Ok(FileName::new(format!("{}/{day}/{}_{random}.csv", self.options.client, file.dataset), "text/csv"))
    }

    fn files_written(&self, files: &[Written]) -> Result<Vec<Artifact>, String> {
        let complete = |file: &Written| {
            let told = serde_json::json!({"file": file.name.path, "rows": file.facts.rows});
            Artifact::json(format!("{}.complete", file.name.path), &told)
        };
        files.iter().map(complete).collect()
    }
}

outflow_plugin_sdk::export_layout!(Plugin);

#[cfg(test)]
mod tests {
    use outflow_plugin_sdk::testing;

    use super::*;

    #[test]
    fn names() {
        let run = testing::run(1_773_480_413_000, "file", "out", "");
        let plugin: Plugin = testing::open(&serde_json::json!({"client": "acme"}), run).ok().unwrap();
        let name = plugin.name_file(&testing::intent("contacts", &[])).unwrap();
        assert_eq!(name.path, "acme/20260314/contacts_1a2b3c4d.csv");
    }
}
