//! Undoes the compression of a source. Archives with several entries are not read.

use std::io::{self, BufReader, Read};

#[cfg(test)]
mod tests;

/// Compression around a file that is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// Gzip (RFC 1952), any number of members.
    Gzip,
    /// Zstandard (RFC 8878), any number of frames.
    Zstd,
}

/// Bytes of a file on their way through the layers of a reader.
pub type Bytes = Box<dyn Read + Send>;

/// Wraps `reader` so that it yields decompressed bytes. A file cut short is an `UnexpectedEof` when read.
pub fn decompress(reader: Bytes, compression: Compression) -> io::Result<Bytes> {
    const BUFFER: usize = 256 << 10;
    Ok(match compression {
        Compression::None => reader,
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, reader))),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(BufReader::with_capacity(BUFFER, reader))?;
            decoder.window_log_max(27)?;
            Box::new(decoder)
        }
    })
}
