//! Runs a command and says what it took: `meter REPORT COMMAND...` writes wall and CPU seconds and the peak of resident memory as
//! JSON. A program of its own because a child inherits the peak of whoever starts it, and this one is small.
//!
//! CPU seconds are those of the command and all it waited for. The kernel tells the peak of the largest process only, so the sum
//! over the processes of a pipe is sampled beside it, and the larger of both counts.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SAMPLE_EVERY: Duration = Duration::from_millis(20);

#[expect(clippy::zombie_processes, reason = "`wait` waits, for it tells what the child took")]
fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let [_, report, program, arguments @ ..] = words.as_slice() else {
        eprintln!("usage: meter REPORT COMMAND...");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let child = Command::new(program).args(arguments).spawn().expect("the command starts");
    let ended = AtomicBool::new(false);
    let (status, usage, wall, sampled) = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| peak_of_children(child.id(), &ended));
        let (status, usage) = wait(child.id());
        let wall = began.elapsed();
        ended.store(true, Ordering::Relaxed);
        (status, usage, wall, sampler.join().unwrap())
    });
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let text = format!(
        "{{\"wall\": {:.4}, \"user\": {:.4}, \"sys\": {:.4}, \"peak_kib\": {}}}\n",
        wall.as_secs_f64(),
        seconds(usage.ru_utime),
        seconds(usage.ru_stime),
        sampled.max(usage.ru_maxrss as u64),
    );
    std::fs::write(report, text).expect("the report is written");
    let signal = status.signal().map(|signal| 128 + signal);
    ExitCode::from(status.code().or(signal).unwrap_or(1) as u8)
}

fn wait(child: u32) -> (ExitStatus, libc::rusage) {
    let mut status = 0;
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    let waited = unsafe { libc::wait4(child as i32, &mut status, 0, &mut usage) };
    assert_eq!(waited, child as i32, "waiting for the command");
    (ExitStatus::from_raw(status), usage)
}

/// The largest sum of resident memory of the command's children, in KiB; 0 while it has none.
fn peak_of_children(parent: u32, ended: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !ended.load(Ordering::Relaxed) {
        let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        peak = peak.max(list.split_ascii_whitespace().map(resident).sum());
        std::thread::sleep(SAMPLE_EVERY);
    }
    peak
}

fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
