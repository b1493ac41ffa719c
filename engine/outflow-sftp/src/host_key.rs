//! Which keys a server may show: pinned ones, or those of a known_hosts file as OpenSSH writes it. What is not known,
//! has changed or was revoked is refused, and so is every server when the file cannot be read.

use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};

#[cfg(test)]
mod tests;

/// Where the keys come from that a server may show.
#[derive(Clone, Debug)]
pub enum HostKeys {
    /// These, as `SHA256:…` fingerprints or as public keys (`ssh-ed25519 AAAA…`).
    Pinned(Vec<String>),
    /// A known_hosts file.
    KnownHosts(PathBuf),
}

/// The keys one server may show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trusted {
    keys: Vec<Vec<u8>>,
    fingerprints: Vec<String>,
    revoked: Vec<Vec<u8>>,
    /// Where they were looked up, for messages.
    place: String,
}

impl HostKeys {
    /// Finds out whether pins can be read, without looking at any file.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Pinned(pins) => pinned(pins).map(|_| ()),
            Self::KnownHosts(_) => Ok(()),
        }
    }

    /// What is known of one server.
    pub(crate) fn of(&self, host: &str, port: u16) -> Result<Trusted> {
        match self {
            Self::Pinned(pins) => pinned(pins),
            Self::KnownHosts(path) => {
                let place = path.display();
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Error::new(Kind::HostKey, format!("`{place}` cannot be read: {error}")))?;
                known(&text, &name_of(host, port), &format!("`{place}`"))
            }
        }
    }
}

impl Trusted {
    /// Whether the server may show this key.
    pub(crate) fn check(&self, blob: &[u8]) -> Result<()> {
        let shown = format!("{} {}", kind_of(blob), fingerprint(blob));
        let refuse = |why: String| Err(Error::new(Kind::HostKey, why));
        if self.revoked.iter().any(|key| key == blob) {
            return refuse(format!("the server shows {shown}, which {} says is revoked", self.place));
        }
        if self.keys.iter().any(|key| key == blob) || self.fingerprints.contains(&fingerprint(blob)) {
            return Ok(());
        }
        if self.keys.is_empty() && self.fingerprints.is_empty() {
            return refuse(format!("the server shows {shown}, and {} has no key of it", self.place));
        }
        let mut known = self.fingerprints.clone();
        known.extend(self.keys.iter().map(|key| format!("{} {}", kind_of(key), fingerprint(key))));
        refuse(format!("the server shows {shown}, but {} has {}", self.place, known.join(" and ")))
    }

    /// Kinds of keys to ask the server for, those that are known first: it may have keys of several.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        const ALL: [&str; 6] = [
            "ssh-ed25519",
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp384",
            "ecdsa-sha2-nistp521",
            "rsa-sha2-512",
            "rsa-sha2-256",
        ];
        let known = |kind: &&str| {
            let of_key = if kind.starts_with("rsa") { "ssh-rsa" } else { kind };
            self.keys.iter().any(|key| kind_of(key) == of_key)
        };
        let (first, rest): (Vec<_>, Vec<_>) = ALL.into_iter().partition(known);
        [first, rest].concat()
    }
}

fn pinned(pins: &[String]) -> Result<Trusted> {
    let mut trusted = Trusted { place: "`host_key`".to_owned(), ..Trusted::default() };
    for pin in pins {
        let refuse = || {
            let text = "neither a fingerprint (`SHA256:` and 43 characters) nor a public key (`ssh-ed25519 AAAA…`)";
            Error::new(Kind::Setup, format!("host key {pin:?} is {text}"))
        };
        if let Some(digest) = pin.trim().strip_prefix("SHA256:") {
            let digest = digest.trim_end_matches('=');
            let bytes = STANDARD_NO_PAD.decode(digest).map_err(|_| refuse())?;
            if bytes.len() != 32 {
                return Err(refuse());
            }
            trusted.fingerprints.push(format!("SHA256:{digest}"));
        } else {
            let mut words = pin.split_whitespace();
            let (Some(kind), Some(text)) = (words.next(), words.next()) else { return Err(refuse()) };
            trusted.keys.push(key(kind, text).ok_or_else(refuse)?);
        }
    }
    Ok(trusted)
}

/// The lines of a known_hosts file that are about one server.
fn known(text: &str, name: &str, place: &str) -> Result<Trusted> {
    let mut trusted = Trusted { place: format!("{place} for `{name}`"), ..Trusted::default() };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (Some(hosts), Some(kind), Some(text)) = (words.next(), words.next(), words.next()) else { continue };
        if !matches(hosts, name) {
            continue;
        }
        let Some(key) = key(kind, text) else {
            let line = number + 1;
            return Err(Error::new(
                Kind::HostKey,
                format!("line {line} of {place} is about `{name}`, but holds no key"),
            ));
        };
        match marker {
            None => trusted.keys.push(key),
            Some("@revoked") => trusted.revoked.push(key),
            // Authorities sign certificates, which are not asked for.
            Some(_) => {}
        }
    }
    Ok(trusted)
}

/// How known_hosts calls a server.
fn name_of(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// Whether the first field of a line is about a server.
fn matches(hosts: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in hosts.split(',') {
        if pattern.starts_with("|1|") {
            found |= matches_hash(pattern, name);
        } else if let Some(excluded) = pattern.strip_prefix('!') {
            if fits(excluded.to_ascii_lowercase().as_bytes(), name.as_bytes()) {
                return false;
            }
        } else {
            found |= fits(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes());
        }
    }
    found
}

fn matches_hash(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('|').skip(2);
    let mut decoded = || parts.next().and_then(|part| STANDARD.decode(part).ok());
    let (Some(salt), Some(hash)) = (decoded(), decoded()) else { return false };
    let Ok(mac) = Hmac::<Sha1>::new_from_slice(&salt) else { return false };
    mac.chain_update(name).verify_slice(&hash).is_ok()
}

/// A pattern with `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skip| fits(rest, &name[skip..])),
        (Some((b'?', rest)), Some((_, left))) => fits(rest, left),
        (Some((one, rest)), Some((other, left))) if one == other => fits(rest, left),
        _ => false,
    }
}

/// A key in base64, if it is of the kind it is said to be.
fn key(kind: &str, text: &str) -> Option<Vec<u8>> {
    let blob = STANDARD.decode(text).ok()?;
    (kind_of(&blob) == kind).then_some(blob)
}

/// The kind that a key says it is of.
fn kind_of(blob: &[u8]) -> &str {
    let kind = || {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        std::str::from_utf8(rest.get(..u32::from_be_bytes(*length) as usize)?).ok()
    };
    kind().filter(|kind| kind.chars().all(|c| c.is_ascii_graphic())).unwrap_or("a key of no known kind")
}

/// How OpenSSH shows a key.
fn fingerprint(blob: &[u8]) -> String {
    let mut text = "SHA256:".to_owned();
    let _ = write!(text, "{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)));
    text
}
