//! Compares a delivered folder with an expected one, by the conventions of `tests/runs/README.md`:
//! `NONCE00` for the random token of a name, `archive!/entry` for what is in an archive.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{files_below, run};

/// Stands for eight hexadecimal digits.
const NONCE: &str = "NONCE00";
/// How many digits of the random token a name shows.
const DIGITS: usize = 8;

/// What is different between two folders, for people; none when nothing is.
pub fn difference(expected: &Path, actual: &Path) -> Option<String> {
    let mut found: BTreeMap<String, Vec<u8>> = inflated(actual);
    let mut differences = Vec::new();
    for (path, content) in files_below(expected) {
        let Some((name, nonce)) = found.keys().find_map(|name| Some((name.clone(), nonce(&path, name)?))) else {
            differences.push(format!("`{path}` is missing"));
            continue;
        };
        let bytes = found.remove(&name).unwrap_or_default();
        let content = if nonce.is_empty() { content } else { replaced(&content, &nonce) };
        if bytes != content {
            let (line, left, right) = first_difference(&content, &bytes);
            differences.push(format!("`{name}` differs at line {line}:\n  expected {left}\n  found    {right}"));
        }
    }
    differences.extend(found.keys().map(|name| format!("`{name}` should not be there")));
    (!differences.is_empty()).then(|| differences.join("\n"))
}

/// The files below a folder with archives opened.
fn inflated(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for (name, bytes) in files_below(folder) {
        let reader = match name.rsplit('.').next() {
            Some("gz") => GUNZIP,
            Some("zip") => UNZIP,
            _ => {
                all.insert(name, bytes);
                continue;
            }
        };
        let scratch = tempfile::tempdir().expect("the temporary folder can be written");
        let mut python = Command::new("python3");
        python.arg("-c").arg(reader).arg(folder.join(&name)).arg(scratch.path());
        run(&mut python, Duration::from_secs(60)).expect_code(0);
        all.extend(files_below(scratch.path()).into_iter().map(|(entry, bytes)| (format!("{name}!/{entry}"), bytes)));
    }
    all
}

/// Readers that owe nothing to the writers; both check what the format offers to check.
const GUNZIP: &str = "import gzip, sys; open(sys.argv[2] + '/content', 'wb').write(gzip.open(sys.argv[1]).read())";
const UNZIP: &str =
    "import zipfile, sys; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; z.extractall(sys.argv[2])";

/// The digits that make the expected path the actual one; empty when they are equal as they are.
fn nonce(expected: &str, actual: &str) -> Option<String> {
    let Some((before, after)) = expected.split_once(NONCE) else {
        return (expected == actual).then(String::new);
    };
    let digits = actual.strip_prefix(before)?.strip_suffix(after)?;
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    (digits.len() == DIGITS && digits.chars().all(hex)).then(|| digits.to_owned())
}

fn replaced(content: &[u8], nonce: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.windows(NONCE.len()).position(|window| window == NONCE.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(nonce.as_bytes());
        rest = &rest[at + NONCE.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn first_difference(expected: &[u8], actual: &[u8]) -> (usize, String, String) {
    let (mut left, mut right) = (expected.split(|byte| *byte == b'\n'), actual.split(|byte| *byte == b'\n'));
    let shown =
        |line: Option<&[u8]>| line.map_or("nothing".to_owned(), |line| format!("{:?}", String::from_utf8_lossy(line)));
    for number in 1.. {
        let (one, other) = (left.next(), right.next());
        if one != other || one.is_none() {
            return (number, shown(one), shown(other));
        }
    }
    (0, String::new(), String::new())
}

#[cfg(test)]
mod tests;
