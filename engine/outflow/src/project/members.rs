//! A pipeline file as each of its instances: what the linter says of all of them, and loading those that are to run.
//! What an instance lacks is its own matter; a project file that is broken is everybody's.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use outflow_engine::pipeline::Pipeline;
use outflow_spec::{Finding, Instance, Language, LoadOptions, Loaded, Matrix};

use super::{
    Environment, Parameter, ProjectFile, check_further, folder, language, named, passes, project_above, read,
    with_plugins,
};
use crate::failure::Failure;
use crate::redaction::Redaction;

/// A pipeline file with what all of its instances share.
struct PipelineFile<'a> {
    language: &'a Language,
    path: &'a Path,
    text: String,
    parameters: &'a [Parameter],
    project: Option<ProjectFile>,
    matrix: Option<Matrix>,
    /// What must not show of the project and of the matrix.
    redaction: Redaction,
}

impl<'a> PipelineFile<'a> {
    fn open(language: &'a Language, path: &'a Path, text: String, parameters: &'a [Parameter]) -> anyhow::Result<Self> {
        let lookup = Environment { base: folder(path), parameters: named(parameters), redaction: RefCell::default() };
        let project = project_above(&lookup.base, &lookup)?;
        let matrix = Matrix::read(&text, &lookup);
        Ok(Self { language, path, text, parameters, project, matrix, redaction: lookup.redaction.into_inner() })
    }

    /// The instances as written; none for a pipeline that stands alone.
    fn instances(&self) -> &[Instance] {
        self.matrix.as_ref().map(|matrix| matrix.instances.as_slice()).unwrap_or_default()
    }

    /// Reads and checks it as one of its instances, if it has some. `${env:…}`, `${file:…}` and `${param:…}` take their
    /// values from here; messages about the pipeline go through the redaction.
    fn check(&self, instance: Option<&Instance>) -> (Loaded, Redaction) {
        let redaction = RefCell::new(self.redaction.clone());
        let lookup = Environment { base: folder(self.path), parameters: named(self.parameters), redaction };
        let project = self.project.as_ref().map(|file| &file.project);
        let options = LoadOptions { language: self.language, lookup: &lookup, project };
        let loaded = read_as(&self.text, &options, instance);
        let loaded = with_plugins(&options, &self.text, &lookup, instance, loaded);
        (loaded, lookup.redaction.into_inner())
    }

    /// Prints the errors of the project file and says whether there are none.
    fn project_passes(&self) -> bool {
        self.project
            .as_ref()
            .is_none_or(|ProjectFile { path, project }| passes(path, project.loaded.text(), &project.loaded.findings))
    }

    fn alone(&self, sound: bool) -> Member {
        let (loaded, redaction) = self.check(None);
        passes(self.path, &self.text, &loaded.findings);
        Member { name: name(&loaded), instance: None, loaded: self.resolve(None, loaded, redaction, sound) }
    }

    /// The pipeline that was loaded; it is for naught where the project is not sound.
    fn resolve(
        &self,
        instance: Option<&Instance>,
        loaded: Loaded,
        redaction: Redaction,
        sound: bool,
    ) -> Result<(Pipeline, Redaction), Failure> {
        let sound = sound && !loaded.has_errors();
        let Some(spec) = loaded.spec.filter(|_| sound) else { return Err(Failure::Findings) };
        // An instance is what it was when another comes or goes.
        let text = match (instance, &self.matrix) {
            (Some(_), Some(matrix)) => &matrix.common,
            _ => &self.text,
        };
        let pipeline = match Pipeline::from_spec(spec, text, &folder(self.path)) {
            Ok(pipeline) => pipeline,
            Err(error) => return Err(Failure::Engine(error, redaction)),
        };
        let pipeline = match instance {
            Some(instance) => pipeline.with_instance(&instance.name, &instance.written),
            None => pipeline,
        };
        let project = self.project.as_ref().and_then(|file| file.project.loaded.spec.clone()).unwrap_or_default();
        Ok((pipeline.with_parameters(named(self.parameters)).with_project(project), redaction))
    }
}

/// Loads a text as an instance, or as a pipeline that stands alone.
pub(super) fn read_as(text: &str, options: &LoadOptions<'_>, instance: Option<&Instance>) -> Loaded {
    match instance {
        Some(instance) => instance.load(text, options),
        None => outflow_spec::load(text, options),
    }
}

/// The name of the pipeline as the file has it.
fn name(loaded: &Loaded) -> String {
    loaded.written("/name").and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

/// What the linter says of a pipeline file.
pub struct Findings {
    /// The text of the file.
    pub text: String,
    /// Everything wrong in it, as every instance of it.
    pub findings: Vec<Finding>,
    /// The file that holds the instances, if one does.
    pub listing: Option<PathBuf>,
    /// The project it is part of.
    pub project: Option<ProjectFile>,
}

/// Checks a pipeline file as every instance of it, and reads the project file above it. `twice` asks layouts again.
pub fn findings(
    language: &Language,
    path: &Path,
    text: String,
    parameters: &[Parameter],
    twice: bool,
) -> anyhow::Result<Findings> {
    let file = PipelineFile::open(language, path, text, parameters)?;
    let instances = file.instances().iter().map(Some);
    let alone = file.instances().is_empty().then_some(None);
    let mut found = Vec::new();
    for instance in instances.chain(alone) {
        let (mut loaded, redaction) = file.check(instance);
        check_further(path, &mut loaded, &redaction, twice)?;
        found.push((instance.map(|instance| instance.name.clone()).unwrap_or_default(), loaded.findings));
    }
    let mut findings = outflow_spec::matrix::merged(found);
    let PipelineFile { text, project, matrix, .. } = file;
    let matrix = matrix.unwrap_or_default();
    findings.extend(matrix.findings);
    findings.sort_by_key(|finding| (finding.span, finding.code.code));
    Ok(Findings { text, findings, listing: matrix.file.map(|listing| folder(path).join(listing)), project })
}

/// Loads a pipeline that is to run; findings are printed, and errors among them stop. One with several instances
/// cannot be meant.
pub fn load(path: &Path, parameters: &[Parameter]) -> Result<(Pipeline, Redaction), Failure> {
    load_instance(path, parameters, None)
}

/// Loads one instance of a pipeline, which need not be named where there is but one.
pub fn load_instance(
    path: &Path,
    parameters: &[Parameter],
    instance: Option<&String>,
) -> Result<(Pipeline, Redaction), Failure> {
    let language = language()?;
    let file = PipelineFile::open(&language, path, read(path)?, parameters)?;
    if let (None, [first, _, ..]) = (instance, file.instances()) {
        let (path, count, first) = (path.display(), file.instances().len(), &first.name);
        let hint = format!("pick one with `--instance`, such as `--instance {first}`");
        return Err(anyhow::anyhow!("pipeline `{path}` has {count} instances\nhint: {hint}").into());
    }
    members(&file, instance.map(std::slice::from_ref).unwrap_or_default())?.swap_remove(0).loaded
}

/// A pipeline, or an instance of one, that is to run.
pub struct Member {
    /// What the ledger calls it.
    pub name: String,
    /// The instance.
    pub instance: Option<String>,
    /// The pipeline, unless it cannot be loaded; why was printed then.
    pub loaded: Result<(Pipeline, Redaction), Failure>,
}

/// Loads a pipeline as every instance of it, or as those of these names. One that cannot be loaded keeps no other from
/// running.
pub fn load_every(path: &Path, parameters: &[Parameter], names: &[String]) -> Result<Vec<Member>, Failure> {
    let language = language()?;
    members(&PipelineFile::open(&language, path, read(path)?, parameters)?, names)
}

fn members(file: &PipelineFile<'_>, names: &[String]) -> Result<Vec<Member>, Failure> {
    let PipelineFile { path, text, .. } = file;
    let Some(matrix) = &file.matrix else {
        if let Some(name) = names.first() {
            let path = path.display();
            return Err(anyhow::anyhow!("pipeline `{path}` has no instance `{name}`, for it has no `matrix`").into());
        }
        return Ok(vec![file.alone(file.project_passes())]);
    };
    let sound = file.project_passes();
    if !passes(path, text, &matrix.findings) {
        return Err(Failure::Findings);
    }
    if matrix.instances.is_empty() {
        return Ok(vec![file.alone(sound)]);
    }
    let picked = matrix.pick(names).map_err(|why| anyhow::anyhow!(why))?;
    let checked = picked.into_iter().map(|instance| (instance, file.check(Some(instance)))).collect::<Vec<_>>();
    // What all of them have is told once.
    let findings = checked.iter().map(|(instance, (loaded, _))| (instance.name.clone(), loaded.findings.clone()));
    passes(path, text, &outflow_spec::matrix::merged(findings.collect()));
    let member = |(instance, (loaded, redaction)): (&Instance, (Loaded, Redaction))| Member {
        name: format!("{}/{}", name(&loaded), instance.name),
        instance: Some(instance.name.clone()),
        loaded: file.resolve(Some(instance), loaded, redaction, sound),
    };
    Ok(checked.into_iter().map(member).collect())
}
