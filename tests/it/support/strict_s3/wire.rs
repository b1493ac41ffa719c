//! What passes between a client and the strict server: the log of exchanges and the scripted faults.
//! It knows the names of operations, not what they do.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::{Body as _, Incoming};
use hyper::{HeaderMap, Method, Request, Uri};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use s3s::service::S3Service;
use s3s::{HttpError, HttpResponse};

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Position in the order of arrival, from 0.
    pub sequence: usize,
    /// Name of the S3 operation, such as `PutObject`.
    pub operation: String,
    /// Bucket, empty for operations on the service.
    pub bucket: String,
    /// Key as sent, percent-encoding undone; empty for operations on a bucket.
    pub key: String,
    /// Status that the server decided; none while under way or when it did not act.
    pub decided: Option<u16>,
    /// Status that the client was sent; none when the reply was dropped.
    pub answered: Option<u16>,
    /// When the request arrived and when its answer was ready.
    pub span: (Instant, Option<Instant>),
}

/// What a fault does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Answers with this status and S3 error code; the operation does not happen.
    Respond(u16, &'static str),
    /// The operation happens, then the answer is this status and S3 error code.
    ActThenRespond(u16, &'static str),
    /// The operation happens, then the connection closes without an answer.
    ActThenDrop,
    /// The connection closes without an answer; the operation does not happen.
    Drop,
    /// Waits, then the operation happens.
    Delay(Duration),
    /// The operation happens whatever its conditions say.
    IgnoreConditions,
}

/// Marks a request whose conditions are not looked at; its headers stay as they were signed.
#[derive(Clone, Copy, Debug)]
pub struct Unconditional;

/// A scripted fault: an operation, on keys that contain a text, from the n-th such request on.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Name of the operation, or `*`.
    pub operation: &'static str,
    /// Text that the key contains; empty for any key.
    pub key: String,
    /// First matching request that fails, from 1.
    pub from: usize,
    /// How many matching requests fail.
    pub times: usize,
    /// What happens to them.
    pub action: Action,
}

impl Fault {
    /// Fails the first request of an operation on a key that contains `key`.
    pub fn once(operation: &'static str, key: impl Into<String>, action: Action) -> Self {
        Self { operation, key: key.into(), from: 1, times: 1, action }
    }

    /// Fails every request of an operation on a key that contains `key`.
    pub fn always(operation: &'static str, key: impl Into<String>, action: Action) -> Self {
        Self { times: usize::MAX, ..Self::once(operation, key, action) }
    }

    /// The same fault, from the n-th matching request on.
    pub fn nth(self, from: usize) -> Self {
        Self { from, ..self }
    }

    fn matches(&self, exchange: &Exchange) -> bool {
        (self.operation == "*" || self.operation == exchange.operation) && exchange.key.contains(&self.key)
    }
}

/// Log and faults of a server.
#[derive(Default)]
pub struct Wire {
    exchanges: Mutex<Vec<Exchange>>,
    faults: Mutex<Vec<(Fault, usize)>>,
    /// Seconds that the server's clock is ahead.
    ahead: AtomicI64,
}

impl Wire {
    /// What went over the wire, in the order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        hold(&self.exchanges).clone()
    }

    /// Forgets the exchanges.
    pub fn clear_exchanges(&self) {
        hold(&self.exchanges).clear();
    }

    /// Adds a fault after those already there.
    pub fn add_fault(&self, fault: Fault) {
        hold(&self.faults).push((fault, 0));
    }

    /// Removes the faults.
    pub fn clear_faults(&self) {
        hold(&self.faults).clear();
    }

    /// Puts the server's clock ahead, or back.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::SeqCst);
    }

    /// The server's clock.
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }

    /// What S3 answers to a request that was signed by a clock that differs too much.
    fn refuses_for_its_time(&self, headers: &HeaderMap) -> Option<HttpResponse> {
        let (now, text) = (self.now(), headers.get("x-amz-date")?.to_str().ok()?.to_owned());
        let signed = DateTime::strptime("%Y%m%dT%H%M%SZ", &text).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let apart = signed.duration_since(now).abs();
        (apart > SignedDuration::from_mins(15)).then(|| {
            let more = format!("<RequestTime>{text}</RequestTime><ServerTime>{now:.0}</ServerTime>");
            error_with(403, "RequestTimeTooSkewed", &more)
        })
    }

    fn arrived(&self, operation: String, bucket: String, key: String) -> Exchange {
        let mut exchanges = hold(&self.exchanges);
        let sequence = exchanges.len();
        let exchange =
            Exchange { sequence, operation, bucket, key, decided: None, answered: None, span: (Instant::now(), None) };
        exchanges.push(exchange.clone());
        exchange
    }

    fn done(&self, sequence: usize, decided: Option<u16>, answered: Option<u16>) {
        if let Some(exchange) = hold(&self.exchanges).get_mut(sequence) {
            exchange.decided = decided;
            exchange.answered = answered;
            exchange.span.1 = Some(Instant::now());
        }
    }

    /// Every matching fault counts the request; the first one due decides.
    fn fault_for(&self, exchange: &Exchange) -> Option<Action> {
        let mut due = None;
        for (fault, seen) in hold(&self.faults).iter_mut() {
            if fault.matches(exchange) {
                *seen += 1;
                if *seen >= fault.from && *seen - fault.from < fault.times && due.is_none() {
                    due = Some(fault.action.clone());
                }
            }
        }
        due
    }
}

/// A poisoned lock means that another test thread panicked; its data is still whole.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Handles one request: logs it, lets a fault act, asks the service.
pub async fn exchange(
    wire: Arc<Wire>,
    service: S3Service,
    mut request: Request<Incoming>,
) -> Result<HttpResponse, HttpError> {
    let (bucket, key) = bucket_and_key(request.uri());
    let operation =
        operation(request.method(), request.uri(), request.headers().contains_key("x-amz-copy-source"), &bucket, &key);
    let exchange = wire.arrived(operation, bucket, key);
    let is_head = request.method() == Method::HEAD;
    if let Some(mut answer) = wire.refuses_for_its_time(request.headers()) {
        drain(request.into_body()).await;
        wire.done(exchange.sequence, None, Some(403));
        let date = format!("{}", wire.now().strftime("%a, %d %b %Y %H:%M:%S GMT"));
        answer.headers_mut().insert("date", date.parse().expect("a date is a header's value"));
        if is_head {
            *answer.body_mut() = s3s::Body::empty();
        }
        return Ok(answer);
    }
    let action = wire.fault_for(&exchange);
    match action {
        Some(Action::Respond(status, code)) => {
            drain(request.into_body()).await;
            wire.done(exchange.sequence, None, Some(status));
            return Ok(error_response(status, code));
        }
        Some(Action::Drop) => {
            wire.done(exchange.sequence, None, None);
            return Err(dropped("scripted: dropped before acting"));
        }
        Some(Action::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Action::IgnoreConditions) => {
            request.extensions_mut().insert(Unconditional);
        }
        _ => {}
    }
    let answer = hyper::service::Service::call(&service, request).await;
    let decided = answer.as_ref().ok().map(|response| response.status().as_u16());
    match action {
        Some(Action::ActThenDrop) => {
            wire.done(exchange.sequence, decided, None);
            Err(dropped("scripted: reply dropped after acting"))
        }
        Some(Action::ActThenRespond(status, code)) => {
            wire.done(exchange.sequence, decided, Some(status));
            Ok(error_response(status, code))
        }
        _ => {
            wire.done(exchange.sequence, decided, decided);
            answer
        }
    }
}

/// The error that makes hyper close a connection without an answer.
pub fn dropped(why: &'static str) -> HttpError {
    HttpError::new(why.into())
}

/// Reads a body to its end, so that a client that is still sending sees the answer and not a reset.
async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await {}
}

/// An answer with an S3 error.
pub fn error_response(status: u16, code: &str) -> HttpResponse {
    error_with(status, code, "<Message>scripted fault</Message>")
}

fn error_with(status: u16, code: &str, more: &str) -> HttpResponse {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>{more}</Error>");
    let mut response = HttpResponse::new(s3s::Body::from(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a fault is scripted with a valid status");
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/xml"));
    response
}

fn bucket_and_key(uri: &Uri) -> (String, String) {
    let path = uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (bucket.to_owned(), percent_decoded(key))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = if first == b'%' { tail.get(..2) } else { None };
        let value = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name AWS gives to a request, told by method, path and query as S3 itself does.
fn operation(method: &Method, uri: &Uri, copies: bool, bucket: &str, key: &str) -> String {
    let query = uri.query().unwrap_or("");
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let level = if bucket.is_empty() {
        "service"
    } else if key.is_empty() {
        "bucket"
    } else {
        "object"
    };
    let name = match (level, method.as_str()) {
        ("service", "GET") => "ListBuckets",
        ("bucket", "GET") if has("uploads") => "ListMultipartUploads",
        ("bucket", "GET") if has("list-type") => "ListObjectsV2",
        ("bucket", "POST") if has("delete") => "DeleteObjects",
        ("bucket", "PUT") => "CreateBucket",
        ("bucket", "HEAD") => "HeadBucket",
        ("object", "PUT") if has("partNumber") => "UploadPart",
        ("object", "PUT") if copies => "CopyObject",
        ("object", "PUT") => "PutObject",
        ("object", "POST") if has("uploads") => "CreateMultipartUpload",
        ("object", "POST") if has("uploadId") => "CompleteMultipartUpload",
        ("object", "DELETE") if has("uploadId") => "AbortMultipartUpload",
        ("object", "DELETE") => "DeleteObject",
        ("object", "GET") if has("uploadId") => "ListParts",
        ("object", "GET") => "GetObject",
        ("object", "HEAD") => "HeadObject",
        _ => return format!("{method} {level}"),
    };
    name.to_owned()
}
