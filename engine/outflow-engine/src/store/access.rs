//! Clients of S3-compatible services, built from the pipeline. Building connects to nothing.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use outflow_spec::store::S3Access;

use crate::error::{Error, Result};

/// A client for one bucket, for sources and sinks alike.
pub fn s3(bucket: &str, access: &S3Access) -> Result<Arc<dyn ObjectStore>> {
    check_bucket(bucket)?;
    // With a key of its own a pipeline takes nothing else from the environment: two pipelines never mix credentials.
    let mut builder = if access.access_key_id.is_some() { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() };
    if let Some(region) = &access.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &access.endpoint {
        check_endpoint(endpoint)?;
        builder = builder.with_endpoint(endpoint.trim_end_matches('/')).with_virtual_hosted_style_request(false);
    }
    match (&access.access_key_id, &access.secret_access_key) {
        (Some(key), Some(secret)) => {
            builder = builder.with_access_key_id(key.reveal()).with_secret_access_key(secret.reveal());
        }
        (None, None) => {}
        _ => {
            return Err(Error::user(format!("bucket `{bucket}`: `access_key_id` and `secret_access_key` go together"))
                .hint("give both, or neither to take the credentials from the environment"));
        }
    }
    if let Some(token) = &access.session_token {
        builder = builder.with_token(token.reveal());
    }
    let plain = access.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let options = ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(60));
    let client = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(options)
        .with_retry(retries())
        .build()
        .map_err(|error| Error::user(format!("bucket `{bucket}` cannot be used: {error}")))?;
    Ok(Arc::new(client))
}

/// A short outage is bridged; a long one is the next run's matter.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(30),
    }
}

pub(super) fn check_bucket(bucket: &str) -> Result<()> {
    if bucket.contains("://") {
        return Err(
            Error::user(format!("bucket {bucket:?} has a scheme")).hint("write the name alone, as `acme-feeds`")
        );
    }
    if bucket.contains('/') {
        return Err(Error::user(format!("bucket {bucket:?} has a slash"))
            .hint("write the name of the bucket alone, and what follows the slash in `path`"));
    }
    if bucket.is_empty() || bucket.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::user(format!("bucket {bucket:?} is not a bucket's name")));
    }
    Ok(())
}

fn check_endpoint(endpoint: &str) -> Result<()> {
    // The text itself is not shown: it may hold a password.
    let wrong = |why: &str| Error::user(format!("`endpoint` {why}")).hint("write it as `https://s3.example.com`");
    let url = url::Url::parse(endpoint).map_err(|error| wrong(&format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds credentials; use `access_key_id` and `secret_access_key`"));
    }
    Ok(())
}
