//! Compares 64 bytes at once, with AVX-512 or AVX2 where the processor has it. The only place with processor
//! instructions; knows nothing of cells.
//!
//! Safety of the whole module: the functions marked with `target_feature` and the instructions they use need a
//! processor with the features named there. They are reached in two ways only: through a value of `Avx2` or
//! `Avx512`, which is made by its `detect` alone, after it asked the processor; or from one another.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

/// Up to eight sets of bytes. The halves of a byte each look up in which sets they are; a byte is in those that both
/// tell. The tables stand there four times, as wide as a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sets {
    low: [u8; 64],
    high: [u8; 64],
}

impl Sets {
    /// Each of the bytes, at most seven, and all below a multiple of 16.
    pub(crate) const fn of(bytes: &[u8], below: u8) -> Self {
        assert!(bytes.len() < 8 && below.is_multiple_of(16), "eight sets, of which one is of whole halves");
        let (mut low, mut high) = ([0; 64], [0; 64]);
        let mut place = 0;
        while place < 64 {
            let half = place as u8 & 15;
            let mut set = 0;
            while set < bytes.len() {
                low[place] |= ((bytes[set] & 15 == half) as u8) << set;
                high[place] |= ((bytes[set] >> 4 == half) as u8) << set;
                set += 1;
            }
            low[place] |= 0x80;
            high[place] |= ((half < below >> 4) as u8) << 7;
            place += 1;
        }
        Self { low, high }
    }
}

/// So many of the lowest bits; all of them from 64 on.
#[inline(always)]
pub(crate) fn lowest(bits: usize) -> u64 {
    if bits < 64 { (1 << bits) - 1 } else { u64::MAX }
}

/// The operations that walks over text need.
pub(crate) trait Kernel: Copy {
    /// Whether comparing 64 bytes costs about as much as comparing one.
    const FAST: bool;

    /// A bit for each byte of `block` that equals `byte`.
    fn equal(self, block: &[u8; 64], byte: u8) -> u64;
    /// A bit for each byte of `block` that is in a set.
    fn within(self, block: &[u8; 64], sets: &Sets) -> u64;
    /// As `within`, for half a block.
    fn within_half(self, block: &[u8; 32], sets: &Sets) -> u32;
    /// Each bit becomes the parity of itself and all the bits below it.
    fn prefix_xor(self, bits: u64) -> u64;

    /// Writes the place of each set bit, counted from `base`, to the front of `out`; the rest of it is changed to anything.
    #[inline(always)]
    fn places(self, mut bits: u64, base: u32, out: &mut [u32; 64]) {
        // Four at a time, wanted or not: how many there are is hard to guess, that there are few is not.
        for room in out.as_chunks_mut::<4>().0 {
            for place in room {
                *place = base + bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
            if bits == 0 {
                break;
            }
        }
    }
}

/// What is compiled anew for each kernel. All that it calls and that uses the kernel must be `inline(always)`.
pub(crate) trait Work {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<K: Kernel>(self, kernel: K) -> Self::Output;
}

/// Does work with the best kernel that the processor has.
#[inline]
pub(crate) fn run<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx512::Avx512::detect() {
        return kernel.run(work);
    } else if let Some(kernel) = avx2::Avx2::detect() {
        return kernel.run(work);
    }
    work.run(Portable)
}

/// Works on any processor.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Kernel for Portable {
    const FAST: bool = false;

    #[inline(always)]
    fn equal(self, block: &[u8; 64], byte: u8) -> u64 {
        bits(block, |other| other == byte)
    }

    #[inline(always)]
    fn within(self, block: &[u8; 64], sets: &Sets) -> u64 {
        bits(block, |byte| sets.low[usize::from(byte & 15)] & sets.high[usize::from(byte >> 4)] != 0)
    }

    #[inline(always)]
    fn within_half(self, block: &[u8; 32], sets: &Sets) -> u32 {
        let mut all = [0; 64];
        all[..32].copy_from_slice(block);
        self.within(&all, sets) as u32
    }

    #[inline(always)]
    fn prefix_xor(self, mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

#[inline(always)]
fn bits(block: &[u8; 64], is: impl Fn(u8) -> bool) -> u64 {
    let mut bits = 0;
    for (position, &byte) in block.iter().enumerate() {
        bits |= u64::from(is(byte)) << position;
    }
    bits
}

/// Appends `inner` with one quote for each two; quotes in it stand in pairs. Tells whether it did: not every processor
/// can.
pub(crate) fn undouble(inner: &[u8], quote: u8, out: &mut Vec<u8>) -> bool {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx512::Avx512::detect() {
        kernel.undouble(inner, quote, out);
        return true;
    } else if let Some(kernel) = avx2::Avx2::detect() {
        kernel.undouble(inner, quote, out);
        return true;
    }
    let _ = (inner, quote, out);
    false
}

/// What [`double`] needs of room behind the text that it writes.
pub(crate) const BEHIND: usize = 64;

/// Writes `text` to the front of `out`, which has room for twice as much and [`BEHIND`], with two quotes for each one.
/// Gives the length, unless the processor cannot.
pub(crate) fn double(text: &[u8], quote: u8, out: &mut [u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx512::Avx512::detect() {
        return Some(kernel.double(text, quote, out));
    } else if let Some(kernel) = avx2::Avx2::detect() {
        return Some(kernel.double(text, quote, out));
    }
    let _ = (text, quote, out);
    None
}
