//! Streams of any length, handed over in any pieces, come back as they were.

use std::io::Read;

use super::*;
use crate::scan::tests::Random;

fn deflate(text: &[u8], piece: usize) -> (Vec<u8>, Totals) {
    let (mut out, mut deflater) = (Vec::new(), Deflater::new(6));
    for piece in text.chunks(piece) {
        deflater.write(piece, &mut out).unwrap();
    }
    let totals = deflater.finish(&mut out).unwrap();
    (out, totals)
}

#[test]
fn what_goes_in_comes_out() {
    let mut random = Random(7);
    for length in [0, 1, 5000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 9 * BLOCK + 17] {
        for letters in [2, 256] {
            let text: Vec<u8> = (0..length).map(|_| random.below(letters) as u8).collect();
            let (stream, totals) = deflate(&text, 70_001);
            let mut back = Vec::new();
            flate2::read::DeflateDecoder::new(&stream[..]).read_to_end(&mut back).unwrap();
            assert!(back == text, "{length} bytes of {letters} letters");
            let expected = Totals { crc: crc32fast::hash(&text), text: length as u64, stream: stream.len() as u64 };
            assert_eq!(totals, expected);
        }
    }
}

#[test]
fn pieces_do_not_show() {
    let text: Vec<u8> = (0..3 * BLOCK + 5).map(|at| (at / 7 % 251) as u8).collect();
    let (whole, _) = deflate(&text, text.len());
    for piece in [1000, BLOCK, BLOCK + 1] {
        assert!(deflate(&text, piece).0 == whole, "pieces of {piece}");
    }
}

#[test]
fn blocks_know_what_came_before() {
    let text: Vec<u8> = (0..8 * BLOCK).map(|at| (at * at % 30_011 % 256) as u8).collect();
    let mut whole = flate2::read::DeflateEncoder::new(&text[..], Compression::new(6));
    let alone = io::copy(&mut whole, &mut io::sink()).unwrap();
    let (blocks, _) = deflate(&text, text.len());
    assert!((blocks.len() as u64) < alone + alone / 50 + 2000, "{} bytes in place of {alone}", blocks.len());
}

#[test]
fn what_was_compressed_before_does_not_show() {
    let rows = |from: usize| (from..from + 150_000).flat_map(|id| format!("{id},name{id}\n").into_bytes()).collect();
    let texts = (0..6).map(|number| rows(number * 70_000)).collect::<Vec<Vec<u8>>>();
    let streams = texts.iter().map(|text| deflate(text, text.len()).0).collect::<Vec<_>>();
    // Each comes after another one this time.
    for (text, stream) in texts.iter().zip(&streams).rev() {
        assert!(deflate(text, text.len()).0 == *stream);
    }
}
