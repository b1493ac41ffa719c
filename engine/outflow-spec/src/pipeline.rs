//! The pipeline file as it is written: one struct a block, and the doc comment of each field is its
//! entry in the user's reference. Nothing here opens a file, reads a clock or knows how a component works.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::delivery::DeliverySpec;
use crate::incremental::IncrementalSpec;
use crate::layout::LayoutSpec;
use crate::matrix::MatrixSpec;
use crate::notify::NotifySpec;
use crate::sink::SinkSpec;
use crate::source::SourceSpec;
use crate::transform::TransformSpec;

/// What names of pipelines look like.
pub const NAME_PATTERN: &str = "^[a-z0-9](-?[a-z0-9])*$";

/// One pipeline: a source, the transforms its rows pass through, the layout that turns rows into
/// named files, and the sink that stores them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("if" = {"required": ["sinks"]}, "else" = {"required": ["sink"]}))]
pub struct PipelineSpec {
    /// Version of the pipeline language. Always `1`.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Name of the pipeline, unique in the project: lower-case letters, digits and hyphens.
    /// Example: `simon-welcome-flow`.
    #[schemars(regex(pattern = NAME_PATTERN), length(max = 64))]
    pub name: String,
    /// What the pipeline delivers, for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Who answers for the pipeline. Example: `integrations@acme.example`.
    #[serde(default)]
    pub owner: Option<String>,
    /// Free labels. Example: `{client: acme}`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Time zone in which logical times are broken down for layouts, an IANA name. Default `UTC`.
    #[serde(default)]
    pub timezone: Option<String>,
    /// Where rows come from.
    pub source: SourceSpec,
    /// Which rows a run delivers. Unset: all that the source has.
    #[serde(default)]
    pub incremental: Option<IncrementalSpec>,
    /// What happens to rows, in order.
    #[serde(default)]
    pub transforms: Vec<TransformSpec>,
    /// How rows become files.
    pub layout: LayoutSpec,
    /// Where files go.
    #[serde(default)]
    #[schemars(with = "SinkSpec")]
    pub sink: Option<SinkSpec>,
    /// In place of `sink`, several places that the same files go to: rows are read once, and names and bytes are equal
    /// at all of them. Each is published by itself, and one that fails holds back no other: the next run delivers what
    /// it lacks. Example: `[{local: {path: archive}}, {s3: {bucket: acme-feeds}}]`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub sinks: Vec<SinkSpec>,
    /// Rules of delivery.
    #[serde(default)]
    pub delivery: DeliverySpec,
    /// The instances of the pipeline: a list with the values of each, or a file with such a list. `${matrix:key}`
    /// stands for a value of the instance. An instance is called what its key `instance` says, or else its first key.
    /// Each has its own state and its own outcome: where one fails the others go on.
    /// Example: `[{client_id: "0000", bucket: acme-feeds}]` or `{file: clients.yaml}`.
    #[serde(default)]
    pub matrix: Option<MatrixSpec>,
    /// Who is told of failures and recoveries, beside those whom `outflow.yaml` names.
    /// Example: `[{on: [failure, recovery], webhook: "${env:ALERT_URL}"}]`.
    #[serde(default)]
    pub notify: Vec<NotifySpec>,
}

impl PipelineSpec {
    /// Every place that files go to, in the order written.
    pub fn all_sinks(&self) -> impl Iterator<Item = &SinkSpec> {
        self.sink.iter().chain(&self.sinks)
    }
}
