//! Writing to the two standard streams. A reader that has gone away, such as `head`, is no reason to stop: what the
//! command does beside printing counts. Formats nothing.

use std::io::{ErrorKind, Write};

use anyhow::Context;

/// Writes a result to standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stream = std::io::stdout().lock();
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// Writes anything else to standard error. That this failed could be told nowhere.
pub fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
