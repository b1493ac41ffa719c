//! `outflow.lock`: the digests of the plugins that the pipelines of a folder use. People commit it beside them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use outflow_spec::PipelineSpec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{read, references};
use crate::error::{Error, Result};
use crate::pipeline::hex;

/// Name of the file, in the folder of the pipeline files.
pub const FILE: &str = "outflow.lock";

const HEAD: &str = "# The plugins that pipelines of this folder use, by the SHA-256 of their files.\n";

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    #[serde(default)]
    plugins: BTreeMap<String, String>,
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: 1, plugins: BTreeMap::new() }
    }
}

/// A plugin that was pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// Its file, as the pipeline writes it.
    pub component: String,
    /// Its digest now.
    pub digest: String,
    /// The digest that was pinned before, if there was one.
    pub before: Option<String>,
}

impl Lock {
    /// The lock of a folder; an empty one where there is no file.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::user(format!("cannot read `{}`: {error}", path.display()))),
        };
        let lock: Self = serde_yaml::from_str(&text)
            .map_err(|error| Error::user(format!("`{}` does not read: {error}", path.display())))?;
        let wrong = |what: String| Error::user(format!("`{}`: {what}", path.display()));
        if lock.version != 1 {
            return Err(wrong(format!("version {} is not known to this outflow; it knows 1", lock.version)));
        }
        match lock.plugins.iter().find(|(_, digest)| !is_digest(digest)) {
            Some((name, _)) => Err(wrong(format!("`{name}` has no SHA-256 of 64 lower-case hexadecimal digits"))),
            None => Ok(lock),
        }
    }

    /// The digest of a component, by its path as a pipeline writes it.
    pub fn digest(&self, component: &str) -> Option<&str> {
        self.plugins.get(key(component)).map(String::as_str)
    }

    /// Pins a component, and gives the digest it had before.
    pub fn pin(&mut self, component: &str, digest: &str) -> Option<String> {
        self.plugins.insert(key(component).to_owned(), digest.to_owned())
    }

    /// Writes the file whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let failed = |cause: &dyn std::fmt::Display| {
            Error::user(format!("cannot write `{}`: {cause}", folder.join(FILE).display()))
        };
        let text = serde_yaml::to_string(self).map_err(|error| failed(&error))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
        // Others read what is committed; a temporary file is for its owner alone.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.write_all(HEAD.as_bytes())
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.as_file().set_permissions(mode))
            .and_then(|()| file.as_file().sync_all())
            .map_err(|error| failed(&error))?;
        file.persist(folder.join(FILE)).map_err(|error| failed(&error))?;
        Ok(())
    }
}

/// Pins every plugin from a file that a pipeline names and does not pin itself, and writes the lock of its folder.
pub fn pin(spec: &PipelineSpec, base: &Path) -> Result<Vec<Pinned>> {
    let mut lock = Lock::read(base)?;
    let mut pinned: Vec<Pinned> = Vec::new();
    for reference in references(spec).into_iter().filter(|reference| reference.sha256.is_none()) {
        if pinned.iter().any(|known| known.component == reference.component) {
            continue;
        }
        let digest = hex(&Sha256::digest(read(reference.component, base)?));
        let before = lock.pin(reference.component, &digest);
        pinned.push(Pinned { component: reference.component.to_owned(), digest, before });
    }
    if !pinned.is_empty() {
        lock.write(base)?;
    }
    Ok(pinned)
}

/// `./x.wasm` and `x.wasm` are one file.
fn key(component: &str) -> &str {
    component.trim_start_matches("./")
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
