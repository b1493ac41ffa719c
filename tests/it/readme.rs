//! The README's console blocks, run word for word in a copy of the pipelines. `[..]` stands for any text within a line,
//! a line `...` for any lines. `cargo run` is answered by the binary under test, `cargo test` is this very run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::process::{copy_folder, repository, run};

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
    let mut commands = 0;
    for block in readme.split("```console\n").skip(1) {
        for step in block.split("```").next().unwrap().split("$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
            let mut shell = Command::new("bash");
            shell.args(["-c", &format!("{command} 2>&1")]).current_dir(folder.path()).env("PATH", path);
            shell.env("HOME", folder.path()).env("NO_COLOR", "1").env_remove("OUTFLOW_STATE");
            let said = run(&mut shell, Duration::from_secs(120)).stdout;
            assert!(
                matches(expected.trim_end(), said.trim_end()),
                "$ {command}\n--- README\n{expected}\n--- said\n{said}"
            );
            commands += 1;
        }
    }
    assert!(commands >= 5, "the README shows only {commands} commands");
}

fn script_file(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn matches(expected: &str, said: &str) -> bool {
    fn lines(expected: &[&str], said: &[&str]) -> bool {
        match (expected, said) {
            ([], []) => true,
            (["...", rest @ ..], _) => (0..=said.len()).any(|skip| lines(rest, &said[skip..])),
            ([first, rest @ ..], [line, more @ ..]) => fits(first, line) && lines(rest, more),
            _ => false,
        }
    }
    lines(&expected.lines().collect::<Vec<_>>(), &said.lines().collect::<Vec<_>>())
}

fn fits(pattern: &str, line: &str) -> bool {
    let Some((start, rest)) = pattern.split_once("[..]") else { return pattern == line };
    let Some(mut left) = line.strip_prefix(start) else { return false };
    loop {
        if fits(rest, left) {
            return true;
        }
        match left.char_indices().nth(1) {
            Some((next, _)) => left = &left[next..],
            None => return !left.is_empty() && fits(rest, ""),
        }
    }
}

#[test]
fn wildcards_stand_for_any_text() {
    assert!(matches("a [..] c\n...\nz", "a b c\nx\ny\nz"));
    assert!(fits("[..]", "") && fits("a[..]", "ab") && fits("[..]b[..]", "abc"));
    assert!(!matches("a\n...\nz", "a\nb") && !fits("a[..]c", "ab"));
}
