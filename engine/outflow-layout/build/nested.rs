//! A cargo inside cargo: builds crates of the plugins' workspace to `wasm32-wasip2`.
//! The build script uses it for the built-in plugins, the tests for the guests they attack the host with.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The plugins' workspace.
/// Asked of cargo at run time: one target folder may serve several checkouts.
pub fn plugins() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&package).join("../../plugins")
}

const TARGET: &str = "wasm32-wasip2";

/// Builds the crates and returns the folder with their `.wasm` files.
/// The target directory is its own: a shared one is locked by the cargo that waits for us.
pub fn build(target_dir: &Path, crates: &[&str]) -> Result<PathBuf, String> {
    check_target()?;
    let mut cargo = scrubbed("CARGO", "cargo");
    cargo.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]).arg(target_dir);
    for name in crates {
        cargo.args(["--package", name]);
    }
    let plugins = plugins();
    let output = cargo.current_dir(&plugins).output().map_err(|error| format!("starting cargo: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("building the plugins in {} failed\n{stderr}", plugins.display()));
    }
    Ok(target_dir.join(TARGET).join("release"))
}

/// A command without what the outer cargo sets for native code and for its own crate.
fn scrubbed(variable: &str, otherwise: &str) -> Command {
    const KEPT: [&str; 5] = ["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_MAKEFLAGS"];
    const REMOVED: [&str; 4] = ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOCFLAGS"];
    let program = std::env::var_os(variable).unwrap_or_else(|| otherwise.into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let kept = KEPT.iter().any(|prefix| text.starts_with(prefix));
        if REMOVED.contains(&&*text) || (text.starts_with("CARGO") && !kept) {
            command.env_remove(&name);
        }
    }
    command
}

/// Asks the compiler for the target's standard library, because its own message about the lack of it is obscure.
fn check_target() -> Result<(), String> {
    let ask = |arguments: &[&str]| {
        let output = scrubbed("RUSTC", "rustc").args(arguments).output();
        let output = output.map_err(|error| format!("starting rustc: {error}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let folder = ask(&["--print", "target-libdir", "--target", TARGET])?;
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    if files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libcore-")) {
        return Ok(());
    }
    Err(format!(
        "the built-in plugins are WebAssembly components, and `{}` has no standard library for `{TARGET}`\n  \
         with rustup: rustup target add {TARGET}\n  \
         without:     OUTFLOW_PLUGINS_DIR=<folder with a .wasm for each> cargo build",
        ask(&["--version"])?
    ))
}
