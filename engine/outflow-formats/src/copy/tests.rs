//! Every kernel copies as a loop over bytes does.

use super::*;
use crate::scan::tests::Random;
use crate::simd::{self, Portable, Work};

const CARE: Care<2> = Care::new([b'"', b'\\'], 0x20);

struct Copying<'a>(&'a mut Page, Window<'a>);

impl Work for Copying<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<K: Kernel>(self, kernel: K) -> bool {
        self.0.copy(kernel, self.1, &CARE, b';')
    }
}

#[test]
fn texts_are_copied_or_refused() {
    let mut random = Random(11);
    for round in 0..20_000 {
        let buffer: Vec<u8> = (0..random.below(300)).map(|_| random.below(256).max(0x21) as u8).collect();
        let begin = random.below(buffer.len() + 1);
        let mut end = begin + random.below(buffer.len() - begin + 1);
        if round % 2 == 0 {
            // Short and clean, mostly.
            end = end.min(begin + random.below(30));
        }
        let text = &buffer[begin..end];
        let clean = !text.iter().any(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
        let run = |by: &dyn Fn(Copying<'_>) -> bool| {
            let mut page = Page::after(b"before".to_vec());
            assert_eq!(by(Copying(&mut page, Window::new(&buffer, begin, end))), clean);
            let expected = [&b"before"[..], if clean { text } else { &[] }, if clean { b";" } else { b"" }].concat();
            assert_eq!(page.into_bytes(), expected);
        };
        run(&|work| work.run(Portable));
        run(&|work| simd::run(work));
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = simd::avx2::Avx2::detect() {
            run(&|work| kernel.run(work));
        }
    }
}

#[test]
fn quotes_are_doubled() {
    let mut random = Random(5);
    for _ in 0..20_000 {
        let text: Vec<u8> = (0..random.below(140)).map(|_| b"\"ab"[random.below(3)]).collect();
        let expected = String::from_utf8(text.clone()).unwrap().replace('"', "\"\"");
        let mut room = vec![0; 2 * text.len() + simd::BEHIND];
        if let Some(length) = simd::double(&text, b'"', &mut room) {
            assert_eq!(&room[..length], expected.as_bytes());
        }
        // The kernel that is not the best of this processor.
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = simd::avx2::Avx2::detect() {
            let mut room = vec![0; 2 * text.len() + 16];
            let length = kernel.double(&text, b'"', &mut room);
            assert_eq!(&room[..length], expected.as_bytes());
        }
    }
}
