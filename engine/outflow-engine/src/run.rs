//! The order of side effects of a run, and nowhere else: lock, recover, find what is due, and for each window plan a
//! slot a sink, extract once, seal, publish at every sink, commit. What each step does is in the module it belongs to.

mod again;
mod attempt;
mod due;
mod goals;
mod phases;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use outflow_spec::ledger::LedgerSpec;
use tokio_util::sync::CancellationToken;

use crate::breaker;
use crate::delivery::{self, Published};
use crate::error::{Error, Result};
use crate::ledger::{Ledger, PlanRecord, Slot, SlotKey, SlotState, StateLock};
use crate::pipeline::{Pipeline, hex};
use crate::progress::Progress;
use crate::report::{RunReport, Status};
use crate::source::Input;
use crate::store::{self, Sink};
use crate::window::{Schedule, Watermark, Window};
pub use again::{Redelivered, redeliver};
use attempt::{Place, alike};
use due::{Due, Range};
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
    /// A ledger that several workers share, in place of the state folder's own.
    pub ledger: Option<LedgerSpec>,
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
    /// Once cancelled, no extraction begins and one under way ends; what is sealed is still published.
    pub stop: CancellationToken,
}

/// Windows to deliver beside those that are due.
#[derive(Clone, Debug)]
pub struct Backfill {
    /// Where the first begins, as somebody writes it.
    pub from: String,
    /// Where the last ends, not included.
    pub to: String,
    /// Windows that are extracted at the same time.
    pub parallel: usize,
}

impl Backfill {
    /// The windows, oldest first.
    pub fn windows(&self, pipeline: &Pipeline) -> Result<Vec<Window>> {
        let schedule = pipeline.schedule().ok_or_else(no_windows)?;
        schedule.cut(&schedule.position(&self.from)?, &schedule.position(&self.to)?)
    }
}

pub(crate) fn no_windows() -> Error {
    Error::user("the pipeline has no windows").hint("windows come with `incremental`: name its cursor and its start")
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
    locked(pipeline, options, None, progress).await
}

/// Delivers windows that no other run delivers, whatever is due beside them.
pub async fn backfill(
    pipeline: &Pipeline,
    options: &RunOptions,
    range: &Backfill,
    progress: &Arc<dyn Progress>,
) -> Result<RunReport> {
    locked(pipeline, options, Some(range), progress).await
}

async fn locked(
    pipeline: &Pipeline,
    options: &RunOptions,
    range: Option<&Backfill>,
    progress: &Arc<dyn Progress>,
) -> Result<RunReport> {
    let lock = StateLock::acquire(&options.state)?;
    let ledger = Ledger::open(options.ledger.as_ref(), &options.state).await?.hiding(&options.hidden);
    let ledger = ledger.hold(&lock, &pipeline.name()).await?;
    let run_id = options.fixed_id.clone().unwrap_or_else(|| run_id(options.now));
    let held = breaker::hold(&ledger, pipeline, &options.hidden, Timestamp::now()).await?;
    let failed = if held.is_some() { "held" } else { "failed" };
    ledger.begin_run(&run_id, &pipeline.name()).await?;
    let extractions = AtomicU32::new(0);
    let work = Work { pipeline, options, ledger: &ledger, run_id: &run_id, progress, extractions: &extractions };
    let mut result = match held {
        None => deliver(work, range).await,
        Some(error) => Err(error),
    };
    if let Ok(report) = &mut result {
        retire(work, report).await;
        report.warnings.iter_mut().for_each(|warning| *warning = options.hide(warning));
    }
    let outcome = match &result {
        Ok(report) => {
            let status = if report.status == Status::Partial { "partial" } else { "ok" };
            ledger.finish_run(&run_id, status, report).await
        }
        Err(error) => {
            let mut told = RunReport::failed(&run_id, &pipeline.name(), &options.hide(&error.to_string()), error);
            told["status"] = failed.into();
            told[breaker::CONFIG] = breaker::config(pipeline, &options.hidden).into();
            ledger.finish_run(&run_id, failed, &told).await
        }
    };
    ledger.close().await;
    let report = result?;
    outcome?;
    Ok(report)
}

/// Takes away what was delivered too long ago. By then the run has succeeded, and whatever comes up here is a warning.
async fn retire(work: Work<'_>, report: &mut RunReport) {
    let Work { pipeline, options, ledger, .. } = work;
    let Some(stay) = pipeline.spec.delivery.retention.filter(|_| options.local_sink.is_none()) else { return };
    let before = Timestamp::now().checked_sub(stay.as_std()).unwrap_or(Timestamp::MIN);
    let take_away = async {
        for sink in open_sinks(pipeline, None)? {
            let retired = delivery::retire(ledger, sink.as_ref(), &pipeline.name(), before).await?;
            report.retired += retired.removed;
            report.warnings.extend(retired.warnings);
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = take_away.await {
        report.warnings.push(format!("files whose time is over could not be taken away: {error}"));
    }
}

async fn deliver(work: Work<'_>, range: Option<&Backfill>) -> Result<RunReport> {
    let Work { pipeline, options, ledger, run_id, progress, .. } = work;
    let mut clock = Phases::new(progress.as_ref());
    let sinks = open_sinks(pipeline, options.local_sink.as_deref())?;
    clock.begin("recover", None);
    let recovery = delivery::recover(ledger, &sinks, &options.state, &pipeline.name(), progress.as_ref()).await?;
    let mut report = RunReport::begun(pipeline, run_id, work.now());
    report.target = sinks[0].identity().to_owned();
    report.tell_recovery(&recovery);
    let (goals, unspooled) = (Goals::new(sinks, recovery.failed)?, recovery.unspooled);
    let mut run = Run { work, goals, unspooled, clock, report, tried: BTreeSet::new() };
    let ended = run.windows(range).await;
    run.report.phases = run.clock.end();
    run.goals.conclude(run.report, ended)
}

/// What every step of a run works with.
#[derive(Clone, Copy)]
struct Work<'a> {
    pipeline: &'a Pipeline,
    options: &'a RunOptions,
    ledger: &'a Ledger,
    run_id: &'a str,
    progress: &'a Arc<dyn Progress>,
    /// How often the input was extracted so far.
    extractions: &'a AtomicU32,
}

/// A run under way.
struct Run<'a> {
    work: Work<'a>,
    goals: Goals,
    /// Deliveries that another machine sealed and did not finish: their files are made again.
    unspooled: Vec<Slot>,
    clock: Phases<'a>,
    report: RunReport,
    /// Sinks that went through their preflight.
    tried: BTreeSet<usize>,
}

impl Run<'_> {
    /// Delivers every window that is due.
    async fn windows(&mut self, backfill: Option<&Backfill>) -> Result<()> {
        // What changed since the last delivery is not known before that one is there, and windows go in order.
        let schedule = self.work.pipeline.schedule();
        let in_order = self.work.pipeline.compares() || schedule.is_some();
        self.goals.hold_back_unfinished(in_order, self.work.options, &mut self.report);
        if self.goals.active().is_empty() {
            return Ok(());
        }
        self.clock.begin("list", None);
        let found = self.work.pipeline.input().await?;
        self.report.inputs = found.names();
        match (schedule, backfill) {
            (Some(schedule), None) => self.one_after_another(schedule, &found).await,
            (Some(schedule), Some(backfill)) => {
                let due = self.backfilled(schedule, backfill).await?;
                self.side_by_side(due, &found, backfill.parallel).await
            }
            (None, Some(_)) => Err(no_windows()),
            (None, None) => {
                for due in self.snapshots(&found).await? {
                    self.window(&due, &found).await?;
                }
                Ok(())
            }
        }
    }

    async fn one_after_another(&mut self, schedule: &Schedule, found: &Input) -> Result<()> {
        let mut last: Option<(String, Vec<usize>)> = None;
        while let Some(due) = self.next_window(schedule, found).await? {
            let this = (due.key.clone(), due.goals.clone());
            if last.as_ref() == Some(&this) {
                return Err(Error::internal(format!("the window {} was delivered and is due again", due.key)));
            }
            self.window(&due, found).await?;
            last = Some(this);
        }
        Ok(())
    }

    async fn side_by_side(&mut self, due: Vec<Due>, found: &Input, at_once: usize) -> Result<()> {
        for some in due.chunks(at_once.max(1)) {
            if self.goals.active().len() < self.goals.all().len() {
                break;
            }
            let unspooled: Vec<Vec<Slot>> = some
                .iter()
                .map(|due| self.unspooled.extract_if(.., |slot| slot.key.window == due.key).collect())
                .collect();
            let runs = some.iter().zip(unspooled).map(async |(due, unspooled)| {
                let goals = Goals::new(self.goals.all().to_vec(), Vec::new())?;
                let report = RunReport::begun(self.work.pipeline, self.work.run_id, self.work.now());
                let (clock, tried) = (Phases::new(self.work.progress.as_ref()), self.tried.clone());
                let mut run = Run { work: self.work, goals, unspooled, clock, report, tried };
                run.window(due, found).await?;
                run.report.phases = run.clock.end();
                Ok::<_, Error>((run.goals, run.report))
            });
            for ended in futures::future::join_all(runs).await {
                let (goals, report): (Goals, RunReport) = ended?;
                self.goals.join(goals);
                self.report.join(report);
            }
        }
        Ok(())
    }

    /// One window: a slot a sink, one extraction for those that may share it, then each sink by itself.
    async fn window(&mut self, due: &Due, found: &Input) -> Result<()> {
        (self.report.window, self.report.scheduled) = (due.key.clone(), due.scheduled);
        for mut places in alike(self.plan(due).await?) {
            let letters = self.work.letters();
            let extracted = self.work.extract(due, &places, found, letters, &mut self.clock).await;
            let result = match extracted {
                Ok(mut made) => self.publish(due, &mut places, &mut made).await,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                let goals = places.iter().map(|place| place.goal).collect::<Vec<_>>();
                self.goals.fail(&goals, &due.key, error, self.work.options, &mut self.report);
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
                Err(error) => self.goals.fail(&[goal], &due.key, error, self.work.options, &mut self.report),
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
        if due.range.is_some() {
            self.refuse_set_aside(due, sink.as_ref()).await?;
        }
        // Windows of a backfill go side by side: one that is planned may be under way beside this one.
        if due.range.as_ref().is_some_and(|range| range.wanted.late_from.is_some()) {
            self.work.ledger.forget_planned(&key).await?;
        }
        let slot = match self.unspooled.iter().position(|slot| slot.key == key) {
            Some(at) => self.unspooled.swap_remove(at),
            None => self.work.ledger.plan(&key, record, self.work.run_id).await?,
        };
        match slot.state {
            SlotState::Published => {
                let manifest = self.work.ledger.manifest(&slot).await?;
                self.report.tell_known(self.work.pipeline, &slot, &manifest, sink.as_ref());
                self.pass(due, sink.as_ref()).await?;
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
                match self.work.pipeline.spec.delivery.preflight {
                    true if self.tried.insert(goal) => {
                        store::probe::preflight(sink.as_ref(), &self.work.options.state).await?;
                    }
                    true => {}
                    false => sink.check().await?,
                }
                let numbers = match slot.state.is_waiting() {
                    // Its files are made again, under the numbers that they had.
                    true => again::numbers_before(&self.work.ledger.manifest(&slot).await?),
                    false => self.work.ledger.last_numbers(&slot.key.pipeline, &slot.key.target).await?,
                };
                Ok(Some(Place { goal, sink, slot, numbers }))
            }
        }
    }

    /// Lets windows go on behind one that was delivered before, as after a reset.
    async fn pass(&self, due: &Due, sink: &dyn Sink) -> Result<()> {
        let Some(Range { wanted, .. }) = &due.range else { return Ok(()) };
        let Some(floor) = wanted.late_from.clone() else { return Ok(()) };
        let mark = Watermark { position: wanted.window.hi.clone(), floor };
        self.work.ledger.set_watermark(&self.work.whose(sink), Some(&mark), None).await
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
                    self.goals.fail(&[place.goal], &due.key, error, options, &mut self.report);
                }
            }
        }
        self.report.warnings.append(&mut made.warnings);
        let bytes = sealed.iter().flat_map(|(_, manifest)| &manifest.files).map(|file| file.bytes).sum();
        self.clock.begin("deliver", Some(bytes));
        let published = sealed.into_iter().map(async |(place, manifest)| {
            let result = match place.slot.state {
                // Nothing was sealed, for there is nothing: once the cause is mended, the same window is delivered.
                SlotState::Planned => Ok(Published::default()),
                state if state.is_waiting() => {
                    let (sink, slot) = (place.sink.as_ref(), &mut place.slot);
                    delivery::resume(ledger, sink, &options.state, slot, &manifest.files, progress.as_ref()).await
                }
                _ => {
                    let (sink, slot) = (place.sink.as_ref(), &mut place.slot);
                    delivery::publish(ledger, sink, &options.state, slot, progress.as_ref()).await
                }
            };
            (place, manifest, result)
        });
        let mut datasets = Some(made.datasets.as_slice());
        for (place, manifest, result) in futures::future::join_all(published).await {
            match result {
                Ok(published) => {
                    self.report.warnings.extend(published.warning());
                    let status = if manifest.files.is_empty() { Status::Empty } else { Status::Delivered };
                    self.report.tell_delivery(&place.slot, &manifest, place.sink.as_ref(), status, datasets.take());
                }
                Err(error) => {
                    let error = error.while_running();
                    self.goals.fail(&[place.goal], &due.key, error, options, &mut self.report);
                }
            }
        }
        Ok(())
    }
}

impl Work<'_> {
    fn key(&self, due: &Due, sink: &dyn Sink) -> SlotKey {
        let pipeline = self.pipeline.name();
        SlotKey { pipeline, target: sink.identity().to_owned(), window: due.key.clone() }
    }

    /// The logical instant of the run.
    fn now(&self) -> Timestamp {
        self.options.at.unwrap_or(self.options.now)
    }

    /// The dead-letter file of the next extraction of this run.
    fn letters(&self) -> PathBuf {
        let more = match self.extractions.fetch_add(1, Ordering::Relaxed) {
            0 => String::new(),
            before => format!("-{}", before + 1),
        };
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
                Some(id) => sha256(format!("{id}{}", due.window().map(Window::key).unwrap_or_default()).as_bytes()),
                None => {
                    let name = self.pipeline.name();
                    sha256(format!("{name}\0{first_target}\0{}", due.key).as_bytes())
                }
            },
        });
        let layout_digest = self.pipeline.layout.digest.clone();
        PlanRecord { config_hash: self.pipeline.digest.clone(), layout_digest, ..drawn }
    }
}

/// The pipeline's sinks, or the folder that stands in for them.
pub(crate) fn open_sinks(pipeline: &Pipeline, stand_in: Option<&Path>) -> Result<Vec<Arc<dyn Sink>>> {
    if let Some(folder) = stand_in {
        return Ok(vec![Arc::new(store::Folder::standing_in(folder, pipeline.target())?)]);
    }
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    for spec in pipeline.spec.all_sinks() {
        let mut sink = store::open_sink(spec, &pipeline.base)?;
        if pipeline.spec.delivery.read_back {
            sink = Arc::new(store::ReadBack(sink));
        }
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

/// The parameters of a run as part of what it delivers: their digest, for a value may be a secret.
pub(crate) fn parameters(pipeline: &Pipeline) -> String {
    match pipeline.parameters.is_empty() {
        true => String::new(),
        false => format!("parameters {} ", &sha256(format!("{:?}", pipeline.parameters).as_bytes())[..16]),
    }
}

pub(crate) fn run_id(now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.subsec_nanosecond().unsigned_abs());
    uuid::Uuid::new_v7(stamp).to_string()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(bytes))
}
