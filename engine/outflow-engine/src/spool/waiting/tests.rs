//! Pieces of any number of bytes.

use super::*;

#[test]
fn pieces_grow_and_hold_all() {
    let (mut waiting, mut expected, mut room) = (Waiting::default(), Vec::new(), 0);
    for round in 0..400_usize {
        let bytes = vec![round as u8; round * 7 % 1_500];
        room += waiting.extend(&bytes);
        expected.extend(bytes);
    }
    assert_eq!((waiting.len(), waiting.pieces().concat()), (expected.len(), expected));
    let sizes = waiting.pieces().iter().map(Vec::capacity).collect::<Vec<_>>();
    assert_eq!(sizes[..10], [0, 0, 1, 2, 3, 4, 5, 6, 7, 8].map(|doubled| SMALL << doubled));
    assert!(sizes[10..].iter().all(|&size| size == LARGE));
    assert_eq!((waiting.room(), room), (sizes.iter().sum(), sizes.iter().sum()));
}
