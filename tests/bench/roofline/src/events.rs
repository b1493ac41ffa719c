//! W1 and W2: events with a hashed address and two columns of our own, as CSV or JSON Lines.

use std::fs::File;
use std::io::Write;

use crate::Job;
use crate::chunks::Chunks;
use crate::digest::Identifier;
use crate::ordered::Ordered;
use crate::record::{Ends, Record, is_quoted};
use crate::text::Text;

/// Columns of the events as they come in.
pub mod column {
    pub const EMAIL: usize = 0;
    pub const TIMESTAMP: usize = 1;
    pub const SEGMENT: usize = 2;
    pub const FLOW: usize = 3;
    pub const ACTION: usize = 4;
    pub const VARIANT: usize = 5;
    pub const OPERATION: usize = 6;
    pub const CLIENT: usize = 7;
    pub const OFFER: usize = 9;
    pub const COUNTRY: usize = 10;
    pub const REVENUE: usize = 11;
    pub const COUNT: usize = 14;
}
use column::*;

/// Columns as they go out.
pub const NAMES: [&str; 13] = [
    "identifier",
    "timestamp",
    "segment_name",
    "flow_name",
    "action",
    "variant",
    "operation",
    "brand",
    "label",
    "client_id",
    "country",
    "revenue",
    "offer_code",
];

/// What the template of `label` reads, in its order.
pub fn label_parts<'a>(record: &Record<'a>) -> [&'a [u8]; 3] {
    let variant = record.field(VARIANT);
    [record.field(FLOW), if variant.is_empty() { b"none" } else { variant }, record.field(ACTION)]
}

pub fn to_csv(job: &Job) {
    let mut file = File::create(&job.output).unwrap();
    writeln!(file, "{}", NAMES.join(",")).unwrap();
    convert(job, file, csv_line);
}

pub fn to_json_lines(job: &Job) {
    let keys = Keys::new();
    convert(job, File::create(&job.output).unwrap(), |record, identifier, out| keys.line(record, identifier, out));
}

/// Reads, hashes and writes; `line` says how one record looks.
fn convert(job: &Job, file: File, line: impl Fn(&Record, &[u8], &mut Text) + Sync) {
    let chunks = Chunks::csv_body(&job.input);
    let file = Ordered::new(file);
    job.on_threads(|| {
        let (mut buffer, mut ends) = (Vec::new(), Ends::default());
        let (mut out, mut identifier) = (Text::new(), Identifier::new());
        while let Some(chunk) = chunks.next(&mut buffer) {
            ends.find(&buffer, chunk.len, b',');
            out.0.clear();
            for record in ends.records(&buffer, COUNT) {
                out.room(2 * record.len() + 1024);
                line(&record, identifier.of(record.field(EMAIL)), &mut out);
            }
            file.write(chunk.number, |file| file.write_all(&out.0).unwrap());
        }
    });
}

#[inline(always)]
fn csv_line(record: &Record, identifier: &[u8], out: &mut Text) {
    // Room for the record twice was made, and the buffer is padded.
    unsafe {
        out.copy(identifier);
        out.byte(b',');
        for column in TIMESTAMP..=OPERATION {
            out.copy(record.field(column));
            out.byte(b',');
        }
        out.add(b"acme,");
        csv_label(label_parts(record), out);
        out.byte(b',');
        for column in [CLIENT, COUNTRY, REVENUE] {
            out.copy(record.field(column));
            out.byte(b',');
        }
        out.copy(record.field(OFFER));
        out.byte(b'\n');
    }
}

/// Parts that stand in quotes already are joined within one pair of them.
#[inline(always)]
pub fn csv_label<const N: usize>(parts: [&[u8]; N], out: &mut Text) {
    let quoted = parts.iter().any(|part| is_quoted(part));
    if quoted {
        out.add(b"\"");
    }
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.add(b"/");
        }
        out.add(if is_quoted(part) { &part[1..part.len() - 1] } else { part });
    }
    if quoted {
        out.add(b"\"");
    }
}

/// The text before each value, ready to be copied in blocks.
struct Keys([[u8; 64]; 13], [usize; 13]);

impl Keys {
    fn new() -> Self {
        let mut keys = Keys([[0; 64]; 13], [0; 13]);
        for (at, name) in NAMES.iter().enumerate() {
            let text = format!("{}\"{name}\":\"", if at == 0 { "{" } else { "," });
            keys.0[at][..text.len()].copy_from_slice(text.as_bytes());
            keys.1[at] = text.len();
        }
        keys
    }

    #[inline(always)]
    fn key(&self, name: usize) -> &[u8] {
        &self.0[name][..self.1[name]]
    }

    #[inline(always)]
    fn line(&self, record: &Record, identifier: &[u8], out: &mut Text) {
        // Room for the record twice was made, and both the buffer and the keys are padded.
        unsafe {
            out.copy(self.key(0));
            out.copy(identifier);
            out.byte(b'"');
            for column in TIMESTAMP..=OPERATION {
                let (key, value) = (self.key(column), record.field(column));
                if column == VARIANT && value.is_empty() {
                    out.copy(&key[..key.len() - 1]);
                    out.add(b"null");
                } else {
                    out.copy(key);
                    out.json(value);
                    out.byte(b'"');
                }
            }
            out.add(b",\"brand\":\"acme\"");
            self.label(record, out);
            for (name, column) in [(9, CLIENT), (10, COUNTRY), (11, REVENUE), (12, OFFER)] {
                out.copy(self.key(name));
                out.json(record.field(column));
                out.byte(b'"');
            }
            out.add(b"}\n");
        }
    }

    #[inline(always)]
    unsafe fn label(&self, record: &Record, out: &mut Text) {
        unsafe {
            out.copy(self.key(8));
            for (at, part) in [FLOW, VARIANT, ACTION].into_iter().enumerate() {
                if at > 0 {
                    out.byte(b'/');
                }
                match record.field(part) {
                    [] => out.add(b"none"),
                    value => out.json(value),
                }
            }
            out.byte(b'"');
        }
    }
}
