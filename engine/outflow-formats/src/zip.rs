//! Zip archives (PKWARE's APPNOTE 6.3.10), written from front to back, so that they can be digested on the way. Sizes
//! follow each entry in a data descriptor, of 64 bits only where 32 do not do: that is what every reader agrees on,
//! those included that read a stream (Java's `ZipInputStream`). Archives are read by a library.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::deflate::Totals;
use crate::error::{Error, Result};

/// An entry that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    name: String,
    totals: Totals,
    /// Where its header stands.
    offset: u64,
}

/// Sizes and places from here on take 64 bits.
const WIDE: u64 = u32::MAX as u64;

/// 1980-01-01, the first day that zip knows.
const DATE: u16 = 1 << 5 | 1;

/// Deflate.
const METHOD: u16 = 8;

/// What reading needs: deflate, or sizes of 64 bits.
const VERSIONS: (u16, u16) = (20, 45);

/// A file of Unix, readable by all and writable by its owner.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// Sizes follow the entry; the name is UTF-8 where ASCII does not do.
fn flags(name: &str) -> u16 {
    1 << 3 | u16::from(!name.is_ascii()) << 11
}

/// What stands before the data of an entry.
pub(crate) fn header(name: &str) -> Result<Vec<u8>> {
    let length = u16::try_from(name.len())
        .map_err(|_| Error::data(format!("the name of a zip entry has {} bytes, at most 65535 fit", name.len())))?;
    let mut out = Vec::with_capacity(30 + name.len());
    out.extend(b"PK\x03\x04");
    for field in [VERSIONS.0, flags(name), METHOD, 0, DATE] {
        out.extend(field.to_le_bytes());
    }
    out.extend([0; 12]);
    out.extend(length.to_le_bytes());
    out.extend([0; 2]);
    out.extend(name.as_bytes());
    Ok(out)
}

impl Entry {
    /// An entry whose header stands at `offset`.
    pub(crate) fn new(name: String, totals: Totals, offset: u64) -> Self {
        Self { name, totals, offset }
    }

    /// What stands after its data.
    pub(crate) fn descriptor(&self) -> Vec<u8> {
        let Totals { crc, text, stream } = self.totals;
        let mut out = Vec::with_capacity(24);
        out.extend(b"PK\x07\x08");
        out.extend(crc.to_le_bytes());
        for size in [stream, text] {
            if text >= WIDE || stream >= WIDE {
                out.extend(size.to_le_bytes());
            } else {
                out.extend((size as u32).to_le_bytes());
            }
        }
        out
    }

    /// What stands of it in the directory.
    fn record(&self, out: &mut Vec<u8>) {
        let Totals { crc, text, stream } = self.totals;
        let mut wide = Vec::new();
        // Each that does not fit is all ones in its place and follows in the extra field, in this order.
        let mut narrow = |value: u64| {
            if value < WIDE {
                return value as u32;
            }
            wide.extend(value.to_le_bytes());
            u32::MAX
        };
        let (text, stream, offset) = (narrow(text), narrow(stream), narrow(self.offset));
        let version = if wide.is_empty() { VERSIONS.0 } else { VERSIONS.1 };
        let extra = if wide.is_empty() { 0 } else { 4 + wide.len() as u16 };
        out.extend(b"PK\x01\x02");
        // Made on Unix, whose number is 3.
        for field in [3 << 8 | version, version, flags(&self.name), METHOD, 0, DATE] {
            out.extend(field.to_le_bytes());
        }
        for field in [crc, stream, text] {
            out.extend(field.to_le_bytes());
        }
        // Lengths of name, extra field and comment; number of the disk; no attribute of the text.
        for field in [self.name.len() as u16, extra, 0, 0, 0] {
            out.extend(field.to_le_bytes());
        }
        out.extend(ATTRIBUTES.to_le_bytes());
        out.extend(offset.to_le_bytes());
        out.extend(self.name.as_bytes());
        if !wide.is_empty() {
            out.extend(1u16.to_le_bytes());
            out.extend((wide.len() as u16).to_le_bytes());
            out.extend(wide);
        }
    }
}

/// What an archive ends with; it starts at `start`.
pub(crate) fn directory(entries: &[Entry], start: u64) -> Vec<u8> {
    let mut out = Vec::new();
    entries.iter().for_each(|entry| entry.record(&mut out));
    let (count, size) = (entries.len() as u64, out.len() as u64);
    if count >= u64::from(u16::MAX) || start >= WIDE || size >= WIDE {
        let end = start + size;
        out.extend(b"PK\x06\x06");
        out.extend(44u64.to_le_bytes());
        out.extend((3 << 8 | VERSIONS.1).to_le_bytes());
        out.extend(VERSIONS.1.to_le_bytes());
        out.extend([0; 8]);
        for field in [count, count, size, start] {
            out.extend(field.to_le_bytes());
        }
        out.extend(b"PK\x06\x07");
        out.extend([0; 4]);
        out.extend(end.to_le_bytes());
        out.extend(1u32.to_le_bytes());
    }
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    for field in [size, start] {
        out.extend(u32::try_from(field).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend([0; 2]);
    out
}

/// Copies the entries of several archives that were written here to `out`, in their order, as they are; tells how many
/// bytes there are before the directory.
pub(crate) fn copy<P: AsRef<Path>>(archives: &[P], out: &mut impl Write) -> Result<(Vec<Entry>, u64)> {
    let (mut entries, mut offset) = (Vec::new(), 0);
    for archive in archives {
        let doing = || format!("reading `{}`", archive.as_ref().display());
        let failed = |source| Error::io(&doing(), source);
        let mut listed = zip::ZipArchive::new(File::open(archive).map_err(failed)?)
            .map_err(|source| Error::because(doing(), source))?;
        for number in 0..listed.len() {
            let entry = listed.by_index_raw(number).map_err(|source| Error::because(doing(), source))?;
            let totals = Totals { crc: entry.crc32(), text: entry.size(), stream: entry.compressed_size() };
            let name = entry.name().map_err(|source| Error::because(doing(), source))?.into_owned();
            entries.push(Entry::new(name, totals, offset + entry.header_start()));
        }
        let length = listed.central_directory_start();
        let mut file = listed.into_inner();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let copied = io::copy(&mut file.take(length), out).map_err(failed)?;
        if copied < length {
            return Err(Error::data(format!("`{}` is cut short", archive.as_ref().display())));
        }
        offset += length;
    }
    Ok((entries, offset))
}
