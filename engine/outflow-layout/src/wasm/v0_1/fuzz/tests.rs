//! The kept corpus, and answers drawn from a seed.

use std::path::Path;

use super::run;

#[test]
fn corpus() {
    let folder = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/fuzz/corpus/answers");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there").flatten() {
        run(&std::fs::read(entry.path()).expect("a file of the corpus"));
        files += 1;
    }
    assert!(files > 0, "the corpus is empty");
}

#[test]
fn drawn_answers() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    for _ in 0..20_000 {
        let length = usize::from(byte());
        // Small numbers, so that lengths agree now and then.
        let bytes: Vec<u8> = (0..length).map(|_| if byte() % 4 == 0 { byte() } else { byte() % 5 }).collect();
        run(&bytes);
    }
}
