//! Writes one file of a delivery: container, digest and size as part of the stream. Where it goes is not known here,
//! and nothing is forced to disk: that is for who seals a delivery, once for all of its files.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::ZstdLevel;
use parquet::file::properties::WriterProperties;
use sha2::{Digest, Sha256};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::error::{Error, Result};
use crate::format::{Compression, Format};

#[cfg(test)]
mod tests;

/// Deflate's usual compromise, for gzip and zip.
const DEFLATE_LEVEL: u32 = 6;

/// Zstandard's usual compromise, for whole files and inside Parquet.
const ZSTD_LEVEL: i32 = 3;

/// Rows in a row group of a Parquet file, which is held in memory while it is written.
const ROW_GROUP_ROWS: usize = 256 << 10;

/// A file being written.
pub struct OutputFile {
    writer: Writer,
}

/// What a finished file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its size, compressed.
    pub bytes: u64,
    /// SHA-256 of its bytes, compressed, in lower-case hexadecimal digits.
    pub sha256: String,
}

enum Writer {
    Text(Container),
    Parquet(Box<ArrowWriter<Container>>),
}

/// The layers under the format.
enum Container {
    Plain(Hashed),
    Gzip(Box<GzEncoder<Hashed>>),
    Zstd(zstd::Encoder<'static, Hashed>),
    /// Goes back to fill in sizes, so the digest is taken at the end.
    Zip(Box<ZipWriter<File>>),
}

/// A file whose bytes are digested on the way.
struct Hashed {
    file: File,
    digest: Sha256,
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
    ) -> Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|source| Error::io(&format!("creating `{}`", path.display()), source))?;
        let container = Container::new(file, compression, entry_name)?;
        let writer = match format {
            Format::Csv(_) | Format::JsonLines(_) | Format::JsonArray(_) | Format::JsonObject(_) => {
                Writer::Text(container)
            }
            Format::Parquet => Writer::Parquet(Box::new(parquet_writer(container, schema)?)),
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
            Writer::Parquet(writer) => {
                writer.write(batch).map_err(|source| Error::because("writing the Parquet file", source))
            }
            Writer::Text(_) => Err(Error::data("a text file takes bytes, not batches")),
        }
    }

    /// Completes the file.
    pub fn finish(self) -> Result<Finished> {
        let container = match self.writer {
            Writer::Text(container) => container,
            Writer::Parquet(writer) => {
                writer.into_inner().map_err(|source| Error::because("completing the Parquet file", source))?
            }
        };
        container.finish().map_err(|source| Error::io("completing the file", source))
    }
}

/// A text file without container, which holds no handle between writes.
pub struct PlainFile {
    path: PathBuf,
    digest: Sha256,
    bytes: u64,
}

impl PlainFile {
    /// A file that is there with the first bytes.
    pub fn new(path: PathBuf) -> Self {
        Self { path, digest: Sha256::new(), bytes: 0 }
    }

    /// Appends bytes that an [`crate::encode::Encoder`] made.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        append(&self.path, bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// What the file is.
    pub fn finish(self) -> Finished {
        finished(self.digest, self.bytes)
    }
}

/// Appends to a file, or begins it.
pub fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    File::options()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|source| Error::io(&format!("writing `{}`", path.display()), source))
}

/// Makes one zip archive at `target` of the entries of several, in their order; nothing is compressed again.
pub fn merge_zips<P: AsRef<Path>>(archives: &[P], target: &Path) -> Result<Finished> {
    let failed = |source| Error::io(&format!("writing `{}`", target.display()), source);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(target).map_err(failed)?;
    let mut merged = ZipWriter::new(file);
    for archive in archives {
        let doing = || format!("reading `{}`", archive.as_ref().display());
        let file = File::open(archive).map_err(|source| Error::io(&doing(), source))?;
        let archive = zip::ZipArchive::new(file).map_err(|source| Error::because(doing(), source))?;
        merged.merge_archive(archive).map_err(|source| Error::because(doing(), source))?;
    }
    let file = merged.finish().map_err(|source| failed(source.into()))?;
    let hashed = Hashed::of(file).map_err(failed)?;
    Ok(finished(hashed.digest, hashed.bytes))
}

fn finished(digest: Sha256, bytes: u64) -> Finished {
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Finished { bytes, sha256 }
}

fn parquet_writer(container: Container, schema: &Schema) -> Result<ArrowWriter<Container>> {
    let failed = |source| Error::because("starting a Parquet file", source);
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    // Without Arrow's own schema in it, the file says the same to every reader.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(container, schema.clone().into(), options).map_err(failed)
}

impl Container {
    fn new(file: File, compression: Compression, entry_name: Option<&str>) -> Result<Self> {
        let hashed = |file| Hashed { file, digest: Sha256::new(), bytes: 0 };
        Ok(match compression {
            Compression::None => Self::Plain(hashed(file)),
            // Neither time nor name, so that the same rows make the same bytes.
            Compression::Gzip => Self::Gzip(Box::new(
                GzBuilder::new().mtime(0).write(hashed(file), flate2::Compression::new(DEFLATE_LEVEL)),
            )),
            Compression::Zstd => {
                let encoder = zstd::Encoder::new(hashed(file), ZSTD_LEVEL)
                    .and_then(|mut encoder| encoder.include_checksum(true).map(|()| encoder));
                Self::Zstd(encoder.map_err(|source| Error::io("starting a zstd file", source))?)
            }
            Compression::Zip => {
                let name = entry_name.ok_or_else(|| Error::data("a zip archive needs a name for its entry"))?;
                // 1980-01-01, and room for 64-bit sizes, since the size is not known yet.
                let options = SimpleFileOptions::default()
                    .compression_method(zip::CompressionMethod::Deflated)
                    .compression_level(Some(DEFLATE_LEVEL.into()))
                    .last_modified_time(zip::DateTime::default())
                    .unix_permissions(0o644)
                    .large_file(true);
                let mut archive = ZipWriter::new(file);
                archive
                    .start_file(name, options)
                    .map_err(|source| Error::because(format!("starting the zip entry `{name}`"), source))?;
                Self::Zip(Box::new(archive))
            }
        })
    }

    fn finish(self) -> io::Result<Finished> {
        let hashed = match self {
            Self::Plain(hashed) => hashed,
            Self::Gzip(encoder) => encoder.finish()?,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Zip(archive) => Hashed::of(archive.finish()?)?,
        };
        Ok(finished(hashed.digest, hashed.bytes))
    }
}

impl Write for Container {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(writer) => writer.write(bytes),
            Self::Gzip(writer) => writer.write(bytes),
            Self::Zstd(writer) => writer.write(bytes),
            Self::Zip(writer) => writer.write(bytes),
        }
    }

    /// Does nothing: flushing a compressor makes the file longer, and [`Container::finish`] leaves nothing behind.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Hashed {
    /// Digests a file that is complete.
    fn of(mut file: File) -> io::Result<Self> {
        file.rewind()?;
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => {
                    return Ok(Self { file, digest, bytes });
                }
                read => {
                    digest.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
