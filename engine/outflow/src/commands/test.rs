//! `outflow test PATHS`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::failure::Failure;
use crate::project::{self, Member, Parameter};
use crate::trial::{self, Trial};
use crate::{expected, output};

/// Arguments of `test`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow test                         every pipeline below this folder that has an expected/ folder
  outflow test feed.yaml --update      take what it delivers now as expected

What `feed.yaml` must deliver is in `expected/feed/` beside it, in a folder for each instance where it
has a `matrix`. It is run at 2026-03-14T09:26:53Z and
delivers to a folder that goes away; no sink is connected to.

Exit codes: 0 all as expected, 1 something differs, 2 usage or configuration, 3 or 4 a run failed")]
pub struct Args {
    /// Pipeline files, or folders with some
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Only these instances of a pipeline with a `matrix`. Default: all
    #[arg(long = "instance", value_name = "NAME")]
    instances: Vec<String>,
    /// Write what is delivered now as expected; `BLESS=1` in the environment does the same
    #[arg(long)]
    update: bool,
    /// Value of `${param:NAME}` in pipeline files
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
}

/// Runs pipelines and compares what they deliver.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let named = |path: &PathBuf| args.paths.contains(path);
    let files = super::lint::pipeline_files(&args.paths)?;
    let files = files.into_iter().filter(|file| named(file) || folder_of(file).is_dir()).collect::<Vec<_>>();
    let update = args.update || blessed();
    let mut different = 0;
    for file in &files {
        for Member { instance, loaded, .. } in project::load_every(file, &args.parameters, &args.instances)? {
            let trial = trial::run_pipeline(loaded?)?;
            let (case, expected) = (file.display().to_string(), folder_of(file));
            let (case, expected) = match instance {
                Some(name) => (format!("{case} {name}"), expected.join(name)),
                None => (case, expected),
            };
            different += usize::from(!judge(&case, &expected, &trial, update)?);
        }
    }
    if files.is_empty() {
        return Err(anyhow::anyhow!(
            "no pipeline there has an expected/ folder\nhint: name a pipeline file and give `--update` to make one"
        )
        .into());
    }
    Ok(ExitCode::from(u8::from(different > 0)))
}

/// Whether the environment asks that expectations be rewritten.
pub fn blessed() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

/// Compares one delivery or takes it as expected, tells the result, and says whether it is as expected.
pub fn judge(case: &str, expected: &Path, trial: &Trial, update: bool) -> anyhow::Result<bool> {
    let delivered = &trial.delivered();
    if update {
        let files = expected::update(expected, delivered)?;
        output::print(&format!("updated    {case}: {files} files in {}\n", expected.display()))?;
        return Ok(true);
    }
    let differences = expected::differences(expected, delivered)?;
    if differences.is_empty() {
        let (rows, files) = (trial.report.rows.written, trial.report.files.len());
        output::print(&format!("ok         {case}: {rows} rows, {files} files\n"))?;
        return Ok(true);
    }
    output::print(&format!("FAILED     {case}\n{}", differences.concat()))?;
    Ok(false)
}

/// The folder with what a pipeline must deliver.
pub fn folder_of(pipeline: &Path) -> PathBuf {
    let name = pipeline.file_stem().unwrap_or_default();
    project::folder(pipeline).join("expected").join(name)
}
