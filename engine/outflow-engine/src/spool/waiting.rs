//! Bytes of a file that wait in memory. They are kept in pieces, so that growing copies nothing and what is given back
//! is of few sizes.

#[cfg(test)]
mod tests;

/// The smallest piece, for most files of many are small.
const SMALL: usize = 1 << 8;

/// The largest one.
const LARGE: usize = 64 << 10;

/// See the module.
#[derive(Default)]
pub(super) struct Waiting {
    pieces: Vec<Vec<u8>>,
    length: usize,
    room: usize,
}

impl Waiting {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// How many bytes of memory they take.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Appends bytes, and tells how much more memory they take.
    pub(super) fn extend(&mut self, mut bytes: &[u8]) -> usize {
        let before = self.room;
        while !bytes.is_empty() {
            let last = match self.pieces.last_mut() {
                Some(last) if last.len() < last.capacity() => last,
                // As much again as there is.
                _ => {
                    let size = self.length.next_power_of_two().clamp(SMALL, LARGE);
                    self.room += size;
                    self.pieces.push_mut(Vec::with_capacity(size))
                }
            };
            let (now, later) = bytes.split_at(bytes.len().min(last.capacity() - last.len()));
            last.extend_from_slice(now);
            self.length += now.len();
            bytes = later;
        }
        self.room - before
    }

    /// What waits, in order.
    pub(super) fn pieces(&self) -> &[Vec<u8>] {
        &self.pieces
    }
}
