//! W6: events with `;` and every field in quotes, as the only entry of a ZIP archive. Chunks are deflated by different threads; each
//! ends on a byte, so that they join into one stream.

use std::fs::File;
use std::io::Write;

use flate2::{Compress, Compression, FlushCompress};

use crate::Job;
use crate::chunks::Chunks;
use crate::events::column::COUNT;
use crate::ordered::Ordered;
use crate::record::{Ends, is_quoted};
use crate::text::Text;

const NAME: &[u8] = b"data.csv";
/// What a reader must understand: ZIP64.
const VERSION: u16 = 45;
/// Sizes and the checksum follow the data.
const FLAGS: u16 = 8;
const DEFLATED: u16 = 8;
/// Midnight of 2026-08-29 in the format of DOS.
const DATE: u16 = 0x5d1d;
/// The last block of a deflate stream, empty.
const LAST_BLOCK: [u8; 2] = [3, 0];
const LEVEL: u32 = 6;

/// The archive, and what its directory has to tell in the end.
struct Archive {
    file: File,
    checksum: crc32fast::Hasher,
    plain: u64,
    packed: u64,
}

pub fn write(job: &Job) {
    let chunks = Chunks::csv(&job.input);
    let mut file = File::create(&job.output).unwrap();
    let head = local_header();
    file.write_all(&head).unwrap();
    let archive = Ordered::new(Archive { file, checksum: crc32fast::Hasher::new(), plain: 0, packed: 0 });
    job.on_threads(|| {
        let (mut buffer, mut ends, mut out, mut packed) = (Vec::new(), Ends::default(), Text::new(), Vec::new());
        let mut deflate = Compress::new(Compression::new(LEVEL), false);
        while let Some(chunk) = chunks.next(&mut buffer) {
            ends.find(&buffer, chunk.len, b',');
            quote_all(&buffer, &ends, &mut out);
            let mut checksum = crc32fast::Hasher::new();
            checksum.update(&out.0);
            packed.clear();
            packed.reserve(out.0.len() + out.0.len() / 8 + 1024);
            deflate.reset();
            deflate.compress_vec(&out.0, &mut packed, FlushCompress::Sync).unwrap();
            archive.write(chunk.number, |archive| {
                archive.checksum.combine(&checksum);
                archive.plain += out.0.len() as u64;
                archive.packed += packed.len() as u64;
                archive.file.write_all(&packed).unwrap();
            });
        }
    });
    let mut archive = archive.into_inner();
    archive.packed += LAST_BLOCK.len() as u64;
    archive.file.write_all(&LAST_BLOCK).unwrap();
    let tail = directory(archive.checksum.finalize(), archive.plain, archive.packed, head.len() as u64);
    archive.file.write_all(&tail).unwrap();
}

fn quote_all(buffer: &[u8], ends: &Ends, out: &mut Text) {
    out.0.clear();
    for record in ends.records(buffer, COUNT) {
        out.room(record.len() + 4 * COUNT);
        for column in 0..COUNT {
            let field = record.field(column);
            // Room for the record and its quotes was made, and the buffer is padded.
            unsafe {
                if is_quoted(field) {
                    out.copy(field);
                } else {
                    out.byte(b'"');
                    out.copy(field);
                    out.byte(b'"');
                }
                out.byte(if column == COUNT - 1 { b'\n' } else { b';' });
            }
        }
    }
}

/// Numbers of an archive's records, lowest byte first.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn sign(mut self, letters: &[u8; 2], kind: [u8; 2]) -> Self {
        self.0.extend(letters);
        self.0.extend(kind);
        self
    }
    fn two(mut self, values: &[u16]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }
    fn four(mut self, values: &[u32]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }
    fn eight(mut self, values: &[u64]) -> Self {
        self.0.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        self
    }
    fn text(mut self, text: &[u8]) -> Self {
        self.0.extend(text);
        self
    }
}

/// Sizes are said to be in an extra field, which is what makes the descriptor's eight bytes wide.
fn local_header() -> Vec<u8> {
    Bytes::default()
        .sign(b"PK", [3, 4])
        .two(&[VERSION, FLAGS, DEFLATED, 0, DATE])
        .four(&[0, u32::MAX, u32::MAX])
        .two(&[NAME.len() as u16, 20])
        .text(NAME)
        .two(&[1, 16])
        .eight(&[0, 0])
        .0
}

/// The descriptor behind the data, the directory of one entry, and its end in both widths.
fn directory(checksum: u32, plain: u64, packed: u64, data_at: u64) -> Vec<u8> {
    let descriptor = Bytes::default().sign(b"PK", [7, 8]).four(&[checksum]).eight(&[packed, plain]).0;
    let entry = Bytes::default()
        .sign(b"PK", [1, 2])
        .two(&[VERSION | (3 << 8), VERSION, FLAGS, DEFLATED, 0, DATE])
        .four(&[checksum, u32::MAX, u32::MAX])
        .two(&[NAME.len() as u16, 20, 0, 0, 0])
        .four(&[0o100_644 << 16, 0])
        .text(NAME)
        .two(&[1, 16])
        .eight(&[plain, packed])
        .0;
    let directory_at = data_at + packed + descriptor.len() as u64;
    let size = entry.len() as u64;
    Bytes::default()
        .text(&descriptor)
        .text(&entry)
        .sign(b"PK", [6, 6])
        .eight(&[44])
        .two(&[VERSION, VERSION])
        .four(&[0, 0])
        .eight(&[1, 1, size, directory_at])
        .sign(b"PK", [6, 7])
        .four(&[0])
        .eight(&[directory_at + size])
        .four(&[1])
        .sign(b"PK", [5, 6])
        .two(&[0, 0, 1, 1])
        .four(&[size as u32, u32::MAX])
        .two(&[0])
        .0
}
