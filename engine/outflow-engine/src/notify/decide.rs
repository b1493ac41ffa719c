//! What is worth telling. It is told when it begins and when it ends, not with every run between: what was so before a
//! run is compared with what is so after it, and both are known from the ledger alone.

use jiff::{SignedDuration, Timestamp};
use outflow_spec::notify::{NotifyEvent, NotifySpec};

use super::{Ended, InstanceNotice, Notice, SCHEMA};
use crate::error::Class;
use crate::ledger::{Ending, History};

/// Instances named in the words of a notice.
const NAMED: usize = 10;

/// An instance, before and after the run that has just ended.
#[derive(Clone, Debug)]
pub struct Member {
    instance: Option<String>,
    failure: Option<(Class, String)>,
    /// Failures in a row before the run, and with it.
    consecutive: [usize; 2],
    /// When the last success before the run began.
    last_success: Option<Timestamp>,
    /// When the run before began.
    previous: Option<Timestamp>,
}

impl Member {
    /// From the run and its history, in which the run itself is the newest, if it got so far.
    pub fn new(run: &Ended, history: History) -> Self {
        let after = history.failures().count();
        // The ledger counts milliseconds.
        let since = run.since.as_millisecond();
        let is_this = history.runs.first().is_some_and(|newest| newest.started_at.as_millisecond() >= since);
        let before = if is_this { History { runs: history.runs[1..].to_vec(), ..history } } else { history };
        let last_success = match (&run.failure, before.runs.iter().find(|past| past.ending == Ending::Ok)) {
            (_, Some(success)) => Some(success.started_at),
            (Some(_), None) => before.last_success,
            (None, None) => None,
        };
        Self {
            instance: run.instance.clone(),
            failure: run.failure.clone(),
            consecutive: [before.failures().count(), if run.failure.is_some() { after } else { 0 }],
            last_success,
            previous: before.runs.first().map(|run| run.started_at),
        }
    }

    fn told(&self) -> InstanceNotice {
        let (class, error) = self.failure.as_ref().map(|(class, error)| (class.name(), error.clone())).unzip();
        InstanceNotice {
            instance: self.instance.clone(),
            status: if self.failure.is_some() { "failed" } else { "ok" },
            class,
            error,
            consecutive: self.consecutive[if self.failure.is_some() { 1 } else { 0 }],
            last_success: self.last_success,
        }
    }
}

/// The notices that are due.
pub fn notices(spec: &NotifySpec, pipeline: &str, members: &[Member], now: Timestamp) -> Vec<Notice> {
    let wants = |event| spec.on.contains(&event);
    let before = Trouble::of(spec, members, 0);
    let after = Trouble::of(spec, members, 1);
    let failed = members.iter().filter(|member| member.failure.is_some()).count();
    let make = |event: &'static str, about: Vec<&Member>| Notice {
        schema: SCHEMA,
        event,
        pipeline: pipeline.to_owned(),
        at: now,
        failed,
        total: members.len(),
        text: words(event, pipeline, &about, failed, members.len(), spec),
        instances: about.into_iter().map(Member::told).collect(),
    };
    let mut due = Vec::new();
    let begins = after.is_told && (!before.is_told || after.who.iter().any(|who| !before.who.contains(who)));
    if begins {
        let event = match failed < members.len() {
            true if wants(NotifyEvent::Partial) => Some("partial"),
            _ if wants(NotifyEvent::Failure) => Some("failure"),
            _ => None,
        };
        let about = || after.who.iter().map(|index| &members[*index]).collect();
        due.extend(event.map(|event| make(event, about())));
    }
    let mended = before.who.iter().map(|index| &members[*index]).filter(|member| member.failure.is_none());
    let mended = mended.collect::<Vec<_>>();
    if before.is_told && !mended.is_empty() && wants(NotifyEvent::Recovery) {
        due.push(make("recovery", mended));
    }
    if wants(NotifyEvent::Late) {
        let late = late(spec, members, now);
        due.extend((!late.is_empty()).then(|| make("late", late)));
    }
    due
}

/// Who fails for so long that it counts, and whether so many do that it is told.
struct Trouble {
    who: Vec<usize>,
    is_told: bool,
}

impl Trouble {
    fn of(spec: &NotifySpec, members: &[Member], when: usize) -> Self {
        let counts = |member: &Member| member.consecutive[when] >= spec.after.consecutive as usize;
        let who = (0..members.len()).filter(|index| counts(&members[*index])).collect::<Vec<_>>();
        let share = who.len() as f64 / members.len().max(1) as f64;
        // A share is written in decimals: a fifth of ten is two, whatever binary fractions say.
        let is_told = !who.is_empty() && share + 1e-9 >= spec.after.share_of_clients;
        Self { who, is_told }
    }
}

/// Those whose last success is too long ago now, and was not at the run before.
fn late<'a>(spec: &NotifySpec, members: &'a [Member], now: Timestamp) -> Vec<&'a Member> {
    let Some(limit) = spec.late_after.and_then(|limit| SignedDuration::try_from(limit.as_std()).ok()) else {
        return Vec::new();
    };
    let too_old =
        |member: &Member, at: Timestamp| member.last_success.is_some_and(|success| at.duration_since(success) > limit);
    let begins =
        |member: &&Member| too_old(member, now) && !member.previous.is_some_and(|previous| too_old(member, previous));
    members.iter().filter(begins).collect()
}

fn words(event: &str, pipeline: &str, about: &[&Member], failed: usize, total: usize, spec: &NotifySpec) -> String {
    let head = match event {
        "recovery" => format!("{pipeline}: works again"),
        "late" => {
            let limit = spec.late_after.map(|limit| limit.to_string()).unwrap_or_default();
            format!("{pipeline}: the last success is more than {limit} ago")
        }
        "partial" => format!("{pipeline}: {failed} of {total} instances fail, the others deliver"),
        _ if total > 1 => format!("{pipeline}: {failed} of {total} instances fail"),
        _ => format!("{pipeline}: fails"),
    };
    let mut lines = vec![head];
    for member in about.iter().take(NAMED) {
        let who = member.instance.as_deref().unwrap_or(pipeline);
        let since = match member.last_success {
            Some(at) => format!("last success {at:.0}"),
            None => "no success before".to_owned(),
        };
        lines.push(match &member.failure {
            Some((class, error)) => {
                format!("{who}: {error} ({}, {} in a row, {since})", class.name(), member.consecutive[1])
            }
            None => format!("{who}: delivered ({since})"),
        });
    }
    if about.len() > NAMED {
        lines.push(format!("and {} more", about.len() - NAMED));
    }
    lines.join("\n")
}
