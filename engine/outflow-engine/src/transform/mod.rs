//! Transforms: each turns the rows of one step into those of the next, as a lazy plan. They name columns exactly
//! as the data does; nothing is read here.

mod changes;
mod columns;
mod contexts;
mod deduplicate;
mod derive;
mod filter;
mod functions;
mod hash;
mod keys;
mod lookup;
mod plugin;
mod reject;
mod remarks;
mod select;
mod sql;
mod tally;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;
use jiff::{Timestamp, tz::TimeZone};
use outflow_spec::transform::TransformSpec;

use crate::dead_letter::DeadLetter;
use crate::error::{Error, Result};
use crate::membership::Membership;

pub use remarks::Remarks;
pub use tally::Tally;

/// What transforms leave behind: counts and warnings for the report, and the members for the next delivery.
#[derive(Debug, Default)]
pub struct Notes {
    /// Rows left out or not found, by transform.
    pub tally: Tally,
    /// What plugins warned of.
    pub remarks: Remarks,
    /// The snapshots of `changes`.
    pub membership: Membership,
}

/// What transforms know beside the rows.
#[derive(Clone, Debug)]
pub struct TransformContext {
    /// The place of the transform in the pipeline, from 0, for its errors.
    pub index: usize,
    /// The logical time of the run, which is what templates call now.
    pub at: Timestamp,
    /// The zone of dates that have none.
    pub timezone: TimeZone,
    /// Where rows go that cannot be transformed.
    pub rejects: Arc<DeadLetter>,
    /// The folder that relative paths start at: the pipeline file's.
    pub base: PathBuf,
    /// Where transforms leave what they counted and remember.
    pub notes: Arc<Notes>,
    /// Nothing may be connected to, and no row is read: the plan is only checked.
    pub offline: bool,
}

/// Adds one transform to a plan.
pub async fn apply(spec: &TransformSpec, frame: DataFrame, context: &TransformContext) -> Result<DataFrame> {
    let place = Place { index: Some(context.index), kind: kind(spec) };
    match spec {
        TransformSpec::Changes(spec) => changes::apply(spec, frame, context, place),
        TransformSpec::Contexts(spec) => contexts::apply(spec, frame, context, place),
        TransformSpec::Deduplicate(spec) => deduplicate::apply(spec, frame, context, place),
        TransformSpec::Derive(expressions) => derive::apply(expressions, frame, place),
        TransformSpec::Filter(condition) => filter::apply(condition, frame, place),
        TransformSpec::Hash(spec) => hash::apply(spec, frame, place),
        TransformSpec::Lookup(spec) => lookup::apply(spec, frame, context, place).await,
        TransformSpec::Plugin(spec) => plugin::apply(spec, frame, context, place).await,
        TransformSpec::Reject(spec) => reject::apply(spec, frame, context, place),
        TransformSpec::Select(spec) => select::apply(spec, frame, place),
        TransformSpec::Sql(query) => sql::apply(query, frame, place).await,
    }
}

/// The columns that authors see, in order.
pub fn visible(frame: &DataFrame) -> Vec<String> {
    columns::visible(frame)
}

/// Adds all transforms of a pipeline, in order.
pub async fn apply_all(specs: &[TransformSpec], mut frame: DataFrame, context: &TransformContext) -> Result<DataFrame> {
    for (index, spec) in specs.iter().enumerate() {
        frame = apply(spec, frame, &TransformContext { index, ..context.clone() }).await?;
    }
    Ok(frame)
}

/// The result of a layout's query over the rows, which it calls `input`.
pub async fn query(rows: DataFrame, query: &str) -> Result<DataFrame> {
    sql::apply(query, rows, Place { index: None, kind: "query" }).await
}

/// Registers the SQL functions of outflow: `sha256_identity(text)`, trimmed and in lower case before the digest, and
/// `sha256_exact(text)`, as it is. Both write lower-case hexadecimal; null and empty stay as they are. Those for JSON,
/// lists and names are listed in `functions`.
pub fn register(session: &SessionContext) {
    hash::register(session);
    functions::register(session);
}

fn kind(spec: &TransformSpec) -> &'static str {
    match spec {
        TransformSpec::Changes(_) => "changes",
        TransformSpec::Contexts(_) => "contexts",
        TransformSpec::Deduplicate(_) => "deduplicate",
        TransformSpec::Derive(_) => "derive",
        TransformSpec::Filter(_) => "filter",
        TransformSpec::Hash(_) => "hash",
        TransformSpec::Lookup(_) => "lookup",
        TransformSpec::Plugin(_) => "plugin",
        TransformSpec::Reject(_) => "reject",
        TransformSpec::Select(_) => "select",
        TransformSpec::Sql(_) => "sql",
    }
}

/// Where an error is.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Its place among the transforms; none for what the layout asks.
    index: Option<usize>,
    kind: &'static str,
}

impl Place {
    fn error(self, message: impl std::fmt::Display) -> Error {
        match self.index {
            Some(index) => Error::user(format!("transform {} (`{}`): {message}", index + 1, self.kind)),
            None => Error::user(format!("layout (`{}`): {message}", self.kind)),
        }
    }

    /// An error of the query engine about an expression of the author.
    fn query(self, what: &str, error: &datafusion::error::DataFusionError) -> Error {
        self.error(format!("{what}: {}", error.strip_backtrace()))
    }
}

#[cfg(test)]
mod tests;
