//! Pipeline files on disk: finding them, reading them with the environment's values, and what the linter says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use outflow_engine::check::Origin;
use outflow_engine::pipeline::Pipeline;
use outflow_engine::plugin::{self, Described, Refusal};
use outflow_spec::render::{self, Report};
use outflow_spec::yaml::MAX_BYTES;
use outflow_spec::{Finding, Language, LayoutSchema, LoadOptions, Loaded, Lookup, PluginOptions};

use crate::failure::Failure;
use crate::output;
use crate::redaction::Redaction;

/// `--param NAME=VALUE`.
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    value: String,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// Options of the embedded layouts, for the linter.
pub fn layouts() -> Vec<LayoutSchema> {
    let layout = |manifest: &outflow_layout::layout::Manifest| LayoutSchema {
        name: manifest.name.clone(),
        summary: manifest.summary.clone(),
        schema: manifest.config_schema.clone(),
    };
    outflow_layout::builtin::manifests().iter().map(layout).collect()
}

/// The language with the embedded layouts.
pub fn language() -> anyhow::Result<Language> {
    Language::new(&layouts()).context("the embedded layouts cannot be used")
}

/// Reads and checks a pipeline file. `${env:…}`, `${file:…}` and `${param:…}` take their values from here;
/// messages about the pipeline go through the redaction.
pub fn check(language: &Language, path: &Path, text: &str, parameters: &[Parameter]) -> (Loaded, Redaction) {
    let lookup = Environment { base: folder(path), parameters: named(parameters), redaction: RefCell::default() };
    let loaded = outflow_spec::load(text, &LoadOptions { language, lookup: &lookup });
    let loaded = with_plugins(language, text, &lookup, loaded);
    (loaded, lookup.redaction.into_inner())
}

/// Checks the options of plugins from files too, by the schemas that these give. A plugin that is not the pinned one
/// is a finding, and nothing of it is run.
fn with_plugins(language: &Language, text: &str, lookup: &Environment, loaded: Loaded) -> Loaded {
    let described = loaded.spec.as_ref().map(|spec| plugin::describe(spec, &lookup.base)).unwrap_or_default();
    if described.is_empty() {
        return loaded;
    }
    let (mut options, mut refusals) = (Vec::new(), Vec::new());
    for Described { pointer, manifest } in described {
        match manifest {
            Ok(manifest) => options.push(PluginOptions { pointer, schema: manifest.config_schema }),
            Err(refusal) => refusals.push((pointer, refusal)),
        }
    }
    let mut loaded = match language.with_options(&options) {
        Ok(language) => outflow_spec::load(text, &LoadOptions { language: &language, lookup }),
        Err(error) => {
            refusals.push((String::new(), Refusal::Unusable(error.to_string())));
            loaded
        }
    };
    let redaction = lookup.redaction.borrow();
    let finding = |(pointer, refusal): (String, Refusal)| {
        let span = loaded.place(&format!("{pointer}/component"));
        match refusal {
            Refusal::NotPinned { component, digest } => {
                Finding::plugin_not_pinned(span, &redaction.hide(&component), &digest)
            }
            Refusal::Changed { component, pinned, found } => {
                Finding::plugin_changed(span, &redaction.hide(&component), &pinned, &found)
            }
            Refusal::Unusable(why) => Finding::plugin_unusable(span, &redaction.hide(&why)),
        }
    };
    let findings = refusals.into_iter().map(finding).collect();
    loaded.add(findings);
    loaded
}

/// Adds what can be told once the file is typed: its layout's own word, and where the input is at hand, whether
/// columns and expressions fit it. Connects to nothing.
pub fn check_further(path: &Path, loaded: &mut Loaded, redaction: &Redaction) -> anyhow::Result<()> {
    let Some(spec) = loaded.spec.clone().filter(|_| !loaded.has_errors()) else { return Ok(()) };
    let pipeline = match Pipeline::from_spec(spec, loaded.text(), &folder(path)) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            let finding = Finding::not_loadable(loaded.place(""), &redaction.hide(&error.to_string()));
            loaded.add(vec![finding]);
            return Ok(());
        }
    };
    let checked = crate::commands::block_on(outflow_engine::check::check(&pipeline, jiff::Timestamp::now()))?;
    let mut findings = checked
        .columns
        .map(|columns| outflow_spec::check_columns(loaded, &columns, &checked.after))
        .unwrap_or_default();
    // What the linter says of columns it knows is closer to the place than what planning says of the whole.
    let told = findings.iter().any(Finding::is_error);
    for problem in checked.problems {
        let span = loaded.place(&problem.pointer);
        let message = redaction.hide(&problem.message);
        let finding = match problem.origin {
            Origin::Transform if told => continue,
            Origin::Transform => Finding::sql_expression(span, &message),
            Origin::Plugin => Finding::plugin_unusable(span, &message),
            Origin::LayoutOption | Origin::LayoutColumns => {
                Finding::layout_option(span, &pipeline.layout.name, &message)
            }
        };
        findings.push(match problem.help {
            Some(help) => finding.with_help(redaction.hide(&help)),
            None => finding,
        });
    }
    loaded.add(findings);
    Ok(())
}

/// The text of a pipeline file.
pub fn read(path: &Path) -> anyhow::Result<String> {
    text(path).with_context(|| format!("cannot read pipeline `{}`", path.display()))
}

/// The text of a file that people write. Of a longer one no more is read than shows that it is too long.
fn text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_BYTES {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Loads a pipeline that is to run; findings are printed, and errors among them stop.
pub fn load(path: &Path, parameters: &[Parameter]) -> Result<(Pipeline, Redaction), Failure> {
    let text = read(path)?;
    let (loaded, redaction) = check(&language()?, path, &text, parameters);
    let errors = loaded.findings.iter().filter(|finding| finding.is_error()).cloned().collect::<Vec<_>>();
    match loaded.spec {
        Some(spec) if errors.is_empty() => match Pipeline::from_spec(spec, &text, &folder(path)) {
            Ok(pipeline) => Ok((pipeline.with_parameters(named(parameters)), redaction)),
            Err(error) => Err(Failure::Engine(error, redaction)),
        },
        _ => {
            let report = Report { path: &path.display().to_string(), text: &text, findings: &errors };
            output::tell(&render::human(&[report], colour(&std::io::stderr())));
            Err(Failure::Findings)
        }
    }
}

fn named(parameters: &[Parameter]) -> BTreeMap<String, String> {
    parameters.iter().map(|given| (given.name.clone(), given.value.clone())).collect()
}

/// Whether a stream shows colours: a terminal does, unless `NO_COLOR` is set.
pub fn colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The folder a file is in.
pub fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

struct Environment {
    base: PathBuf,
    parameters: BTreeMap<String, String>,
    redaction: RefCell<Redaction>,
}

impl Lookup for Environment {
    fn env(&self, name: &str) -> Option<String> {
        let value = std::env::var(name).ok()?;
        self.redaction.borrow_mut().remember(&value, &format!("${{env:{name}}}"));
        Some(value)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let text = text(&self.base.join(path)).map_err(|cause| cause.to_string())?;
        if text.len() > MAX_BYTES {
            return Err(format!("it is longer than {MAX_BYTES} bytes"));
        }
        self.redaction.borrow_mut().remember(&text, &format!("${{file:{path}}}"));
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn param(&self, name: &str) -> Option<String> {
        self.parameters.get(name).cloned()
    }
}

/// A size such as `64MiB`, `1GB` or `4096`.
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: usize = number.parse().map_err(|_| "write a size such as `256MiB`".to_owned())?;
    let scale = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(format!("unknown unit `{unit}`; write B, KB, MB, GB, KiB, MiB or GiB")),
    };
    number.checked_mul(scale).ok_or_else(|| "the size is too large".to_owned())
}
