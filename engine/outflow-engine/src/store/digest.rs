//! SHA-256 of files.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::pipeline::hex;

/// Reads a file, which must not be a symbolic link, and returns its digest. Blocks.
pub(crate) fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(digest.finalize().as_slice())),
            read => digest.update(&buffer[..read]),
        }
    }
}
