//! The kernels against each other and against the byte-by-byte machine, on every short text and on random long ones.

use super::*;
use crate::simd::{Portable, undouble};

const MARKS: Marks = Marks { delimiter: b',', quote: b'"', escape: Escape::Double };

/// Small and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

fn view(index: &Index) -> (Vec<u32>, Vec<u32>, bool, bool, u64) {
    (index.cells().to_vec(), index.ends().to_vec(), index.quoted_lines, index.open, index.lines)
}

fn check(text: &[u8]) {
    let (mut portable, mut plain) = (Index::default(), Index::default());
    fill_with(Portable, &mut portable, text, MARKS);
    plain::fill(&mut plain, text, MARKS);
    if portable.regular {
        assert_eq!(view(&portable), view(&plain), "{:?}", text.escape_ascii().to_string());
        assert!(plain.malformed.is_empty());
        assert_eq!(portable.feeds, !text.contains(&b'\r'));
    }
    let end = plain.end_of_records(text);
    assert_eq!(plain.lines, crate::chunk::line_ends(&text[..end]), "{:?}", text.escape_ascii().to_string());
    #[cfg(target_arch = "x86_64")]
    {
        let fill = |run: &dyn Fn(Fill<'_>)| {
            let mut fast = Index::default();
            run(Fill { index: &mut fast, bytes: text, marks: MARKS });
            assert_eq!(view(&fast), view(&portable));
            assert_eq!(fast.regular, portable.regular);
        };
        if let Some(kernel) = simd::avx2::Avx2::detect() {
            fill(&|work| kernel.run(work));
        }
        if let Some(kernel) = simd::avx512::Avx512::detect() {
            fill(&|work| kernel.run(work));
        }
    }
}

#[test]
fn every_short_text() {
    let alphabet = b"a,\"\r\n";
    for length in 0..=7u32 {
        for number in 0..5usize.pow(length) {
            let text: Vec<u8> = (0..length).map(|digit| alphabet[number / 5usize.pow(digit) % 5]).collect();
            check(&text);
        }
    }
}

#[test]
fn short_texts_across_a_block_boundary() {
    let alphabet = b"a,\"\r\n";
    for number in 0..5usize.pow(5) {
        let middle: Vec<u8> = (0..5).map(|digit| alphabet[number / 5usize.pow(digit) % 5]).collect();
        for before in [60, 62, 63, 64] {
            let mut text = vec![b'x'; before];
            text[before - 4] = b',';
            text.extend(&middle);
            text.extend(b"x\ny,z\n");
            check(&text);
        }
    }
}

#[test]
fn random_records() {
    let mut random = Random(7);
    let pieces: [&[u8]; 9] = [
        b"plain",
        b"\"a, b\"",
        b"\"\"",
        b"\"say \"\"hi\"\"\"",
        b"\"two\nlines\"",
        b"",
        b"5\" pipe",
        b"\"x\"y",
        b"\"\r\n\"",
    ];
    for round in 0..3000 {
        let mut text = Vec::new();
        let wild = if round % 3 == 0 { pieces.len() } else { 6 };
        for _ in 0..random.below(40) {
            text.extend(pieces[random.below(wild)]);
            text.extend([&b","[..], b",", b"\n", b"\r\n", b"\r"][random.below(5)]);
        }
        check(&text);
    }
}

#[test]
fn backslashes_hide_quotes() {
    let marks = Marks { escape: Escape::Backslash, ..MARKS };
    let mut index = Index::default();
    let text = b"\"a\\\"b,\\\\\",c\n\"x\"\"y\",z\n";
    index.fill(text, marks);
    assert_eq!(index.cells(), [9, 11, 18, 20]);
    assert_eq!(index.ends(), [2, 4]);
    assert_eq!(index.malformed, [1]);
    assert_eq!(index.end_of_records(text), text.len());
}

#[test]
fn pairs_of_quotes_become_one() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        let (mut doubled, mut single) = (Vec::new(), b"before".to_vec());
        let mut out = single.clone();
        for _ in 0..random.below(60) {
            let piece = [&b"\""[..], b"a", b"\0", b"\xff", b"longer"][random.below(5)];
            single.extend(piece);
            doubled.extend(piece);
            if piece == b"\"" {
                doubled.push(b'"');
            }
        }
        assert!(!undouble(&doubled, b'"', &mut out) || out == single, "{}", doubled.escape_ascii());
        // The kernel that is not the best of this processor.
        #[cfg(target_arch = "x86_64")]
        if let Some(kernel) = crate::simd::avx2::Avx2::detect() {
            let mut out = b"before".to_vec();
            kernel.undouble(&doubled, b'"', &mut out);
            assert_eq!(out, single, "{}", doubled.escape_ascii());
        }
    }
}
