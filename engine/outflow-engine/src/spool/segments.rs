//! Bytes of many files on their way to them. What waits for them in memory becomes a segment, file after file, and all
//! segments lie in one file on disk. In the end they are read side by side, each from its beginning to its end, and the
//! bytes of every file come together: no file is opened for a few rows at a time, however many there are. Until then
//! these bytes take their room on disk twice.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::waiting::Waiting;

/// What is written at once.
const BLOCK: usize = 256 << 10;

/// Memory of all readers of an output, unless there are so many segments that each needs more.
const READING: usize = 16 << 20;

/// The least that is read of a segment at once, and the most.
const READ: (usize, usize) = (512, 64 << 10);

/// Segments in the order in which they were written.
pub(super) struct Segments {
    path: PathBuf,
    file: Arc<File>,
    /// Where each ends.
    ends: Vec<u64>,
}

impl Segments {
    /// None yet, in a file that is made here.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Self { path, file: Arc::new(file), ends: Vec::new() })
    }

    /// Writes one of the bytes that wait for files, these by ascending number.
    pub(super) fn append<'a>(&mut self, files: impl Iterator<Item = (usize, &'a Waiting)>) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(BLOCK, &*self.file);
        let mut end = self.ends.last().copied().unwrap_or(0);
        for (number, waiting) in files {
            let head = Head { file: number as u64, left: waiting.len() as u64 };
            out.write_all(&head.to_bytes())?;
            waiting.pieces().iter().try_for_each(|piece| out.write_all(piece))?;
            end += Head::LENGTH as u64 + head.left;
        }
        out.flush()?;
        self.ends.push(end);
        Ok(())
    }

    /// One of so many readers at the same time.
    pub(super) fn reader(&self, readers: usize) -> io::Result<Reader> {
        let room = (READING / (readers * self.ends.len()).max(1)).clamp(READ.0, READ.1);
        let begins = std::iter::once(&0).chain(&self.ends);
        let segments = begins.zip(&self.ends).map(|(&at, &end)| {
            let section = Section { file: self.file.clone(), at, end };
            let mut segment = Segment { bytes: BufReader::with_capacity(room, section), head: None };
            segment.advance()?;
            Ok(segment)
        });
        Ok(Reader { segments: segments.collect::<io::Result<_>>()? })
    }

    /// Takes them away from the disk.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(self.path)
    }
}

/// What precedes the bytes of a file in a segment.
struct Head {
    /// Its number.
    file: u64,
    /// How many bytes there are, or are left.
    left: u64,
}

impl Head {
    const LENGTH: usize = 16;

    fn to_bytes(&self) -> [u8; Self::LENGTH] {
        (u128::from(self.file) << 64 | u128::from(self.left)).to_be_bytes()
    }

    fn of_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { file: (both >> 64) as u64, left: both as u64 }
    }
}

/// Reads all segments side by side.
pub(super) struct Reader {
    segments: Vec<Segment>,
}

impl Reader {
    /// The bytes of a file. Its number is greater than that of the last.
    pub(super) fn of(&mut self, number: usize) -> Rows<'_> {
        Rows { file: number as u64, segments: &mut self.segments, at: 0 }
    }
}

/// The bytes of a file.
pub(super) struct Rows<'a> {
    file: u64,
    segments: &'a mut [Segment],
    at: usize,
}

impl Read for Rows<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if room.is_empty() {
            return Ok(0);
        }
        while let Some(segment) = self.segments.get_mut(self.at) {
            let read = segment.read(self.file, room)?;
            if read > 0 {
                return Ok(read);
            }
            self.at += 1;
        }
        Ok(0)
    }
}

struct Segment {
    bytes: BufReader<Section>,
    /// The file that comes next, or is under way.
    head: Option<Head>,
}

impl Segment {
    /// Bytes of a file; nothing once there are no more.
    fn read(&mut self, file: u64, room: &mut [u8]) -> io::Result<usize> {
        while self.head.as_ref().is_some_and(|head| head.file < file) {
            self.advance()?;
        }
        let Some(head) = self.head.as_mut().filter(|head| head.file == file) else { return Ok(0) };
        let most = room.len().min(usize::try_from(head.left).unwrap_or(usize::MAX));
        let read = self.bytes.read(&mut room[..most])?;
        head.left -= read as u64;
        Ok(read)
    }

    /// Goes to the next file.
    fn advance(&mut self) -> io::Result<()> {
        if let Some(Head { left, .. }) = self.head.take() {
            let here = self.bytes.buffer().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.bytes.consume(here);
            self.bytes.get_mut().at += left - here as u64;
        }
        if !self.bytes.fill_buf()?.is_empty() {
            let mut head = [0; Head::LENGTH];
            self.bytes.read_exact(&mut head)?;
            self.head = Some(Head::of_bytes(head));
        }
        Ok(())
    }
}

/// A part of the file on disk, read by its place: others read elsewhere in it.
struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = room.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut room[..most], self.at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}
