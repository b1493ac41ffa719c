//! Work that waits for the disk, many at a time: a disk takes many in one go.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use crate::error::{Error, Result};

/// Files forced to disk at the same time.
const AT_ONCE: usize = 16;

/// Does the work on each of the items, and waits for all that was begun. After an error its thread begins nothing more.
pub fn at_once<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    if let [item] = items {
        return work(item);
    }
    let next = AtomicUsize::new(0);
    let some = || -> Result<()> {
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads = (0..AT_ONCE.min(items.len())).map(|_| scope.spawn(some)).collect::<Vec<_>>();
        let ended = |thread: ScopedJoinHandle<'_, Result<()>>| {
            thread.join().unwrap_or_else(|_| Err(Error::internal("a thread stopped while it forced files to disk")))
        };
        threads.into_iter().try_for_each(ended)
    })
}
