//! The kept corpus, and worlds drawn from a seed.

use std::path::Path;

use super::run;

#[test]
fn corpus() {
    let folder = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../tests/fuzz/corpus/recover");
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there").flatten() {
        run(&std::fs::read(entry.path()).expect("a file of the corpus"));
        files += 1;
    }
    assert!(files > 0, "the corpus is empty");
}

#[test]
fn drawn_worlds() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..60 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Most files are as they should be, or a world would hardly ever be finished.
        let world = state.to_le_bytes().map(|byte| if byte % 3 == 0 { byte } else { 0 });
        run(&[&[(state >> 40) as u8], &world[..6]].concat());
    }
}
