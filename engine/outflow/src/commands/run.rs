//! `outflow run PIPELINE…`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use outflow_engine::notify;
use outflow_engine::pipeline::{Pipeline, instance_state};
use outflow_engine::report::{RunReport, Status};
use outflow_engine::run::{Backfill, RunOptions, backfill, run};
use outflow_spec::ledger::LedgerSpec;
use outflow_spec::notify::NotifySpec;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::unbounded_channel;

use super::one::Manner;
use super::{Format, block_on};
use crate::drain::{STOP, drained};
use crate::failure::{Failure, LOCKED};
use crate::progress::Watchers;
use crate::project::{self, Member, Parameter};
use crate::redaction::Redaction;
use crate::{output, report};

/// Arguments of `run`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  outflow run pipelines/simon/welcome-flow.yaml
  outflow run feed.yaml --at 2026-11-22T02:00:00Z --report report.json
  outflow run feed.yaml --sink local:/tmp/look     write to a folder in place of the sink
  outflow run clients.yaml --instance acme         one instance of a pipeline with a matrix")]
pub struct Args {
    /// Pipeline files
    #[arg(required = true, value_name = "PIPELINE")]
    pipelines: Vec<PathBuf>,
    /// Only these instances of a pipeline with a `matrix`. Default: all
    #[arg(long = "instance", value_name = "NAME")]
    instances: Vec<String>,
    /// Most pipelines and instances that run at the same time; those that share a state folder run one by one
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    parallel: usize,
    /// Try also clients that `delivery.breaker` leaves alone
    #[arg(long)]
    force: bool,
    /// Logical instant of the delivery, with zone. Default: now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// With `incremental`: deliver what lies between this position and `--to`, in place of what is due
    #[arg(long, value_name = "POSITION", requires = "to")]
    from: Option<String>,
    /// Where the last of these windows ends, not included
    #[arg(long, value_name = "POSITION", requires = "from")]
    to: Option<String>,
    /// Value of `${param:NAME}` in the pipeline file
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// Deliver to a folder in place of the pipeline's sink
    #[arg(long, value_name = "local:DIR", value_parser = local_sink)]
    sink: Option<PathBuf>,
    /// Fail before anything is published when more rows than this are rejected
    #[arg(long, value_name = "N")]
    max_rejects: Option<u64>,
    /// Folder of the ledger, spool and dead letters. Default: `.outflow` beside the pipeline file
    #[arg(long, env = "OUTFLOW_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write the report as JSON to a file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    manner: Manner,
}

/// Runs each pipeline, and each instance of it. One failure among several is a partial result. What happened outweighs
/// where it is told: a stream that cannot be written to stops no pipeline.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let report = args.report.as_deref().map(create).transpose()?;
    let watchers = Arc::new(Watchers::new(args.manner.progress));
    let jobs = args.pipelines.iter().enumerate().flat_map(|(file, path)| jobs(args, file, path)).collect::<Vec<_>>();
    let count = jobs.len();
    let mut printed = Ok(());
    let ended = block_on(run_all(args, jobs, &watchers, |job| {
        if let Err(failure) = &job.result {
            watchers.aside(|| failure.report());
        }
        let text = match args.manner.format {
            Format::Human => job.result.as_ref().map(report::human).unwrap_or_default(),
            Format::Json => format!("{}\n", job.report()),
        };
        let written = watchers.aside(|| output::print(&text));
        printed = std::mem::replace(&mut printed, Ok(())).and(written);
    }))?;
    if args.sink.is_none() {
        block_on(notify_all(&ended))?;
    }
    if let Some((path, mut file)) = report {
        let text = match ended.as_slice() {
            [one] => format!("{:#}\n", one.report()),
            many => format!("{:#}\n", many.iter().map(Ended::report).collect::<serde_json::Value>()),
        };
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write the report `{}`", path.display()))?;
    }
    let mut failures = ended.iter().filter_map(|job| Some(job.result.as_ref().err()?.code())).collect::<Vec<_>>();
    // One that did not come to its end at all has said why on its way out.
    failures.extend((ended.len()..count).map(|_| 3));
    let partial = ended.iter().any(|job| job.result.as_ref().is_ok_and(|report| report.status == Status::Partial));
    Ok(match failures.iter().max() {
        None if !partial => printed.map(|()| ExitCode::SUCCESS)?,
        Some(code) if failures.len() == count => ExitCode::from(*code),
        _ => ExitCode::from(5),
    })
}

/// A pipeline or an instance that is to run.
struct Job {
    /// Which of the files on the command line it comes from.
    file: usize,
    name: String,
    instance: Option<String>,
    state: PathBuf,
    loaded: Result<(Pipeline, Redaction), Failure>,
}

/// One that has run.
struct Ended {
    file: usize,
    name: String,
    instance: Option<String>,
    state: PathBuf,
    ledger: Option<LedgerSpec>,
    since: Timestamp,
    notify: Vec<NotifySpec>,
    result: Result<RunReport, Failure>,
}

fn jobs(args: &Args, file: usize, path: &Path) -> Vec<Job> {
    let below = args.state.clone().unwrap_or_else(|| project::folder(path).join(".outflow"));
    match project::load_every(path, &args.parameters, &args.instances) {
        Err(failure) => {
            let name = path.display().to_string();
            vec![Job { file, name, instance: None, state: below, loaded: Err(failure) }]
        }
        Ok(members) => {
            let job = |Member { name, instance, loaded }: Member| {
                let state = instance_state(&below, &name, instance.as_deref());
                let name = if name.is_empty() { path.display().to_string() } else { name };
                Job { file, name, instance, state, loaded }
            };
            members.into_iter().map(job).collect()
        }
    }
}

/// Runs all of them, those of one state folder one by one, and tells of each in their order as soon as it can.
async fn run_all(args: &Args, jobs: Vec<Job>, watchers: &Arc<Watchers>, mut tell: impl FnMut(&Ended)) -> Vec<Ended> {
    let mut lanes: Vec<Vec<(usize, Job)>> = Vec::new();
    for (place, job) in jobs.into_iter().enumerate() {
        match lanes.iter_mut().find(|lane| lane[0].1.state == job.state) {
            Some(lane) => lane.push((place, job)),
            None => lanes.push(vec![(place, job)]),
        }
    }
    let memory = args.manner.memory / args.parallel.min(lanes.len()).max(1);
    let free = Arc::new(Semaphore::new(args.parallel));
    let (sender, mut receiver) = unbounded_channel();
    let runtime = Handle::current();
    for lane in lanes {
        let (args, free, watchers, sender) = (args.clone(), free.clone(), watchers.clone(), sender.clone());
        let runtime = runtime.clone();
        // A thread for each, for what a run does between its waits may take long.
        std::thread::spawn(move || {
            runtime.block_on(async {
                for (place, job) in lane {
                    let Ok(_permit) = free.acquire().await else { return };
                    // Nobody listens any more when the command ends early.
                    let _ = sender.send((place, job.run(&args, memory, &watchers).await));
                }
            });
        });
    }
    drop(sender);
    let (mut ended, mut early) = (Vec::new(), BTreeMap::new());
    while let Some((place, job)) = receiver.recv().await {
        early.insert(place, job);
        while let Some(job) = early.remove(&ended.len()) {
            tell(&job);
            ended.push(job);
        }
    }
    for job in early.into_values() {
        tell(&job);
        ended.push(job);
    }
    ended
}

impl Job {
    async fn run(self, args: &Args, memory: usize, watchers: &Watchers) -> Ended {
        let Self { file, name, instance, state, loaded } = self;
        let since = Timestamp::now();
        let (ledger, notify, result) = match loaded {
            Err(failure) => (None, Vec::new(), Err(failure)),
            Ok((mut pipeline, redaction)) => {
                if args.force {
                    pipeline.spec.delivery.breaker = None;
                }
                let options = RunOptions {
                    now: since,
                    at: args.at,
                    state: state.clone(),
                    ledger: pipeline.project.ledger.clone(),
                    local_sink: args.sink.clone(),
                    max_rejects: args.max_rejects,
                    memory,
                    hidden: redaction.pairs(),
                    fixed_id: None,
                    stop: STOP.clone(),
                };
                let progress = watchers.watch(&name);
                let range = args.from.clone().zip(args.to.clone()).map(|(from, to)| Backfill { from, to, parallel: 1 });
                let work = async {
                    match &range {
                        Some(range) => backfill(&pipeline, &options, range, &progress).await,
                        None => run(&pipeline, &options, &progress).await,
                    }
                };
                let result = drained(work).await;
                let notify = [pipeline.spec.notify, pipeline.project.notify].concat();
                (options.ledger, notify, result.map_err(|error| Failure::Engine(error, redaction)))
            }
        };
        let ended = Ended { file, name, instance, state, ledger, since, notify, result };
        if let Err(Failure::Findings) = &ended.result
            && ended.instance.is_some()
            && args.sink.is_none()
            && let Err(error) = notify::note(&ended.told()).await
        {
            output::tell(&format!("warning: {}: the failure is not noted: {error}\n", ended.name));
        }
        ended
    }
}

impl Ended {
    /// How it ended, for programs.
    fn report(&self) -> serde_json::Value {
        match &self.result {
            Ok(report) => serde_json::json!(report),
            Err(failure) => failure.told(&self.name),
        }
    }

    fn told(&self) -> notify::Ended {
        notify::Ended {
            instance: self.instance.clone(),
            name: self.name.clone(),
            state: self.state.clone(),
            ledger: self.ledger.clone(),
            since: self.since,
            failure: match &self.result {
                Ok(report) => report
                    .deliveries
                    .iter()
                    .find_map(|delivery| delivery.failure.as_ref())
                    .map(|failure| (failure.class, failure.error.clone())),
                Err(failure) => Some(failure.cause()),
            },
        }
    }
}

/// Tells people what their pipelines ask for, file by file. What was not tried because it was locked says nothing.
async fn notify_all(ended: &[Ended]) {
    let files = ended.iter().map(|job| job.file).collect::<BTreeSet<_>>();
    for file in files {
        let of_file = ended.iter().filter(|job| job.file == file).collect::<Vec<_>>();
        let Some(loaded) = of_file.iter().find(|job| !job.notify.is_empty()) else { continue };
        let tried = of_file.iter().filter(|job| !matches!(&job.result, Err(failure) if failure.code() == LOCKED));
        let runs = tried.map(|job| job.told()).collect::<Vec<_>>();
        let name = loaded.name.split('/').next().unwrap_or(&loaded.name);
        for warning in notify::tell(name, &loaded.notify, &runs, Timestamp::now()).await {
            output::tell(&format!("warning: {warning}\n"));
        }
    }
}

/// Creates the file of the report, before there is anything to report: where that fails, nothing runs.
fn create(path: &Path) -> anyhow::Result<(&Path, File)> {
    let file = File::create(path).with_context(|| format!("cannot write the report `{}`", path.display()))?;
    Ok((path, file))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a number from 1".to_owned())
}

fn local_sink(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("local:") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => Err("write `local:` and a folder, such as `local:/tmp/look`".to_owned()),
    }
}
