//! Bytes of a file that wait in memory. They are kept in pieces, so that growing copies nothing and what is given back
//! is of few sizes.

/// The smallest piece, for most files of many are small.
const SMALL: usize = 1 << 10;

/// The largest one.
const LARGE: usize = 64 << 10;

/// See the module.
#[derive(Default)]
pub(super) struct Waiting {
    pieces: Vec<Vec<u8>>,
    length: usize,
}

impl Waiting {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Appends bytes.
    pub(super) fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let last = match self.pieces.last_mut() {
                Some(last) if last.len() < last.capacity() => last,
                // As much again as there is.
                _ => {
                    let size = self.length.next_power_of_two().clamp(SMALL, LARGE);
                    self.pieces.push_mut(Vec::with_capacity(size))
                }
            };
            let (now, later) = bytes.split_at(bytes.len().min(last.capacity() - last.len()));
            last.extend_from_slice(now);
            self.length += now.len();
            bytes = later;
        }
    }

    /// What waits, in order.
    pub(super) fn pieces(&self) -> &[Vec<u8>] {
        &self.pieces
    }
}

#[cfg(test)]
mod tests {
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
}
