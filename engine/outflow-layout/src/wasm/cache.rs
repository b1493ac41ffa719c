//! Compiled components on disk. They are native code, so a folder or file that somebody else can write is not used.
//! The cache only saves time: whatever goes wrong here, the component is compiled again.

#![allow(unsafe_code)]

use std::fs::{self, DirBuilder, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// The cache, or its absence.
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// A cache in the given folder, or none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The user's cache folder.
    pub fn of_user() -> Self {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Self::new(base.map(|base| base.join("outflow")))
    }

    /// The compiled form of the component with this digest, if there is a sound one.
    pub fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let folder = self.folder.as_deref().filter(|folder| ours(folder, Metadata::is_dir))?;
        let file = folder.join(file_name(engine, digest));
        if !ours(&file, Metadata::is_file) {
            return None;
        }
        let bytes = fs::read(file).ok()?;
        let (code, sum) = bytes.split_last_chunk::<32>()?;
        if Sha256::digest(code).as_slice() != sum {
            return None;
        }
        // SAFETY: the bytes are those that `store` wrote, as their digest shows, from `Component::serialize` of an
        // engine of the same configuration and version, which the file's name holds; and only this user can write
        // the file and its folder.
        unsafe { Component::deserialize(engine, code) }.ok()
    }

    /// Keeps the compiled form.
    pub fn store(&self, engine: &Engine, digest: &str, component: &Component) {
        if let Some(folder) = &self.folder {
            // A failure costs the next start some compile time and nothing else.
            let _ = write(folder, &file_name(engine, digest), component);
        }
    }
}

fn write(folder: &Path, name: &str, component: &Component) -> Option<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
    if !ours(folder, Metadata::is_dir) {
        return None;
    }
    let code = component.serialize().ok()?;
    let partial = folder.join(format!(".{name}.{}", std::process::id()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).and_then(|mut file| {
            file.write_all(&code)?;
            file.write_all(&Sha256::digest(&code))?;
            fs::rename(&partial, folder.join(name))
        });
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written.ok()
}

/// Whether a path is no link, belongs to this user, and nobody else can write it.
fn ours(path: &Path, kind: fn(&Metadata) -> bool) -> bool {
    // SAFETY: `geteuid` has no preconditions and cannot fail.
    let user = unsafe { libc::geteuid() };
    fs::symlink_metadata(path).is_ok_and(|data| kind(&data) && data.uid() == user && data.mode() & 0o022 == 0)
}

fn file_name(engine: &Engine, digest: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}
