//! Writes one file of a delivery: container, digest and size as part of the stream. Where it goes is not known here,
//! and nothing is forced to disk: that is for who seals a delivery, once for all of its files.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use crate::deflate::Deflater;
use crate::digest::{Algorithm, Digest, Digester};
use crate::error::{Error, Result};
use crate::format::{Compression, Format};
use crate::parquet::write::ParquetWriter;
use crate::{workers, zip};

#[cfg(test)]
mod tests;

/// Deflate's usual compromise, for gzip and zip.
const DEFLATE_LEVEL: u32 = 6;

/// Zstandard's usual compromise, for whole files and inside Parquet.
pub(crate) const ZSTD_LEVEL: i32 = 3;

/// RFC 1952, 2.3: deflate, neither time nor name, so that the same rows make the same bytes; no system named.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A file being written.
pub struct OutputFile {
    writer: Writer,
}

/// What a finished file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its size, compressed.
    pub bytes: u64,
    /// Of its bytes, compressed.
    pub digest: Digest,
}

enum Writer {
    Text(Box<Container>),
    Parquet(Box<ParquetWriter<Container>>),
}

/// The layers under the format.
enum Container {
    Plain(Hashed),
    Gzip(Box<(Deflater, Hashed)>),
    Zstd(zstd::Encoder<'static, Hashed>),
    /// The archive's one entry, by its name.
    Zip(Box<(Deflater, Hashed)>, String),
}

/// A file whose bytes are digested on the way.
struct Hashed {
    file: File,
    digester: Digester,
    bytes: u64,
}

impl OutputFile {
    /// Creates the file, or empties the one that is there. `entry_name` is the name of the file inside a zip archive.
    /// The schema is that of the batches, and is used for Parquet.
    pub fn create(
        path: &Path,
        format: &Format,
        compression: Compression,
        entry_name: Option<&str>,
        schema: &Schema,
        algorithm: Algorithm,
    ) -> Result<Self> {
        let file = File::create(path).map_err(|source| Error::io(&format!("creating `{}`", path.display()), source))?;
        let container = Container::new(Hashed::new(file, algorithm), compression, entry_name)?;
        let writer = match format {
            Format::Csv(_) | Format::JsonLines(_) | Format::JsonArray(_) | Format::JsonObject(_) => {
                Writer::Text(Box::new(container))
            }
            Format::Parquet => Writer::Parquet(Box::new(ParquetWriter::new(container, schema))),
        };
        Ok(Self { writer })
    }

    /// Appends bytes that an [`crate::encode::Encoder`] made.
    pub fn write_encoded(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.writer {
            Writer::Text(container) => {
                container.write_all(bytes).map_err(|source| Error::io("writing the file", source))
            }
            Writer::Parquet(_) => Err(Error::data("a Parquet file takes batches, not bytes")),
        }
    }

    /// Appends a batch; Parquet only.
    pub fn write_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(batch),
            Writer::Text(_) => Err(Error::data("a text file takes bytes, not batches")),
        }
    }

    /// Completes the file.
    pub fn finish(self) -> Result<Finished> {
        let container = match self.writer {
            Writer::Text(container) => *container,
            Writer::Parquet(writer) => writer.finish()?,
        };
        container.finish().map_err(|source| Error::io("completing the file", source))
    }
}

/// A text file without container, which holds no handle between writes.
pub struct PlainFile {
    path: PathBuf,
    digester: Digester,
    bytes: u64,
}

impl PlainFile {
    /// A file that is there with the first bytes.
    pub fn new(path: PathBuf, algorithm: Algorithm) -> Self {
        Self { path, digester: Digester::new(algorithm), bytes: 0 }
    }

    /// Appends bytes that an [`crate::encode::Encoder`] made; the file is there even if there are none.
    pub fn append(&mut self, pieces: &[impl AsRef<[u8]>]) -> Result<()> {
        append(&self.path, pieces)?;
        for piece in pieces {
            self.digester.update(piece.as_ref());
            self.bytes += piece.as_ref().len() as u64;
        }
        Ok(())
    }

    /// What the file is, which is there even if nothing was appended.
    pub fn finish(mut self) -> Result<Finished> {
        if self.bytes == 0 {
            self.append(&[[]])?;
        }
        Ok(Finished { bytes: self.bytes, digest: self.digester.finish() })
    }
}

/// Appends to a file, or begins it.
pub fn append(path: &Path, pieces: &[impl AsRef<[u8]>]) -> Result<()> {
    let file = File::options().append(true).create(true).open(path);
    file.and_then(|mut file| write_pieces(&mut file, pieces))
        .map_err(|source| Error::io(&format!("writing `{}`", path.display()), source))
}

/// What is handed to the system at once. For a larger write it looks for larger pages, which in a virtual machine that
/// returns free memory to its host are not there: they come back from it at several times the cost of writing them.
const AT_ONCE: usize = 256 << 10;

/// Writes pieces, small ones together.
fn write_pieces(file: &mut File, pieces: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let parts = pieces.iter().flat_map(|piece| piece.as_ref().chunks(AT_ONCE));
    let (mut together, mut length) = (Vec::new(), 0);
    for part in parts {
        if length + part.len() > AT_ONCE {
            write_all_vectored(file, &mut together)?;
            (together, length) = (Vec::new(), 0);
        }
        together.push(IoSlice::new(part));
        length += part.len();
    }
    write_all_vectored(file, &mut together)
}

fn write_all_vectored(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes one zip archive at `target` of the entries of several, in their order; nothing is compressed again.
pub fn merge_zips<P: AsRef<Path>>(archives: &[P], target: &Path, algorithm: Algorithm) -> Result<Finished> {
    let failed = |source| Error::io(&format!("writing `{}`", target.display()), source);
    let mut out = Hashed::new(File::create(target).map_err(failed)?, algorithm);
    let (entries, length) = zip::copy(archives, &mut out)?;
    out.write_all(&zip::directory(&entries, length)).map_err(failed)?;
    Ok(out.finish())
}

impl Container {
    fn new(mut hashed: Hashed, compression: Compression, entry_name: Option<&str>) -> Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(hashed),
            Compression::Gzip => {
                hashed.write_all(&GZIP_HEADER).map_err(|source| Error::io("starting a gzip file", source))?;
                Self::Gzip(Box::new((Deflater::new(DEFLATE_LEVEL), hashed)))
            }
            Compression::Zstd => {
                let encoder = zstd::Encoder::new(hashed, ZSTD_LEVEL).and_then(|mut encoder| {
                    encoder.include_checksum(true)?;
                    // What it writes does not depend on how many there are.
                    encoder.multithread(workers::threads() as u32)?;
                    Ok(encoder)
                });
                Self::Zstd(encoder.map_err(|source| Error::io("starting a zstd file", source))?)
            }
            Compression::Zip => {
                let name = entry_name.ok_or_else(|| Error::data("a zip archive needs a name for its entry"))?;
                hashed.write_all(&zip::header(name)?).map_err(|source| Error::io("starting a zip file", source))?;
                Self::Zip(Box::new((Deflater::new(DEFLATE_LEVEL), hashed)), name.to_owned())
            }
        })
    }

    fn finish(self) -> io::Result<Finished> {
        let hashed = match self {
            Self::Plain(hashed) => hashed,
            Self::Gzip(layers) => {
                let (deflater, mut hashed) = *layers;
                let totals = deflater.finish(&mut hashed)?;
                hashed.write_all(&totals.crc.to_le_bytes())?;
                // RFC 1952, 2.3.1: the length modulo 2^32.
                hashed.write_all(&(totals.text as u32).to_le_bytes())?;
                hashed
            }
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Zip(layers, name) => {
                let (deflater, mut hashed) = *layers;
                let entry = zip::Entry::new(name, deflater.finish(&mut hashed)?, 0);
                hashed.write_all(&entry.descriptor())?;
                let directory = zip::directory(&[entry], hashed.bytes);
                hashed.write_all(&directory)?;
                hashed
            }
        };
        Ok(hashed.finish())
    }
}

impl Write for Container {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(layers) | Self::Zip(layers, _) => {
                let (deflater, hashed) = layers.as_mut();
                deflater.write(bytes, hashed).map(|()| bytes.len())
            }
            Self::Zstd(writer) => writer.write(bytes),
        }
    }

    /// Does nothing: flushing a compressor makes the file longer, and [`Container::finish`] leaves nothing behind.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Hashed {
    fn new(file: File, algorithm: Algorithm) -> Self {
        Self { file, digester: Digester::new(algorithm), bytes: 0 }
    }

    fn finish(self) -> Finished {
        Finished { bytes: self.bytes, digest: self.digester.finish() }
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(&bytes[..bytes.len().min(AT_ONCE)])?;
        self.digester.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
