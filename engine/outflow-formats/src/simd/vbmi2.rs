//! Quotes doubled and pairs of them taken apart with AVX-512 VBMI2, which spreads and packs the bytes of a register.

use std::arch::x86_64::{
    _mm256_cmpeq_epi8_mask, _mm256_maskz_loadu_epi8, _mm256_set1_epi8, _mm512_castsi256_si512, _mm512_cmpeq_epi8_mask,
    _mm512_mask_expand_epi8, _mm512_maskz_compress_epi8, _mm512_maskz_loadu_epi8, _mm512_set1_epi8,
    _mm512_storeu_si512, _pdep_u64, _pext_u64,
};

use super::avx2::Avx2;
use super::{BEHIND, Kernel};

/// Proof that the processor has what this module uses.
#[derive(Clone, Copy)]
pub(crate) struct Vbmi2(Avx2);

impl Vbmi2 {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512f");
        Avx2::detect().filter(|_| all).map(Self)
    }

    /// See [`super::undouble`].
    pub(crate) fn undouble(self, inner: &[u8], quote: u8, out: &mut Vec<u8>) {
        // SAFETY: `self` proves the features.
        unsafe { undouble(self, inner, quote, out) }
    }

    /// See [`super::double`].
    pub(crate) fn double(self, text: &[u8], quote: u8, out: &mut [u8]) -> usize {
        // SAFETY: `self` proves the features.
        unsafe { double(text, quote, out) }
    }
}

/// So many of the lowest bits; at most 64.
fn lowest(count: u32) -> u64 {
    u64::MAX.checked_shr(64 - count).unwrap_or(0)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi2,popcnt")]
fn double(text: &[u8], quote: u8, out: &mut [u8]) -> usize {
    /// A bit for each byte, and a clear one behind it for a quote to follow.
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let (wanted, filler) = (_mm256_set1_epi8(quote.cast_signed()), _mm512_set1_epi8(quote.cast_signed()));
    assert!(out.len() >= 2 * text.len() + BEHIND, "there is room for quotes alone");
    let mut length = 0;
    for piece in text.chunks(32) {
        let there = lowest(piece.len() as u32) as u32;
        // SAFETY: the bytes of `piece` are read, and no others.
        let bytes = unsafe { _mm256_maskz_loadu_epi8(there, piece.as_ptr().cast()) };
        let quotes = _mm256_cmpeq_epi8_mask(bytes, wanted) & there;
        // Every byte takes one place, and a quote the next one too: which places are of the bytes themselves?
        let places = EVEN | _pdep_u64(u64::from(quotes), EVEN) << 1;
        let own = _pext_u64(EVEN, places);
        let spread = _mm512_mask_expand_epi8(filler, own, _mm512_castsi256_si512(bytes));
        let written = piece.len() as u32 + quotes.count_ones();
        // SAFETY: at most two bytes are counted for each byte of `text` so far, and `out` has room for these and for a
        // register more.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().add(length).cast(), spread) };
        length += written as usize;
    }
    length
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi2,popcnt")]
fn undouble(kernel: Vbmi2, inner: &[u8], quote: u8, out: &mut Vec<u8>) {
    let wanted = _mm512_set1_epi8(quote.cast_signed());
    out.reserve(inner.len() + 64);
    // All ones after the first quote of a pair, whose second one is yet to come.
    let mut half = 0;
    for piece in inner.chunks(64) {
        let there = lowest(piece.len() as u32);
        // SAFETY: the bytes of `piece` are read, and no others.
        let bytes = unsafe { _mm512_maskz_loadu_epi8(there, piece.as_ptr().cast()) };
        let quotes = _mm512_cmpeq_epi8_mask(bytes, wanted) & there;
        let odd = kernel.0.prefix_xor(quotes) ^ half;
        let keep = there & !(quotes & odd);
        half = (odd.cast_signed() >> 63).cast_unsigned();
        let kept = keep.count_ones();
        // SAFETY: no more bytes are kept than `inner` has had so far, for which and for a register more room was
        // reserved; the new length covers written bytes only.
        unsafe {
            let end = out.as_mut_ptr().add(out.len());
            _mm512_storeu_si512(end.cast(), _mm512_maskz_compress_epi8(keep, bytes));
            out.set_len(out.len() + kept as usize);
        }
    }
}
