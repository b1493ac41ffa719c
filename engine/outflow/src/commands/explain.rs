//! `outflow explain CODE`.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::output;

/// Arguments of `explain`.
#[derive(clap::Args)]
pub struct Args {
    /// Code of a finding. Example: OF101
    code: String,
}

/// Prints what a code means, with a bad and a good example.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let doc = outflow_spec::explain(&args.code.to_uppercase()).ok_or_else(|| {
        anyhow::anyhow!("unknown code `{}`\nhint: codes are printed by `outflow lint`, such as OF101", args.code)
    })?;
    output::print(&format!(
        "{}: {}\n\n{}\n\nBad:\n\n{}\nGood:\n\n{}\n",
        doc.code,
        doc.title,
        doc.explanation,
        indent(doc.bad),
        indent(doc.good)
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
