//! The AVX2 kernel.

use std::arch::x86_64::{
    __m256i, _mm_clmulepi64_si128, _mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_loadu_si128,
    _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8, _mm_shuffle_epi8, _mm_unpackhi_epi64, _mm256_and_si256,
    _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi16,
};

use super::{Kernel, Sets, Work};
use crate::memory::lay;

/// Proof that the processor has what this module uses.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        all.then_some(Self(()))
    }

    /// Does work with this kernel.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: `self` proves the features.
        unsafe { run_avx2(self, work) }
    }

    /// See [`super::undouble`].
    pub(crate) fn undouble(self, inner: &[u8], quote: u8, out: &mut Vec<u8>) {
        // SAFETY: `self` proves the features.
        unsafe { undouble_avx2(inner, quote, out) }
    }

    /// See [`super::double`].
    pub(crate) fn double(self, text: &[u8], quote: u8, out: &mut [u8]) -> usize {
        // SAFETY: `self` proves the features.
        unsafe { double_avx2(text, quote, out) }
    }
}

impl Kernel for Avx2 {
    const FAST: bool = true;

    #[inline(always)]
    fn equal(self, block: &[u8; 64], byte: u8) -> u64 {
        // SAFETY: `self` proves the features.
        unsafe { equal(block, byte) }
    }

    #[inline(always)]
    fn within(self, block: &[u8; 64], sets: &Sets) -> u64 {
        // SAFETY: `self` proves the features.
        unsafe { within(block, sets) }
    }

    #[inline(always)]
    fn within_half(self, block: &[u8; 32], sets: &Sets) -> u32 {
        // SAFETY: `self` proves the features.
        unsafe { half_within(load(block), sets) }
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        // SAFETY: `self` proves the features.
        unsafe { prefix_xor(bits) }
    }
}

#[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<W: Work>(kernel: Avx2, work: W) -> W::Output {
    work.run(kernel)
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal(block: &[u8; 64], byte: u8) -> u64 {
    let wanted = _mm256_set1_epi8(byte.cast_signed());
    each_half(block, |half| _mm256_movemask_epi8(_mm256_cmpeq_epi8(half, wanted)).cast_unsigned())
}

#[inline]
#[target_feature(enable = "avx2")]
fn within(block: &[u8; 64], sets: &Sets) -> u64 {
    each_half(block, |half| half_within(half, sets))
}

#[inline]
#[target_feature(enable = "avx2")]
fn half_within(bytes: __m256i, sets: &Sets) -> u32 {
    let (low, high) = (load(&sets.low.as_chunks().0[0]), load(&sets.high.as_chunks().0[0]));
    let nibble = _mm256_set1_epi8(15);
    let low = _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble));
    let high = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
    let none = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
    !_mm256_movemask_epi8(none).cast_unsigned()
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(half: &[u8; 32]) -> __m256i {
    // SAFETY: `half` is 32 readable bytes, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(half.as_ptr().cast::<__m256i>()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn each_half(block: &[u8; 64], bits: impl Fn(__m256i) -> u32) -> u64 {
    let (halves, _) = block.as_chunks::<32>();
    let mut all = 0;
    for (number, half) in halves.iter().enumerate() {
        all |= u64::from(bits(load(half))) << (32 * number);
    }
    all
}

#[inline]
#[target_feature(enable = "pclmulqdq")]
fn prefix_xor(bits: u64) -> u64 {
    // Multiplying by all ones without carries adds, modulo two, every lower bit to each bit.
    let product = _mm_clmulepi64_si128(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1), 0);
    _mm_cvtsi128_si64(product).cast_unsigned()
}

/// For each set of bytes to drop out of eight, the numbers of those to keep.
static KEEP: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut drop = 0;
    while drop < 256 {
        let (mut byte, mut length) = (0, 0);
        while byte < 8 {
            if drop >> byte & 1 == 0 {
                table[drop][length] = byte;
                length += 1;
            }
            byte += 1;
        }
        drop += 1;
    }
    table
};

#[target_feature(enable = "avx2,popcnt")]
fn undouble_avx2(inner: &[u8], quote: u8, out: &mut Vec<u8>) {
    let mut length = out.len();
    out.resize(length + inner.len() + 8, 0);
    let wanted = _mm_set1_epi8(quote.cast_signed());
    // All ones after the first quote of a pair, whose second one is yet to come.
    let mut half = 0u8;
    let (words, rest) = inner.as_chunks::<8>();
    let mut last = [quote.wrapping_add(1); 8];
    last[..rest.len()].copy_from_slice(rest);
    for word in words.iter().chain([&last]) {
        let word = _mm_cvtsi64_si128(i64::from_le_bytes(*word));
        let quotes = _mm_movemask_epi8(_mm_cmpeq_epi8(word, wanted)) as u8;
        let mut odd = quotes ^ (quotes << 1);
        odd ^= odd << 2;
        odd ^= odd << 4;
        let drop = quotes & (odd ^ half);
        half ^= (odd.cast_signed() >> 7).cast_unsigned();
        let keep = _mm_cvtsi64_si128(i64::from_le_bytes(KEEP[usize::from(drop)]));
        let kept = _mm_cvtsi128_si64(_mm_shuffle_epi8(word, keep));
        lay(out, length, &kept.to_le_bytes());
        length += 8 - drop.count_ones() as usize;
    }
    out.truncate(length - (8 - rest.len()));
}

/// For each set of bytes to write twice out of eight, the numbers of the bytes to write.
static TWICE: [[u8; 16]; 256] = {
    let mut table = [[0; 16]; 256];
    let mut twice = 0;
    while twice < 256 {
        let (mut byte, mut length) = (0, 0);
        while byte < 8 {
            table[twice][length] = byte;
            length += 1;
            if twice >> byte & 1 == 1 {
                table[twice][length] = byte;
                length += 1;
            }
            byte += 1;
        }
        twice += 1;
    }
    table
};

#[target_feature(enable = "avx2,popcnt")]
fn double_avx2(text: &[u8], quote: u8, out: &mut [u8]) -> usize {
    let wanted = _mm_set1_epi8(quote.cast_signed());
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [quote.wrapping_add(1); 8];
    last[..rest.len()].copy_from_slice(rest);
    let mut length = 0;
    for word in words.iter().chain([&last]) {
        let word = _mm_cvtsi64_si128(i64::from_le_bytes(*word));
        let twice = usize::from(_mm_movemask_epi8(_mm_cmpeq_epi8(word, wanted)) as u8);
        // SAFETY: the entry is 16 readable bytes, and this load asks for no alignment.
        let bytes = unsafe { _mm_loadu_si128(TWICE[twice].as_ptr().cast()) };
        let written = _mm_shuffle_epi8(word, bytes);
        let (low, high) = (_mm_cvtsi128_si64(written), _mm_cvtsi128_si64(_mm_unpackhi_epi64(written, written)));
        lay(out, length, &low.to_le_bytes());
        lay(out, length + 8, &high.to_le_bytes());
        length += 8 + twice.count_ones() as usize;
    }
    length - (8 - rest.len())
}
