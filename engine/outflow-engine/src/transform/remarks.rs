//! What transform plugins log as warnings and errors, for the report of the run. The same line is kept once, and of a
//! plugin that never stops talking only the beginning.

use std::sync::{Mutex, MutexGuard, PoisonError};

use outflow_layout::layout::LogLine;

/// Most lines of all plugins of a run.
const MOST: usize = 100;

/// The lines of a run.
#[derive(Debug, Default)]
pub struct Remarks {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: Vec<String>,
    more: u64,
}

impl Remarks {
    /// Adds what a plugin logged; what is of no weight is left out.
    pub fn add(&self, plugin: &str, log: Vec<LogLine>) {
        for line in log.into_iter().filter(LogLine::is_serious) {
            let told = format!("plugin `{plugin}`: {}", line.message);
            let mut kept = self.kept();
            if kept.lines.contains(&told) {
                continue;
            }
            match kept.lines.len() < MOST {
                true => kept.lines.push(told),
                false => kept.more += 1,
            }
        }
    }

    /// Forgets all lines: the rows are going to be read again.
    pub fn clear(&self) {
        *self.kept() = Kept::default();
    }

    /// The lines, in order.
    pub fn report(&self) -> Vec<String> {
        let kept = self.kept();
        let more = (kept.more > 0).then(|| format!("plugins logged {} further warnings", kept.more));
        kept.lines.iter().cloned().chain(more).collect()
    }

    /// A panic elsewhere leaves the lines whole, so a poisoned lock is as good as another.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
