//! Clients that write to Google Cloud Storage and Azure Blob Storage. Building connects to nothing.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GoogleCloudStorage, GoogleCloudStorageBuilder};
use outflow_spec::sink::{AzureSink, GcsSink};

use super::patience::Patient;
use super::{check_bucket, check_endpoint, is_plain, uploads, writer_options, writer_retries};
use crate::error::{Error, Result};

/// A client that writes to one bucket of Google Cloud Storage, and reads back part by part.
pub fn gcs(sink: &GcsSink) -> Result<Arc<GoogleCloudStorage>> {
    check_bucket(&sink.bucket)?;
    // With a key of its own a pipeline takes nothing else from the environment.
    let mut builder = match &sink.service_account_key {
        Some(key) => GoogleCloudStorageBuilder::new().with_service_account_key(key.reveal()),
        None => GoogleCloudStorageBuilder::from_env(),
    };
    if let Some(endpoint) = &sink.endpoint {
        check_endpoint(endpoint)?;
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    let client = builder
        .with_bucket_name(&sink.bucket)
        .with_http_connector(uploads::Noting(Patient { plain: is_plain(&sink.endpoint) }))
        .with_client_options(writer_options(is_plain(&sink.endpoint)))
        .with_retry(writer_retries())
        .build();
    // What the library says may quote the key.
    Ok(Arc::new(client.map_err(|_| {
        Error::user(format!("bucket `{}` cannot be used: its credentials cannot be read", sink.bucket))
            .hint("`service_account_key` is the whole text of the key file: `${file:/run/secrets/gcs.json}`")
    })?))
}

/// A client that writes to one container of Azure Blob Storage, and reads back part by part.
pub fn azure(sink: &AzureSink) -> Result<Arc<dyn ObjectStore>> {
    check_bucket(&sink.container)?;
    check_bucket(&sink.account)?;
    let given = [sink.access_key.is_some(), sink.sas_token.is_some(), sink.client.is_some()];
    if given.iter().filter(|given| **given).count() > 1 {
        let what = format!("container `{}`: `access_key`, `sas_token` and `client` exclude each other", sink.container);
        return Err(Error::user(what).hint("give one of them"));
    }
    let mut builder = match given.contains(&true) {
        true => MicrosoftAzureBuilder::new(),
        false => MicrosoftAzureBuilder::from_env(),
    };
    if let Some(key) = &sink.access_key {
        builder = builder.with_access_key(key.reveal());
    }
    if let Some(token) = &sink.sas_token {
        builder = builder.with_config(object_store::azure::AzureConfigKey::SasKey, token.reveal());
    }
    if let Some(client) = &sink.client {
        builder = builder.with_client_secret_authorization(
            &client.client_id,
            client.client_secret.reveal(),
            &client.tenant_id,
        );
    }
    if let Some(endpoint) = &sink.endpoint {
        check_endpoint(endpoint)?;
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    let client = builder
        .with_account(&sink.account)
        .with_container_name(&sink.container)
        .with_http_connector(Patient { plain: is_plain(&sink.endpoint) })
        .with_client_options(writer_options(is_plain(&sink.endpoint)))
        .with_retry(writer_retries())
        .build();
    Ok(Arc::new(client.map_err(|_| {
        Error::user(format!("container `{}` cannot be used: its credentials cannot be read", sink.container))
            .hint("`access_key` is base64 as the portal shows it; `sas_token` begins with `sv=` or `?sv=`")
    })?))
}
