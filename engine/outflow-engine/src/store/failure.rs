//! What an object store's failure means: who has to act and whether waiting helps.
//! Services answer in XML; only its code and message are shown, for the rest may repeat what was signed.

use jiff::Timestamp;

use crate::error::{Error, Result};

const CREDENTIALS: &[&str] = &[
    "AuthenticationFailed",
    "InvalidAccessKeyId",
    "InvalidAuthenticationInfo",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "InvalidClientTokenId",
    "NotSignedUp",
    "AuthFailure",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];
/// What S3 answers where a request was signed by a clock that differs from its own. `object_store` signs by this
/// machine's clock and takes no offset, so nothing but a clock set right helps.
pub(super) const SKEWED: &str = "RequestTimeTooSkewed";
const NO_BUCKET: &[&str] = &["NoSuchBucket", "ContainerNotFound"];
const REGION: &[&str] = &["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"];

/// Turns a failure into the engine's error; `what` says what was done where, as "writing `s3://bucket/key`".
pub fn describe(error: &object_store::Error, what: &str) -> Error {
    use object_store::Error as Store;

    let text = chain(error);
    let code = element(&text, "Code");
    let said = match (code, element(&text, "Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => status(&text).map_or_else(|| first_line(&text), |status| format!("status {status}")),
    };
    let is = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    if is(NO_BUCKET) {
        return Error::external(format!("{what}: the bucket does not exist"))
            .fault_of_client()
            .hint("check its name, `region` and `endpoint`; outflow never makes buckets");
    }
    if is(CREDENTIALS) {
        return Error::external(format!("{what}: the credentials were refused ({said})"))
            .fault_of_client()
            .hint("check the keys and tokens of the sink, and that they belong to this service");
    }
    if is(&[SKEWED]) {
        let server = element(&text, "ServerTime").and_then(|time| time.parse().ok());
        let told = server.map_or(said, |server| apart(server, Timestamp::now()));
        return Error::transient(format!("{what}: the clocks are too far apart for signatures: {told}"))
            .hint("set this machine's clock, by NTP say; what is sealed is then delivered by the next run");
    }
    if is(REGION) || text.contains("redirect without LOCATION") {
        return Error::external(format!("{what}: wrong region ({said})"))
            .hint("set `region` to the region of the bucket");
    }
    // Without credentials the client asks the machine's metadata service, which is only there in the cloud.
    if text.contains("169.254.169.254") || text.contains("metadata.google.internal") {
        return Error::external(format!("{what}: no credentials found")).fault_of_client().hint(
            "give the sink its keys, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or what its cloud has for that",
        );
    }
    match error {
        Store::PermissionDenied { .. } | Store::Unauthenticated { .. } => {
            Error::external(format!("{what}: access denied ({said})")).fault_of_client().hint(
                "check the credentials; outflow reads back what it writes, so they need to write, read and list \
                 (on S3: s3:PutObject, s3:GetObject and s3:ListBucket)",
            )
        }
        Store::NotFound { .. } => Error::external(format!("{what}: not found ({said})"))
            .hint("check the bucket or container, `path` and `endpoint`"),
        Store::InvalidPath { .. } => Error::user(format!("{what}: {said}")),
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            Error::external(format!("{what}: the service cannot do that ({said})"))
        }
        _ if permanent(&text) => Error::external(format!("{what}: refused ({said})")),
        _ => Error::transient(format!("{what}: {said}")).hint("if it happens again, check `endpoint` and the network"),
    }
}

/// By how much this machine's clock differs from a service's.
fn apart(server: Timestamp, own: Timestamp) -> String {
    let seconds = own.as_second() - server.as_second();
    let side = if seconds < 0 { "behind" } else { "ahead of" };
    let (minutes, seconds) = (seconds.unsigned_abs() / 60, seconds.unsigned_abs() % 60);
    format!("this machine's is {minutes} min {seconds} s {side} the service's, which says {server:.0}")
}

/// Whether the service answered that it will never do this.
fn permanent(text: &str) -> bool {
    matches!(status(text), Some(400..=407 | 410..=424 | 426..=428 | 430..=499 | 501))
}

/// Whether the service lacks the condition that makes a write fail when the name exists.
pub(super) fn lacks_conditions(error: &object_store::Error) -> bool {
    let text = chain(error);
    matches!(error, object_store::Error::NotImplemented { .. }) || status(&text) == Some(501)
}

/// Whether an error is about the bucket rather than the object.
pub(super) fn names_bucket(error: &object_store::Error) -> bool {
    element(&chain(error), "Code").is_some_and(|code| NO_BUCKET.contains(&code))
}

fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push('\n');
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The text of an XML element without others in it.
pub(super) fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once('<').map(|(value, _)| value.trim())
}

fn status(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

fn first_line(text: &str) -> String {
    // The last cause is the plainest: "connection refused" rather than "error sending request".
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

/// A key of the bucket, refused when the store would have to change it.
pub(super) fn key(prefix: &str, path: &str) -> Result<object_store::path::Path> {
    super::check_path(path)?;
    let full = if prefix.is_empty() { path.to_owned() } else { format!("{prefix}/{path}") };
    object_store::path::Path::parse(&full).map_err(|error| Error::user(format!("file name `{full}`: {error}")))
}
