//! Deflate (RFC 1951) on several threads. The text is cut into blocks of one size, each is compressed by itself with
//! the end of the block before as its dictionary, and the results are joined into one stream. The stream depends on
//! the text alone, not on how it was handed over or on how many threads there are.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::workers;

#[cfg(test)]
mod tests;

/// Bytes of text in a block. To take up the dictionary costs as much as to compress it.
const BLOCK: usize = 1 << 20;

/// How far back deflate can refer.
const WINDOW: usize = 32 << 10;

/// What a stream came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// CRC-32 of the text.
    pub(crate) crc: u32,
    /// Bytes of the text.
    pub(crate) text: u64,
    /// Bytes of the stream.
    pub(crate) stream: u64,
}

/// Compresses one stream.
pub(crate) struct Deflater {
    level: u32,
    block: Vec<u8>,
    before: Option<Arc<Vec<u8>>>,
    /// Blocks that are being compressed, in order.
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    crc: crc32fast::Hasher,
    totals: Totals,
}

impl Deflater {
    /// A stream of a level from 1 to 9.
    pub(crate) fn new(level: u32) -> Self {
        Self {
            level,
            block: Vec::new(),
            before: None,
            pending: VecDeque::new(),
            crc: crc32fast::Hasher::new(),
            totals: Totals { crc: 0, text: 0, stream: 0 },
        }
    }

    /// Takes text, and writes what is compressed of the stream to `out`.
    pub(crate) fn write(&mut self, mut text: &[u8], out: &mut impl Write) -> io::Result<()> {
        self.crc.update(text);
        self.totals.text += text.len() as u64;
        while !text.is_empty() {
            // A full block waits for the next byte: only then is it known not to be the last.
            if self.block.len() == BLOCK {
                self.start();
                while self.pending.len() > 2 * workers::threads() {
                    self.take(out)?;
                }
            }
            if self.block.is_empty() && text.len() > BLOCK {
                self.block.reserve_exact(BLOCK);
            }
            let (now, later) = text.split_at(text.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            text = later;
        }
        Ok(())
    }

    /// Completes the stream.
    pub(crate) fn finish(mut self, out: &mut impl Write) -> io::Result<Totals> {
        let last = compress(self.level, self.before.as_deref(), &self.block, FlushCompress::Finish)?;
        while !self.pending.is_empty() {
            self.take(out)?;
        }
        out.write_all(&last)?;
        let stream = self.totals.stream + last.len() as u64;
        Ok(Totals { crc: self.crc.finalize(), stream, ..self.totals })
    }

    /// Has a full block compressed.
    fn start(&mut self) {
        let block = Arc::new(std::mem::take(&mut self.block));
        let (level, before) = (self.level, self.before.replace(block.clone()));
        let (sender, receiver) = channel();
        workers::spawn(move || {
            // Nobody waits for it if the file was given up.
            let _ = sender.send(compress(level, before.as_deref(), &block, FlushCompress::Sync));
        });
        self.pending.push_back(receiver);
    }

    fn take(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Some(receiver) = self.pending.pop_front() else { return Ok(()) };
        let compressed = receiver.recv().map_err(|_| stopped())??;
        self.totals.stream += compressed.len() as u64;
        out.write_all(&compressed)
    }
}

/// Compresses a block that follows `before`. The compressor is a new one: what a used one has left in its memory shows in what
/// it makes of the end of the next text (trifectatechfoundation/zlib-rs#459).
fn compress(level: u32, before: Option<&Vec<u8>>, text: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(level), false);
    if let Some(before) = before {
        compress.set_dictionary(&before[before.len().saturating_sub(WINDOW)..])?;
    }
    let mut out = Vec::with_capacity(text.len() / 3 + 128);
    loop {
        let taken = compress.total_in() as usize;
        let status = compress.compress_vec(&text[taken..], &mut out, flush)?;
        // Room that is left over tells that nothing waits any more.
        let ended = match flush {
            FlushCompress::Finish => status == Status::StreamEnd,
            _ => compress.total_in() as usize == text.len() && out.len() < out.capacity(),
        };
        if ended {
            return Ok(out);
        }
        out.reserve(out.capacity().max(128));
    }
}

fn stopped() -> io::Error {
    io::Error::other("a thread that compresses has stopped")
}
