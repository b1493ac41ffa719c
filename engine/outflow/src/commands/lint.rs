//! `outflow lint PATHS`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use outflow_spec::Finding;
use outflow_spec::project::FILE_NAME;
use outflow_spec::render::{self, Report};

use crate::failure::Failure;
use crate::output;
use crate::project::{self, Parameter};

/// How findings are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with the lines they are in
    #[default]
    Human,
    /// One line a finding
    Concise,
    /// For programs
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// GitHub workflow commands
    Github,
}

/// Arguments of `lint`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow lint pipelines/                    every pipeline below a folder
  outflow lint feed.yaml --format sarif > findings.sarif
  outflow explain OF101                      what a code means")]
pub struct Args {
    /// Pipeline files, or folders with `*.yaml` and `*.yml` files
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only findings whose code starts so
    #[arg(long, value_name = "CODE")]
    select: Vec<String>,
    /// No findings whose code starts so
    #[arg(long, value_name = "CODE")]
    ignore: Vec<String>,
    /// Warnings fail too
    #[arg(long)]
    deny_warnings: bool,
    /// Asks layouts twice, and warns where their answers differ
    #[arg(long)]
    twice: bool,
    /// Value of `${param:NAME}` in pipeline files
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
}

struct Checked {
    path: String,
    text: String,
    findings: Vec<Finding>,
}

/// Checks files and prints every finding; one that cannot be read leaves the others to be checked. Nothing is
/// connected to.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let files = pipeline_files(&args.paths)?;
    let language = project::language()?;
    let mut checked = Vec::new();
    let (mut unread, mut listings) = (0, Vec::new());
    for path in &files {
        if is_project(path) {
            let project = project::check_project(path, &args.parameters)?;
            add(&mut checked, args, path, project.loaded.text(), &project.loaded.findings);
            continue;
        }
        let text = match project::read(path) {
            Ok(text) => text,
            Err(error) => {
                output::tell(&format!("error: {error:#}\n"));
                unread += 1;
                continue;
            }
        };
        let told = project::findings(&language, path, text, &args.parameters, args.twice)?;
        if let Some(above) = &told.project {
            add(&mut checked, args, &above.path, above.project.loaded.text(), &above.project.loaded.findings);
        }
        add(&mut checked, args, path, &told.text, &told.findings);
        listings.extend(told.listing.and_then(|listing| listing.canonicalize().ok()));
    }
    // What holds the instances of a pipeline is no pipeline, unless somebody names it as one.
    let is_listing = |path: &str| Path::new(path).canonicalize().is_ok_and(|path| listings.contains(&path));
    let is_named = |path: &str| args.paths.iter().any(|named| named == Path::new(path));
    checked.retain(|file| is_named(&file.path) || !is_listing(&file.path));
    let reports = checked.iter().map(|file| Report { path: &file.path, text: &file.text, findings: &file.findings });
    let reports = reports.collect::<Vec<_>>();
    output::print(&match args.format {
        Format::Human => render::human(&reports, project::colour(&std::io::stdout())),
        Format::Concise => render::concise(&reports),
        Format::Github => render::github(&reports),
        Format::Json => render::json(&reports).trim_end().to_owned() + "\n",
        Format::Sarif => render::sarif(&reports).trim_end().to_owned() + "\n",
    })?;
    let (errors, warnings) = count(&checked);
    if args.format == Format::Human {
        output::tell(&format!(
            "{} checked: {}, {}\n",
            plural(checked.len(), "file"),
            plural(errors, "error"),
            plural(warnings, "warning")
        ));
    }
    let failed = errors > 0 || (args.deny_warnings && warnings > 0);
    Ok(ExitCode::from(if unread > 0 { 2 } else { failed.into() }))
}

/// Adds what was found in a file; a project file that several pipelines share is told once.
fn add(checked: &mut Vec<Checked>, args: &Args, path: &Path, text: &str, findings: &[Finding]) {
    let path = path.display().to_string();
    if checked.iter().all(|file| file.path != path) {
        let findings = findings.iter().filter(|finding| selected(args, finding)).cloned().collect();
        checked.push(Checked { path, text: text.to_owned(), findings });
    }
}

fn is_project(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == FILE_NAME)
}

fn selected(args: &Args, finding: &Finding) -> bool {
    let code = finding.code.code;
    let any = |list: &[String]| list.iter().any(|prefix| code.starts_with(prefix.as_str()));
    (args.select.is_empty() || any(&args.select)) && !any(&args.ignore)
}

fn count(checked: &[Checked]) -> (usize, usize) {
    let all = checked.iter().flat_map(|file| &file.findings);
    let (errors, rest): (Vec<_>, Vec<_>) = all.partition(|finding| finding.is_error());
    (errors.len(), rest.len())
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Files as named; below folders, every YAML file that is not hidden, not a test and not what one expects.
pub fn pipeline_files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { walk(path, &mut files)? } else { files.push(path.clone()) }
    }
    anyhow::ensure!(
        !files.is_empty(),
        "no pipeline file is there\nhint: name a `.yaml` file, or a folder that holds some"
    );
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let listing = std::fs::read_dir(folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    let mut entries = listing.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        if name.starts_with('.') || name == "expected" {
            continue;
        } else if path.is_dir() {
            walk(&path, files)?;
        } else if yaml && !name.ends_with(".test.yaml") && name != FILE_NAME {
            files.push(path);
        }
    }
    Ok(())
}
