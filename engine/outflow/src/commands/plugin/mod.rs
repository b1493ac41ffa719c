//! `outflow plugin …`: the life of a plugin, from an empty folder to a component that a pipeline can pin. One command a
//! file; what a component is, the host says.

pub mod build;
mod cost;
mod inspect;
mod new;
mod test;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use outflow_layout::layout::LayoutError;
use outflow_layout::wasm::{Host, Inspection};

use super::block_on;
use crate::failure::Failure;

/// Commands of `plugin`.
#[derive(Subcommand)]
pub enum Command {
    /// Write the project of a new plugin, with a fixture that passes
    New(new::Args),
    /// Build a plugin's project with its language's own tool, and pin the result
    Build(build::Args),
    /// Compare what a plugin delivers for its fixtures with what it must, and print what it costs
    Test(test::Args),
    /// Print what a plugin is, what it may use of its host, and its options
    Inspect(inspect::Args),
}

/// Runs a command of `plugin`.
pub fn execute(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::New(args) => new::execute(args),
        Command::Build(args) => build::execute(args),
        Command::Test(args) => test::execute(args),
        Command::Inspect(args) => inspect::execute(args),
    }
}

/// The bytes of a component.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read the plugin `{}`", file.display()))
}

/// What a component says it is; it is compiled for that, and started.
fn inspect(shown: &str, wasm: &[u8]) -> anyhow::Result<Inspection> {
    block_on(async { Host::shared()?.inspect(shown, wasm).await })?.map_err(told)
}

/// An error of the host in words.
fn told(error: LayoutError) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}
