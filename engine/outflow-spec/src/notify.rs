//! Who is told of what happened to runs, as written in a pipeline file or, for all pipelines, in `outflow.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::duration::Duration;
use crate::secret::Secret;

/// A notice: to whom and of what. A failure to send it is a warning and never fails a run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySpec {
    /// What is told. Default `[failure]`. Example: `[failure, recovery]`.
    #[serde(default = "failure")]
    #[schemars(length(min = 1))]
    pub on: Vec<NotifyEvent>,
    /// How bad it must be. What is mended before that is never told, nor is its recovery.
    #[serde(default)]
    pub after: NotifyAfter,
    /// For `late`: how long ago the last success may be. Example: `26h`.
    #[serde(default)]
    pub late_after: Option<Duration>,
    /// URL that gets the notice as JSON (`outflow/notice/v1`) by POST. Example: `${env:ALERT_URL}`.
    #[serde(default)]
    pub webhook: Option<Secret>,
    /// URL of an incoming webhook of Slack. Example: `${env:SLACK_URL}`.
    #[serde(default)]
    pub slack: Option<Secret>,
    /// Sends the notice by e-mail.
    #[serde(default)]
    pub email: Option<EmailSpec>,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// A run fails. It is told when it begins to fail, not with every failure that follows.
    Failure,
    /// What was told to fail works again.
    Recovery,
    /// Some instances of a `matrix` fail while others deliver.
    Partial,
    /// The last success is longer ago than `late_after`.
    Late,
}

/// How bad it must be before anything is told.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifyAfter {
    /// Failures in a row of an instance, or of a pipeline without instances. Default 1. Example: `3`.
    #[serde(default = "once")]
    #[schemars(range(min = 1))]
    pub consecutive: u32,
    /// Share of the instances that must fail so, between 0 and 1. Default 0: one is enough. Example: `0.2`.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share_of_clients: f64,
}

impl Default for NotifyAfter {
    fn default() -> Self {
        Self { consecutive: once(), share_of_clients: 0.0 }
    }
}

/// An e-mail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailSpec {
    /// Who gets it. Example: `[oncall@acme.example]`.
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
    /// Who it is from. Example: `outflow@acme.example`.
    pub from: String,
    /// The server that takes it.
    pub smtp: SmtpSpec,
}

/// A mail server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpSpec {
    /// Its name. Example: `smtp.acme.example`.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Its port. Default 587, 465 with `tls: implicit`, 25 with `tls: none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected. Default `starttls`.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Name of the account. Unset: nobody logs in.
    #[serde(default)]
    pub user: Option<String>,
    /// Its password. Example: `${env:SMTP_PASSWORD}`.
    #[serde(default)]
    pub password: Option<Secret>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// It begins in the clear, and nothing is said before it is encrypted.
    #[default]
    Starttls,
    /// It is encrypted from its beginning.
    Implicit,
    /// It is not. Only for servers of this machine or its own network; no password is sent so.
    None,
}

fn failure() -> Vec<NotifyEvent> {
    vec![NotifyEvent::Failure]
}

fn once() -> u32 {
    1
}
