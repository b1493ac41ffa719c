//! Clients of object stores, built from the pipeline: S3-compatible services here, the other clouds in `clouds`.
//! Building connects to nothing.

pub(super) mod clouds;
mod patience;
pub(super) mod uploads;

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::client::{HttpClient, HttpConnector, ReqwestConnector};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig};
use outflow_spec::store::S3Access;
use patience::Patient;

use crate::error::{Error, Result};

const CONNECT: Duration = Duration::from_secs(5);
/// Longest a read may wait for its next bytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that reads one bucket. An object may take hours, as long as its bytes keep coming.
pub fn s3(bucket: &str, access: &S3Access) -> Result<Arc<dyn ObjectStore>> {
    reader(bucket, access, PATIENCE)
}

pub(super) fn reader(bucket: &str, access: &S3Access, idle: Duration) -> Result<Arc<dyn ObjectStore>> {
    let plain = is_plain(&access.endpoint);
    let options = ClientOptions::new().with_allow_http(plain).with_connect_timeout(CONNECT).with_timeout_disabled();
    let builder = builder(bucket, access)?
        .with_http_connector(Reader { plain, idle })
        .with_client_options(options)
        .with_retry(retries(6, Duration::from_secs(24 * 60 * 60)));
    Ok(Arc::new(builder.build().map_err(|error| unusable(bucket, &error))?))
}

/// A client that writes to one bucket, and reads back part by part.
pub(super) fn s3_writer(bucket: &str, access: &S3Access) -> Result<Arc<AmazonS3>> {
    let builder = builder(bucket, access)?
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_http_connector(uploads::Noting(Patient { plain: is_plain(&access.endpoint) }))
        .with_client_options(writer_options(is_plain(&access.endpoint)))
        .with_retry(writer_retries());
    let client = builder.build();
    Ok(Arc::new(client.map_err(|error| unusable(bucket, &error))?))
}

fn writer_options(plain: bool) -> ClientOptions {
    ClientOptions::new().with_allow_http(plain).with_connect_timeout(CONNECT).with_timeout_disabled()
}

fn writer_retries() -> RetryConfig {
    retries(4, Duration::from_secs(30))
}

fn unusable(bucket: &str, error: &object_store::Error) -> Error {
    Error::user(format!("bucket `{bucket}` cannot be used: {error}"))
}

/// `object_store` limits how long a request may last as a whole; this limits its silences.
#[derive(Debug)]
struct Reader {
    plain: bool,
    idle: Duration,
}

impl HttpConnector for Reader {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if is_of_cloud(options, self.plain) {
            return ReqwestConnector::default().connect(options);
        }
        let client = client(self.plain).connect_timeout(CONNECT).read_timeout(self.idle).build();
        Ok(HttpClient::new(client.map_err(no_client)?))
    }
}

/// Whether a connection is for the cloud's own service for credentials, which has its own limits.
fn is_of_cloud(options: &ClientOptions, plain: bool) -> bool {
    !plain && options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true")
}

/// Objects are taken as they are stored: their size counts compressed bytes.
fn client(plain: bool) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().user_agent(concat!("outflow/", env!("CARGO_PKG_VERSION")));
    builder.https_only(!plain).no_gzip().no_brotli().no_zstd().no_deflate()
}

fn no_client(error: reqwest::Error) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: Box::new(error) }
}

fn is_plain(endpoint: &Option<String>) -> bool {
    endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"))
}

fn builder(bucket: &str, access: &S3Access) -> Result<AmazonS3Builder> {
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
    Ok(builder.with_bucket_name(bucket))
}

/// A short outage is bridged; a long one is the next run's matter. `retry_timeout` counts from the request's beginning.
fn retries(max_retries: usize, retry_timeout: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries,
        retry_timeout,
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
        return Err(wrong("holds credentials, which have options of their own"));
    }
    Ok(())
}
