//! What several threads make, in the order in which they took it up. Whoever waits for it is woken for several pieces at
//! once: waking costs as much as thousands of cells, and more where it interrupts one of those threads.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::lane::lock;

/// Where threads begin their pieces.
pub struct Order<T>(Arc<Shared<T>>);

/// Where the pieces come out.
pub struct Ordered<T> {
    shared: Arc<Shared<T>>,
    taken: VecDeque<Option<T>>,
}

/// The place of a piece that is being made.
pub struct Place<T> {
    shared: Arc<Shared<T>>,
    number: u64,
    made: Option<T>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Told when there is room again.
    room: Condvar,
    /// Told when it is another piece's turn.
    turn: Condvar,
    most: usize,
    worth: usize,
}

struct State<T> {
    /// What was begun and is not taken.
    pieces: VecDeque<Piece<T>>,
    /// The number of the first one.
    first: u64,
    /// How many of the first ones are done.
    done: usize,
    waiting: Option<Waker>,
    /// Whether nothing more is begun.
    ended: bool,
    /// Whether nobody waits any more.
    left: bool,
}

enum Piece<T> {
    Begun,
    /// Nothing if whoever made it is gone.
    Done(Option<T>),
}

/// An order of at most so many pieces that are begun and not taken. They are taken when the first `worth` of them are done,
/// or when there will be no more.
pub fn order<T>(most: usize, worth: usize) -> (Order<T>, Ordered<T>) {
    let state = State { pieces: VecDeque::new(), first: 0, done: 0, waiting: None, ended: false, left: false };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        room: Condvar::new(),
        turn: Condvar::new(),
        most,
        worth: worth.min(most),
    });
    (Order(shared.clone()), Ordered { shared, taken: VecDeque::new() })
}

impl<T> Order<T> {
    /// The next place, as soon as there is room; none if nobody waits any more.
    pub fn begin(&self) -> Option<Place<T>> {
        let full = |state: &mut State<T>| state.pieces.len() >= self.0.most && !state.left;
        let state = self.0.room.wait_while(lock(&self.0.state), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.left {
            return None;
        }
        let number = state.first + state.pieces.len() as u64;
        state.pieces.push_back(Piece::Begun);
        Some(Place { shared: self.0.clone(), number, made: None })
    }
}

impl<T> Drop for Order<T> {
    fn drop(&mut self) {
        self.0.change(|state| state.ended = true);
    }
}

impl<T> Place<T> {
    /// Whether all places before are filled.
    pub fn is_next(&self) -> bool {
        lock(&self.shared.state).next() == self.number
    }

    /// Waits until all places before are filled; says whether somebody waits for this one then.
    pub fn wait(&self) -> bool {
        let later = |state: &mut State<T>| state.next() != self.number && !state.left;
        let state = self.shared.turn.wait_while(lock(&self.shared.state), later);
        !state.unwrap_or_else(PoisonError::into_inner).left
    }

    /// Fills the place.
    pub fn fill(mut self, made: T) {
        self.made = Some(made);
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        let made = self.made.take();
        self.shared.change(|state| {
            let place = (self.number - state.first) as usize;
            state.pieces[place] = Piece::Done(made);
            while matches!(state.pieces.get(state.done), Some(Piece::Done(_))) {
                state.done += 1;
            }
        });
    }
}

impl<T> State<T> {
    /// The number of the first place that is not filled.
    fn next(&self) -> u64 {
        self.first + self.done as u64
    }
}

impl<T> Shared<T> {
    /// Changes the state, and wakes whoever waits if that is due now.
    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let waiting = if self.is_due(&state) { state.waiting.take() } else { None };
        drop(state);
        self.turn.notify_all();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn is_due(&self, state: &State<T>) -> bool {
        state.done >= self.worth || (state.ended && state.done == state.pieces.len())
    }
}

impl<T> Ordered<T> {
    /// The next piece; nothing inside if whoever made it is gone, none at the end.
    pub async fn next(&mut self) -> Option<Option<T>> {
        let Self { shared, taken } = self;
        let due = poll_fn(|context| {
            if taken.is_empty() {
                let mut state = lock(&shared.state);
                if !shared.is_due(&state) {
                    state.waiting = Some(context.waker().clone());
                    return Poll::Pending;
                }
                let done = std::mem::take(&mut state.done);
                state.first += done as u64;
                taken.extend(state.pieces.drain(..done).filter_map(|piece| match piece {
                    Piece::Done(made) => Some(made),
                    Piece::Begun => None,
                }));
                shared.room.notify_all();
            }
            Poll::Ready(())
        });
        due.await;
        taken.pop_front()
    }
}

impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        lock(&self.shared.state).left = true;
        self.shared.room.notify_all();
        self.shared.turn.notify_all();
    }
}

#[cfg(test)]
mod tests;
