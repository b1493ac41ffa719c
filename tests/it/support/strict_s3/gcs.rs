//! The strict server with Google's face: the same requests and the same XML, but for the names of headers, the condition
//! that a name is free, and a signed token in place of a signature.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// Turns headers of Google's into those of S3; `false` when there is no token that looks signed.
pub fn inward(headers: &mut HeaderMap) -> bool {
    let token = headers.remove("authorization").and_then(|value| value.to_str().map(str::to_owned).ok());
    let signed = token.is_some_and(|token| token.starts_with("Bearer ey") && token.split('.').count() == 3);
    if headers.remove("x-goog-if-generation-match").is_some_and(|generation| generation == "0") {
        headers.insert("if-none-match", HeaderValue::from_static("*"));
    }
    rename(headers, "x-goog-meta-", "x-amz-meta-");
    signed
}

/// Turns headers of S3 into those of Google's.
pub fn outward(headers: &mut HeaderMap) {
    rename(headers, "x-amz-meta-", "x-goog-meta-");
    headers.insert("x-goog-generation", HeaderValue::from_static("1"));
}

fn rename(headers: &mut HeaderMap, from: &str, to: &str) {
    let named: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in named {
        if let Some(rest) = name.as_str().strip_prefix(from) {
            let renamed = HeaderName::from_bytes(format!("{to}{rest}").as_bytes());
            headers.remove(&name);
            headers.insert(renamed.expect("a header's name stays one"), value);
        }
    }
}
