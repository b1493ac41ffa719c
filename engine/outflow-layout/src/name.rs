//! Names of files: what is allowed, how values from data are made safe, and that no two files share one.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::layout::{Artifact, FileIntent, FileName, Written};

/// Longest path, in bytes.
pub const MAX_PATH: usize = 1024;

/// Longest part of a path between slashes, in bytes.
pub const MAX_SEGMENT: usize = 255;

/// Checks a path below the target; an error says what is wrong with it.
pub fn check(path: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("the file name `{}` {why}", shown(path)));
    if path.is_empty() {
        return Err("a file name is empty".to_string());
    }
    if path.len() > MAX_PATH {
        return wrong(&format!("has {} bytes; at most {MAX_PATH} are allowed", path.len()));
    }
    if path.contains(char::is_control) {
        return wrong("holds a control character");
    }
    if path.contains('\\') {
        return wrong("holds a back-slash; folders are separated by `/`");
    }
    if path.starts_with('/') {
        return wrong("starts with `/`; names are relative to the sink's path");
    }
    for segment in path.split('/') {
        match segment {
            "" => return wrong("has an empty part between slashes"),
            "." | ".." => return wrong(&format!("has a part `{segment}`, which leads to another folder")),
            _ if segment.len() > MAX_SEGMENT => {
                return wrong(&format!("has a part of {} bytes; at most {MAX_SEGMENT} are allowed", segment.len()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A value from data as part of a name: what could end or leave the part is percent-encoded, and so is `%`.
pub fn escaped(value: &str) -> String {
    let only_dots = matches!(value, "." | "..");
    let mut safe = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_control() || matches!(c, '/' | '\\' | '%') || (only_dots && c == '.') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                safe.push_str(&format!("%{byte:02X}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Checks texts that a store sends as HTTP headers.
fn check_headers<'a>(path: &str, texts: impl IntoIterator<Item = &'a String>) -> Result<(), String> {
    let printable = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    match texts.into_iter().find(|text| !printable(text)) {
        Some(text) => {
            Err(format!("the metadata `{}` of the file `{}` holds more than printable ASCII", shown(text), shown(path)))
        }
        None => Ok(()),
    }
}

/// A path for a message: short, and without control characters.
fn shown(path: &str) -> String {
    let mut text: String = path.chars().take(80).flat_map(char::escape_debug).collect();
    if path.chars().nth(80).is_some() {
        text.push('…');
    }
    text
}

/// The names given in one run.
#[derive(Debug, Default)]
pub struct Register {
    /// By path.
    owners: BTreeMap<String, Owner>,
}

/// Who has a path. It is small, for a run may have many files.
#[derive(Debug)]
enum Owner {
    File(Mark),
    /// By entry.
    Archive(BTreeMap<String, Mark>),
}

/// Tells files apart: the start of a SHA-256, of what a data file is to hold or of the bytes of an artifact.
type Mark = [u8; 16];

fn mark(kind: &str, what: impl AsRef<[u8]>) -> Mark {
    let digest = Sha256::new().chain_update(kind).chain_update(what).finalize();
    std::array::from_fn(|at| digest[at])
}

impl Register {
    /// Takes the names of data files; asking again for the same file gives the same name and is no clash.
    pub fn data_files<'a>(
        &mut self,
        files: impl IntoIterator<Item = (&'a FileIntent, &'a FileName)>,
    ) -> Result<(), String> {
        for (intent, name) in files {
            check(&name.path)?;
            if let Some(entry) = &name.archive_entry {
                check(entry)?;
            }
            let headers = name.metadata.iter().flat_map(|(key, value)| [key, value]).chain(&name.content_type);
            check_headers(&name.path, headers)?;
            let owner = format!("{:?} {:?} {}", intent.dataset, intent.partition, intent.part);
            let help = "use every value that splits the rows in the name";
            self.take(&name.path, name.archive_entry.as_deref(), mark("data ", owner), help)?;
        }
        Ok(())
    }

    /// Takes the names of artifacts, each a file of its own, which must not replace data files or one another.
    pub fn artifacts(&mut self, files: &[Written], artifacts: &[Artifact]) -> Result<(), String> {
        if artifacts.is_empty() {
            return Ok(());
        }
        self.data_files(files.iter().map(|file| (&file.intent, &file.name)))?;
        let mut paths = BTreeSet::new();
        for artifact in artifacts {
            check(&artifact.path)?;
            if !paths.insert(&artifact.path) {
                return Err(format!(
                    "two companions are both named `{}`; use what tells their data files apart in the name",
                    shown(&artifact.path)
                ));
            }
            check_headers(&artifact.path, [&artifact.content_type])?;
            let owner = mark("artifact ", &artifact.body);
            self.take(&artifact.path, None, owner, "give each companion its own name")?;
        }
        Ok(())
    }

    /// A file's name cannot be the folder of another file.
    fn check_folders(&self, path: &str) -> Result<(), String> {
        let folder = format!("{path}/");
        let below = self.owners.range(folder.clone()..).next().map(|(other, _)| (other.as_str(), path));
        let below = below.filter(|(other, _)| other.starts_with(&folder));
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let above = above.find(|above| self.owners.contains_key(*above)).map(|above| (path, above));
        match below.or(above) {
            None => Ok(()),
            Some((inner, outer)) => Err(format!(
                "the file name `{}` lies below `{}`, which is a file of the run; choose another folder",
                shown(inner),
                shown(outer)
            )),
        }
    }

    /// Files of one path are one archive, if each has an entry of its own.
    fn take(&mut self, path: &str, entry: Option<&str>, owner: Mark, help: &str) -> Result<(), String> {
        let Some(present) = self.owners.get_mut(path) else {
            self.check_folders(path)?;
            let new = match entry {
                None => Owner::File(owner),
                Some(entry) => Owner::Archive(BTreeMap::from([(entry.to_owned(), owner)])),
            };
            self.owners.insert(path.to_owned(), new);
            return Ok(());
        };
        let clash = match (present, entry) {
            (Owner::File(present), None) if *present == owner => return Ok(()),
            (Owner::Archive(entries), Some(entry)) => match entries.entry(entry.to_owned()).or_insert(owner) {
                present if *present == owner => return Ok(()),
                _ => format!("the entry `{}` of ", shown(entry)),
            },
            _ => "named ".to_owned(),
        };
        Err(format!("two files of the run are both {clash}`{}`; {help}", shown(path)))
    }
}

#[cfg(test)]
mod tests;
