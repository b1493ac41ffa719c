//! `outflow schema [pipeline|project]`.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::failure::Failure;
use crate::output;
use crate::project;

/// Arguments of `schema`.
#[derive(clap::Args)]
pub struct Args {
    /// Of which files
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Of {
    /// Pipeline files
    #[default]
    Pipeline,
    /// The project file, `outflow.yaml`
    Project,
}

/// Prints the JSON Schema of pipeline or project files.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let schema = match args.of {
        Of::Pipeline => outflow_spec::schema(&project::layouts()),
        Of::Project => outflow_spec::project_schema(),
    };
    output::print(&format!("{schema:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}
