//! OF301, OF302: secrets in the file. It looks at what is written, never at what `${…}` fills in.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnostic::Finding;
use crate::lint::Scope;
use crate::node::{join, tokens};
use crate::schema::walk;

#[cfg(test)]
mod tests;

/// Applies the rule.
pub fn check(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    let candidates = walk::expand(scope.schema, scope.schema);
    check_value(scope, "", scope.raw, &candidates, findings);
}

fn check_value(scope: &Scope<'_>, pointer: &str, value: &Value, candidates: &[&Value], findings: &mut Vec<Finding>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let below = walk::below_key(scope.schema, candidates, key);
                check_value(scope, &join(pointer, key), member, &below, findings);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let below = walk::item(scope.schema, candidates, index);
                check_value(scope, &format!("{pointer}/{index}"), item, &below, findings);
            }
        }
        Value::String(text) => {
            let is_secret = candidates.iter().any(|schema| schema.get("writeOnly") == Some(&Value::Bool(true)));
            let is_literal = !outside_placeholders(text).is_empty() || scope.literal.contains(pointer);
            if is_secret && is_literal {
                let field = tokens(pointer).pop().unwrap_or_default();
                findings.push(Finding::literal_secret(scope.span(pointer), &field));
            } else if let Some((kind, start, end)) = credential(text) {
                findings.push(Finding::looks_like_secret(scope.part(pointer, start, end), kind));
            }
        }
        _ => {}
    }
}

/// What a text says itself: all but placeholders, with the defaults they carry.
pub(crate) fn outside_placeholders(text: &str) -> String {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(open) = rest.find("${") {
        literal.push_str(&rest[..open]);
        let close = rest[open..].find('}').map_or(rest.len(), |end| open + end);
        if let Some((_, default)) = rest[open..close].split_once(":-") {
            literal.push_str(default);
        }
        rest = rest.get(close + 1..).unwrap_or_default();
    }
    literal + rest
}

/// Beginnings of tokens that services hand out, and how many characters follow at least.
const PREFIXES: [(&str, usize, &str); 14] = [
    ("AKIA", 16, "an AWS access key"),
    ("ASIA", 16, "an AWS access key"),
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 16, "a GitLab token"),
    ("xoxb-", 16, "a Slack token"),
    ("xoxp-", 16, "a Slack token"),
    ("sk_live_", 16, "a Stripe key"),
    ("rk_live_", 16, "a Stripe key"),
    ("AIza", 30, "a Google API key"),
    ("SG.", 40, "a SendGrid key"),
    ("eyJhbGciOi", 30, "a JSON Web Token"),
];

/// The first thing in a text that looks like a credential: what it is and which bytes.
fn credential(text: &str) -> Option<(&'static str, usize, usize)> {
    if let Some(at) = text.find("-----BEGIN ")
        && text[at..].contains("PRIVATE KEY-----")
    {
        return Some(("a private key", at, at + "-----BEGIN ".len()));
    }
    if let Some(found) = password_in_url(text) {
        return Some(found);
    }
    // Digests that say what they are: they tell a key or certificate from others and unlock nothing.
    if text.starts_with("SHA256:") {
        return None;
    }
    words(text).find_map(|(start, word)| {
        let known =
            PREFIXES.iter().find(|(prefix, rest, _)| word.starts_with(prefix) && word.len() >= prefix.len() + rest);
        match known {
            Some((_, _, kind)) => Some((*kind, start, start + word.len())),
            None if is_random(word) => Some(("a random key", start, start + word.len())),
            None => None,
        }
    })
}

fn password_in_url(text: &str) -> Option<(&'static str, usize, usize)> {
    let scheme = text.find("://")?;
    let authority = text[scheme + 3..].split(['/', '?', '#', ' ']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    let literal = !password.is_empty() && !outside_placeholders(password).is_empty();
    literal.then_some(("a URL with a password", scheme + 3, scheme + 3 + user.len()))
}

/// Runs of the characters that tokens are made of, with their offset.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
    text.split(move |c| !is_part(c)).map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Whether a word looks drawn at random: long, of all kinds of characters, none often, and changing kind all
/// the time, as joined words do not. Digests in hexadecimal and UUIDs are not: they have few different characters.
fn is_random(word: &str) -> bool {
    let kind = |byte: u8| (byte.is_ascii_uppercase(), byte.is_ascii_lowercase(), byte.is_ascii_digit());
    let bytes = word.as_bytes();
    let kinds: BTreeSet<_> = bytes.iter().map(|byte| kind(*byte)).collect();
    let changes = bytes.windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    let joined = word.contains(['.', '-', '_']);
    bytes.len() >= 32 && !joined && kinds.len() >= 3 && changes * 3 > bytes.len() && entropy(word) > 4.2
}

/// Bits a character.
fn entropy(word: &str) -> f64 {
    let mut counts = [0_u32; 128];
    for byte in word.bytes().filter(u8::is_ascii) {
        counts[usize::from(byte)] += 1;
    }
    let length = word.len() as f64;
    let shares = counts.into_iter().filter(|count| *count > 0).map(|count| f64::from(count) / length);
    shares.map(|share| -share * share.log2()).sum()
}
