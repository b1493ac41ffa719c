//! Notes the id of every multipart upload as soon as the service has given it, beside the spool file that is sent: what a
//! killed process left can then be aborted by its id, and nobody else's upload is touched. Only `object_store`'s own
//! answer holds the id, so it is read on the way.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService};

use super::patience::Patient;

tokio::task_local! {
    /// Where the id of an upload that begins here is noted.
    pub(in crate::store) static NOTE: PathBuf;
}

/// The note of the upload of a spool file.
pub(in crate::store) fn note(spool: &Path) -> PathBuf {
    let mut name = spool.as_os_str().to_owned();
    name.push(".upload");
    name.into()
}

/// Connections that note the ids of uploads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noting(pub(super) Patient);

impl HttpConnector for Noting {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Noter(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Noter(HttpClient);

#[async_trait]
impl HttpService for Noter {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let query = request.uri().query().unwrap_or_default();
        let begins = request.method().as_str() == "POST" && query.split(['=', '&']).next() == Some("uploads");
        let answer = self.0.execute(request).await?;
        let Ok(note) = NOTE.try_with(PathBuf::clone) else { return Ok(answer) };
        if !begins || !answer.status().is_success() {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let body = body.bytes().await?;
        let text = String::from_utf8_lossy(&body);
        if let Some(id) = crate::store::failure::element(&text, "UploadId") {
            // Without a note the service's own rule for unfinished uploads has to do.
            let _ = tokio::fs::write(note, id).await;
        }
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}
