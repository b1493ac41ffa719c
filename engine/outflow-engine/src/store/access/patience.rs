//! The connection of a client that writes: a request may last as long as its bytes move at all, a service that asks
//! to slow down is not pressed, and a refusal for the clock says so.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures::StreamExt;
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use super::CONNECT;

#[cfg(test)]
mod tests;

/// Longest silence: of an answer that does not come, and of bytes sent that nobody confirms.
const SILENCE: Duration = Duration::from_secs(60);
/// Bytes a second that every link manages. How much of a request has left this machine is not to be seen, so the
/// answer is awaited as if the link were that slow; the system itself finds out when nothing at all gets through.
const SLOWEST: u64 = 1_000;
/// Requests that a service may have refused for its load before such a refusal is no longer tried again by the client.
/// Each costs `REFUSED` of them, and each success gives one back.
const BUDGET: i64 = 100;
const REFUSED: i64 = 5;
/// From this difference of clocks on, S3 refuses what was signed by the wrong one.
const MOST_SKEW_SECONDS: i64 = 15 * 60;

/// Makes such connections, over HTTP where the service's endpoint is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patient {
    /// Whether the endpoint speaks HTTP.
    pub(super) plain: bool,
}

impl HttpConnector for Patient {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        if super::is_of_cloud(options, self.plain) {
            return ReqwestConnector::default().connect(options);
        }
        let client = super::client(self.plain).http1_only().connect_timeout(CONNECT).tcp_user_timeout(SILENCE);
        let client = client.build().map_err(super::no_client)?;
        Ok(HttpClient::new(Waiter { client: HttpClient::new(client), budget: AtomicI64::new(BUDGET) }))
    }
}

#[derive(Debug)]
struct Waiter {
    client: HttpClient,
    /// What is left for refusals; one host is behind it.
    budget: AtomicI64,
}

#[async_trait]
impl HttpService for Waiter {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_head = request.method().as_str() == "HEAD";
        let answer = within(allowance(request.body().content_length() as u64), self.client.execute(request)).await??;
        let (head, body) = answer.into_parts();
        // An answer is a part at most. Read here, a silence within it ends as any other.
        let (mut bytes, mut chunks) = (BytesMut::new(), body.bytes_stream());
        while let Some(chunk) = within(SILENCE, chunks.next()).await? {
            bytes.extend_from_slice(&chunk?);
        }
        match head.status.as_u16() {
            429 | 503 => {
                let left = self.budget.fetch_sub(REFUSED, Ordering::Relaxed) - REFUSED;
                if left < 0 {
                    // Never further down: one success after another makes up for it.
                    self.budget.fetch_add(REFUSED, Ordering::Relaxed);
                    let told =
                        format!("it refused too many requests for its load: {}", String::from_utf8_lossy(&bytes));
                    return Err(HttpError::new(HttpErrorKind::Unknown, std::io::Error::other(told)));
                }
            }
            403 if is_head => {
                let date = head.headers.get("date").and_then(|date| date.to_str().ok());
                bytes.extend_from_slice(skewed(date, Timestamp::now()).unwrap_or_default().as_bytes());
            }
            200..=299 => {
                let more = |budget| (budget < BUDGET).then_some(budget + 1);
                let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            }
            _ => {}
        }
        Ok(HttpResponse::from_parts(head, bytes.freeze().into()))
    }
}

/// How long the answer to a request may take.
fn allowance(bytes: u64) -> Duration {
    SILENCE + Duration::from_secs(bytes / SLOWEST)
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, HttpError> {
    let timed = tokio::time::timeout(limit, work).await;
    let silent = || std::io::Error::other(format!("nothing came from it for {limit:?}"));
    timed.map_err(|_| HttpError::new(HttpErrorKind::Timeout, silent()))
}

/// What the answer to a HEAD has no body to say: that the service's clock and this machine's are too far apart.
fn skewed(date: Option<&str>, now: Timestamp) -> Option<String> {
    let date = jiff::fmt::rfc2822::parse(date?).ok()?.timestamp();
    let apart = date.as_second().abs_diff(now.as_second());
    (apart > MOST_SKEW_SECONDS.unsigned_abs()).then(|| {
        format!("<Error><Code>{}</Code><ServerTime>{date}</ServerTime></Error>", crate::store::failure::SKEWED)
    })
}
