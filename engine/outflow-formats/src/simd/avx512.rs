//! The AVX-512 kernel.

use std::arch::x86_64::{
    __m512i, _mm512_and_si512, _mm512_cmpeq_epi8_mask, _mm512_loadu_si512, _mm512_set1_epi8, _mm512_shuffle_epi8,
    _mm512_srli_epi16, _mm512_test_epi8_mask,
};

use super::avx2::Avx2;
use super::{Kernel, Sets, Work};

/// Proof that the processor has what this module uses.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(Avx2);

impl Avx512 {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        Avx2::detect().filter(|_| all).map(Self)
    }

    /// Does work with this kernel.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: `self` proves the features.
        unsafe { run_avx512(self, work) }
    }
}

impl Kernel for Avx512 {
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
        self.0.within_half(block, sets)
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        self.0.prefix_xor(bits)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512<W: Work>(kernel: Avx512, work: W) -> W::Output {
    work.run(kernel)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(block: &[u8; 64]) -> __m512i {
    // SAFETY: `block` is 64 readable bytes, and this load asks for no alignment.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast::<__m512i>()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn equal(block: &[u8; 64], byte: u8) -> u64 {
    _mm512_cmpeq_epi8_mask(load(block), _mm512_set1_epi8(byte.cast_signed()))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn within(block: &[u8; 64], sets: &Sets) -> u64 {
    let (bytes, half) = (load(block), _mm512_set1_epi8(15));
    let low = _mm512_shuffle_epi8(load(&sets.low), _mm512_and_si512(bytes, half));
    let high = _mm512_shuffle_epi8(load(&sets.high), _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half));
    _mm512_test_epi8_mask(low, high)
}
