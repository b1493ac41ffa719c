//! Sealing: the files of a slot are checked, forced to disk and written into the ledger as its manifest.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::error::{Error, Result};
use crate::kill_point;
use crate::ledger::{Ledger, Manifest, Slot, spool_folder};
use crate::store::check_path;

/// Fixes what a slot publishes. The slot is `Spooled` and its files lie in its spool folder; afterwards it is `Sealed`.
pub async fn seal(ledger: &Ledger, state: &Path, slot: &mut Slot, manifest: &Manifest) -> Result<()> {
    let folder = spool_folder(state, slot);
    let mut paths = HashSet::new();
    for file in &manifest.files {
        check_path(&file.path)?;
        if !paths.insert(file.path.as_str()) {
            return Err(Error::user(format!("two files of the delivery have the name `{}`", file.path))
                .hint("put what tells them apart (dataset, partition, part) into the file name"));
        }
        if file.spool_path.parent() != Some(&folder) {
            let place = file.spool_path.display();
            return Err(Error::internal(format!("`{place}` lies outside of the slot's spool folder")));
        }
    }
    for path in &paths {
        // A folder of the name of a file cannot be made.
        let mut above = Path::new(path).ancestors().skip(1).filter_map(Path::to_str);
        if let Some(above) = above.find(|above| paths.contains(above)) {
            return Err(Error::user(format!(
                "file name `{path}` lies below `{above}`, which is a file of the delivery"
            ))
            .hint("choose names of which none is the folder of another"));
        }
    }
    let files = manifest.files.iter().map(|file| (file.spool_path.clone(), file.bytes)).collect();
    kill_point!("seal-before-sync");
    force(files, folder).await?;
    kill_point!("seal-synced");
    ledger.seal(slot, manifest).await
}

/// Forces spool files of these sizes to disk, and the folders that name them.
pub(super) async fn force(files: Vec<(PathBuf, u64)>, folder: PathBuf) -> Result<()> {
    let synced = tokio::task::spawn_blocking(move || sync(files, &folder)).await;
    synced.map_err(|error| Error::internal(format!("sealing stopped: {error}")))?
}

fn sync(files: Vec<(PathBuf, u64)>, folder: &Path) -> Result<()> {
    disk::at_once(&files, |(path, bytes)| sync_file(path, *bytes))?;
    let mut folders: HashSet<&Path> = folder.ancestors().take(3).collect();
    folders.extend(files.iter().filter_map(|(path, _)| path.parent()));
    for folder in folders {
        if folder.is_dir() {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| spool_failure(folder, error))?;
        }
    }
    Ok(())
}

/// Nobody forced the file to disk before: from here on it survives a power cut.
fn sync_file(path: &Path, bytes: u64) -> Result<()> {
    let failed = |error| spool_failure(path, error);
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.len();
    if found != bytes {
        let place = path.display();
        return Err(Error::internal(format!("spool file `{place}` has {found} bytes, its facts say {bytes}")));
    }
    // A failed fsync is never tried again: the kernel may have dropped the pages.
    file.sync_all().map_err(failed)?;
    #[cfg(test)]
    FORCED.lock().map_err(|_| Error::internal("a test stopped"))?.insert(path.to_owned());
    Ok(())
}

/// The files that were forced to disk: what a simulated power cut leaves whole.
#[cfg(test)]
static FORCED: std::sync::LazyLock<std::sync::Mutex<HashSet<PathBuf>>> = std::sync::LazyLock::new(Default::default);

/// Whether a file was forced to disk since it was made.
#[cfg(test)]
pub(super) fn forced(path: &Path) -> bool {
    FORCED.lock().is_ok_and(|forced| forced.contains(path))
}

/// Notes that a folder is made anew.
#[cfg(test)]
pub(super) fn forget(folder: &Path) {
    if let Ok(mut forced) = FORCED.lock() {
        forced.retain(|path| !path.starts_with(folder));
    }
}

fn spool_failure(path: &Path, error: std::io::Error) -> Error {
    Error::transient(format!("cannot force the spool file `{}` to disk: {error}", path.display()))
        .hint("check the disk of the state folder")
        .caused_by(error)
}
