//! Reading a local file piece by piece on a thread of its own, watched on the way; a few pieces ahead of who sends them.

use std::fs::File;
use std::io::{self, Read};

use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

use crate::Watch;
use crate::error::{Error, Kind, Result};

/// Pieces read ahead.
const AHEAD: usize = 2;

/// A file being read.
pub(crate) struct Pieces {
    receiver: Receiver<Vec<u8>>,
    reader: JoinHandle<io::Result<u64>>,
}

impl Pieces {
    /// Begins to read in pieces of this size.
    pub(crate) fn of(mut file: File, size: usize, mut watch: Watch) -> Self {
        let (sender, receiver) = channel(AHEAD);
        let reader = tokio::task::spawn_blocking(move || {
            let mut bytes = 0;
            loop {
                let mut piece = Vec::with_capacity(size);
                (&mut file).take(size as u64).read_to_end(&mut piece)?;
                watch(&piece);
                bytes += piece.len() as u64;
                let last = piece.len() < size;
                // When nobody listens any more the rest is of no use either.
                if (!piece.is_empty() && sender.blocking_send(piece).is_err()) || last {
                    return Ok(bytes);
                }
            }
        });
        Self { receiver, reader }
    }

    /// The next piece; none at the end, or when reading failed.
    pub(crate) async fn next(&mut self) -> Option<Vec<u8>> {
        self.receiver.recv().await
    }

    /// As `next`, for a thread that may wait.
    pub(crate) fn blocking_next(&mut self) -> Option<Vec<u8>> {
        self.receiver.blocking_recv()
    }

    /// How many bytes were read, once the last piece was taken.
    pub(crate) async fn end(self) -> Result<u64> {
        drop(self.receiver);
        let stopped = |error: String| Error::new(Kind::Source, format!("the file cannot be read: {error}"));
        let read = self.reader.await.map_err(|error| stopped(error.to_string()))?;
        read.map_err(|error| stopped(error.to_string()))
    }
}
