//! What the benchmarks measure is the work they say: every workload and shape, small, row by row against a reference.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::process::{repository, run};

#[test]
fn every_workload_is_the_work_it_says() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let mut suite = Command::new("python3");
    suite.arg(repository().join("tests/bench/run")).args(["--check", "--outflow", env!("CARGO_BIN_EXE_outflow")]);
    run(suite.env("OUTFLOW_BENCH_HOME", home), Duration::from_secs(300)).expect_code(0);
}
