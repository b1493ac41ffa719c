//! Compares 64 bytes at once, with AVX2 where the processor has it. The only place with processor instructions; knows
//! nothing of cells.
//!
//! Safety of the whole module: the functions marked with `target_feature` and the instructions they use need a
//! processor with AVX2, carry-less multiplication and bit manipulation. They are reached in two ways only: through a
//! value of `Avx2`, which is made by [`Avx2::detect`] alone, after it asked the processor; or from one another.

#![allow(unsafe_code)]

use super::{Extent, Index, Marks, fill_with, measure_with};

/// The two operations the walks need.
pub(super) trait Kernel: Copy {
    /// A bit for each byte of `block` that equals `byte`.
    fn equal(self, block: &[u8; 64], byte: u8) -> u64;
    /// Each bit becomes the parity of itself and all the bits below it.
    fn prefix_xor(self, bits: u64) -> u64;
}

/// Works on any processor.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    #[inline(always)]
    fn equal(self, block: &[u8; 64], byte: u8) -> u64 {
        let mut bits = 0;
        for (position, &other) in block.iter().enumerate() {
            bits |= u64::from(other == byte) << position;
        }
        bits
    }

    #[inline(always)]
    fn prefix_xor(self, mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

/// [`Index::fill`] for doubled quotes, without the last step.
pub(super) fn fill(index: &mut Index, bytes: &[u8], marks: Marks) {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx2::Avx2::detect() {
        return kernel.fill(index, bytes, marks);
    }
    fill_with(Portable, index, bytes, marks);
}

/// [`Extent::measure`] for doubled quotes.
pub(super) fn measure(bytes: &[u8], marks: Marks) -> Extent {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx2::Avx2::detect() {
        return kernel.measure(bytes, marks);
    }
    measure_with(Portable, bytes, marks)
}

/// Appends `inner` with one quote for each two; quotes in it stand in pairs. Tells whether it did: not every processor
/// can.
pub(super) fn undouble(inner: &[u8], quote: u8, out: &mut Vec<u8>) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx2::Avx2::detect() {
        kernel.undouble(inner, quote, out);
        return true;
    }
    let _ = (inner, quote, out);
    false
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    //! The AVX2 kernel.

    use super::{Extent, Index, Kernel, Marks, fill_with, measure_with};
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_movemask_epi8,
        _mm_set_epi64x, _mm_set1_epi8, _mm_shuffle_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
        _mm256_set1_epi8,
    };

    /// Proof that the processor has what this module uses.
    #[derive(Clone, Copy)]
    pub(in crate::scan) struct Avx2(());

    impl Avx2 {
        /// Asks the processor.
        pub(in crate::scan) fn detect() -> Option<Self> {
            let all = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("pclmulqdq")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            all.then_some(Self(()))
        }

        /// See [`super::fill`].
        pub(in crate::scan) fn fill(self, index: &mut Index, bytes: &[u8], marks: Marks) {
            // SAFETY: `self` proves the features.
            unsafe { fill_avx2(self, index, bytes, marks) }
        }

        /// See [`super::measure`].
        pub(in crate::scan) fn measure(self, bytes: &[u8], marks: Marks) -> Extent {
            // SAFETY: `self` proves the features.
            unsafe { measure_avx2(self, bytes, marks) }
        }
    }

    impl Avx2 {
        /// See [`super::undouble`].
        pub(in crate::scan) fn undouble(self, inner: &[u8], quote: u8, out: &mut Vec<u8>) {
            // SAFETY: `self` proves the features.
            unsafe { undouble_avx2(inner, quote, out) }
        }
    }

    impl Kernel for Avx2 {
        #[inline(always)]
        fn equal(self, block: &[u8; 64], byte: u8) -> u64 {
            // SAFETY: `self` proves the features.
            unsafe { equal(block, byte) }
        }

        #[inline(always)]
        fn prefix_xor(self, bits: u64) -> u64 {
            // SAFETY: `self` proves the features.
            unsafe { prefix_xor(bits) }
        }
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    fn fill_avx2(kernel: Avx2, index: &mut Index, bytes: &[u8], marks: Marks) {
        fill_with(kernel, index, bytes, marks);
    }

    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    fn measure_avx2(kernel: Avx2, bytes: &[u8], marks: Marks) -> Extent {
        measure_with(kernel, bytes, marks)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(block: &[u8; 64], byte: u8) -> u64 {
        let wanted = _mm256_set1_epi8(byte.cast_signed());
        let (halves, _) = block.as_chunks::<32>();
        let mut bits = 0;
        for (number, half) in halves.iter().enumerate() {
            // SAFETY: `half` is 32 readable bytes, and this load asks for no alignment.
            let found = unsafe { _mm256_loadu_si256(half.as_ptr().cast::<__m256i>()) };
            let equal = _mm256_movemask_epi8(_mm256_cmpeq_epi8(found, wanted)).cast_unsigned();
            bits |= u64::from(equal) << (32 * number);
        }
        bits
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
            out[length..length + 8].copy_from_slice(&kept.to_le_bytes());
            length += 8 - drop.count_ones() as usize;
        }
        out.truncate(length - (8 - rest.len()));
    }
}
