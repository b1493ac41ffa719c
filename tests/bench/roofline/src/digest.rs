//! An address becomes the identifier that is delivered: blanks cut off, lower case, SHA-256, hexadecimal.

use sha2::{Digest, Sha256};

use crate::record::{is_quoted, unquote};

/// Both digits of every byte.
const DIGITS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// Hashes field by field into the same memory.
pub struct Identifier {
    plain: Vec<u8>,
    /// 64 digits and as much again, which a copy may overrun into.
    hex: [u8; 128],
}

impl Identifier {
    pub fn new() -> Self {
        Identifier { plain: Vec::new(), hex: [0; 128] }
    }

    /// The 64 digits of a CSV field; readable bytes follow them.
    #[inline(always)]
    pub fn of(&mut self, field: &[u8]) -> &[u8] {
        let digest = if is_quoted(field) {
            self.plain.clear();
            unquote(field, &mut self.plain);
            digest_of(&self.plain)
        } else {
            digest_of(field)
        };
        for (digits, byte) in self.hex.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
            *digits = DIGITS[byte as usize];
        }
        &self.hex[..64]
    }
}

#[inline(always)]
fn digest_of(address: &[u8]) -> [u8; 32] {
    let is_blank = |byte: &u8| *byte != b' ';
    let first = address.iter().position(is_blank).unwrap_or(address.len());
    let last = address.iter().rposition(is_blank).map_or(first, |at| at + 1);
    let address = &address[first..last];
    let mut lower = [0u8; 256];
    if address.len() <= lower.len() && address.is_ascii() {
        for (to, from) in lower.iter_mut().zip(address) {
            *to = from.to_ascii_lowercase();
        }
        Sha256::digest(&lower[..address.len()]).into()
    } else {
        Sha256::digest(String::from_utf8_lossy(address).to_lowercase().as_bytes()).into()
    }
}
