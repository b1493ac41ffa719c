//! The AVX-512 kernel, with VBMI2, which spreads and packs the bytes of a register. A processor that has the one without
//! the other takes the AVX2 kernel.

use std::arch::x86_64::{
    __m128i, __m512i, _mm256_cmpeq_epi8_mask, _mm256_maskz_loadu_epi8, _mm256_set1_epi8, _mm512_add_epi32,
    _mm512_and_si512, _mm512_castsi256_si512, _mm512_castsi512_si128, _mm512_cmpeq_epi8_mask, _mm512_cvtepu8_epi32,
    _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_mask_expand_epi8, _mm512_maskz_compress_epi8,
    _mm512_maskz_loadu_epi8, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_srli_epi16,
    _mm512_storeu_si512, _mm512_test_epi8_mask, _pdep_u64, _pext_u64,
};

use super::avx2::Avx2;
use super::{BEHIND, Kernel, Sets, Work, lowest};

/// Proof that the processor has what this module uses.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(Avx2);

impl Avx512 {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi2");
        Avx2::detect().filter(|_| all).map(Self)
    }

    /// Does work with this kernel.
    #[inline]
    pub(crate) fn run<W: Work>(self, work: W) -> W::Output {
        // SAFETY: `self` proves the features.
        unsafe { run_avx512(self, work) }
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
    fn places(self, bits: u64, base: u32, out: &mut [u32; 64]) {
        // SAFETY: `self` proves the features.
        unsafe { places(bits, base, out) }
    }

    #[inline(always)]
    fn prefix_xor(self, bits: u64) -> u64 {
        self.0.prefix_xor(bits)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
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

/// The number of each byte of a block.
static NUMBERS: [u8; 64] = {
    let mut numbers = [0; 64];
    let mut place = 0;
    while place < 64 {
        numbers[place] = place as u8;
        place += 1;
    }
    numbers
};

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt")]
fn places(bits: u64, base: u32, out: &mut [u32; 64]) {
    let (base, packed) = (_mm512_set1_epi32(base.cast_signed()), _mm512_maskz_compress_epi8(bits, load(&NUMBERS)));
    let quarters = out.as_chunks_mut().0;
    store_places(_mm512_castsi512_si128(packed), base, &mut quarters[0]);
    // Few blocks have so many.
    if bits.count_ones() > 16 {
        store_places(_mm512_extracti32x4_epi32::<1>(packed), base, &mut quarters[1]);
        store_places(_mm512_extracti32x4_epi32::<2>(packed), base, &mut quarters[2]);
        store_places(_mm512_extracti32x4_epi32::<3>(packed), base, &mut quarters[3]);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_places(numbers: __m128i, base: __m512i, out: &mut [u32; 16]) {
    let places = _mm512_add_epi32(_mm512_cvtepu8_epi32(numbers), base);
    // SAFETY: `out` is 64 bytes to be written, and this store asks for no alignment.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast::<__m512i>(), places) };
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi2,popcnt")]
fn double(text: &[u8], quote: u8, out: &mut [u8]) -> usize {
    /// A bit for each byte, and a clear one behind it for a quote to follow.
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let (wanted, filler) = (_mm256_set1_epi8(quote.cast_signed()), _mm512_set1_epi8(quote.cast_signed()));
    assert!(out.len() >= 2 * text.len() + BEHIND, "there is room for quotes alone");
    let mut length = 0;
    for piece in text.chunks(32) {
        let there = lowest(piece.len()) as u32;
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
fn undouble(kernel: Avx512, inner: &[u8], quote: u8, out: &mut Vec<u8>) {
    let wanted = _mm512_set1_epi8(quote.cast_signed());
    out.reserve(inner.len() + 64);
    // All ones after the first quote of a pair, whose second one is yet to come.
    let mut half = 0;
    for piece in inner.chunks(64) {
        let there = lowest(piece.len());
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
