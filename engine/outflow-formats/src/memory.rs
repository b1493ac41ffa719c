//! Memory between batches, and between memory and processor.

#![allow(unsafe_code)]

/// Has the allocator keep what is freed for the next batch, as long as the process lives. It would give pieces of a
/// megabyte back to the system each time, which then clears them before it lends them again: a sixth of a run.
///
/// Threads share what is kept, for a batch may be made on one and freed on another; but not all of them one lot, where they
/// would wait for each other.
///
/// Call it before threads are started.
pub fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let arenas = i32::try_from(processors.div_ceil(2).max(2)).unwrap_or(i32::MAX);
        let settings = [
            (libc::M_MMAP_THRESHOLD, 64 << 20),
            (libc::M_TRIM_THRESHOLD, 256 << 20),
            (libc::M_TOP_PAD, 1 << 20),
            (libc::M_ARENA_MAX, arenas),
        ];
        for (setting, value) in settings {
            // SAFETY: `mallopt` takes any two numbers, and is called before there is another thread.
            unsafe { libc::mallopt(setting, value) };
        }
    }
}

/// Gives what was kept back to the system: for when rows are done, and something else wants as much.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: only memory that is free goes back.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has the processor fetch the first bytes of a text that is read soon.
#[inline(always)]
pub fn prefetch(text: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: fetching ahead reads nothing, whatever the address, and every processor of this kind can.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(text.as_ptr().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = text;
}

/// Has the processor fetch a line that is written soon, for itself alone. Another one that has read it gives it up meanwhile,
/// which takes long where the two do not share a cache.
#[inline(always)]
pub(crate) fn prefetch_to_write(line: &u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: fetching ahead changes nothing, and a processor that does not know the instruction skips it. It is written
    // down because the compiler makes a fetch for reading of it where it does not know the processor.
    unsafe {
        std::arch::asm!("prefetchw byte ptr [{}]", in(reg) line, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Puts a block to a place. It is assigned, because copying between slices can become a call, however short they are.
#[inline(always)]
pub(crate) fn lay<const N: usize>(room: &mut [u8], at: usize, block: &[u8; N]) {
    *room[at..].first_chunk_mut().expect("there is room for a block") = *block;
}
