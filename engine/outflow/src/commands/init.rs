//! `outflow init`: a pipeline that runs, from those in the binary. Offline, and it writes over nothing.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::test::folder_of;
use crate::embedded::{File, PIPELINES, TEMPLATES, below, write_new};
use crate::failure::Failure;
use crate::{expected, output, trial};

/// Arguments of `init`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow init                       a plain pipeline, CSV to CSV, in this folder
  outflow init feeds --vendor simon  a vendor's pipeline in `feeds`
  outflow init --list                the vendors there are

Exit codes: 0 written, 2 usage, or a file is there already, 3 or 4 the pipeline could not be run")]
pub struct Args {
    /// Folder to write to; made if it is not there
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Vendor whose feed the pipeline delivers. Default: none, a plain CSV pipeline
    #[arg(long, value_name = "NAME")]
    vendor: Option<String>,
    /// Print the vendors there are
    #[arg(long, conflicts_with = "vendor")]
    list: bool,
}

/// What a pipeline in the repository says of its schema, and what it says beside its own copy.
const SCHEMA: [&str; 2] = ["$schema=../../schemas/pipeline.schema.json", "$schema=pipeline.schema.json"];

/// Writes a pipeline with its sample, runs it once for what to expect of it, and says what comes next.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    if args.list {
        let lines = vendors().into_iter().map(|(name, summary)| format!("{name:<12} {summary}\n"));
        output::print(&lines.collect::<String>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let files = match &args.vendor {
        None => below(TEMPLATES, "pipeline/"),
        Some(vendor) => below(PIPELINES, &format!("{vendor}/")),
    };
    if let (true, Some(vendor)) = (files.is_empty(), &args.vendor) {
        let known = vendors().into_iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(anyhow::anyhow!("unknown vendor `{vendor}`\nhint: there is {known}").into());
    }
    let mut written: Vec<(String, Vec<u8>)> = files.iter().map(|file| (file.path.to_owned(), content(file))).collect();
    let schema = outflow_spec::schema(&crate::project::layouts());
    written.push(("pipeline.schema.json".to_owned(), format!("{schema:#}\n").into_bytes()));
    write_new(&args.folder, &written)?;
    let pipelines = files.iter().filter(|file| is_pipeline(file.path)).map(|file| args.folder.join(file.path));
    let pipelines = pipelines.collect::<Vec<_>>();
    for pipeline in &pipelines {
        if !folder_of(pipeline).is_dir() && !reads_database(&files) {
            expected::update(&folder_of(pipeline), &trial::run_file(pipeline, &[])?.delivered())?;
        }
    }
    tell(&args.folder, &files, &pipelines)?;
    Ok(ExitCode::SUCCESS)
}

fn content(file: &File) -> Vec<u8> {
    match std::str::from_utf8(file.bytes) {
        Ok(text) if is_pipeline(file.path) => text.replace(SCHEMA[0], SCHEMA[1]).into_bytes(),
        _ => file.bytes.to_owned(),
    }
}

/// Whether a file of a vendor's folder is a pipeline: one at its top.
fn is_pipeline(path: &str) -> bool {
    !path.contains('/') && path.ends_with(".yaml") && !path.ends_with(".test.yaml")
}

/// Whether the sample is rows of a database, which only whoever has one can run.
fn reads_database(files: &[File]) -> bool {
    files.iter().any(|file| file.path.ends_with(".sql"))
}

/// Vendors with the description of their first pipeline, by name.
fn vendors() -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for file in PIPELINES {
        let Some((vendor, rest)) = file.path.split_once('/') else { continue };
        if is_pipeline(rest) && found.last().is_none_or(|(last, _)| *last != vendor) {
            let text = String::from_utf8_lossy(file.bytes);
            let line = text.lines().find_map(|line| line.strip_prefix("description:")).unwrap_or_default();
            found.push((vendor, line.trim().trim_matches('"').to_owned()));
        }
    }
    found
}

fn tell(folder: &Path, files: &[File], pipelines: &[PathBuf]) -> anyhow::Result<()> {
    let mut text = String::new();
    for file in files {
        text += &format!("wrote  {}\n", folder.join(file.path).display());
    }
    let expected = pipelines.iter().map(|pipeline| folder_of(pipeline)).filter(|folder| folder.is_dir());
    for expected in expected {
        text += &format!("wrote  {}/, what it must deliver\n", expected.display());
    }
    text += "\nNext:\n";
    for pipeline in pipelines.iter().take(1) {
        let shown = pipeline.display();
        text += &format!("  outflow lint {shown}\n  outflow preview {shown}\n  outflow run {shown}\n");
    }
    if !reads_database(files) {
        text += &format!("  outflow test {}\n", folder.display());
    }
    output::print(&text)
}
