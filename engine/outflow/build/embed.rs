//! Turns folders into tables of paths and bytes that the binary includes. Long samples are cut after whole records,
//! so that the binary stays small whatever the repository holds; what cannot be cut is left out.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The most bytes of one embedded file.
const MOST: usize = 48 << 10;

/// What runs and builds leave behind.
const LEFT_BEHIND: [&str; 4] = ["out", "target", "node_modules", "__pycache__"];

/// Writes `embedded.rs` with one table a folder.
pub fn write(folders: &[(&str, PathBuf)]) -> Result<(), String> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    let mut text = String::new();
    for (table, folder) in folders {
        println!("cargo::rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        walk(folder, "", &mut files)?;
        let mut entries = String::new();
        for (name, path) in files {
            let Some(path) = short(&path, &out, &format!("{table}-{}", name.replace('/', "-")))? else { continue };
            let _ = writeln!(entries, "    File {{ path: {name:?}, bytes: include_bytes!({path:?}) }},");
        }
        let _ = writeln!(text, "pub static {table}: &[File] = &[\n{entries}];");
    }
    fs::write(out.join("embedded.rs"), text).map_err(|error| format!("cannot write embedded.rs: {error}"))
}

fn walk(folder: &Path, below: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), String> {
    let failed = |error| format!("cannot list {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if (name.starts_with('.') && name != ".gitignore") || LEFT_BEHIND.contains(&name.as_str()) {
            continue;
        }
        let shown = format!("{below}{name}");
        if path.is_dir() { walk(&path, &format!("{shown}/"), files)? } else { files.push((shown, path)) }
    }
    Ok(())
}

/// The file itself, a copy cut short, or nothing when it is too long and not of lines.
fn short(path: &Path, out: &Path, name: &str) -> Result<Option<PathBuf>, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if bytes.len() <= MOST {
        return path.canonicalize().map(Some).map_err(|error| format!("cannot find {}: {error}", path.display()));
    }
    if !["jsonl", "csv", "tsv"].iter().any(|extension| path.extension().is_some_and(|found| found == *extension)) {
        return Ok(None);
    }
    let copy = out.join(name);
    fs::write(&copy, &bytes[..whole_records(&bytes[..MOST])])
        .map_err(|error| format!("cannot write {name}: {error}"))?;
    Ok(Some(copy))
}

/// Bytes up to a line feed that ends a record: before it the quotes are balanced. In JSON Lines every line feed ends
/// a record, so there it does no harm that an escaped quote counts too.
fn whole_records(bytes: &[u8]) -> usize {
    let (mut end, mut quotes) = (0, 0_usize);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quotes += 1,
            b'\n' if quotes.is_multiple_of(2) => end = at + 1,
            _ => {}
        }
    }
    end
}
