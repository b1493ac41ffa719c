//! The kernel: normalise, digest and write each value of a column in one pass, into one buffer.

use datafusion::arrow::array::builder::make_view;
use datafusion::arrow::array::{Array, StringViewArray};
use datafusion::arrow::buffer::Buffer;
use datafusion::common::{Result, exec_datafusion_err};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use outflow_spec::transform::{DigestEncoding, HashAlgorithm};
use sha1::Sha1;
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

const HEX: &[u8; 16] = b"0123456789abcdef";

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
        let width = self.width();
        let mut data: Vec<u8> = Vec::with_capacity(width * column.len());
        let mut views: Vec<u128> = Vec::with_capacity(column.len());
        let mut scratch = Scratch::default();
        for value in column {
            let start = data.len();
            match value {
                Some(text) if self.skip_hashed && self.is_digest(text) => data.extend_from_slice(text.as_bytes()),
                Some(text) => {
                    let text = self.steps.apply(text, &mut scratch);
                    if !text.is_empty() {
                        self.write(text.as_bytes(), &mut data);
                    }
                }
                None => {}
            }
            let offset = u32::try_from(start).map_err(|_| exec_datafusion_err!("a batch of digests is over 4 GiB"))?;
            views.push(make_view(&data[start..], 0, offset));
        }
        let buffers = if data.is_empty() { Vec::new() } else { vec![Buffer::from_vec(data)] };
        Ok(StringViewArray::try_new(views.into(), buffers, column.nulls().cloned())?)
    }

    fn write(&self, text: &[u8], out: &mut Vec<u8>) {
        let mut digest = [0; 32];
        self.algorithm.digest(text, &mut digest);
        let digest = &digest[..self.algorithm.length()];
        match self.encoding {
            DigestEncoding::Hex => {
                for &byte in digest {
                    out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
            }
            DigestEncoding::Base64 => {
                let mut written = [0; 44];
                let length = STANDARD.encode_slice(digest, &mut written).expect("44 bytes hold 32 in Base64");
                out.extend_from_slice(&written[..length]);
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
