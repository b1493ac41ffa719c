//! One command a file: its arguments, and what it does with the engine's answers.

pub mod backfill;
pub mod doctor;
pub mod explain;
pub mod files;
pub mod init;
pub mod lint;
pub mod one;
pub mod plugin;
pub mod preview;
pub mod run;
pub mod runs;
pub mod schema;
pub mod state;
pub mod test;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::bail;
use clap::ValueEnum;

use crate::output;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// For programs; carries its schema's name and only grows
    Json,
}

/// How long the end of a command waits for threads that are in a call.
const PARTING: Duration = Duration::from_secs(1);

/// The runtime that commands of the engine run on.
pub fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // Work that was given up may sit in a call to a server that does not answer.
    runtime.shutdown_timeout(PARTING);
    Ok(done)
}

/// Asks before something is changed that cannot be taken back. Without a terminal nobody can answer.
pub fn confirm(question: &str, agreed: bool) -> anyhow::Result<()> {
    if agreed {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to ask\nhint: add `--yes` to go on without asking");
    }
    output::tell(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("nothing was changed"),
    }
}
