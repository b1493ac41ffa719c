//! Pipeline and project files on disk: finding them, reading them with the environment's values, and what the linter
//! says of them. Loading those that are to run is in `members`.

mod members;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use outflow_engine::check::Origin;
use outflow_engine::pipeline::Pipeline;
use outflow_engine::plugin::{self, Described, Refusal};
use outflow_spec::ledger::LedgerSpec;
use outflow_spec::project::FILE_NAME;
use outflow_spec::render::{self, Report};
use outflow_spec::yaml::MAX_BYTES;
use outflow_spec::{
    Finding, Instance, Language, LayoutSchema, LoadOptions, Loaded, Lookup, PluginOptions, Project, ProjectSpec,
};

use crate::failure::Failure;
use crate::output;
use crate::redaction::Redaction;
pub use members::{Member, findings, load, load_every, load_instance};

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

/// A project file.
pub struct ProjectFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub project: Project,
}

/// The project file of a folder: its own, or the nearest above. What fills it in is hidden from messages about the
/// pipeline too.
fn project_above(below: &Path, lookup: &Environment) -> anyhow::Result<Option<ProjectFile>> {
    let start = std::path::absolute(below).with_context(|| format!("cannot use the folder `{}`", below.display()))?;
    let found = start.ancestors().map(|folder| folder.join(FILE_NAME)).enumerate().find(|(_, path)| path.is_file());
    let Some((levels, path)) = found else { return Ok(None) };
    let own = Environment {
        base: folder(&path),
        parameters: lookup.parameters.clone(),
        redaction: RefCell::new(lookup.redaction.take()),
    };
    let project = read_project(&path, &own)?.seen_from_below(levels);
    lookup.redaction.replace(own.redaction.into_inner());
    Ok(Some(ProjectFile { path, project }))
}

fn read_project(path: &Path, lookup: &Environment) -> anyhow::Result<Project> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read project `{}`", path.display()))?;
    let language = Language::of_projects().context("the language of project files cannot be used")?;
    Ok(Project::load(&text, &language, lookup))
}

/// Reads and checks a project file by itself.
pub fn check_project(path: &Path, parameters: &[Parameter]) -> anyhow::Result<Project> {
    let lookup = Environment { base: folder(path), parameters: named(parameters), redaction: RefCell::default() };
    read_project(path, &lookup)
}

/// Checks the options of plugins from files too, by the schemas that these give. A plugin that is not the pinned one
/// is a finding, and nothing of it is run.
fn with_plugins(
    first: &LoadOptions<'_>,
    text: &str,
    lookup: &Environment,
    instance: Option<&Instance>,
    loaded: Loaded,
) -> Loaded {
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
    let mut loaded = match first.language.with_options(&options) {
        Ok(language) => members::read_as(text, &LoadOptions { language: &language, ..*first }, instance),
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
fn check_further(path: &Path, loaded: &mut Loaded, redaction: &Redaction, twice: bool) -> anyhow::Result<()> {
    let Some(spec) = loaded.spec.clone().filter(|_| !loaded.has_errors()) else { return Ok(()) };
    let pipeline = match Pipeline::from_spec(spec, loaded.text(), &folder(path)) {
        Ok(pipeline) => pipeline,
        Err(error) => {
            let finding = Finding::not_loadable(loaded.place(""), &redaction.hide(&error.to_string()));
            loaded.add(vec![finding]);
            return Ok(());
        }
    };
    let checked = crate::commands::block_on(outflow_engine::check::check(&pipeline, jiff::Timestamp::now(), twice))?;
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
            Origin::Key => Finding::key_unusable(span, &message),
            Origin::Unsteady => Finding::layout_unsteady(span, &message),
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

/// Loads the project file of a folder or above, with the folder it is in; findings are printed, and errors stop.
pub fn load_project(below: &Path, parameters: &[Parameter]) -> Result<(ProjectSpec, PathBuf, Redaction), Failure> {
    let lookup = Environment { base: below.to_owned(), parameters: named(parameters), redaction: RefCell::default() };
    let Some(ProjectFile { path, project }) = project_above(below, &lookup)? else {
        let hint = "it is looked for in this folder and those above";
        return Err(anyhow::anyhow!("there is no `{FILE_NAME}`\nhint: {hint}").into());
    };
    let sound = passes(&path, project.loaded.text(), &project.loaded.findings);
    match project.loaded.spec {
        Some(spec) if sound => Ok((spec, folder(&path), lookup.redaction.into_inner())),
        _ => Err(Failure::Findings),
    }
}

/// The ledger that the project file of a folder or above names, if there is one and it does; with what must not show.
pub fn shared_ledger(below: &Path) -> Result<(Option<LedgerSpec>, Redaction), Failure> {
    let lookup = Environment { base: below.to_owned(), parameters: BTreeMap::new(), redaction: RefCell::default() };
    let Some(ProjectFile { path, project }) = project_above(below, &lookup)? else { return Ok(Default::default()) };
    let ledger = match &project.loaded.spec {
        Some(spec) => spec.ledger.clone(),
        // What other parts of the file lack, say a connection's password, is no matter here.
        None if !project.loaded.text().contains("ledger:") => None,
        None => {
            passes(&path, project.loaded.text(), &project.loaded.findings);
            return Err(Failure::Findings);
        }
    };
    Ok((ledger, lookup.redaction.into_inner()))
}

/// The state folder of a pipeline, or of the instance that it is: in the folder given, or in that beside its file.
pub fn state(pipeline: &Pipeline, given: Option<&PathBuf>) -> PathBuf {
    pipeline.state(&given.cloned().unwrap_or_else(|| pipeline.base.join(".outflow")))
}

/// Prints the errors of a file and says whether there are none.
fn passes(path: &Path, text: &str, findings: &[Finding]) -> bool {
    let errors = findings.iter().filter(|finding| finding.is_error()).cloned().collect::<Vec<_>>();
    if !errors.is_empty() {
        let report = Report { path: &path.display().to_string(), text, findings: &errors };
        output::tell(&render::human(&[report], colour(&std::io::stderr())));
    }
    errors.is_empty()
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
