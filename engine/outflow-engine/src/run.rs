//! The order of side effects of a run, and nowhere else: lock, recover, plan, spool, seal, publish, commit.
//! What each step does is in the module it belongs to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use outflow_layout::layout::{Layout, LogLevel, LogLine};

use crate::dead_letter::DeadLetter;
use crate::delivery;
use crate::error::{Error, Result};
use crate::extract::{self, Extracted, Extraction, View};
use crate::ledger::{
    Ledger, Manifest, PlanRecord, Role, SealedFile, Slot, SlotKey, SlotState, StateLock, make_private, spool_folder,
};
use crate::membership::{Delivered, Membership};
use crate::pipeline::{Pipeline, hex};
use crate::progress::{Event, Progress};
use crate::report::{self, LayoutReport, PhaseReport, RejectsReport, RowsReport, RunReport, SCHEMA, Status};
use crate::source::listing;
use crate::spool::{self, Spool, SpooledFile};
use crate::store::{self, Sink};
use crate::transform::Notes;

/// What the caller decides of a run.
#[derive(Clone)]
pub struct RunOptions {
    /// The instant of the call; the engine reads no clock for what it writes.
    pub now: Timestamp,
    /// The logical instant, when the caller fixes it; it then is part of the window.
    pub at: Option<Timestamp>,
    /// Folder of the ledger, the spool and the dead letters.
    pub state: PathBuf,
    /// A local folder to deliver to in place of the pipeline's sink.
    pub local_sink: Option<PathBuf>,
    /// Overrides `delivery.max_rejects`.
    pub max_rejects: Option<u64>,
    /// Bytes that operators which hold rows may use.
    pub memory: usize,
    /// Values that came from outside, each with what stands for it in the ledger.
    pub hidden: Vec<(String, String)>,
    /// Stands for the id of the run and the seed of its nonces, so that a test delivers the same bytes every time.
    pub fixed_id: Option<String>,
}

/// Runs a pipeline once: delivers its window, or finds it delivered.
pub async fn run(pipeline: &Pipeline, options: &RunOptions, progress: &Arc<dyn Progress>) -> Result<RunReport> {
    let _lock = StateLock::acquire(&options.state)?;
    let ledger = Ledger::open(&options.state).await?;
    let run_id = options.fixed_id.clone().unwrap_or_else(|| run_id(options.now));
    ledger.begin_run(&run_id, &pipeline.spec.name).await?;
    let result = deliver(pipeline, options, &ledger, &run_id, progress).await;
    let outcome = match &result {
        Ok(report) => ledger.finish_run(&run_id, "ok", &serde_json::json!(report)).await,
        Err(error) => {
            let message =
                options.hidden.iter().fold(error.to_string(), |text, (value, shown)| text.replace(value, shown));
            let told = serde_json::json!({
                "schema": SCHEMA, "run_id": run_id, "pipeline": pipeline.spec.name, "status": "failed",
                "error": message, "domain": error.domain(), "retry": error.retry(),
            });
            ledger.finish_run(&run_id, "failed", &told).await
        }
    };
    ledger.close().await;
    let report = result?;
    outcome?;
    Ok(report)
}

async fn deliver(
    pipeline: &Pipeline,
    options: &RunOptions,
    ledger: &Ledger,
    run_id: &str,
    progress: &Arc<dyn Progress>,
) -> Result<RunReport> {
    let mut clock = Phases::new(progress.as_ref());
    let sink = open_sink(pipeline, options)?;
    clock.begin("recover", None);
    let sinks = std::slice::from_ref(&sink);
    let mut recovery = delivery::recover(ledger, sinks, &options.state, &pipeline.spec.name, progress.as_ref()).await?;
    clock.begin("list", None);
    let inputs = pipeline.inputs().await?;
    let input = window(pipeline, &inputs, options.at);
    let last = match pipeline.compares() {
        true => Delivered::last(ledger, &pipeline.spec.name, sink.identity()).await?,
        false => None,
    };
    if pipeline.compares() && !recovery.failed.is_empty() {
        // What changed since the last delivery is not known before that one is there.
        return Err(recovery.failed.swap_remove(0).1.while_running());
    }
    let key = SlotKey {
        pipeline: pipeline.spec.name.clone(),
        target: sink.identity().to_owned(),
        window: Delivered::window(last.as_ref(), input.clone()),
    };
    if let Some(at) = recovery.failed.iter().position(|(slot, _)| slot.key == key) {
        return Err(recovery.failed.swap_remove(at).1.while_running());
    }
    let slot = ledger.plan(&key, &plan_record(pipeline, options, &key, run_id), run_id).await?;
    let mut report = report(pipeline, &slot, run_id, sink.as_ref())?;
    tell_recovery(&recovery, &mut report);
    report.inputs = inputs.iter().map(|file| file.name.clone()).collect();
    match slot.state {
        SlotState::Published => {
            report.tell_files(&ledger.manifest(&slot).await?, sink.as_ref(), &[]);
            let recovered = report.recovered.contains(&slot.key.window);
            report.status = if recovered { Status::Delivered } else { Status::AlreadyDelivered };
            let changed = [
                (slot.plan.config_hash != pipeline.digest, "the pipeline file"),
                (slot.plan.layout_digest != pipeline.layout.digest, "the layout's code"),
            ];
            for (_, what) in changed.iter().filter(|(changed, _)| *changed) {
                report.warnings.push(format!("{what} has changed since this window was delivered"));
            }
        }
        SlotState::Quarantined => return Err(quarantined(&slot)),
        _ => {
            sink.check().await?;
            let work = Work { pipeline, options, ledger, sink: sink.as_ref(), progress, input, last };
            work.attempt(slot, inputs, &mut clock, &mut report).await?;
        }
    }
    report.phases = clock.end();
    Ok(report)
}

/// What one attempt works with.
struct Work<'a> {
    pipeline: &'a Pipeline,
    options: &'a RunOptions,
    ledger: &'a Ledger,
    sink: &'a dyn Sink,
    progress: &'a Arc<dyn Progress>,
    /// The window as the input alone tells it.
    input: String,
    /// The members of the last delivery, for a pipeline that compares.
    last: Option<Delivered>,
}

impl Work<'_> {
    async fn attempt(
        &self,
        mut slot: Slot,
        inputs: Vec<listing::InputFile>,
        clock: &mut Phases<'_>,
        report: &mut RunReport,
    ) -> Result<()> {
        let scheduled = timestamp(slot.plan.scheduled_ms)?;
        let info = self.pipeline.run_info(&slot.plan.run_id, scheduled);
        let mut layout = self.pipeline.open_layout(&info).await?;
        let folder = spool_folder(&self.options.state, &slot);
        empty_folder(&folder)?;
        let letters = self.options.state.join("rejects").join(format!("{}.jsonl", report.run_id));
        let limit = self.options.max_rejects.or(self.pipeline.spec.delivery.max_rejects);

        let membership = match self.pipeline.compares() {
            true => Membership::of(&self.options.state, self.last.as_ref(), &slot)?,
            false => Membership::default(),
        };
        let notes = Arc::new(Notes { membership, ..Notes::default() });
        clock.begin("extract", Some(inputs.iter().map(|file| file.size).sum()));
        let numbers = self.ledger.last_numbers(&slot.key.pipeline, &slot.key.target).await?;
        let extraction = Extraction {
            pipeline: self.pipeline,
            inputs: &inputs,
            scheduled,
            memory: self.options.memory,
            limit: None,
            view: View::Delivered,
            numbers: &numbers,
            notes: notes.clone(),
            progress: self.progress,
        };
        let dead = Arc::new(DeadLetter::create(&letters, limit));
        let spool = Spool::new(&folder, &slot.plan.nonce_seed, self.progress.as_ref());
        let Extracted { files, rows, reads, datasets, counters } =
            extract::extract(&extraction, &spool, layout.as_mut(), &dead).await?;

        report.reads = reads;
        report.rows =
            RowsReport { read: rows, rejected: dead.count(), written: files.iter().map(SpooledFile::rows).sum() };
        report.rejects = rejects_report(&dead, &letters);
        report.transforms = notes.tally.report();
        if listing::snapshot(&self.pipeline.inputs().await?) != listing::snapshot(&inputs) {
            return Err(Error::transient("the input changed while it was read; nothing was published")
                .hint("let the writer finish, under another name, before the pipeline runs"));
        }
        let publish = async {
            clock.begin("seal", None);
            let files = self.files(&folder, files, layout.as_mut()).await?;
            let remembered = notes.membership.remembered(&self.input, &slot.key.window)?;
            let manifest = Manifest { files, counters, remembered };
            let serious = |line: &LogLine| matches!(line.level, LogLevel::Warn | LogLevel::Error);
            report.warnings.extend(layout.take_log().into_iter().filter(serious).map(|line| line.message));
            if manifest.files.is_empty() {
                // Nothing is committed: once the cause is mended, the same window is delivered.
                return Ok(());
            }
            self.ledger.spooled(&mut slot).await?;
            delivery::seal(self.ledger, &self.options.state, &mut slot, &manifest).await?;
            clock.begin("deliver", Some(manifest.files.iter().map(|file| file.bytes).sum()));
            delivery::publish(self.ledger, self.sink, &self.options.state, &mut slot, self.progress.as_ref()).await?;
            report.tell_files(&manifest, self.sink, &datasets);
            report.status = Status::Delivered;
            Ok(())
        };
        publish.await.map_err(Error::while_running)
    }

    /// Everything the slot will publish: data files, then the layout's companions, written beside them.
    async fn files(&self, folder: &Path, files: Vec<SpooledFile>, layout: &mut dyn Layout) -> Result<Vec<SealedFile>> {
        let artifacts = spool::companions(layout, &files, self.sink.target()).await?;
        let mut sealed = files.into_iter().filter_map(sealed_data).collect::<Vec<_>>();
        for artifact in artifacts {
            let ordinal = sealed.len() as u32;
            let path = folder.join(format!("{ordinal:06}"));
            write_synced(&path, &artifact.body)?;
            sealed.push(SealedFile {
                ordinal,
                role: Role::Companion,
                path: artifact.path,
                spool_path: path,
                rows: 0,
                bytes: artifact.body.len() as u64,
                sha256: sha256(&artifact.body),
                content_type: Some(artifact.content_type),
                metadata: Vec::new(),
                details: serde_json::Value::Null,
            });
        }
        sealed.iter_mut().zip(0..).for_each(|(file, ordinal)| file.ordinal = ordinal);
        Ok(sealed)
    }
}

fn sealed_data(file: SpooledFile) -> Option<SealedFile> {
    let rows = file.rows();
    let details = report::details(&file);
    // Every file has a part; the first names it, and all tell the size and digest of the whole.
    let part = file.parts.into_iter().next()?;
    Some(SealedFile {
        ordinal: 0,
        role: Role::Data,
        path: part.name.path,
        spool_path: file.path,
        rows,
        bytes: part.facts.bytes,
        sha256: part.facts.sha256,
        content_type: part.name.content_type,
        metadata: part.name.metadata,
        details,
    })
}

fn open_sink(pipeline: &Pipeline, options: &RunOptions) -> Result<Arc<dyn Sink>> {
    match &options.local_sink {
        None => store::open_sink(&pipeline.spec.sink, &pipeline.base),
        Some(folder) => Ok(Arc::new(store::Folder::standing_in(folder, pipeline.target())?)),
    }
}

fn tell_recovery(recovery: &delivery::Recovery, report: &mut RunReport) {
    report.recovered = recovery.published.iter().map(|(slot, _)| slot.key.window.clone()).collect();
    for slot in &recovery.quarantined {
        let reason = slot.reason.as_deref().unwrap_or("no reason is recorded");
        report.warnings.push(format!("an unfinished delivery was set aside: {reason}"));
    }
    for (slot, error) in &recovery.failed {
        report.warnings.push(format!("an unfinished delivery of {} could not be finished: {error}", slot.key.window));
    }
    for slot in &recovery.stranded {
        report.warnings.push(format!(
            "an unfinished delivery waits for its target {}, which the pipeline no longer has",
            slot.key.target
        ));
    }
}

/// What is delivered: the snapshot of the input, and the parameters and logical instant that the caller fixed.
fn window(pipeline: &Pipeline, inputs: &[listing::InputFile], at: Option<Timestamp>) -> String {
    let at = at.map(|at| format!("at {at} ")).unwrap_or_default();
    // Their digest: a value may be a secret, and the ledger keeps none.
    let parameters = match pipeline.parameters.is_empty() {
        true => String::new(),
        false => format!("parameters {} ", &sha256(format!("{:?}", pipeline.parameters).as_bytes())[..16]),
    };
    format!("{at}{parameters}input {}", listing::snapshot(inputs))
}

fn plan_record(pipeline: &Pipeline, options: &RunOptions, key: &SlotKey, run_id: &str) -> PlanRecord {
    PlanRecord {
        run_id: run_id.to_owned(),
        scheduled_ms: options.at.unwrap_or(options.now).as_millisecond(),
        config_hash: pipeline.digest.clone(),
        layout_digest: pipeline.layout.digest.clone(),
        nonce_seed: match &options.fixed_id {
            Some(id) => sha256(id.as_bytes()),
            None => sha256(format!("{}\0{}\0{}", key.pipeline, key.target, key.window).as_bytes()),
        },
    }
}

fn report(pipeline: &Pipeline, slot: &Slot, run_id: &str, sink: &dyn Sink) -> Result<RunReport> {
    Ok(RunReport {
        schema: SCHEMA.to_owned(),
        run_id: run_id.to_owned(),
        pipeline: pipeline.spec.name.clone(),
        status: Status::Empty,
        scheduled: timestamp(slot.plan.scheduled_ms)?,
        window: slot.key.window.clone(),
        target: sink.identity().to_owned(),
        layout: LayoutReport {
            name: pipeline.layout.name.clone(),
            version: pipeline.layout.version.clone(),
            digest: pipeline.layout.digest.clone(),
        },
        rows: RowsReport::default(),
        transforms: Vec::new(),
        rejects: RejectsReport::default(),
        outputs: Vec::new(),
        files: Vec::new(),
        recovered: Vec::new(),
        inputs: Vec::new(),
        reads: 0,
        phases: Vec::new(),
        warnings: Vec::new(),
    })
}

fn rejects_report(dead: &DeadLetter, path: &Path) -> RejectsReport {
    let codes = dead.codes();
    RejectsReport { path: (!codes.is_empty()).then(|| path.display().to_string()), codes }
}

fn quarantined(slot: &Slot) -> Error {
    Error::external(format!(
        "this window is quarantined: {}",
        slot.reason.as_deref().unwrap_or("no reason is recorded")
    ))
    .hint("look at the target: outflow never overwrites what it did not write; `--at` delivers the window under another instant")
}

fn timestamp(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms)
        .map_err(|cause| Error::internal("the ledger holds an impossible time").caused_by(cause))
}

fn run_id(now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.subsec_nanosecond().unsigned_abs());
    uuid::Uuid::new_v7(stamp).to_string()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(bytes))
}

fn empty_folder(folder: &Path) -> Result<()> {
    let failed =
        |cause: std::io::Error| Error::external(format!("cannot prepare the spool `{}`: {cause}", folder.display()));
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(failed(cause)),
        _ => make_private(folder),
    }
}

fn write_synced(path: &Path, body: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create_new(path)?;
        std::io::Write::write_all(&mut file, body)?;
        file.sync_all()
    };
    write().map_err(|cause| Error::external(format!("cannot write `{}`: {cause}", path.display())))
}

/// Names phases for the watcher and times them for the report.
struct Phases<'a> {
    progress: &'a dyn Progress,
    done: Vec<PhaseReport>,
    current: Option<(String, Instant)>,
}

impl<'a> Phases<'a> {
    fn new(progress: &'a dyn Progress) -> Self {
        Self { progress, done: Vec::new(), current: None }
    }

    fn begin(&mut self, name: &str, total: Option<u64>) {
        self.stop();
        self.progress.event(Event::Phase { name, total });
        self.current = Some((name.to_owned(), Instant::now()));
    }

    fn stop(&mut self) {
        if let Some((name, since)) = self.current.take() {
            self.done.push(PhaseReport { name, millis: since.elapsed().as_millis() as u64 });
        }
    }

    fn end(mut self) -> Vec<PhaseReport> {
        self.stop();
        self.done
    }
}
