//! Small input that wants to become large: archives of one endless record, of columns without end, of empty lines;
//! pipeline files and secrets that never end. Each is refused or streamed within a fixed amount of memory.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::process::{Outcome, Outflow};

/// Memory that a run may have: what it needs anyway, and less than any of the bombs.
const MEMORY: &str = "--data=400000000";

/// Gzip of `piece`, then of `more` so often: members of one file, as RFC 1952 allows.
fn gzip(first: &[u8], more: &[u8], times: usize) -> Vec<u8> {
    let packed = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (first, more) = (packed(first), packed(more));
    [first, more.repeat(times)].concat()
}

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    Outflow::through(&["prlimit", MEMORY], folder).args(arguments).run()
}

fn run(name: &str, bytes: &[u8]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), bytes).unwrap();
    let pipeline = format!(
        "version: 1\nname: bomb\nsource: {{files: {{path: {name}}}}}\ntransforms: [filter: \"a = 'nothing'\"]\n\
         layout: {{files: {{path: 'f_{{{{ nonce[:8] }}}}.csv', format: csv}}}}\nsink: {{local: {{path: out}}}}\n"
    );
    fs::write(folder.path().join("bomb.yaml"), pipeline).unwrap();
    outflow(folder.path(), &["run", "bomb.yaml"])
}

#[test]
fn archives() {
    let endless = vec![b'a'; 16 << 20];
    let keys: String = (0..12_000).map(|key| format!("{{\"key{key}\": 1}}\n")).collect();
    let header: String = (0..12_000).map(|key| format!("c{key},")).collect();
    // 1 GiB each from less than 2 MiB.
    for (name, bytes, says) in [
        ("one-text.jsonl.gz", gzip(b"{\"a\": 1}\n{\"a\": \"", &endless, 64), "is longer than 67108864 bytes"),
        ("one-cell.csv.gz", gzip(b"a,b\n1,\"", &endless, 64), "is longer than 67108864 bytes; is a quote not closed?"),
        ("one-header.csv.gz", gzip(b"a", &endless, 64), "is longer than 67108864 bytes"),
        ("names.csv.gz", gzip(b"a", &b",abcd".repeat(1 << 20), 1), "the header on line 1 has 5242881 bytes"),
        ("columns.csv.gz", gzip(header.as_bytes(), b"z\n1\n", 1), "12001 columns; at most 10000 are read"),
        ("keys.jsonl.gz", gzip(b"", keys.as_bytes(), 1), "at most 10000 are read"),
        ("keys-behind-the-head.jsonl.gz", gzip(&b"{\"a\": 1}\n".repeat(200_000), keys.as_bytes(), 1), "at most 10000"),
    ] {
        assert!(bytes.len() < 2 << 20, "{name} has {} bytes", bytes.len());
        let outcome = run(name, &bytes).expect_stderr(says);
        assert!(matches!(outcome.code, Some(2 | 3)), "{name}: {outcome:?}");
    }
    // What is many and not large flows through.
    run("rows.csv.gz", &gzip(b"a,b\n", &b"1,2\n".repeat(1 << 20), 32)).expect_code(0);
    run("empty-lines.jsonl.gz", &gzip(b"{\"a\": 1}\n", &b"\n".repeat(16 << 20), 16)).expect_code(0);
}

#[test]
fn pipeline_files() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = "version: 1\nname: bomb\nsource: {files: {path: \"${file:/dev/zero}\"}}\n";
    fs::write(folder.path().join("bomb.yaml"), pipeline).unwrap();
    outflow(folder.path(), &["lint", "bomb.yaml"]).expect_code(1).expect_stdout("it is longer than 1048576 bytes");
    outflow(folder.path(), &["lint", "/dev/zero"]).expect_code(1).expect_stdout("OF006");
    outflow(folder.path(), &["run", "/dev/zero"]).expect_code(2).expect_stderr("OF006");
    fs::write(folder.path().join("latin.yaml"), b"name: \xe9\n").unwrap();
    outflow(folder.path(), &["lint", "latin.yaml"]).expect_code(2).expect_stderr("it is not UTF-8");
}
