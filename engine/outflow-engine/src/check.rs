//! What can be told of a pipeline before it runs, without connecting to anything: the layout's word on its options
//! and, where the input is a file at hand, its columns and whether every expression fits them.

mod twice;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use outflow_layout::layout::{LayoutError, Severity};
use outflow_spec::delivery::EncryptSpec;
use outflow_spec::transform::TransformSpec;

use crate::counters::Counters;
use crate::dead_letter::DeadLetter;
use crate::encrypt::{Encryption, KeyProblem};
use crate::error::{Error, Result};
use crate::ledger::LastNumbers;
use crate::pipeline::Pipeline;
use crate::plan;
use crate::progress::Quiet;
use crate::source::{Input, Reading};
use crate::transform::{self, TransformContext};

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Columns of the source, when it is at hand.
    pub columns: Option<Vec<String>>,
    /// Columns behind the plugins among the transforms, by their place.
    pub after: BTreeMap<usize, Vec<String>>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Something wrong, and where in the pipeline file.
#[derive(Debug)]
pub struct Problem {
    /// JSON pointer into the pipeline file.
    pub pointer: String,
    /// Whether the pipeline can run all the same.
    pub warning: bool,
    /// Which part says so.
    pub origin: Origin,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Which part of a pipeline a problem is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A transform and the columns before it.
    Transform,
    /// A plugin among the transforms.
    Plugin,
    /// The layout's options.
    LayoutOption,
    /// The layout and the columns that reach it.
    LayoutColumns,
    /// A key that encrypts or signs.
    Key,
    /// The layout's answers, which are not the same twice.
    Unsteady,
}

/// Checks a pipeline; `twice` asks its layout everything again, and whether it stays with what it said.
pub async fn check(pipeline: &Pipeline, now: Timestamp, twice: bool) -> Checked {
    let mut checked = Checked::default();
    let input = match Input::is_at_hand(&pipeline.spec.source) {
        true => at_hand(pipeline).await.ok(),
        false => None,
    };
    checked.columns = input.as_ref().map(Input::column_names);
    let found = plans(pipeline, now, twice, input, &mut checked.after).await;
    checked.problems = found.unwrap_or_else(|problems| problems);
    if let Some(EncryptSpec::Pgp(spec)) = &pipeline.spec.delivery.encrypt
        && let Err(keys) = Encryption::open(spec, &pipeline.base, now)
    {
        let wrong = |key: KeyProblem| problem(key.pointer, Origin::Key, &key.error);
        checked.problems.extend(keys.into_iter().map(wrong));
    }
    checked
}

async fn at_hand(pipeline: &Pipeline) -> Result<Input> {
    let mut input = pipeline.input().await?;
    input.open().await?;
    Ok(input)
}

async fn plans(
    pipeline: &Pipeline,
    now: Timestamp,
    twice: bool,
    input: Option<Input>,
    after: &mut BTreeMap<usize, Vec<String>>,
) -> Result<Vec<Problem>, Vec<Problem>> {
    let info = pipeline.run_info("check", now);
    let layout_pointer = match &pipeline.spec.layout {
        outflow_spec::layout::LayoutSpec::Files(_) => "/layout/files".to_owned(),
        outflow_spec::layout::LayoutSpec::Plugin { name, .. } => format!("/layout/{name}"),
        outflow_spec::layout::LayoutSpec::Component(_) => "/layout/plugin/options".to_owned(),
    };
    let mut layout = pipeline
        .layout_for(&info)
        .await
        .map_err(|error| layout_problems(&layout_pointer, error, Origin::LayoutOption))?;
    let Some(input) = input else { return Ok(Vec::new()) };
    let dead = Arc::new(DeadLetter::create("", None));
    let context = TransformContext {
        index: 0,
        at: now,
        timezone: pipeline.zone().clone(),
        rejects: dead.clone(),
        base: pipeline.base.clone(),
        notes: Arc::default(),
        offline: true,
    };
    let place = |pointer: String, origin| move |error: Error| vec![problem(pointer, origin, &error)];
    let session = plan::session(64 << 20).map_err(place("/source".to_owned(), Origin::Transform))?;
    let table = input.table(Reading { dead_letter: dead.clone(), limit: None, progress: Arc::new(Quiet) });
    let mut frame = plan::rows(&session, table.provider(), &[], &context)
        .await
        .map_err(place("/source".to_owned(), Origin::Transform))?;
    for (index, spec) in pipeline.spec.transforms.iter().enumerate() {
        let is_plugin = matches!(spec, TransformSpec::Plugin(_));
        let origin = if is_plugin { Origin::Plugin } else { Origin::Transform };
        let failed = place(format!("/transforms/{index}"), origin);
        frame = transform::apply(spec, frame, &TransformContext { index, ..context.clone() }).await.map_err(failed)?;
        if is_plugin {
            after.insert(index, transform::visible(&frame));
        }
    }
    let rows = plan::dataset(&frame);
    let outputs = layout.outputs(std::slice::from_ref(&rows)).await;
    let outputs = outputs.map_err(|error| layout_problems(&layout_pointer, error, Origin::LayoutColumns))?;
    let mut found = Vec::new();
    if twice && let Some(what) = twice::difference(pipeline, &info, layout.as_mut(), &rows, &outputs).await {
        let message = format!("asked twice, layout `{}` gives other {what}", pipeline.layout.name);
        let pointer = layout_pointer.trim_end_matches("/options").to_owned();
        found.push(Problem { pointer, warning: true, origin: Origin::Unsteady, message, help: None });
    }
    let columns = place(layout_pointer.clone(), Origin::LayoutColumns);
    let counters = Counters::for_outputs(&LastNumbers::default(), &outputs);
    frame = counters.and_then(|_| plan::kept(frame, &outputs, &dead)).map_err(columns)?;
    for output in outputs {
        plan::output(frame.clone(), output, &dead)
            .await
            .map_err(place(layout_pointer.clone(), Origin::LayoutColumns))?;
    }
    Ok(found)
}

fn problem(pointer: String, origin: Origin, error: &Error) -> Problem {
    Problem { pointer, warning: false, origin, message: error.to_string(), help: error.hint_text().map(str::to_owned) }
}

fn layout_problems(pointer: &str, error: LayoutError, origin: Origin) -> Vec<Problem> {
    match error {
        LayoutError::Options(diagnostics) => diagnostics
            .into_iter()
            .map(|finding| Problem {
                pointer: format!("{pointer}{}", finding.path),
                warning: finding.severity != Severity::Error,
                origin,
                message: format!("{} ({})", finding.message, finding.code),
                help: finding.help,
            })
            .collect(),
        other => vec![problem(pointer.to_owned(), origin, &Error::from(other))],
    }
}
