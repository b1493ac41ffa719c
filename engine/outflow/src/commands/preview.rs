//! `outflow preview PIPELINE`.

use std::process::ExitCode;

use jiff::Timestamp;
use outflow_engine::preview::{Preview, PreviewOptions, preview};

use super::one::One;
use super::{Format, block_on};
use crate::failure::Failure;
use crate::{output, project};

/// Arguments of `preview`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow preview pipelines/simon/welcome-flow.yaml
  outflow preview feed.yaml --rows 3 --at 2026-11-22T02:00:00Z --reveal")]
pub struct Args {
    #[command(flatten)]
    one: One,
    /// Rows of the source to look at
    #[arg(long, default_value_t = 5, value_name = "N")]
    rows: usize,
    /// Logical instant of the delivery, with zone. Default: now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Show personal values as they are
    #[arg(long)]
    reveal: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints every file that would be delivered.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let (pipeline, redaction) = args.one.load()?;
    let options = PreviewOptions {
        at: args.at.unwrap_or_else(Timestamp::now),
        rows: args.rows,
        reveal: args.reveal,
        bytes: 4096,
        memory: 512 << 20,
        state: project::state(&pipeline, args.one.state.as_ref()),
        ledger: pipeline.project.ledger.clone(),
    };
    let made = block_on(preview(&pipeline, &options))?;
    let mut made = made.map_err(|error| Failure::Engine(error, redaction.clone()))?;
    made.rejects.iter_mut().for_each(|reject| reject.message = redaction.hide(&reject.message));
    output::print(&match args.format {
        Format::Human => human(&made),
        Format::Json => format!("{}\n", serde_json::json!(made)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn human(preview: &Preview) -> String {
    let mut text = preview.window.as_ref().map(|window| format!("window {window}\n")).unwrap_or_default();
    for file in &preview.files {
        let rows = file.rows.map(|rows| format!(", {rows} rows")).unwrap_or_default();
        let entry = file.entry.as_ref().map(|entry| format!(", holding {entry}")).unwrap_or_default();
        text += &format!("── {} ({}{rows}{entry})\n{}", file.path, file.role, file.content);
        if !file.content.ends_with('\n') {
            text.push('\n');
        }
        if file.truncated {
            text += "… and more\n";
        }
    }
    for reject in &preview.rejects {
        let place = reject.row.map(|row| format!(":{row}")).unwrap_or_default();
        text += &format!(
            "rejected {}{place}: {}: {}\n",
            reject.file.as_deref().unwrap_or("-"),
            reject.code,
            reject.message
        );
    }
    if preview.nothing_due {
        text += "no file: no window is due\n";
    } else if preview.files.is_empty() {
        text += "no file: the first rows give none\n";
    }
    text
}
