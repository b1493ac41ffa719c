//! Templates of the `files` layout: which values they see, and what they may not do.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};

use outflow_spec::lint::names_in;

use super::filters::{self, Instant};
use super::options::FileOptions;
use crate::layout::{Diagnostic, FileFacts, FileIntent, LayoutError, RunInfo, Written};
use crate::name;

/// Instructions that one template may run.
const FUEL: u64 = 20_000;

/// Instructions that a template over all files may run besides, for each file.
const FUEL_PER_FILE: u64 = 500;

/// Where a template stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// In a file's name, or its metadata.
    Name,
    /// In the name of an archive's entry, which is part of the bytes.
    Entry,
    /// In a companion of a file, which also sees `file`.
    Companion,
    /// In a companion of the run, which sees all `files` and none of their own values.
    RunCompanion,
}

impl Place {
    /// The values that a template sees there.
    fn values(self) -> Vec<&'static str> {
        let mut values = vec!["pipeline", "at", "window_start", "window_end"];
        if self == Self::RunCompanion {
            values.push("files");
            return values;
        }
        values.extend(["output", "partition", "part", "counter", "nonce"]);
        if self != Self::Entry {
            values.extend(["rows", "bytes", "sha256"]);
        }
        if self == Self::Companion {
            values.push("file");
        }
        values
    }
}

/// The environment of one run's templates.
pub struct Templates {
    environment: Environment<'static>,
    /// Values that are equal for all files.
    run: Value,
    zone: String,
}

impl Templates {
    /// Templates over the times of a run.
    pub fn new(run: &RunInfo) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        filters::register(&mut environment);
        let values = context! {
            pipeline => &run.pipeline,
            at => Value::from_object(Instant::new(&run.scheduled)),
            window_start => Value::from_object(Instant::new(&run.window_start)),
            window_end => Value::from_object(Instant::new(&run.window_end)),
        };
        Self { environment, run: values, zone: run.scheduled.zone.clone() }
    }

    /// The pipeline's time zone.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Lets templates run as long as it takes to look at so many files.
    pub fn allow(&mut self, files: usize) {
        self.environment.set_fuel(Some(FUEL + FUEL_PER_FILE * files as u64));
    }

    /// Adds what is wrong with a template of these outputs before any file is known.
    pub fn check(&self, path: &str, source: &str, place: Place, outputs: &[&FileOptions], found: &mut Vec<Diagnostic>) {
        let syntax = |error| wrong(path, &explained(&error), "see the syntax of minijinja templates");
        let used = match self.environment.template_from_named_str(path, source).and_then(|_| names_in(source)) {
            Ok(used) => used,
            Err(error) => return found.push(syntax(error)),
        };
        let known = place.values();
        for name in used {
            let (root, rest) = name.split_once('.').unwrap_or((&name, ""));
            let member = rest.split('.').next().unwrap_or_default();
            let function = self.environment.globals().any(|(name, _)| name == root);
            if !known.contains(&root) && !function {
                let known: Vec<_> = known.iter().map(|value| format!("`{value}`")).collect();
                let help = format!("a template sees {} here", known.join(", "));
                found.push(wrong(path, &format!("there is no value `{root}`"), &help));
            } else if root == "partition" && !member.is_empty() {
                if outputs.iter().any(|output| !output.split_names().contains(&member)) {
                    let help = format!("add `{member}` to `split_by`");
                    found.push(wrong(path, &format!("`{member}` does not split the rows"), &help));
                }
            } else if root == "counter" && !member.is_empty() {
                let counted = |output: &&FileOptions| output.spec.counters.iter().any(|one| one.name == member);
                if !outputs.iter().all(counted) {
                    let help = format!("add `{{name: {member}}}` to `counters`");
                    found.push(wrong(path, &format!("there is no counter `{member}`"), &help));
                }
            }
        }
    }

    /// Whether a template asks for one of these values.
    pub fn uses(source: &str, values: &[&str]) -> bool {
        let used = names_in(source).unwrap_or_default();
        used.iter().any(|name| name.split('.').next().is_some_and(|root| values.contains(&root)))
    }

    /// Values for a file's name; those from data are made safe for names.
    pub fn of_file(&self, intent: &FileIntent, facts: Option<&FileFacts>) -> Value {
        let partition: BTreeMap<&str, String> =
            intent.partition.iter().map(|(key, value)| (key.as_str(), name::escaped(value))).collect();
        // Undefined, so that a template that asks too early fails, as `rows => none` would not.
        let fact = |value: fn(&FileFacts) -> Value| facts.map_or(Value::UNDEFINED, value);
        context! {
            output => &intent.dataset,
            partition => partition,
            part => intent.part,
            counter => counters(intent),
            nonce => &intent.nonce,
            rows => fact(|facts| Value::from(facts.rows)),
            bytes => fact(|facts| Value::from(facts.bytes)),
            sha256 => fact(|facts| Value::from(facts.digest.sha256())),
            ..self.run.clone()
        }
    }

    /// Values for the companions of a file.
    pub fn of_written(&self, file: &Written) -> Value {
        context! { file => described(file), ..self.of_file(&file.intent, Some(&file.facts)) }
    }

    /// Values for the companions of a run.
    pub fn of_run(&self, files: &[Written]) -> Value {
        let files: Vec<Value> = files.iter().map(described).collect();
        context! { files => files, ..self.run.clone() }
    }

    /// Fills a template in.
    pub fn render(&self, path: &str, source: &str, values: &Value) -> Result<String, LayoutError> {
        let text = self.environment.render_named_str(path, source, values.clone());
        text.map_err(|error| {
            LayoutError::Refused(format!("the template at `layout.files{path}`: {}", explained(&error)))
        })
    }
}

fn counters(intent: &FileIntent) -> BTreeMap<&str, u64> {
    intent.counters.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

/// A written file as companions see it, its partition values as they are in the data.
fn described(file: &Written) -> Value {
    let path = &file.name.path;
    let (folder, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
    let partition: BTreeMap<&str, String> =
        file.intent.partition.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    context! {
        path => path,
        folder => folder,
        name => name,
        entry => &file.name.archive_entry,
        url => &file.url,
        output => &file.intent.dataset,
        partition => partition,
        part => file.intent.part,
        counter => counters(&file.intent),
        columns => file.facts.header.to_vec(),
        rows => file.facts.rows,
        bytes => file.facts.bytes,
        sha256 => file.facts.digest.sha256(),
    }
}

fn wrong(path: &str, message: &str, help: &str) -> Diagnostic {
    super::error("files/template", path, message, help)
}

fn explained(error: &minijinja::Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => "it runs too long".to_string(),
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    }
}
