//! Console blocks of documents, run word for word: `[..]` stands for any text within a line, a line `...` for any
//! lines, and `> ` goes on with the command. What the commands find on their `PATH` is the caller's choice.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::run;

/// Runs every command of the ```` ```console ```` blocks in a folder and fails the test where one says something
/// else than the document. Returns how many there were.
pub fn run_blocks(document: &str, folder: &Path, prepare: impl Fn(&mut Command)) -> usize {
    let mut commands = 0;
    for block in document.split("```console\n").skip(1) {
        for step in block.split("```").next().unwrap_or_default().split("$ ").skip(1) {
            let (first, mut expected) = step.split_once('\n').unwrap_or((step, ""));
            let mut command = first.to_owned();
            while let Some((line, rest)) = expected.strip_prefix("> ").and_then(|rest| rest.split_once('\n')) {
                command += &format!("\n{line}");
                expected = rest;
            }
            let mut shell = Command::new("bash");
            shell.args(["-c", &format!("{{\n{command}\n}} 2>&1")]).current_dir(folder).env("NO_COLOR", "1");
            prepare(&mut shell);
            let said = run(&mut shell, Duration::from_secs(580)).stdout;
            assert!(
                matches(expected.trim_end(), said.trim_end()),
                "$ {command}\n--- document\n{expected}\n--- said\n{said}"
            );
            commands += 1;
        }
    }
    commands
}

/// Writes a file that can be run.
pub fn script_file(path: &Path, text: &str) {
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
