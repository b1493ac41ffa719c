//! Access to an object store, shared by sources and sinks.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::Secret;

/// How to reach an S3-compatible service. Unset credentials come from the usual AWS places.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Access {
    /// Region. Default `us-east-1`. Example: `eu-west-1`.
    #[serde(default)]
    pub region: Option<String>,
    /// URL of another S3 service than AWS. Example: `http://127.0.0.1:9000`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Access key. Example: `${env:AWS_ACCESS_KEY_ID}`.
    #[serde(default)]
    pub access_key_id: Option<Secret>,
    /// Secret key. Example: `${env:AWS_SECRET_ACCESS_KEY}`.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// Session token of temporary credentials.
    #[serde(default)]
    pub session_token: Option<Secret>,
}
