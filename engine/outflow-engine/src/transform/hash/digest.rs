//! The kernel: normalise, digest and write each value of a column in one pass, into one buffer.

use datafusion::arrow::array::{Array, StringViewArray};
use datafusion::common::{Result, exec_datafusion_err};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use outflow_formats::memory::prefetch;
use outflow_formats::views::{TextBuilder, TextEnd};
use outflow_spec::transform::{DigestEncoding, HashAlgorithm};
use sha1::Sha1;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use super::normalize::{Scratch, Steps};

/// A digest with its options, ready to run.
pub(super) struct Digester {
    algorithm: Algorithm,
    encoding: DigestEncoding,
    steps: Steps,
    skip_hashed: bool,
}

enum Algorithm {
    Sha256,
    Sha1,
    Md5,
    /// With the key taken in already.
    Hmac(Box<Hmac<Sha256>>),
}

impl Algorithm {
    /// The length of the raw digest.
    fn length(&self) -> usize {
        match self {
            Self::Sha256 | Self::Hmac(_) => 32,
            Self::Sha1 => 20,
            Self::Md5 => 16,
        }
    }

    /// Digests into the front of `out`.
    fn digest(&self, text: &[u8], out: &mut [u8; 32]) {
        match self {
            Self::Sha256 => out.copy_from_slice(&Sha256::digest(text)),
            Self::Sha1 => out[..20].copy_from_slice(&Sha1::digest(text)),
            Self::Md5 => out[..16].copy_from_slice(&Md5::digest(text)),
            Self::Hmac(keyed) => {
                let mut mac = keyed.as_ref().clone();
                mac.update(text);
                out.copy_from_slice(&mac.finalize().into_bytes());
            }
        }
    }
}

/// Rows between one whose text is fetched and the one that is digested.
const AHEAD: usize = 12;

/// The SHA-256 of the first `length` bytes, at most [`super::normalize::SHORT`], of a block: padded in place, no other copy is made.
fn sha256_of_block(block: &mut [u8; 64], length: usize, digest: &mut [u8; 32]) {
    // FIPS 180-4, 5.3.3.
    let mut state =
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19u32];
    // FIPS 180-4, 5.1.1: a one, zeros, and the length in bits.
    block[length] = 0x80;
    block[length + 1..56].fill(0);
    block[56..].copy_from_slice(&(length as u64 * 8).to_be_bytes());
    compress256(&mut state, std::slice::from_ref(block));
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
}

impl Digester {
    pub(super) fn new(
        algorithm: HashAlgorithm,
        key: &[u8],
        encoding: DigestEncoding,
        steps: Steps,
        skip_hashed: bool,
    ) -> Self {
        let algorithm = match algorithm {
            HashAlgorithm::Sha256 => Algorithm::Sha256,
            HashAlgorithm::Sha1 => Algorithm::Sha1,
            HashAlgorithm::Md5 => Algorithm::Md5,
            HashAlgorithm::HmacSha256 => {
                Algorithm::Hmac(Box::new(Hmac::new_from_slice(key).expect("HMAC takes keys of any length")))
            }
        };
        Self { algorithm, encoding, steps, skip_hashed }
    }

    /// The digests of a column. Null and empty stay as they are.
    pub(super) fn digest(&self, column: &StringViewArray) -> Result<StringViewArray> {
        let mut digests = TextBuilder::with_capacity(column.len(), self.width() * column.len());
        let mut scratch = Scratch::default();
        for (row, value) in column.iter().enumerate() {
            // The texts lie apart, in bytes that another processor has read.
            if row + AHEAD < column.len() {
                prefetch(column.value(row + AHEAD).as_bytes());
            }
            match value {
                None => digests.push_null(),
                Some(text) if self.skip_hashed && self.is_digest(text) => digests.push_with(|out| out.push_str(text)),
                Some(text) => {
                    let mut digest = [0; 32];
                    let present = self.one(text, &mut scratch, &mut digest);
                    digests.push_with(|out| {
                        if present {
                            self.write(&digest[..self.algorithm.length()], out);
                        }
                    });
                }
            }
        }
        digests.finish().map_err(|cause| exec_datafusion_err!("{cause}"))
    }

    /// Digests one text, unless it is empty; tells which.
    #[inline]
    fn one(&self, text: &str, scratch: &mut Scratch, digest: &mut [u8; 32]) -> bool {
        if matches!(self.algorithm, Algorithm::Sha256)
            && let Some(length) = self.steps.apply_short(text, scratch)
        {
            if length > 0 {
                sha256_of_block(&mut scratch.block, length, digest);
            }
            return length > 0;
        }
        let text = self.steps.apply(text, scratch);
        if !text.is_empty() {
            self.algorithm.digest(text.as_bytes(), digest);
        }
        !text.is_empty()
    }

    #[inline]
    fn write(&self, digest: &[u8], out: &mut TextEnd<'_>) {
        match self.encoding {
            DigestEncoding::Hex => out.push_hex(digest),
            DigestEncoding::Base64 => {
                let mut written = [0; 44];
                let length = STANDARD.encode_slice(digest, &mut written).expect("44 bytes hold 32 in Base64");
                out.push_str(std::str::from_utf8(&written[..length]).expect("Base64 is ASCII"));
            }
        }
    }

    /// The length of a written digest.
    fn width(&self) -> usize {
        match self.encoding {
            DigestEncoding::Hex => self.algorithm.length() * 2,
            DigestEncoding::Base64 => self.algorithm.length().div_ceil(3) * 4,
        }
    }

    /// Whether a text already is such a digest. Hexadecimal may be in either case.
    fn is_digest(&self, text: &str) -> bool {
        text.len() == self.width()
            && match self.encoding {
                DigestEncoding::Hex => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
                DigestEncoding::Base64 => {
                    STANDARD.decode(text).is_ok_and(|digest| digest.len() == self.algorithm.length())
                }
            }
    }
}

#[cfg(test)]
mod tests;
