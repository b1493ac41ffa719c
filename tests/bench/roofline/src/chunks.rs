//! Cuts a file into pieces of whole records. Threads ask for the next piece in turn; it carries a number, so that what is made
//! of it can be written in the order of the input.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use memchr::{memchr, memrchr};

/// Bytes that are read at once: enough to hide the system call, few enough to stay in the second-level cache.
pub const CHUNK: usize = 1 << 20;

/// Readable bytes behind the records of a buffer, so that copies and comparisons may overrun.
pub const PAD: usize = 64;

/// Where the next chunk begins, and which one it is.
struct Position {
    offset: u64,
    number: u64,
}

/// A file that is handed out in chunks.
pub struct Chunks {
    file: File,
    len: u64,
    quoted: bool,
    position: Mutex<Position>,
}

/// The records now in a buffer: the chunk's number and how many bytes there are.
pub struct Chunk {
    pub number: u64,
    pub len: usize,
}

impl Chunks {
    /// Opens a CSV file behind its header.
    pub fn csv_body(path: &str) -> Chunks {
        Chunks::new(path, Self::header(path).len() as u64 + 1, true)
    }

    /// Opens a CSV file, header included.
    pub fn csv(path: &str) -> Chunks {
        Chunks::new(path, 0, true)
    }

    /// Opens a file in which every line end is the end of a record.
    pub fn lines(path: &str) -> Chunks {
        Chunks::new(path, 0, false)
    }

    /// The first line of a file, without its end.
    pub fn header(path: &str) -> String {
        let mut head = vec![0u8; 1 << 16];
        let read = File::open(path).unwrap().read_at(&mut head, 0).unwrap();
        head.truncate(memchr(b'\n', &head[..read]).expect("a header"));
        String::from_utf8(head).unwrap()
    }

    fn new(path: &str, offset: u64, quoted: bool) -> Chunks {
        let file = File::open(path).unwrap();
        let len = file.metadata().unwrap().len();
        Chunks { file, len, quoted, position: Mutex::new(Position { offset, number: 0 }) }
    }

    /// Fills the buffer with the next whole records. Nobody else reads meanwhile: where a chunk ends is known once it is there.
    pub fn next(&self, buffer: &mut Vec<u8>) -> Option<Chunk> {
        let mut position = self.position.lock().unwrap();
        let left = self.len - position.offset.min(self.len);
        if left == 0 {
            return None;
        }
        let want = CHUNK.min(left as usize);
        if buffer.len() < want + PAD {
            buffer.resize(want + PAD, 0);
        }
        self.file.read_exact_at(&mut buffer[..want], position.offset).unwrap();
        let len = if want as u64 == left { want } else { self.last_record_end(&buffer[..want]) };
        let chunk = Chunk { number: position.number, len };
        position.offset += len as u64;
        position.number += 1;
        Some(chunk)
    }

    /// Chunks begin at a record, so a line end belongs to a value when the number of quotes before it is odd.
    fn last_record_end(&self, bytes: &[u8]) -> usize {
        let line_end = |upto: usize| memrchr(b'\n', &bytes[..upto]).expect("a record fits into a chunk") + 1;
        let mut end = line_end(bytes.len());
        if self.quoted {
            let mut quotes = count_quotes(&bytes[..end]);
            while quotes % 2 == 1 {
                let earlier = line_end(end - 1);
                quotes -= count_quotes(&bytes[earlier..end]);
                end = earlier;
            }
        }
        end
    }
}

/// Counts in pieces that an eight-bit lane can hold, which compilers turn into vector code.
fn count_quotes(bytes: &[u8]) -> usize {
    let in_piece = |piece: &[u8]| piece.iter().map(|&byte| u32::from(byte == b'"')).sum::<u32>() as usize;
    bytes.chunks(255 * 32).map(in_piece).sum()
}
