//! The README's console blocks, run word for word in a copy of the pipelines. `cargo run` is answered by the binary
//! under test, `cargo test` is this very run.

use crate::support::console::{run_blocks, script_file};
use crate::support::process::{copy_folder, repository};

const CARGO: &str =
    "#!/bin/sh\n[ \"$1\" = run ] || exit 0\nwhile [ \"$1\" != -- ]; do shift; done; shift\nexec outflow \"$@\"\n";

#[test]
fn the_readme_says_what_happens() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines"), &folder.path().join("pipelines"));
    let bin = folder.path().join(".bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_outflow"), bin.join("outflow")).unwrap();
    for (name, script) in [("cargo", CARGO), ("rustup", "#!/bin/sh\n")] {
        script_file(&bin.join(name), script);
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let commands = run_blocks(&readme, folder.path(), |shell| {
        shell.env("PATH", &path).env("HOME", folder.path()).env_remove("OUTFLOW_STATE");
    });
    assert!(commands >= 5, "the README shows only {commands} commands");
}
