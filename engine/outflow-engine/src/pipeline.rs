//! A pipeline file that passed the linter, with what a run needs to know beside it: the folder its paths
//! start at, and the digest that tells one version of it from another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use outflow_layout::layout::{Layout, LayoutError, Manifest, RunInfo, Stamp, Target};
use outflow_layout::{builtin, files};
use outflow_spec::incremental::CatchUp;
use outflow_spec::layout::LayoutSpec;
use outflow_spec::sink::SinkSpec;
use outflow_spec::transform::TransformSpec;
use outflow_spec::{PipelineSpec, ProjectSpec};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::plugin;
use crate::source::Input;
use crate::store;
use crate::window::{Schedule, Window};

/// Name of the folder, in the state of a pipeline file, that has the states of instances.
pub const INSTANCES: &str = "instances";

/// A pipeline, resolved: nothing is connected yet.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// What the file says.
    pub spec: PipelineSpec,
    /// Folder that relative paths start at: the pipeline file's.
    pub base: PathBuf,
    /// SHA-256 of the file's text and of the parameters given for it.
    pub digest: String,
    /// Parameters given for this run, by name: they are part of what is delivered.
    pub parameters: BTreeMap<String, String>,
    /// The entry of the pipeline's `matrix` that this is, by name.
    pub instance: Option<String>,
    /// The layout's identity.
    pub layout: Manifest,
    /// What the pipelines of the project share.
    pub project: ProjectSpec,
    zone: TimeZone,
    schedule: Option<Schedule>,
}

impl Pipeline {
    /// Resolves a spec. `text` is the file's content, `base` the folder it is in.
    pub fn from_spec(spec: PipelineSpec, text: &str, base: &Path) -> Result<Self> {
        let zone = match &spec.timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                Error::user(format!("unknown time zone `{name}`")).hint("use an IANA name such as `Europe/Brussels`")
            })?,
        };
        let layout = match &spec.layout {
            LayoutSpec::Files(_) => files::manifest(),
            LayoutSpec::Plugin { name, .. } => builtin::manifests()
                .iter()
                .find(|manifest| manifest.name == *name)
                .cloned()
                .ok_or_else(|| Error::user(format!("unknown layout `{name}`")))?,
            LayoutSpec::Component(spec) => plugin::layout_manifest(spec, base)?,
        };
        let digest = hex(&Sha256::digest(text));
        // Customer.io counts its syncs, so each of them has its files; whoever else takes several windows wants one.
        let usual = if layout.name == "customerio" { CatchUp::Each } else { CatchUp::Merge };
        let schedule = spec.incremental.as_ref().map(|spec| Schedule::from_spec(spec, &zone, usual)).transpose()?;
        let (base, parameters, project) = (base.to_owned(), BTreeMap::new(), ProjectSpec::default());
        Ok(Self { spec, base, digest, parameters, instance: None, layout, project, zone, schedule })
    }

    /// Takes what the project file says. Its connections are part of the pipeline's spec already.
    pub fn with_project(mut self, project: ProjectSpec) -> Self {
        self.project = project;
        self
    }

    /// Takes the parameters given for this run.
    pub fn with_parameters(mut self, parameters: BTreeMap<String, String>) -> Self {
        self.digest = hex(&Sha256::digest(format!("{}{parameters:?}", self.digest)));
        self.parameters = parameters;
        self
    }

    /// Makes it an instance of the pipeline; `written` is its entry as the file has it.
    pub fn with_instance(mut self, name: &str, written: &str) -> Self {
        self.digest = hex(&Sha256::digest(format!("{}{name}={written}", self.digest)));
        self.instance = Some(name.to_owned());
        self
    }

    /// What the ledger calls it: its name, with that of the instance.
    pub fn name(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}/{instance}", self.spec.name),
            None => self.spec.name.clone(),
        }
    }

    /// Its state folder below that of its pipeline file.
    pub fn state(&self, below: &Path) -> PathBuf {
        instance_state(below, &self.name(), self.instance.as_deref())
    }

    /// Opens the layout for one run.
    pub async fn open_layout(&self, run: &RunInfo) -> Result<Box<dyn Layout>> {
        Ok(self.layout_for(run).await?)
    }

    /// The same, with the layout's own error.
    pub async fn layout_for(&self, run: &RunInfo) -> Result<Box<dyn Layout>, LayoutError> {
        match &self.spec.layout {
            LayoutSpec::Files(spec) => files::open(spec, run),
            LayoutSpec::Plugin { name, options } => builtin::open(name, options, run).await,
            LayoutSpec::Component(spec) => {
                let component = plugin::Component::pinned(&spec.component, spec.sha256.as_deref(), &self.base);
                let component = component
                    .map_err(|refusal| LayoutError::Plugin { code: "plugin/pin", message: refusal.to_string() })?;
                let options = serde_json::Value::Object(spec.options.clone());
                Ok(Box::new(component.layout()?.open(&options, run).await?))
            }
        }
    }

    /// The target as the layout sees it: the first sink. Names are drawn for it, and are those at every other sink too.
    pub fn target(&self) -> Target {
        let nowhere = || Target { scheme: "file".into(), container: String::new(), prefix: String::new() };
        self.spec.all_sinks().next().map_or_else(nowhere, store::target)
    }

    /// What the layout may know of a run at a logical instant.
    pub fn run_info(&self, run_id: &str, scheduled: Timestamp) -> RunInfo {
        let stamp = stamp(scheduled, &self.zone);
        RunInfo {
            pipeline: self.spec.name.clone(),
            run_id: run_id.to_owned(),
            window_start: stamp.clone(),
            window_end: stamp.clone(),
            scheduled: stamp,
            target: self.target(),
        }
    }

    /// The same for the delivery of a window, whose end is the logical instant where it is one.
    pub fn run_info_of(&self, run_id: &str, scheduled: Timestamp, window: Option<&Window>) -> RunInfo {
        let mut info = self.run_info(run_id, scheduled);
        if let Some(start) = window.and_then(Window::start) {
            info.window_start = stamp(start, &self.zone);
        }
        if let Some(end) = window.and_then(Window::end) {
            info.window_end = stamp(end, &self.zone);
        }
        info
    }

    /// What the source has to read now.
    pub async fn input(&self) -> Result<Input> {
        let folder = |sink: &SinkSpec| match sink {
            SinkSpec::Local(sink) => Some(self.base.join(&sink.path)),
            _ => None,
        };
        let own = self.spec.all_sinks().filter_map(folder).collect::<Vec<_>>();
        Input::find(&self.spec.source, &self.base, &own).await
    }

    /// Whether a delivery is what changed since the one before.
    pub fn compares(&self) -> bool {
        self.spec.transforms.iter().any(|transform| matches!(transform, TransformSpec::Changes(_)))
    }

    /// The windows that runs deliver, if not all that the source has.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// The pipeline's time zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// The state folder of what the ledger calls `name`, below that of its pipeline file: an instance has one of its own,
/// with its own lock.
pub fn instance_state(below: &Path, name: &str, instance: Option<&str>) -> PathBuf {
    match instance {
        Some(_) => below.join(INSTANCES).join(name),
        None => below.to_owned(),
    }
}

/// Breaks an instant down in a zone.
pub fn stamp(at: Timestamp, zone: &TimeZone) -> Stamp {
    let civil = at.to_zoned(zone.clone());
    Stamp {
        epoch_ms: at.as_millisecond(),
        year: civil.year().into(),
        month: civil.month().unsigned_abs(),
        day: civil.day().unsigned_abs(),
        hour: civil.hour().unsigned_abs(),
        minute: civil.minute().unsigned_abs(),
        second: civil.second().unsigned_abs(),
        offset_minutes: (civil.offset().seconds() / 60) as i16,
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
