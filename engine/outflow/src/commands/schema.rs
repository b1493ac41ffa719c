//! `outflow schema`.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::project;

/// Prints the JSON Schema of pipeline files.
#[expect(clippy::print_stdout, reason = "the binary prints")]
pub fn execute() -> Result<ExitCode, Failure> {
    println!("{:#}", outflow_spec::schema(&project::layouts()));
    Ok(ExitCode::SUCCESS)
}
