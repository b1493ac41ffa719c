//! Progress of a run on standard error: a bar on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressStyle};
use outflow_engine::progress::{Event, Progress, Quiet};

use crate::output;

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// A bar on a terminal, a line every ten seconds elsewhere
    #[default]
    Auto,
    /// Nothing
    None,
}

/// Watches runs as the user wants it: on a terminal, each that is under way has a bar.
pub struct Watchers {
    show: Show,
    bars: MultiProgress,
}

impl Watchers {
    /// Watchers of no run yet.
    pub fn new(show: Show) -> Self {
        Self { show, bars: MultiProgress::new() }
    }

    /// Watches one more run.
    pub fn watch(&self, pipeline: &str) -> Arc<dyn Progress> {
        match self.show {
            Show::None => Arc::new(Quiet),
            Show::Auto if std::io::stderr().is_terminal() => Arc::new(Bar::new(pipeline, &self.bars)),
            Show::Auto => Arc::new(Lines::new(pipeline)),
        }
    }

    /// Takes the bars away while something is written.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }
}

struct Bar {
    bar: ProgressBar,
    phase: Mutex<String>,
    rows: AtomicU64,
}

impl Bar {
    fn new(pipeline: &str, bars: &MultiProgress) -> Self {
        let bar = bars.add(ProgressBar::new_spinner().with_prefix(pipeline.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self { bar, phase: Mutex::default(), rows: AtomicU64::new(0) }
    }

    fn style(template: &str) -> ProgressStyle {
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
    }
}

impl Progress for Bar {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Phase { name, total } => {
                self.bar.set_position(0);
                self.bar.set_message(name.to_owned());
                if let Ok(mut phase) = self.phase.lock() {
                    name.clone_into(&mut phase);
                }
                match total {
                    Some(total) => {
                        self.bar.set_length(total);
                        self.bar.set_style(Self::style(
                            "{prefix} {msg} {bar:30.cyan} {bytes}/{total_bytes} {binary_bytes_per_sec} eta {eta}",
                        ));
                    }
                    None => self.bar.set_style(Self::style("{prefix} {spinner} {msg}")),
                }
            }
            Event::Read(bytes) | Event::Delivered(bytes) => self.bar.inc(bytes),
            Event::Rows(rows) => {
                let rows = rows + self.rows.fetch_add(rows, Ordering::Relaxed);
                if let Ok(phase) = self.phase.try_lock() {
                    self.bar.set_message(format!("{phase} {} rows", HumanCount(rows)));
                }
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct Lines {
    pipeline: String,
    rows: AtomicU64,
    bytes: AtomicU64,
    state: Mutex<(Instant, String)>,
}

impl Lines {
    fn new(pipeline: &str) -> Self {
        let state = Mutex::new((Instant::now(), String::new()));
        Self { pipeline: pipeline.to_owned(), rows: AtomicU64::new(0), bytes: AtomicU64::new(0), state }
    }

    fn tick(&self) {
        // Whoever finds the state taken leaves the line to the other thread.
        let Ok(mut state) = self.state.try_lock() else { return };
        if state.0.elapsed() >= Duration::from_secs(10) {
            state.0 = Instant::now();
            let (rows, bytes) = (self.rows.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
            let (rows, bytes) = (HumanCount(rows), HumanBytes(bytes));
            output::tell(&format!("{}: {}: {rows} rows, {bytes}\n", self.pipeline, state.1));
        }
    }
}

impl Progress for Lines {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Phase { name, .. } => {
                self.bytes.store(0, Ordering::Relaxed);
                if let Ok(mut state) = self.state.lock() {
                    name.clone_into(&mut state.1);
                }
            }
            Event::Read(bytes) | Event::Delivered(bytes) => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                self.tick();
            }
            Event::Rows(rows) => {
                self.rows.fetch_add(rows, Ordering::Relaxed);
            }
        }
    }
}
