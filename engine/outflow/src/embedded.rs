//! Files that the binary carries: reference pipelines, templates of plugins, the SDK; and how they become a folder.
//! Nothing that exists is ever written over.

use std::path::Path;

use anyhow::Context;

/// A file inside the binary.
pub struct File {
    /// Path below its folder, with `/`.
    pub path: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The files below a path that ends in `/`, with the rest of their path.
pub fn below(files: &'static [File], folder: &str) -> Vec<File> {
    let rest = |file: &File| Some(File { path: file.path.strip_prefix(folder)?, bytes: file.bytes });
    files.iter().filter_map(rest).collect()
}

/// Writes new files below a folder, all of them or, where one is there already, none.
pub fn write_new(folder: &Path, files: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    let there = files.iter().map(|(name, _)| folder.join(name)).filter(|path| path.symlink_metadata().is_ok());
    let there = there.map(|path| format!("`{}`", path.display())).collect::<Vec<_>>();
    anyhow::ensure!(
        there.is_empty(),
        "{} there already, and nothing is written over\nhint: choose an empty folder",
        match there.as_slice() {
            [one] => format!("{one} is"),
            [first, rest @ ..] => format!("{first} and {} more files are", rest.len()),
            [] => String::new(),
        }
    );
    for (name, bytes) in files {
        write(&folder.join(name), bytes)?;
    }
    Ok(())
}

/// Writes a file and the folders it is in.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}
