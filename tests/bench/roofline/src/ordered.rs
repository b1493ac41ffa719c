//! Work that is done out of order and put down in order: each thread waits until it is its piece's turn.

use std::sync::{Condvar, Mutex};

struct Turn<T> {
    next: u64,
    target: T,
}

/// Something that is written to by number, 0 first.
pub struct Ordered<T> {
    turn: Mutex<Turn<T>>,
    changed: Condvar,
}

impl<T> Ordered<T> {
    pub fn new(target: T) -> Self {
        Ordered { turn: Mutex::new(Turn { next: 0, target }), changed: Condvar::new() }
    }

    /// Runs `write` once everything of a lower number is written.
    pub fn write(&self, number: u64, write: impl FnOnce(&mut T)) {
        let waiting = |turn: &mut Turn<T>| turn.next != number;
        let mut turn = self.changed.wait_while(self.turn.lock().unwrap(), waiting).unwrap();
        write(&mut turn.target);
        turn.next += 1;
        self.changed.notify_all();
    }

    pub fn into_inner(self) -> T {
        self.turn.into_inner().unwrap().target
    }
}
