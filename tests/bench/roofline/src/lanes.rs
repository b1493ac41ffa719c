//! Bytes looked at in blocks: which of them are quotes, separators or in need of an escape, as bits of one word. There is code for
//! AVX-512, for AVX2, and for no vector unit at all; the compiler picks by the target that it builds for.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// What 64 bytes of CSV hold.
pub struct Marks {
    pub quotes: u64,
    /// Separators and line ends, within quotes or not.
    pub ends: u64,
}

/// # Safety
/// 64 bytes are readable at `at`.
#[cfg(target_feature = "avx512bw")]
#[inline(always)]
pub unsafe fn marks(at: *const u8, separator: u8) -> Marks {
    unsafe {
        let bytes = _mm512_loadu_si512(at.cast());
        let equal = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        Marks { quotes: equal(b'"'), ends: equal(separator) | equal(b'\n') }
    }
}

/// # Safety
/// 64 bytes are readable at `at`.
#[cfg(all(target_feature = "avx2", not(target_feature = "avx512bw")))]
#[inline(always)]
pub unsafe fn marks(at: *const u8, separator: u8) -> Marks {
    unsafe {
        let (low, high) = (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(32).cast()));
        let equal = |byte: u8| {
            let all = _mm256_set1_epi8(byte as i8);
            let mask = |half| u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(half, all)) as u32);
            mask(low) | (mask(high) << 32)
        };
        Marks { quotes: equal(b'"'), ends: equal(separator) | equal(b'\n') }
    }
}

/// # Safety
/// 64 bytes are readable at `at`.
#[cfg(not(target_feature = "avx2"))]
#[inline(always)]
pub unsafe fn marks(at: *const u8, separator: u8) -> Marks {
    let bytes = unsafe { &*at.cast::<[u8; 64]>() };
    let mut marks = Marks { quotes: 0, ends: 0 };
    for (bit, &byte) in bytes.iter().enumerate() {
        marks.quotes |= u64::from(byte == b'"') << bit;
        marks.ends |= u64::from(byte == separator || byte == b'\n') << bit;
    }
    marks
}

/// Each bit becomes the parity of itself and all lower ones: between two quotes, 1.
#[cfg(target_feature = "pclmulqdq")]
#[inline(always)]
pub fn parity_up_to(bits: u64) -> u64 {
    unsafe { _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1), 0)) as u64 }
}

/// Each bit becomes the parity of itself and all lower ones: between two quotes, 1.
#[cfg(not(target_feature = "pclmulqdq"))]
#[inline(always)]
pub fn parity_up_to(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// Which of 32 bytes JSON cannot hold as they are: quotes, backslashes, control characters.
///
/// # Safety
/// 32 bytes are readable at `at`.
#[cfg(target_feature = "avx2")]
#[inline(always)]
pub unsafe fn escapes(at: *const u8) -> u32 {
    unsafe {
        let bytes = _mm256_loadu_si256(at.cast());
        let equal = |byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
        let last_control = _mm256_set1_epi8(31);
        let control = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, last_control), last_control);
        _mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(equal(b'"'), equal(b'\\')), control)) as u32
    }
}

/// Which of 32 bytes JSON cannot hold as they are: quotes, backslashes, control characters.
///
/// # Safety
/// 32 bytes are readable at `at`.
#[cfg(not(target_feature = "avx2"))]
#[inline(always)]
pub unsafe fn escapes(at: *const u8) -> u32 {
    let bytes = unsafe { &*at.cast::<[u8; 32]>() };
    let special = |byte: u8| byte == b'"' || byte == b'\\' || byte < 32;
    bytes.iter().enumerate().fold(0, |bits, (bit, &byte)| bits | (u32::from(special(byte)) << bit))
}
