//! `outflow schema`.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::output;
use crate::project;

/// Prints the JSON Schema of pipeline files.
pub fn execute() -> Result<ExitCode, Failure> {
    output::print(&format!("{:#}\n", outflow_spec::schema(&project::layouts())))?;
    Ok(ExitCode::SUCCESS)
}
