//! Publishing into a folder of this machine. A file appears under its final name by a hard link, which fails when the
//! name exists: never half of it, never over another. Across file systems a synced copy beside it is linked instead.
//! Folders are synced once for the names that appeared in them, when `persist` asks.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use async_trait::async_trait;
use outflow_formats::digest::{Algorithm, Digester};
use outflow_layout::layout::Target;

use super::{Proof, Put, Sink, Trust, check_path};
use crate::disk;
use crate::error::{Error, Result};
use crate::kill_point;
use crate::ledger::SealedFile;
use crate::progress::{Event, Progress};

/// A folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    target: Target,
    identity: String,
}

impl Folder {
    /// The folder at `path`; `written` is how the pipeline names it. It need not exist.
    pub fn new(path: &Path, written: &str) -> Result<Self> {
        let container = written.trim_end_matches('/').to_owned();
        Self::standing_in(path, Target { scheme: "file".to_owned(), container, prefix: String::new() })
    }

    /// A folder that takes the files meant for another target; layouts go on seeing that one.
    pub fn standing_in(path: &Path, target: Target) -> Result<Self> {
        let root = std::path::absolute(path)
            .map_err(|error| Error::user(format!("the folder {path:?} cannot be used: {error}")))?;
        // Taken from the text, not the disk: the same folder has one identity before and after it exists.
        let mut plain = PathBuf::new();
        for component in root.components() {
            match component {
                Component::ParentDir => drop(plain.pop()),
                Component::CurDir => {}
                other => plain.push(other),
            }
        }
        let name = plain.to_str().ok_or_else(|| Error::user(format!("the folder {plain:?} is not UTF-8")))?;
        let identity = format!("file://{name}");
        Ok(Self { root, target, identity })
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(Self) -> Result<T> + Send + 'static) -> Result<T> {
        let folder = self.clone();
        let done = tokio::task::spawn_blocking(move || work(folder)).await;
        done.map_err(|error| Error::internal(format!("work on a file stopped: {error}")))?
    }

    fn usable(&self) -> Result<()> {
        // The folder is made by the first delivery; here its nearest existing ancestor must be a folder.
        for folder in self.root.ancestors() {
            match fs::metadata(folder) {
                Ok(found) if found.is_dir() => return Ok(()),
                Ok(_) => {
                    let place = folder.display();
                    let error = Error::external(format!("`{place}` is not a folder")).fault_of_client();
                    return Err(error.hint("check `path` of the sink"));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failure(folder, "checking", &error)),
            }
        }
        Ok(())
    }

    /// What can be told without reading the file; none where it must be read.
    fn glance(&self, file: &SealedFile, trust: Trust) -> Result<Option<Proof>> {
        check_path(&file.path)?;
        let path = self.root.join(&file.path);
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Some(Proof::Absent));
            }
            Err(error) => return Err(failure(&path, "reading back", &error)),
        };
        if !found.is_file() {
            return Ok(Some(Proof::Different("is not a regular file at the target".to_owned())));
        }
        if found.len() != file.bytes {
            let found = found.len();
            return Ok(Some(Proof::Different(format!("has {found} bytes at the target, not {}", file.bytes))));
        }
        // One file with two names: the bytes this process sealed.
        let sealed = trust == Trust::Spool
            && fs::metadata(&file.spool_path)
                .is_ok_and(|spool| (spool.dev(), spool.ino()) == (found.dev(), found.ino()));
        Ok(sealed.then_some(Proof::Same))
    }

    fn look(&self, file: &SealedFile, trust: Trust) -> Result<Proof> {
        self.glance(file, trust)?.map_or_else(|| self.read_back(file), Ok)
    }

    fn read_back(&self, file: &SealedFile) -> Result<Proof> {
        let path = self.root.join(&file.path);
        if file.digest.is_of_file(&path).map_err(|error| failure(&path, "reading back", &error))? {
            Ok(Proof::Same)
        } else {
            Ok(Proof::Different("has other content at the target than was sealed".to_owned()))
        }
    }

    fn show(&self, file: &SealedFile, staging: &str) -> Result<Put> {
        check_path(&file.path)?;
        let path = self.root.join(&file.path);
        let folder = path.parent().unwrap_or(&self.root).to_owned();
        self.make_folder(&folder)?;
        let damaged = |why: String| Ok(Put::Damaged(format!("spool file `{}` {why}", file.spool_path.display())));
        match fs::symlink_metadata(&file.spool_path) {
            Ok(spool) if spool.is_file() && spool.len() == file.bytes => {}
            Ok(_) => return damaged("was changed after it was sealed".to_owned()),
            Err(error) => return damaged(format!("cannot be read: {error}")),
        }
        kill_point!("folder-before-link");
        let linked = match self.inherits_group(&folder)? {
            true => Err(ErrorKind::CrossesDevices.into()),
            false => link_spool(&file.spool_path, &path),
        };
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Put::Taken),
            // Another file system, or one whose rules keep this link away; the copy says what is really wrong.
            Err(_) => {
                let copy = folder.join(staging);
                let put = copy_and_link(file, &copy, &path);
                if !matches!(put, Ok(Put::Stored)) {
                    // Ours alone, and useless now; when it cannot go the next recovery sweeps it.
                    let _ = fs::remove_file(&copy);
                    return put;
                }
            }
        }
        kill_point!("folder-linked");
        Ok(Put::Stored)
    }

    /// Makes a folder below the root with its parents, and refuses to leave the root by a link. A new root is synced into
    /// the folder above it: `persist` looks no further up than the root.
    fn make_folder(&self, folder: &Path) -> Result<()> {
        let missing: Vec<_> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
        for ancestor in missing.into_iter().rev() {
            match fs::create_dir(ancestor) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failure(ancestor, "making", &error)),
            }
            if let Some(parent) = ancestor.parent().filter(|parent| !parent.starts_with(&self.root)) {
                sync_folder(parent)?;
            }
        }
        self.stays_below(folder)
    }

    fn stays_below(&self, folder: &Path) -> Result<()> {
        let real = |path: &Path| path.canonicalize().map_err(|error| failure(path, "opening", &error));
        if real(folder)?.starts_with(real(&self.root)?) {
            return Ok(());
        }
        let (place, root) = (folder.display(), self.root.display());
        Err(Error::external(format!("`{place}` leads out of `{root}` by a symbolic link"))
            .hint("outflow writes below the folder of the sink only; remove the link"))
    }

    fn take_away(&self, file: &SealedFile) -> Result<Proof> {
        let proof = self.look(file, Trust::Bytes)?;
        if proof != Proof::Same {
            return Ok(proof);
        }
        let path = self.root.join(&file.path);
        let folder = path.parent().unwrap_or(&self.root);
        self.stays_below(folder)?;
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Proof::Absent),
            Err(error) => return Err(failure(&path, "removing", &error)),
        }
        sync_folder(folder)?;
        Ok(Proof::Same)
    }

    /// A folder that hands its group to new files does not do so for links.
    fn inherits_group(&self, folder: &Path) -> Result<bool> {
        let found = fs::metadata(folder).map_err(|error| failure(folder, "opening", &error))?;
        Ok(found.mode() & 0o2000 != 0)
    }
}

#[async_trait]
impl Sink for Folder {
    /// Nothing but this program reads the bytes back here.
    fn digest(&self) -> Algorithm {
        Algorithm::Xxh3
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn check(&self) -> Result<()> {
        self.blocking(|folder| folder.usable()).await
    }

    async fn compare(&self, file: &SealedFile, trust: Trust) -> Result<Proof> {
        // To hand this to another thread would cost more than it does.
        if let Some(proof) = self.glance(file, trust)? {
            return Ok(proof);
        }
        let file = file.clone();
        self.blocking(move |folder| folder.read_back(&file)).await
    }

    async fn put(&self, file: &SealedFile, staging: &str, progress: &dyn Progress) -> Result<Put> {
        let (copy, staging) = (file.clone(), staging.to_owned());
        let put = self.blocking(move |folder| folder.show(&copy, &staging)).await?;
        if matches!(put, Put::Stored) {
            progress.event(Event::Delivered(file.bytes));
        }
        Ok(put)
    }

    async fn persist(&self, files: &[&SealedFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        // Whoever made a folder may not have come to sync the one above it.
        let mut folders = BTreeMap::new();
        for path in files.iter().map(|file| self.root.join(&file.path)) {
            for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)) {
                *folders.entry(folder.to_owned()).or_default() |= path.parent() == Some(folder);
            }
        }
        let folders = Vec::from_iter(folders);
        self.blocking(move |_| disk::at_once(&folders, |(folder, has_files)| persist_names(folder, *has_files))).await
    }

    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()> {
        check_path(&file.path)?;
        let path = self.root.join(&file.path).with_file_name(staging);
        match tokio::fs::remove_file(&path).await {
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(failure(&path, "removing", &error))
            }
            _ => Ok(()),
        }
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        let file = file.clone();
        self.blocking(move |folder| folder.take_away(&file)).await
    }
}

/// Gives the spool file a second name. The spool is private; what is published is as open as any new file.
fn link_spool(spool: &Path, path: &Path) -> io::Result<()> {
    fs::set_permissions(spool, Permissions::from_mode(0o666 & !umask()))?;
    fs::hard_link(spool, path)
}

fn copy_and_link(file: &SealedFile, copy: &Path, path: &Path) -> Result<Put> {
    let failed = |error: io::Error| failure(path, "writing", &error);
    let mut from = File::open(&file.spool_path).map_err(failed)?;
    // What lies there is our own, from an attempt that died.
    let _ = fs::remove_file(copy);
    let mut to =
        OpenOptions::new().write(true).create_new(true).custom_flags(libc::O_NOFOLLOW).open(copy).map_err(failed)?;
    let mut digester = Digester::new(file.digest.algorithm());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        digester.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(failed)?;
    }
    if digester.finish() != file.digest {
        return Ok(Put::Damaged(format!("spool file `{}` was changed after it was sealed", file.spool_path.display())));
    }
    to.sync_all().map_err(failed)?;
    kill_point!("folder-copied");
    match fs::hard_link(copy, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Put::Taken),
        Err(error) => return Err(failed(error)),
    }
    kill_point!("folder-copy-linked");
    fs::remove_file(copy).map_err(failed)?;
    Ok(Put::Stored)
}

/// Syncs a folder that files appeared in, or one above such. Names in a folder that is gone went with it, and one that
/// this user may only pass through got no name from it.
fn persist_names(folder: &Path, has_files: bool) -> Result<()> {
    let opened = match File::open(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !has_files => return Ok(()),
        opened => opened,
    };
    opened.and_then(|folder| folder.sync_all()).map_err(|error| failure(folder, "syncing", &error))
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failure(folder, "syncing", &error))
}

/// The umask of this process, read once and without changing it; the usual one where the system does not tell.
fn umask() -> u32 {
    static UMASK: LazyLock<u32> = LazyLock::new(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o022)
    });
    *UMASK
}

fn failure(path: &Path, doing: &str, error: &io::Error) -> Error {
    let message = format!("{doing} `{}`: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::transient(message).hint("free some space there"),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let error = Error::external(message).fault_of_client();
            error.hint("this user must be allowed to write to the folder of the sink")
        }
        _ => Error::external(message),
    }
}

#[cfg(test)]
mod tests;
