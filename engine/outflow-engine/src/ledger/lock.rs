//! The lock that keeps a second process off a state folder. The system drops it when its holder dies.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};

/// The exclusive right to write to a state folder; given back when dropped.
#[derive(Debug)]
pub struct StateLock {
    file: File,
}

impl StateLock {
    /// Takes the lock, making the folder first if need be. Does not wait: a held lock is an error that names the holder.
    pub fn acquire(state: &Path) -> Result<Self> {
        make_private(state)?;
        let path = state.join("lock");
        let failed = |error: std::io::Error| {
            if error.kind() == std::io::ErrorKind::StorageFull {
                let place = state.display();
                return Error::transient(format!("the disk of the state folder with the ledger, `{place}`, is full"))
                    .hint("free some space");
            }
            Error::external(format!("cannot lock the state folder `{}`: {error}", state.display()))
                .hint("the folder must be on a local disk and writable by this user")
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(state, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let pid = std::process::id().to_string();
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(pid.as_bytes())).map_err(failed)?;
        Ok(Self { file })
    }

    /// The locked file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

fn held(state: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    let by = match file.read_to_string(&mut holder) {
        Ok(_) if !holder.is_empty() => format!(" by process {holder}"),
        _ => String::new(),
    };
    Error::locked(format!("the state folder `{}` is in use{by}", state.display()))
        .hint("wait until that run has ended, or give this one a state folder of its own")
}

/// Makes a folder that only this user may enter, with its parents.
pub(crate) fn make_private(folder: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        Error::external(format!("cannot make the folder `{}`: {error}", folder.display()))
            .hint("choose a state folder that this user may write to")
    })
}
