//! Builds the built-in plugins to WebAssembly and tells the crate where they are.
//! `OUTFLOW_PLUGINS_DIR` names a folder with ready ones instead, for machines without the target.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

#[path = "build/nested.rs"]
mod nested;

const BUILT_IN: [&str; 5] = ["actito", "apsis", "customerio", "sailthru", "simon"];

fn main() {
    println!("cargo::rerun-if-env-changed=OUTFLOW_PLUGINS_DIR");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/nested.rs");
    let folder = match std::env::var_os("OUTFLOW_PLUGINS_DIR") {
        Some(folder) => {
            println!("cargo::rerun-if-changed={}", Path::new(&folder).display());
            Ok(PathBuf::from(folder))
        }
        None => build(),
    };
    let folder = match folder {
        Ok(folder) => folder,
        Err(message) => return fail(&message),
    };
    for name in BUILT_IN {
        let file = folder.join(format!("{name}.wasm"));
        if !file.is_file() {
            return fail(&format!("the built-in plugin `{name}` is missing: there is no file {}", file.display()));
        }
        let digest = match std::fs::read(&file) {
            Ok(wasm) => hex(&Sha256::digest(wasm)),
            Err(cause) => return fail(&format!("cannot read {}: {cause}", file.display())),
        };
        let name = name.to_uppercase();
        println!("cargo::rustc-env=OUTFLOW_{name}_WASM={}", file.display());
        println!("cargo::rustc-env=OUTFLOW_{name}_SHA256={digest}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn build() -> Result<PathBuf, String> {
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?;
    for source in [".cargo", "Cargo.toml", "Cargo.lock", "outflow-plugin-sdk"].into_iter().chain(BUILT_IN) {
        println!("cargo::rerun-if-changed={}", nested::plugins().join(source).display());
    }
    // Contracts are part of the plugins.
    println!("cargo::rerun-if-changed={}", nested::plugins().join("../schemas/events").display());
    nested::build(&Path::new(&out).join("plugins-target"), &BUILT_IN)
}

/// Cargo hides what a build script prints on stderr when it ends through `cargo::error`, so each line is one.
fn fail(message: &str) {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
}
