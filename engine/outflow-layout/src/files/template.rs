//! Templates of the `files` layout: which values they see, the filters they have, and what they may not do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Zoned;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};

use crate::layout::{Diagnostic, FileFacts, FileIntent, LayoutError, RunInfo, Stamp, Written};
use crate::name;

/// Instructions that one template may run.
const FUEL: u64 = 20_000;

/// Values that every template sees.
const VALUES: [&str; 8] = ["pipeline", "at", "window_start", "window_end", "partition", "part", "nonce", "rows"];

/// Where a template stands.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    /// In a file's name.
    Name,
    /// In a companion, which also sees `file`.
    Companion,
}

/// The environment of one run's templates.
pub struct Templates {
    environment: Environment<'static>,
    /// Values that are equal for all files.
    run: Value,
    split_by: Vec<String>,
}

impl Templates {
    /// Templates over the times of a run.
    pub fn new(split_by: &[String], run: &RunInfo) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
            environment.set_syntax(syntax);
        }
        environment.set_fuel(Some(FUEL));
        environment.add_filter("date", date);
        environment.add_filter("slug", slug);
        environment.add_filter("pad", pad);
        let run = context! {
            pipeline => &run.pipeline,
            at => Value::from_object(Instant::new(&run.scheduled)),
            window_start => Value::from_object(Instant::new(&run.window_start)),
            window_end => Value::from_object(Instant::new(&run.window_end)),
        };
        Self { environment, run, split_by: split_by.to_vec() }
    }

    /// Adds what is wrong with a template before any file is known.
    pub fn check(&self, path: &str, source: &str, place: Place, found: &mut Vec<Diagnostic>) {
        let template = match self.environment.template_from_named_str(path, source) {
            Ok(template) => template,
            Err(error) => return found.push(wrong(path, &explained(&error), "see the syntax of minijinja templates")),
        };
        let mut used: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        used.sort();
        for name in used {
            let (root, member) = name.split_once('.').unwrap_or((&name, ""));
            let column = member.split('.').next().unwrap_or_default();
            let function = self.environment.globals().any(|(name, _)| name == root);
            let known = VALUES.contains(&root) || (root == "file" && place == Place::Companion);
            if !known && !function {
                let known: Vec<_> = VALUES.iter().map(|value| format!("`{value}`")).collect();
                let help = format!("a template sees {}", known.join(", "));
                found.push(wrong(path, &format!("there is no value `{root}`"), &help));
            } else if root == "partition" && !column.is_empty() && !self.split_by.iter().any(|c| c == column) {
                let help = format!("add `{column}` to `split_by`");
                found.push(wrong(path, &format!("`{column}` does not split the rows"), &help));
            }
        }
    }

    /// Whether a template asks for the number of rows.
    pub fn uses_rows(&self, source: &str) -> bool {
        let template = self.environment.template_from_str(source);
        template.is_ok_and(|template| template.undeclared_variables(false).contains("rows"))
    }

    /// Values for a file's name; those from data are made safe for names.
    pub fn of_file(&self, intent: &FileIntent, facts: Option<&FileFacts>) -> Value {
        let partition: BTreeMap<&str, String> =
            intent.partition.iter().map(|(key, value)| (key.as_str(), name::escaped(value))).collect();
        context! {
            partition => partition,
            part => intent.part,
            nonce => &intent.nonce,
            // Undefined, so that a template that asks too early fails, as `rows => none` would not.
            rows => facts.map_or(Value::UNDEFINED, |facts| Value::from(facts.rows)),
            ..self.run.clone()
        }
    }

    /// Values for the companions of a file.
    pub fn of_written(&self, file: &Written) -> Value {
        let path = &file.name.path;
        let (folder, name) = path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
        context! {
            file => context! {
                path => path,
                folder => folder,
                name => name,
                url => &file.url,
                rows => file.facts.rows,
                bytes => file.facts.bytes,
                sha256 => &file.facts.sha256,
            },
            ..self.of_file(&file.intent, Some(&file.facts))
        }
    }

    /// Fills a template in.
    pub fn render(&self, path: &str, source: &str, values: &Value) -> Result<String, LayoutError> {
        let text = self.environment.render_named_str(path, source, values.clone());
        text.map_err(|error| {
            LayoutError::Refused(format!("the template at `layout.files{path}`: {}", explained(&error)))
        })
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

/// A logical instant in the run's zone; prints as RFC 3339.
#[derive(Debug)]
struct Instant(Zoned);

impl Instant {
    fn new(stamp: &Stamp) -> Self {
        let at = jiff::Timestamp::from_millisecond(stamp.epoch_ms).unwrap_or_default();
        let offset = Offset::from_seconds(i32::from(stamp.offset_minutes) * 60).unwrap_or(Offset::UTC);
        let zone = TimeZone::get(&stamp.zone).unwrap_or_else(|_| TimeZone::fixed(offset));
        Self(at.to_zoned(zone))
    }
}

impl Object for Instant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S%:z"))
    }
}

fn date(value: &Value, format: &str) -> Result<String, minijinja::Error> {
    let wrong = |why: String| minijinja::Error::new(ErrorKind::InvalidOperation, why);
    let Some(Instant(at)) = value.downcast_object_ref() else {
        return Err(wrong("`date` is for `at`, `window_start` and `window_end`".to_string()));
    };
    strtime::format(format, at).map_err(|error| wrong(format!("`date('{format}')`: {error}")))
}

/// Lower case; anything but ASCII letters, digits and hyphens becomes a hyphen.
fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Zeros in front, up to a width.
fn pad(value: &Value, width: usize) -> String {
    format!("{:0>width$}", value.to_string(), width = width.min(64))
}
