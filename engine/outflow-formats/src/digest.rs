//! Digests of files: what tells later whether bytes are the ones that were made. SHA-256 where somebody else checks it;
//! XXH3 where only this program does, at a tenth of the cost: it finds every accident, and no forger.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;

// On long texts `sha2`, whose block loader is not inlined, takes half as long again.
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

#[cfg(test)]
mod tests;

/// How a digest is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// XXH3 with 128 bits and without seed, as `xxhsum -H2` makes it.
    Xxh3,
    /// SHA-256 (FIPS 180-4).
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Xxh3 => "xxh3",
            Self::Sha256 => "sha256",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Xxh3 => 32,
            Self::Sha256 => 64,
        }
    }

    /// The digest of bytes at hand.
    pub fn of(self, bytes: &[u8]) -> Digest {
        let mut digester = Digester::new(self);
        digester.update(bytes);
        digester.finish()
    }

    /// Reads a file, which must not be a symbolic link, for its digest. Blocks.
    pub fn of_file(self, path: &Path) -> io::Result<Digest> {
        let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let mut digester = Digester::new(self);
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(digester.finish()),
                read => digester.update(&buffer[..read]),
            }
        }
    }
}

/// A digest with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// How it was made.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its lower-case hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The digits, if it is SHA-256.
    pub fn sha256(&self) -> Option<&str> {
        (self.algorithm == Algorithm::Sha256).then_some(&self.hex)
    }

    /// Whether a file holds the bytes that the digest is of. Blocks.
    pub fn is_of_file(&self, path: &Path) -> io::Result<bool> {
        Ok(self.algorithm.of_file(path)? == *self)
    }
}

/// The name of the algorithm, a colon, the digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a digest");
        let (name, hex) = text.split_once(':').ok_or_else(wrong)?;
        let known = [Algorithm::Xxh3, Algorithm::Sha256];
        let algorithm = known.into_iter().find(|algorithm| algorithm.name() == name).ok_or_else(wrong)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() != algorithm.digits() || !hex.bytes().all(is_digit) {
            return Err(wrong());
        }
        Ok(Self { algorithm, hex: hex.to_owned() })
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Makes a digest of bytes that come piece by piece.
pub struct Digester(State);

enum State {
    Xxh3(Box<Xxh3Default>),
    Sha256(Box<Context>),
}

impl Digester {
    /// Of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Xxh3 => State::Xxh3(Box::default()),
            Algorithm::Sha256 => State::Sha256(Box::new(Context::new(&SHA256))),
        })
    }

    /// Goes on with more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Xxh3(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
        }
    }

    /// The digest of all bytes.
    pub fn finish(&self) -> Digest {
        match &self.0 {
            State::Xxh3(state) => Digest { algorithm: Algorithm::Xxh3, hex: format!("{:032x}", state.digest128()) },
            State::Sha256(state) => {
                let hex = state.as_ref().clone().finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
                Digest { algorithm: Algorithm::Sha256, hex }
            }
        }
    }
}
