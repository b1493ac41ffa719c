//! The command line: reads the environment, calls the engine, prints, exits. Results go to standard output,
//! everything else to standard error.

#![forbid(unsafe_code)]

mod commands;
mod drain;
mod embedded;
mod expected;
mod failure;
mod output;
mod progress;
mod project;
mod redaction;
mod report;
mod trial;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{backfill, doctor, explain, files, init, lint, plugin, preview, run, runs, schema, state, test};

/// Deliver marketing feeds exactly as the other side expects them, once.
#[derive(Parser)]
#[command(name = "outflow", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  outflow init feeds --vendor simon              a pipeline to start from
  outflow lint pipelines/                        check every pipeline below a folder
  outflow preview pipelines/simon/welcome-flow.yaml
  outflow run pipelines/simon/welcome-flow.yaml  deliver; the same input twice is a no-op
  outflow runs list --state pipelines/simon/.outflow

Exit codes: 0 done, 1 findings, 2 usage or configuration, 3 failed (do not retry),
            4 failed (retry), 5 partial, 6 locked by another process";

#[derive(Subcommand)]
enum Command {
    /// Write a pipeline that runs, with sample data and what it must deliver
    Init(init::Args),
    /// Check pipeline files; every finding at once
    Lint(lint::Args),
    /// Say what a finding's code means, with a bad and a good example
    Explain(explain::Args),
    /// Print the JSON Schema of pipeline or project files
    Schema(schema::Args),
    /// Print the files that a run would deliver; write nothing
    Preview(preview::Args),
    /// Try what targets can do: write, read, refuse to overwrite, delete
    Doctor(doctor::Args),
    /// Deliver pipelines
    Run(run::Args),
    /// Deliver windows of the past that no run delivers
    Backfill(backfill::Args),
    /// Compare what pipelines deliver with what they must
    Test(test::Args),
    /// Write, build, test and look at plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Look at past runs
    #[command(subcommand)]
    Runs(runs::Command),
    /// Look at delivered files
    #[command(subcommand)]
    Files(files::Command),
    /// Look at how far windows have come, and move that
    #[command(subcommand)]
    State(state::Command),
}

fn main() -> ExitCode {
    outflow_formats::memory::keep();
    let result = match Cli::parse().command {
        Command::Init(args) => init::execute(&args),
        Command::Lint(args) => lint::execute(&args),
        Command::Explain(args) => explain::execute(&args),
        Command::Schema(args) => schema::execute(&args),
        Command::Preview(args) => preview::execute(&args),
        Command::Doctor(args) => doctor::execute(&args),
        Command::Run(args) => run::execute(&args),
        Command::Backfill(args) => backfill::execute(&args),
        Command::Test(args) => test::execute(&args),
        Command::Plugin(command) => plugin::execute(&command),
        Command::Runs(command) => runs::execute(&command),
        Command::Files(command) => files::execute(&command),
        Command::State(command) => state::execute(&command),
    };
    result.unwrap_or_else(|failure| failure.report())
}
