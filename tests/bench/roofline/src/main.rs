//! One program a workload, doing that and nothing else: what the work costs on this machine when nobody asks for plans,
//! plugins, checks or checkpoints. The rows that come out are those of every other engine; the suite compares them.
//!
//! `roofline WORKLOAD INPUT OUTPUT [THREADS]`, where the workload is `w1` to `w6`, or `shape` for the other inputs.

mod archive;
mod calls;
mod chunks;
mod digest;
mod events;
mod lanes;
mod ordered;
mod parquet_file;
mod partitions;
mod record;
mod shape;
mod text;
mod time;

use std::process::ExitCode;

/// What every workload takes.
pub struct Job {
    pub input: String,
    pub output: String,
    pub threads: usize,
}

impl Job {
    /// Runs one copy of `work` on each thread and waits for all.
    pub fn on_threads(&self, work: impl Fn() + Sync) {
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(&work);
            }
        });
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let [_, workload, input, output, rest @ ..] = words.as_slice() else {
        eprintln!("usage: roofline WORKLOAD INPUT OUTPUT [THREADS]");
        return ExitCode::from(2);
    };
    let threads = rest.first().map_or(2, |word| word.parse().expect("the number of threads"));
    let job = Job { input: input.clone(), output: output.clone(), threads };
    match workload.as_str() {
        "w1" => events::to_csv(&job),
        "w2" => events::to_json_lines(&job),
        "w3" => parquet_file::write(&job),
        "w4" => calls::split(&job),
        "w5" => partitions::write(&job),
        "w6" => archive::write(&job),
        "shape" => shape::to_csv(&job),
        other => {
            eprintln!("no workload is called `{other}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
