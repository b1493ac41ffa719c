//! Watches a target all the time, as a client's own job would, and asserts what may never be otherwise: a final name
//! has one version for ever (I1), what a control file speaks of is there (I2), and no name ever shows a part (I6),
//! which would be a first version of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::process::files_below;

/// Name and bytes of every file that a target shows.
pub type Shown = BTreeMap<String, Vec<u8>>;

/// Says what a control file lacks, given the name of a file that was there before `shown` was read.
pub type Complete = fn(name: &str, shown: &Shown) -> Result<(), String>;

/// For targets whose files stand alone.
pub fn no_controls(_: &str, _: &Shown) -> Result<(), String> {
    Ok(())
}

/// A watcher; it looks until it is asked what it saw.
pub struct Poller {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicU64>,
    thread: JoinHandle<Result<Shown, String>>,
}

impl Poller {
    /// Watches a folder. Names that begin with a dot are not final.
    pub fn folder(folder: &Path, complete: Complete) -> Self {
        let folder: PathBuf = folder.to_owned();
        Self::watch(move || files_below(&folder).into_iter().collect(), complete)
    }

    /// Watches whatever `look` shows.
    pub fn watch(mut look: impl FnMut() -> Shown + Send + 'static, complete: Complete) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let looks = Arc::new(AtomicU64::new(0));
        let thread = std::thread::spawn({
            let (stop, looks) = (stop.clone(), looks.clone());
            move || {
                let mut first = Shown::new();
                loop {
                    let last = stop.load(Ordering::SeqCst);
                    // Names are taken before the bytes are read, so what belongs to them must be at least as new.
                    let names: Vec<String> = look().into_keys().filter(|name| is_final(name)).collect();
                    let shown: Shown = look().into_iter().filter(|(name, _)| is_final(name)).collect();
                    names.iter().try_for_each(|name| complete(name, &shown))?;
                    for (name, bytes) in shown {
                        let known = first.entry(name).or_insert_with_key(|_| bytes.clone());
                        if *known != bytes {
                            return Err(format!("a final name showed {} bytes, then {}", known.len(), bytes.len()));
                        }
                    }
                    looks.fetch_add(1, Ordering::SeqCst);
                    if last {
                        return Ok(first);
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        Self { stop, looks, thread }
    }

    /// Ends the watch; everything that ever was visible.
    #[track_caller]
    pub fn finish(self, story: &str) -> Shown {
        self.stop.store(true, Ordering::SeqCst);
        let seen = self.thread.join().unwrap().unwrap_or_else(|fault| panic!("{story}: {fault}"));
        assert!(self.looks.load(Ordering::SeqCst) > 0, "{story}: nobody looked");
        seen
    }
}

fn is_final(name: &str) -> bool {
    !name.rsplit('/').next().unwrap_or(name).starts_with('.')
}
