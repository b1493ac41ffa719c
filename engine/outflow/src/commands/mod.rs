//! One command a file: its arguments, and what it does with the engine's answers.

pub mod explain;
pub mod files;
pub mod init;
pub mod lint;
pub mod plugin;
pub mod preview;
pub mod run;
pub mod runs;
pub mod schema;
pub mod test;

use clap::ValueEnum;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// For programs; carries its schema's name and only grows
    Json,
}

/// The runtime that commands of the engine run on.
pub fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work))
}
