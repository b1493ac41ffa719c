//! `outflow plugin build`: calls the language's own tool, checks that what it made is a plugin, and pins it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;
use clap::ValueEnum;
use indicatif::HumanCount;
use outflow_engine::plugin::lock::{self, Lock};
use outflow_layout::wasm::Inspection;

use crate::failure::Failure;
use crate::output;

/// Arguments of `plugin build`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  outflow plugin build            the project in this folder
  outflow plugin build acme

The language is told by the project's files: Cargo.toml, package.json, or plugin.py. The component is pinned
in `outflow.lock` of this folder, for the pipelines here; `--lock` names another.

Exit codes: 0 built, 2 no project is there or a tool is missing, 3 the tool failed")]
pub struct Args {
    /// Folder of the project
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Folder of the pipelines that use the plugin, whose `outflow.lock` pins it
    #[arg(long, value_name = "DIR", default_value = ".")]
    lock: PathBuf,
}

/// Languages that there are kits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Built by cargo
    Rust,
    /// JavaScript, built by jco and run by QuickJS
    Js,
    /// Built by componentize-py
    Python,
}

/// Where the tools of JavaScript and Python leave the component.
const BUILT: &str = "target/plugin.wasm";

const TARGET: &str = "wasm32-wasip2";

impl Language {
    /// Its name in templates and arguments.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
        }
    }

    /// What a new project needs before it can be built.
    pub fn preparation(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &[],
            Self::Js => &["npm install"],
            Self::Python => &["python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"],
        }
    }

    /// The language of a project.
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let files = [("Cargo.toml", Self::Rust), ("package.json", Self::Js), ("plugin.py", Self::Python)];
        files.iter().find(|(file, _)| folder.join(file).is_file()).map(|(_, language)| *language).ok_or_else(|| {
            anyhow::anyhow!(
                "there is no plugin in `{}`: neither Cargo.toml nor package.json nor plugin.py\n\
                 hint: `outflow plugin new NAME --lang rust|js|python` begins one",
                folder.display()
            )
        })
    }
}

/// Builds the project and tells what came of it.
pub fn execute(args: &Args) -> Result<ExitCode, Failure> {
    let folder = &args.folder;
    let language = Language::of(folder)?;
    let built = match language {
        Language::Rust => cargo(folder)?,
        Language::Js => jco(folder)?,
        Language::Python => componentize_py(folder)?,
    };
    let Some(built) = built else { return Ok(ExitCode::from(3)) };
    let wasm = super::read(&built)?;
    let found = super::inspect(&built.display().to_string(), &wasm)?;
    let file = folder.join(format!("{}.wasm", found.name));
    std::fs::write(&file, &wasm).with_context(|| format!("cannot write `{}`", file.display()))?;
    pin(&args.lock, &file, &found)?;
    output::print(&format!(
        "{} {}, a {}\n  file    {}\n  size    {} bytes\n  sha256  {}, pinned in `{}`\n",
        found.name,
        found.version,
        found.world.name(),
        file.display(),
        HumanCount(found.bytes as u64),
        found.digest,
        args.lock.join(lock::FILE).display(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Pins the component for the pipelines of a folder, by its path as they write it.
fn pin(folder: &Path, file: &Path, found: &Inspection) -> Result<(), Failure> {
    let absolute = |path: &Path| std::path::absolute(path).with_context(|| format!("cannot find `{}`", path.display()));
    let (base, file) = (absolute(folder)?, absolute(file)?);
    // The components of an absolute path hold no `.`; a plugin elsewhere is named in full.
    let component = file.strip_prefix(&base).unwrap_or(&file);
    let component = component.to_str().context("the path of the plugin is not UTF-8")?;
    let mut lock = Lock::read(folder)?;
    lock.pin(component, &found.digest);
    Ok(lock.write(folder)?)
}

/// Runs a tool in the project; what it says goes to standard error. None when it failed.
fn run(tool: &mut Command, folder: &Path, missing: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let shown = tool.get_program().to_string_lossy().into_owned();
    let child = tool.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    match child {
        Ok(output) if output.status.success() => Ok(Some(output.stdout)),
        Ok(output) => {
            output::tell(&String::from_utf8_lossy(&output.stdout));
            output::tell(&format!("error: `{shown}` could not build the plugin; what it said is above\n"));
            Ok(None)
        }
        Err(error) => Err(anyhow::anyhow!("cannot run `{shown}`: {error}\nhint: {missing}")),
    }
}

fn cargo(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let install = "install Rust with https://rustup.rs, then `rustup target add wasm32-wasip2`";
    let libraries = run(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]), folder, install)?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.unwrap_or_default()).trim());
    anyhow::ensure!(
        libraries.is_dir(),
        "Rust has no standard library for `{TARGET}`\nhint: rustup target add {TARGET}"
    );
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    let Some(messages) = run(&mut cargo, folder, install)? else { return Ok(None) };
    let messages = String::from_utf8_lossy(&messages);
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let files = artifacts.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut wasm = files.filter_map(|file| file.as_str().map(PathBuf::from)).filter(|file| {
        // The last crate is the project's own; those before it are what it needs.
        file.extension().is_some_and(|extension| extension == "wasm")
    });
    let wasm =
        wasm.next_back().context("cargo made no `.wasm` file\nhint: Cargo.toml needs `crate-type = [\"cdylib\"]`")?;
    Ok(Some(wasm))
}

fn jco(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    anyhow::ensure!(
        folder.join("node_modules/.bin/jco").exists(),
        "the project's tools are not installed\nhint: (cd {} && npm install), with Node.js 20 or later",
        folder.display()
    );
    prepare(folder)?;
    let missing = "install Node.js 20 or later, which brings npm";
    Ok(run(Command::new("npm").args(["run", "--silent", "build"]), folder, missing)?.map(|_| folder.join(BUILT)))
}

fn componentize_py(folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let own = Path::new(".venv/bin/componentize-py");
    let tool =
        if folder.join(own).is_file() { std::path::absolute(folder.join(own))? } else { "componentize-py".into() };
    prepare(folder)?;
    // The module of the interface's resource has the interface's name.
    let world = if folder.join("layout.py").is_file() { "layout-plugin" } else { "transform-plugin" };
    let mut command = Command::new(tool);
    command.args(["--quiet", "-d", "wit", "-w", world, "componentize", "--stub-wasi", "plugin", "-o", BUILT]);
    let missing = "(cd PROJECT && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt), with Python 3.10 \
                   or later";
    let missing = missing.replace("PROJECT", &folder.display().to_string());
    Ok(run(&mut command, folder, &missing)?.map(|_| folder.join(BUILT)))
}

/// An empty place for the component, so that an old one is never taken for a new one.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    let file = folder.join(BUILT);
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", file.display()))
        }
        _ => std::fs::create_dir_all(folder.join("target")).context("cannot make the folder `target`"),
    }
}
