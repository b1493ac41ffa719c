//! Boundaries at every chunk size, lines counted through them, and quotes that never close.

use super::*;
use crate::format::Escape;

fn chunks(text: &[u8], dialect: Option<&Dialect>, size: usize) -> Vec<Chunk> {
    let chunker = match dialect {
        Some(dialect) => Chunker::csv(text, dialect),
        None => Chunker::lines(text),
    };
    chunker.with_chunk_bytes(size).collect::<Result<_>>().unwrap()
}

#[test]
fn chunks_hold_whole_records_at_every_size() {
    let text = b"a,\"x\ny\"\r\nb,\"\"\"\r\n\"\"\"\rc,d\n\n\n\"e\",f\r\n\r\nlast,\"q\"";
    let backslash = Dialect { escape: Escape::Backslash, ..Dialect::default() };
    for (dialect, starts) in
        [(Some(Dialect::default()), &[1, 3, 5, 6, 7, 8, 9, 10][..]), (None, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10])]
    {
        for size in 1..=text.len() + 1 {
            let chunks = chunks(text, dialect.as_ref(), size);
            let joined: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.clone()).collect();
            assert_eq!(joined, text, "{size}");
            for chunk in &chunks {
                assert!(starts.contains(&chunk.first_line), "{size}: {chunk:?}");
                assert!(!chunk.unclosed);
            }
        }
    }
    assert_eq!(chunks(b"\"a\\\"\n\"\nb\n", Some(&backslash), 1).len(), 2);
}

#[test]
fn a_quote_that_never_closes_costs_its_own_line() {
    let dialect = Dialect::default();
    for size in [1, 7, 1000] {
        let chunks = chunks(b"a,b\nc,\"d\ne,f\ng,h\n", Some(&dialect), size);
        let bad: Vec<_> = chunks.iter().filter(|chunk| chunk.unclosed).collect();
        assert_eq!(bad.len(), 1);
        assert_eq!((bad[0].first_line, &bad[0].bytes[..]), (2, &b"c,\"d\n"[..]));
        assert_eq!(chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>(), 17);
        assert_eq!(chunks.last().unwrap().bytes.last_chunk(), Some(b"g,h\n"));
    }
    let hostile = b"\"a\n".repeat(2001);
    let bad = chunks(&hostile, Some(&dialect), 1 << 20);
    assert!(bad.len() < 300, "{}", bad.len());
}

#[test]
fn a_record_over_the_limit_names_its_line() {
    let text = [b"a,b\n\"".to_vec(), vec![b'x'; 4000]].concat();
    let chunker = Chunker::csv(&text[..], &Dialect::default()).with_chunk_bytes(100).with_record_limit(1000);
    let error = chunker.collect::<Result<Vec<_>>>().unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("1000 bytes"), "{error}");
}

#[test]
fn first_records_skip_empty_lines() {
    for size in [1, 2, 100] {
        let mut chunker = Chunker::csv(&b"\r\n\r\n\"a\nb\",c\r\nd,e\n"[..], &Dialect::default()).with_chunk_bytes(size);
        let first = chunker.first_record().unwrap().unwrap();
        assert_eq!((first.first_line, &first.bytes[..]), (3, &b"\"a\nb\",c\r\n"[..]));
        let next = chunker.next_chunk().unwrap().unwrap();
        assert_eq!((next.first_line, &next.bytes[..]), (5, &b"d,e\n"[..]));
    }
    for text in [&b""[..], b"\n\r\n"] {
        assert!(Chunker::csv(text, &Dialect::default()).first_record().unwrap().is_none());
    }
    assert!(Chunker::csv(&b"a,\"b\n"[..], &Dialect::default()).first_record().is_err());
}
