//! The threads that compress and encode for every file of the process. They begin with the first piece of work, and do
//! pieces in the order in which they are given out.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

type Work = Box<dyn FnOnce() + Send>;

static WORKERS: LazyLock<Sender<Work>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Work>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..threads() {
        let receiver = receiver.clone();
        std::thread::spawn(move || {
            let next = || receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            while let Ok(work) = next() {
                // Who gave it out sees that its answer never comes.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            }
        });
    }
    sender
});

/// Has a thread do a piece of work, which must not wait for another.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) {
    // The threads never end, so there is somebody to take it.
    let _ = WORKERS.send(Box::new(work));
}

/// How many there are, which is found out once: it takes several files of the system to tell.
pub fn threads() -> usize {
    static THREADS: LazyLock<usize> = LazyLock::new(|| std::thread::available_parallelism().map_or(2, usize::from));
    *THREADS
}
