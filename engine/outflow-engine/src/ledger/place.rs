//! Where a ledger is: the file in the state folder, made private before SQLite sees it and refused on a network file
//! system, or the URL of a PostgreSQL database, of which only the harmless parts are ever shown.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use outflow_spec::ledger::PostgresLedger;
use outflow_spec::secret::Secret;
use url::Url;

use crate::error::{Error, Result};

/// The file of a state folder's own ledger.
pub(super) fn file(state: &Path) -> PathBuf {
    state.join("ledger.sqlite")
}

/// URL and name of the ledger in a state folder, with the file made.
pub(super) fn sqlite(state: &Path) -> Result<(Secret, String)> {
    let path = file(state);
    let failed = |error: std::io::Error| {
        Error::external(format!("cannot open the ledger `{}`: {error}", path.display()))
            .hint("check the owner and permissions of the state folder")
    };
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(system) = network_system(&mounts, &state.canonicalize().map_err(failed)?) {
        return Err(Error::external(format!(
            "the state folder `{}` is on the network file system `{system}`",
            state.display()
        ))
        .hint("locks do not hold there; put the state on a local disk, or give several machines one `ledger: {postgres: …}`"));
    }
    touch_private(&path, state).map_err(failed)?;
    let absolute = std::path::absolute(&path).map_err(failed)?;
    let url = Url::from_file_path(&absolute)
        .map_err(|()| Error::internal(format!("`{}` makes no URL", absolute.display())))?;
    // The same URL, but for its scheme.
    let url = url.as_str().trim_start_matches("file").to_owned();
    Ok((Secret::new(format!("sqlite{url}")), path.display().to_string()))
}

/// Makes the file before SQLite does, so that it is private from its first moment, and its name survives a power cut.
fn touch_private(path: &Path, state: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    File::open(state)?.sync_all()
}

/// The type of the file system that holds `folder`, if it is one of the network, by the kernel's list of mounts.
fn network_system<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    let holds = |line: &'m str| {
        // `36 35 98:0 /root /mount/point options … - type source …`; a space in a name is `\040`.
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        folder.starts_with(&point).then_some((point.len(), right.split(' ').next()?))
    };
    // Of equal places the last one mounted is the one that shows.
    let (_, system) = mounts.lines().filter_map(holds).max_by_key(|(length, _)| *length)?;
    let remote =
        ["nfs", "cifs", "smb", "afs", "ceph", "lustre", "gpfs", "glusterfs", "sshfs", "s3fs", "rclone", "davfs"];
    remote.iter().any(|name| system.trim_start_matches("fuse.").starts_with(name)).then_some(system)
}

/// URL and name of a ledger on a server.
pub(super) fn postgres(ledger: &PostgresLedger) -> Result<(Secret, String)> {
    let text = ledger.url.reveal();
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql") && url.has_host());
    let Some(url) = url else {
        return Err(Error::user("the `url` of the ledger is not one of a PostgreSQL database")
            .hint("write `postgres://USER:PASSWORD@HOST/DATABASE`, best from `${env:…}`"));
    };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let name = format!("postgres://{}{port}{}", url.host_str().unwrap_or_default(), url.path());
    Ok((Secret::new(text), name))
}

#[cfg(test)]
mod tests;
