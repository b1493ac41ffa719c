//! The order of side effects of a run, and nowhere else: lock, recover, find what is due, and for each window plan a
//! slot a sink, extract once, seal, publish at every sink, commit. What each step does is in the module it belongs to.

mod attempt;
mod goals;
mod phases;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::delivery;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, PlanRecord, SlotKey, SlotState, StateLock};
use crate::membership::Delivered;
use crate::pipeline::{Pipeline, hex};
use crate::progress::Progress;
use crate::report::{RunReport, Status};
use crate::source::listing::{self, InputFile};
use crate::store::{self, Sink};
use attempt::{Place, alike};
use goals::Goals;
use phases::Phases;

/// What the caller decides of a run.
#[derive(Clone)]
pub struct RunOptions {
    /// The instant of the call; the engine reads no clock for what it writes.
    pub now: Timestamp,
    /// The logical instant, when the caller fixes it; it then is part of the window.
    pub at: Option<Timestamp>,
    /// Folder of the ledger, the spool and the dead letters.
    pub state: PathBuf,
    /// A local folder to deliver to in place of the pipeline's sinks.
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

impl RunOptions {
    /// A text without the values that came from outside.
    fn hide(&self, text: &str) -> String {
        self.hidden.iter().fold(text.to_owned(), |text, (value, shown)| text.replace(value, shown))
    }
}

/// Runs a pipeline once: delivers to each sink what it lacks, or finds it delivered. A sink that fails is told in the
/// report and holds back no other; it is an error only where nothing at all was achieved.
pub async fn run(pipeline: &Pipeline, options: &RunOptions, progress: &Arc<dyn Progress>) -> Result<RunReport> {
    let _lock = StateLock::acquire(&options.state)?;
    let ledger = Ledger::open(&options.state).await?;
    let run_id = options.fixed_id.clone().unwrap_or_else(|| run_id(options.now));
    ledger.begin_run(&run_id, &pipeline.spec.name).await?;
    let result = deliver(pipeline, options, &ledger, &run_id, progress).await;
    let outcome = match &result {
        Ok(report) => {
            let status = if report.status == Status::Partial { "partial" } else { "ok" };
            ledger.finish_run(&run_id, status, &serde_json::json!(report)).await
        }
        Err(error) => {
            let told = RunReport::failed(&run_id, &pipeline.spec.name, &options.hide(&error.to_string()), error);
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
    let sinks = open_sinks(pipeline, options)?;
    clock.begin("recover", None);
    let recovery = delivery::recover(ledger, &sinks, &options.state, &pipeline.spec.name, progress.as_ref()).await?;
    let mut report = RunReport::begun(pipeline, run_id, options.at.unwrap_or(options.now));
    report.target = sinks[0].identity().to_owned();
    report.tell_recovery(&recovery);
    let work = Work { pipeline, options, ledger, run_id, progress };
    let mut run = Run { work, goals: Goals::new(sinks, recovery.failed)?, clock, report, extractions: 0 };
    run.windows().await?;
    run.report.phases = run.clock.end();
    run.goals.conclude(run.report)
}

/// What every step of a run works with.
#[derive(Clone, Copy)]
struct Work<'a> {
    pipeline: &'a Pipeline,
    options: &'a RunOptions,
    ledger: &'a Ledger,
    run_id: &'a str,
    progress: &'a Arc<dyn Progress>,
}

/// What is extracted at once: a window, and the sinks that lack it.
struct Due {
    /// What identifies the window in the ledger.
    window: String,
    /// The window as the input alone tells it.
    input: String,
    /// The members of the last delivery, for a pipeline that compares.
    last: Option<Delivered>,
    /// The logical instant of deliveries that are planned now.
    scheduled: Timestamp,
    /// Numbers of the sinks.
    goals: Vec<usize>,
}

/// A run under way.
struct Run<'a> {
    work: Work<'a>,
    goals: Goals,
    clock: Phases<'a>,
    report: RunReport,
    /// How often the input was extracted so far.
    extractions: u32,
}

impl Run<'_> {
    /// Delivers every window that is due.
    async fn windows(&mut self) -> Result<()> {
        // What changed since the last delivery is not known before that one is there.
        let in_order = self.work.pipeline.compares();
        self.goals.hold_back_unfinished(in_order, self.work.options, &mut self.report);
        if self.goals.active().is_empty() {
            return Ok(());
        }
        self.clock.begin("list", None);
        let inputs = self.work.pipeline.inputs().await?;
        self.report.inputs = inputs.iter().map(|file| file.name.clone()).collect();
        for due in self.due(&inputs).await? {
            self.window(&due, &inputs).await?;
        }
        Ok(())
    }

    /// The snapshot of the input, by sinks that are to get the same of it.
    async fn due(&self, inputs: &[InputFile]) -> Result<Vec<Due>> {
        let Work { pipeline, options, ledger, .. } = self.work;
        let input = snapshot(pipeline, inputs, options.at);
        let mut all: Vec<Due> = Vec::new();
        for goal in self.goals.active() {
            let last = match pipeline.compares() {
                true => Delivered::last(ledger, &pipeline.spec.name, self.goals.sink(goal).identity()).await?,
                false => None,
            };
            match all.iter_mut().find(|due| due.last == last) {
                Some(due) => due.goals.push(goal),
                None => all.push(Due {
                    window: Delivered::window(last.as_ref(), input.clone()),
                    input: input.clone(),
                    last,
                    scheduled: options.at.unwrap_or(options.now),
                    goals: vec![goal],
                }),
            }
        }
        Ok(all)
    }

    /// One window: a slot a sink, one extraction for those that may share it, then each sink by itself.
    async fn window(&mut self, due: &Due, inputs: &[InputFile]) -> Result<()> {
        (self.report.window, self.report.scheduled) = (due.window.clone(), due.scheduled);
        for mut places in alike(self.plan(due).await?) {
            self.extractions += 1;
            let letters = self.work.letters(self.extractions);
            let extracted = self.work.extract(due, &places, inputs, letters, &mut self.clock).await;
            let result = match extracted {
                Ok(mut made) => self.publish(due, &mut places, &mut made).await,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                let goals = places.iter().map(|place| place.goal).collect::<Vec<_>>();
                self.goals.fail(&goals, &due.window, error, self.work.options, &mut self.report);
            }
        }
        Ok(())
    }

    /// The slots of a window that are to be filled. Those that are delivered, or cannot be, are told at once.
    async fn plan(&mut self, due: &Due) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        let mut record = None;
        for sink in self.goals.all() {
            // Names are drawn once: a sink that comes later gets those that another has.
            record = record.or(self.work.ledger.planned(&self.work.key(due, sink.as_ref())).await?);
        }
        let record = self.work.plan_record(due, record, self.goals.all()[0].identity());
        for &goal in &due.goals {
            match self.slot(due, goal, &record).await {
                Ok(place) => places.extend(place),
                Err(error) => self.goals.fail(&[goal], &due.window, error, self.work.options, &mut self.report),
            }
        }
        Ok(places)
    }

    /// The slot of one sink; none where it is published.
    async fn slot(&mut self, due: &Due, goal: usize, record: &PlanRecord) -> Result<Option<Place>> {
        let sink = self.goals.sink(goal).clone();
        let key = self.work.key(due, sink.as_ref());
        if let Some(error) = self.goals.take_unfinished(&key) {
            return Err(error.while_running());
        }
        let slot = self.work.ledger.plan(&key, record, self.work.run_id).await?;
        match slot.state {
            SlotState::Published => {
                let manifest = self.work.ledger.manifest(&slot).await?;
                self.report.tell_known(self.work.pipeline, &slot, &manifest, sink.as_ref());
                Ok(None)
            }
            SlotState::Quarantined => Err(Error::external(format!(
                "this window is quarantined: {}",
                slot.reason.as_deref().unwrap_or("no reason is recorded")
            ))
            .hint(
                "look at the target: outflow never overwrites what it did not write; `--at` delivers the window under \
                 another instant",
            )),
            _ => {
                sink.check().await?;
                let numbers = self.work.ledger.last_numbers(&slot.key.pipeline, &slot.key.target).await?;
                Ok(Some(Place { goal, sink, slot, numbers }))
            }
        }
    }

    /// Seals what was extracted in every slot, then shows it at every sink; one that fails holds back no other.
    async fn publish(&mut self, due: &Due, places: &mut [Place], made: &mut attempt::Made) -> Result<()> {
        let Work { ledger, options, progress, .. } = self.work;
        self.report.tell_extraction(&made.rows, &made.rejects, &made.transforms, made.reads);
        self.clock.begin("seal", None);
        let mut sealed = Vec::new();
        for (number, place) in places.iter_mut().enumerate() {
            match self.work.seal(due, made, place, number == 0).await.map_err(Error::while_running) {
                Ok(manifest) => sealed.push((place, manifest)),
                Err(error) => {
                    self.goals.fail(&[place.goal], &due.window, error, options, &mut self.report);
                }
            }
        }
        self.report.warnings.append(&mut made.warnings);
        let bytes = sealed.iter().flat_map(|(_, manifest)| &manifest.files).map(|file| file.bytes).sum();
        self.clock.begin("deliver", Some(bytes));
        let published = sealed.into_iter().map(async |(place, manifest)| {
            let result = match place.slot.state {
                // Nothing was sealed, for there is nothing: once the cause is mended, the same window is delivered.
                SlotState::Planned => Ok(()),
                _ => delivery::publish(ledger, place.sink.as_ref(), &options.state, &mut place.slot, progress.as_ref())
                    .await
                    .map(drop),
            };
            (place, manifest, result)
        });
        let mut datasets = Some(made.datasets.as_slice());
        for (place, manifest, result) in futures::future::join_all(published).await {
            match result {
                Ok(()) => {
                    let status = if manifest.files.is_empty() { Status::Empty } else { Status::Delivered };
                    self.report.tell_delivery(&place.slot, &manifest, place.sink.as_ref(), status, datasets.take());
                }
                Err(error) => {
                    let error = error.while_running();
                    self.goals.fail(&[place.goal], &due.window, error, options, &mut self.report);
                }
            }
        }
        Ok(())
    }
}

impl Work<'_> {
    fn key(&self, due: &Due, sink: &dyn Sink) -> SlotKey {
        let pipeline = self.pipeline.spec.name.clone();
        SlotKey { pipeline, target: sink.identity().to_owned(), window: due.window.clone() }
    }

    /// The dead-letter file of an extraction of this run, counted from 1.
    fn letters(&self, extraction: u32) -> PathBuf {
        let more = if extraction == 1 { String::new() } else { format!("-{extraction}") };
        self.options.state.join("rejects").join(format!("{}{more}.jsonl", self.run_id))
    }

    /// What is drawn for the slots of a window, unless it was drawn before.
    fn plan_record(&self, due: &Due, before: Option<PlanRecord>, first_target: &str) -> PlanRecord {
        let drawn = before.unwrap_or_else(|| PlanRecord {
            run_id: self.run_id.to_owned(),
            scheduled_ms: due.scheduled.as_millisecond(),
            config_hash: String::new(),
            layout_digest: String::new(),
            nonce_seed: match &self.options.fixed_id {
                Some(id) => sha256(id.as_bytes()),
                None => {
                    let name = &self.pipeline.spec.name;
                    sha256(format!("{name}\0{first_target}\0{}", due.window).as_bytes())
                }
            },
        });
        let layout_digest = self.pipeline.layout.digest.clone();
        PlanRecord { config_hash: self.pipeline.digest.clone(), layout_digest, ..drawn }
    }
}

/// The pipeline's sinks, or the folder that stands in for them.
pub(crate) fn open_sinks(pipeline: &Pipeline, options: &RunOptions) -> Result<Vec<Arc<dyn Sink>>> {
    if let Some(folder) = &options.local_sink {
        return Ok(vec![Arc::new(store::Folder::standing_in(folder, pipeline.target())?)]);
    }
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    for spec in pipeline.spec.all_sinks() {
        let sink = store::open_sink(spec, &pipeline.base)?;
        if sinks.iter().any(|known| known.identity() == sink.identity()) {
            return Err(Error::user(format!("two sinks are the same place, `{}`", sink.identity()))
                .hint("a file is delivered to a place once: remove one of the two"));
        }
        sinks.push(sink);
    }
    if sinks.is_empty() {
        return Err(Error::user("the pipeline names no sink"));
    }
    Ok(sinks)
}

/// What is delivered: the snapshot of the input, and the parameters and logical instant that the caller fixed.
fn snapshot(pipeline: &Pipeline, inputs: &[InputFile], at: Option<Timestamp>) -> String {
    let at = at.map(|at| format!("at {at} ")).unwrap_or_default();
    format!("{at}{}input {}", parameters(pipeline), listing::snapshot(inputs))
}

/// The parameters of a run as part of what it delivers: their digest, for a value may be a secret.
fn parameters(pipeline: &Pipeline) -> String {
    match pipeline.parameters.is_empty() {
        true => String::new(),
        false => format!("parameters {} ", &sha256(format!("{:?}", pipeline.parameters).as_bytes())[..16]),
    }
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
