//! Pieces of any number of bytes.

use super::*;

#[test]
fn pieces_grow_and_hold_all() {
    let (mut waiting, mut expected) = (Waiting::default(), Vec::new());
    for round in 0..400_usize {
        let bytes = vec![round as u8; round * 7 % 1_500];
        waiting.extend(&bytes);
        expected.extend(bytes);
    }
    assert_eq!((waiting.len(), waiting.pieces().concat()), (expected.len(), expected));
    let sizes = waiting.pieces().iter().map(Vec::capacity).collect::<Vec<_>>();
    assert_eq!(sizes[..8], [1, 1, 2, 4, 8, 16, 32, 64].map(|size| size << 10));
    assert!(sizes[8..].iter().all(|&size| size == LARGE));
}
