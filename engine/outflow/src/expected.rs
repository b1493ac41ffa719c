//! Compares a delivered folder with an expected one, and shows what differs line by line. Archives are opened, since
//! two ways to deflate the same bytes are no difference: `a.zip!/b.csv` is an entry, `a.csv.gz!/content` the inflated.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::Context;

use crate::embedded;

/// Lines shown of one file's difference.
const SHOWN: usize = 12;

/// Files by their path with `/`.
type Tree = BTreeMap<String, Vec<u8>>;

/// What differs, one text for each file; nothing when all are equal.
pub fn differences(expected: &Path, found: &Path) -> anyhow::Result<Vec<String>> {
    let (expected, mut found) = (tree(expected)?, opened(tree(found)?)?);
    let mut all = Vec::new();
    for (name, wanted) in expected {
        match found.remove(&name) {
            None => all.push(format!("missing    {name}\n")),
            Some(bytes) if bytes == wanted => {}
            Some(bytes) => all.push(format!("different  {name}\n{}", lines(&wanted, &bytes))),
        }
    }
    all.extend(found.into_iter().map(|(name, bytes)| format!("unexpected {name}\n{}", lines(&[], &bytes))));
    Ok(all)
}

/// Makes the expected folder what was found; tells how many files it then has.
pub fn update(expected: &Path, found: &Path) -> anyhow::Result<usize> {
    let found = opened(tree(found)?)?;
    if expected.is_dir() {
        std::fs::remove_dir_all(expected).with_context(|| format!("cannot empty `{}`", expected.display()))?;
    }
    for (name, bytes) in &found {
        embedded::write(&expected.join(name), bytes)?;
    }
    Ok(found.len())
}

fn tree(folder: &Path) -> anyhow::Result<Tree> {
    fn walk(folder: &Path, below: &str, files: &mut Tree) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), files)?;
            } else {
                files.insert(name, std::fs::read(entry.path())?);
            }
        }
        Ok(())
    }
    let mut files = Tree::new();
    // A run without rows makes no folder at all.
    if folder.is_dir() {
        walk(folder, "", &mut files).with_context(|| format!("cannot read below `{}`", folder.display()))?;
    }
    Ok(files)
}

fn opened(files: Tree) -> anyhow::Result<Tree> {
    let mut all = Tree::new();
    for (name, bytes) in files {
        if name.ends_with(".gz") && bytes.starts_with(&[0x1f, 0x8b]) {
            let mut content = Vec::new();
            let read = flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut content);
            read.with_context(|| format!("`{name}` is not a sound gzip file"))?;
            all.insert(format!("{name}!/content"), content);
        } else if name.ends_with(".zip") && bytes.starts_with(b"PK") {
            unzip(&name, bytes, &mut all).with_context(|| format!("`{name}` is not a sound zip archive"))?;
        } else {
            all.insert(name, bytes);
        }
    }
    Ok(all)
}

fn unzip(name: &str, bytes: Vec<u8>, all: &mut Tree) -> anyhow::Result<()> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        let entry = entry.name()?.into_owned();
        all.insert(format!("{name}!/{entry}"), content);
    }
    Ok(())
}

/// The lines between the common start and the common end of two texts; for anything but text, its sizes.
fn lines(expected: &[u8], found: &[u8]) -> String {
    let (Ok(expected), Ok(found)) = (std::str::from_utf8(expected), std::str::from_utf8(found)) else {
        let at = expected.iter().zip(found).take_while(|(one, other)| one == other).count();
        return format!("  no text: {} bytes expected, {} found, equal up to byte {at}\n", expected.len(), found.len());
    };
    let left = expected.split_inclusive('\n').collect::<Vec<_>>();
    let right = found.split_inclusive('\n').collect::<Vec<_>>();
    let start = left.iter().zip(&right).take_while(|(one, other)| one == other).count();
    let rest = (left.len() - start).min(right.len() - start);
    let end = left.iter().rev().zip(right.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let mut text = format!("  from line {}\n", start + 1);
    for (sign, lines) in [('-', &left[start..left.len() - end]), ('+', &right[start..right.len() - end])] {
        for line in lines.iter().take(SHOWN) {
            let end = if line.ends_with('\n') { "" } else { " (no line feed)" };
            text += &format!("  {sign} {}{end}\n", visible(line.trim_end_matches('\n')));
        }
        if lines.len() > SHOWN {
            text += &format!("  {sign} … and {} more lines\n", lines.len() - SHOWN);
        }
    }
    text
}

/// A line with what cannot be seen in it written out.
fn visible(line: &str) -> String {
    let show = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    line.chars().map(show).collect()
}

#[cfg(test)]
mod tests;
