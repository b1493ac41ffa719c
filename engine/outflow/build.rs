//! Link settings of the binary, and the files inside it: relative relocations are packed and equal functions kept once
//! where the linker knows how, the first of which took seven megabytes off; reference pipelines and plugin templates are
//! embedded as they lie in the repository.

use std::path::Path;

#[path = "build/embed.rs"]
mod embed;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/embed.rs");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let gnu = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    if linux && gnu {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    // Rust links with LLD there. Nothing here tells functions apart by their address.
    let lld = linux && gnu && std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64");
    if lld && std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
    // Asked of cargo at run time: one target folder may serve several checkouts.
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&root);
    let folders = [
        ("PIPELINES", root.join("../../pipelines")),
        ("TEMPLATES", root.join("templates")),
        ("SDK", root.join("../../plugins/outflow-plugin-sdk")),
    ];
    if let Err(message) = embed::write(&folders) {
        println!("cargo::error={message}");
    }
}
