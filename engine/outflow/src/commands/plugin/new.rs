//! `outflow plugin new`: a project from the templates in the binary. `plugin-name` in them becomes the plugin's name;
//! the sources of the SDK come along, because it is in no registry.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::build::Language;
use crate::embedded::{SDK, TEMPLATES, below, write_new};
use crate::failure::Failure;
use crate::output;

/// Arguments of `plugin new`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow plugin new acme --lang rust
  outflow plugin new acme --lang python --dir plugins/acme
  outflow plugin new tidy --lang js --world transform

Exit codes: 0 written, 2 usage, or a file is there already")]
pub struct Args {
    /// Name of the plugin: lower-case letters, digits and hyphens
    #[arg(value_parser = plugin_name)]
    name: String,
    /// Language it is written in
    #[arg(long, value_enum)]
    lang: Language,
    /// What it does
    #[arg(long, value_enum, default_value_t)]
    world: World,
    /// Folder of the project. Default: one named after the plugin
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What a plugin does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum World {
    /// Names files and columns, and never sees a row
    #[default]
    Layout,
    /// Turns rows into rows, for what SQL cannot say
    Transform,
}

/// What stands for the name in the templates.
const PLACEHOLDER: &str = "plugin-name";

/// Versions of all that the SDK is built from.
const LOCK: &str = include_str!("../../../../../plugins/Cargo.lock");

/// Writes the project and says what comes next.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let language = args.lang.name();
    let world = match args.world {
        World::Layout => "layout",
        World::Transform => "transform",
    };
    let sources = below(TEMPLATES, &format!("plugin/{language}-{world}/"));
    let named = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.replace(PLACEHOLDER, &args.name).into_bytes(),
        Err(_) => bytes.to_owned(),
    };
    let mut files: Vec<_> = sources.iter().map(|file| (file.path.to_owned(), named(file.bytes))).collect();
    let fixtures = below(TEMPLATES, &format!("plugin/fixtures-{world}/"));
    files.extend(fixtures.iter().map(|file| (format!("fixtures/{}", file.path), named(file.bytes))));
    if args.lang == Language::Rust {
        files.extend(SDK.iter().map(|file| (format!("sdk/{}", file.path), file.bytes.to_owned())));
        files.push(("Cargo.lock".to_owned(), LOCK.as_bytes().to_owned()));
    } else {
        let wit = below(SDK, "wit/v0.1.0/");
        files.extend(wit.iter().map(|file| (format!("wit/{}", file.path), file.bytes.to_owned())));
    }
    write_new(&folder, &files)?;
    let shown = folder.display();
    let mut text = format!("wrote  {} files to {shown}\n\nNext:\n", files.len());
    for step in args.lang.preparation() {
        text += &format!("  (cd {shown} && {step})\n");
    }
    text += &format!("  outflow plugin build {shown}\n  outflow plugin test {shown}\n");
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn plugin_name(text: &str) -> Result<String, String> {
    let first = text.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !first || !rest || text.ends_with('-') || text.len() > 64 {
        return Err("write lower-case letters, digits and hyphens, a letter first, such as `acme-feed`".to_owned());
    }
    if ["files", "plugin"].contains(&text) || outflow_layout::builtin::component(text).is_some() {
        return Err(format!("`{text}` is a layout that outflow has already"));
    }
    Ok(text.to_owned())
}
