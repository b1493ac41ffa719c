//! W4: calls as JSON Lines become six CSV files, one a type. Nested values are taken over as the text they are.

use std::fs::File;
use std::io::Write;

use memchr::memchr;
use sonic_rs::{JsonValueTrait, LazyValue};

use crate::Job;
use crate::chunks::Chunks;
use crate::ordered::Ordered;
use crate::text::Text;

/// A type of call and its columns.
struct Kind {
    name: &'static str,
    columns: &'static [&'static str],
}

const KINDS: [Kind; 6] = [
    Kind { name: "identify", columns: &["messageId", "userId", "timestamp", "context", "traits"] },
    Kind { name: "group", columns: &["messageId", "userId", "groupId", "timestamp", "context", "traits"] },
    Kind { name: "track", columns: &["messageId", "userId", "timestamp", "event", "context", "properties"] },
    Kind { name: "page", columns: &["messageId", "userId", "timestamp", "name", "context", "properties"] },
    Kind { name: "screen", columns: &["messageId", "userId", "timestamp", "name", "context", "properties"] },
    Kind { name: "alias", columns: &["messageId", "userId", "previousId", "timestamp", "context"] },
];

/// Every key that is a column somewhere.
const KEYS: [&str; 10] =
    ["messageId", "userId", "timestamp", "context", "traits", "groupId", "event", "properties", "name", "previousId"];

pub fn split(job: &Job) {
    std::fs::create_dir_all(&job.output).unwrap();
    let open = |kind: &Kind| {
        let mut file = File::create(format!("{}/1.{}.csv", job.output, kind.name)).unwrap();
        writeln!(file, "{}", kind.columns.join(",")).unwrap();
        file
    };
    let (chunks, files) = (Chunks::lines(&job.input), Ordered::new(KINDS.each_ref().map(open)));
    job.on_threads(|| {
        let mut buffer = Vec::new();
        let mut outs: [Text; 6] = std::array::from_fn(|_| Text::new());
        while let Some(chunk) = chunks.next(&mut buffer) {
            outs.iter_mut().for_each(|out| out.0.clear());
            // The input is the suite's own and known to be UTF-8.
            let mut rest = unsafe { std::str::from_utf8_unchecked(&buffer[..chunk.len]) };
            let mut values = Vec::with_capacity(KEYS.len());
            while !rest.is_empty() {
                let end = memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
                write_call(&rest[..end], &mut values, &mut outs);
                rest = rest.get(end + 1..).unwrap_or("");
            }
            files.write(chunk.number, |files| {
                for (file, out) in files.iter_mut().zip(&outs).filter(|(_, out)| !out.0.is_empty()) {
                    file.write_all(&out.0).unwrap();
                }
            });
        }
    });
}

fn write_call<'a>(line: &'a str, values: &mut Vec<(&'static str, LazyValue<'a>)>, outs: &mut [Text; 6]) {
    values.clear();
    let mut kind = None;
    // Values are skipped over, not built; that the lines are JSON is known.
    for entry in unsafe { sonic_rs::to_object_iter_unchecked(line) } {
        let (key, value) = entry.unwrap();
        if key == "type" {
            let name = value.as_raw_str().trim_matches('"');
            kind = KINDS.iter().position(|kind| kind.name == name);
        } else if let Some(known) = KEYS.iter().find(|known| **known == key) {
            values.push((known, value));
        }
    }
    let kind = kind.expect("a type that is known");
    let out = &mut outs[kind];
    for (at, column) in KINDS[kind].columns.iter().enumerate() {
        if at > 0 {
            out.add(b",");
        }
        if let Some((_, value)) = values.iter().find(|(key, _)| key == column) {
            write_value(value, out);
        }
    }
    out.add(b"\n");
}

#[inline(always)]
fn write_value(value: &LazyValue, out: &mut Text) {
    let raw = value.as_raw_str();
    match raw.strip_prefix('"') {
        None => out.csv_quoted(raw.as_bytes()),
        Some(_) if memchr(b'\\', raw.as_bytes()).is_some() => out.csv(value.as_str().unwrap()),
        Some(inner) => out.csv(&inner[..inner.len() - 1]),
    }
}
