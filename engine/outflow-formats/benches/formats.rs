//! Bytes a second of every step between a file and a file, on one thread: `cargo bench -p outflow-formats`. The input is
//! made here, so that figures of different days can be compared.

use std::io::Cursor;

use arrow::record_batch::RecordBatch;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use outflow_formats::chunk::{Chunk, Chunker};
use outflow_formats::digest::Algorithm;
use outflow_formats::encode::encoder;
use outflow_formats::file::OutputFile;
use outflow_formats::format::{Compression, Dialect, Format, JsonStyle, QuoteMode};
use outflow_formats::{csv, jsonl};

fn main() {
    divan::main();
}

const ROWS: usize = 20_000;

/// Rows as marketing has them: an address, a time, names of which some need quotes, an empty cell, JSON.
fn rows() -> impl Iterator<Item = [String; 8]> {
    (0..ROWS).map(|row| {
        let quoted = if row % 5 == 0 { "Shoes, \"new\"" } else { "Shoes" };
        [
            format!("Person.{}@example{}.com", row * 7919 % 100_003, row % 50),
            format!("2026-03-{:02}T{:02}:{:02}:00Z", row % 28 + 1, row % 24, row % 60),
            quoted.to_owned(),
            format!("Welcome flow {}", row % 17),
            if row % 3 == 0 { String::new() } else { format!("variant-{}", row % 4) },
            if row % 4 == 0 { "remove" } else { "add" }.to_owned(),
            format!("{}.{:02}", row % 500, row % 100),
            format!("{{\"cart\":\"{row}\",\"items\":[{},{}]}}", row % 9, row % 7),
        ]
    })
}

const NAMES: [&str; 8] = ["email", "timestamp", "segment", "flow", "variant", "operation", "revenue", "properties"];

fn csv_text() -> Vec<u8> {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(NAMES).expect("a header");
    rows().for_each(|row| writer.write_record(&row).expect("a row"));
    writer.into_inner().expect("a file in memory")
}

fn json_text() -> Vec<u8> {
    let line = |row: [String; 8]| {
        let members = NAMES.iter().map(|name| (*name).to_owned()).zip(row.map(serde_json::Value::String));
        serde_json::Value::Object(members.collect()).to_string() + "\n"
    };
    rows().map(line).collect::<String>().into_bytes()
}

fn chunks(text: &[u8], json: bool) -> Vec<Chunk> {
    let text = Cursor::new(text.to_vec());
    let chunker = if json { Chunker::lines(text) } else { Chunker::csv(text, &Dialect::default()) };
    chunker.collect::<Result<_, _>>().expect("good text")
}

fn names() -> Vec<String> {
    NAMES.iter().map(|name| (*name).to_owned()).collect()
}

fn batches() -> Vec<RecordBatch> {
    let decoder = csv::Decoder::new(&Dialect::default(), &names(), &names(), false).expect("a decoder");
    let chunks = chunks(&csv_text(), false).into_iter();
    chunks.map(|chunk| decoder.decode(chunk).expect("good rows").batch).collect()
}

#[divan::bench(args = [false, true])]
fn cut(bencher: Bencher<'_, '_>, json: bool) {
    let text = if json { json_text() } else { csv_text() };
    bencher.counter(BytesCount::new(text.len())).bench(|| chunks(black_box(&text), json));
}

#[divan::bench]
fn decode_csv(bencher: Bencher<'_, '_>) {
    let text = csv_text();
    let decoder = csv::Decoder::new(&Dialect::default(), &names(), &names(), false).expect("a decoder");
    let decode = |chunks: Vec<Chunk>| {
        chunks.into_iter().map(|chunk| decoder.decode(chunk).expect("good rows").batch).collect::<Vec<_>>()
    };
    bencher.counter(BytesCount::new(text.len())).with_inputs(|| chunks(&text, false)).bench_values(decode);
}

#[divan::bench]
fn decode_jsonl(bencher: Bencher<'_, '_>) {
    let text = json_text();
    let decoder = jsonl::Decoder::new(&jsonl::sample(&text), &names(), false);
    let decode = |chunks: Vec<Chunk>| {
        chunks.into_iter().map(|chunk| decoder.decode(chunk).expect("good rows").batch).collect::<Vec<_>>()
    };
    bencher.counter(BytesCount::new(text.len())).with_inputs(|| chunks(&text, true)).bench_values(decode);
}

fn encode(bencher: Bencher<'_, '_>, format: &Format) {
    let batches = batches();
    let encoder = encoder(format, &batches[0].schema()).expect("text").expect("an encoder");
    let write = || {
        let mut out = Vec::with_capacity(8 << 20);
        batches.iter().for_each(|batch| encoder.encode(batch, 0, &mut out).expect("good rows"));
        out
    };
    bencher.counter(BytesCount::new(write().len())).bench(write);
}

#[divan::bench(args = [QuoteMode::Minimal, QuoteMode::Always])]
fn encode_csv(bencher: Bencher<'_, '_>, quote_mode: QuoteMode) {
    encode(bencher, &Format::Csv(Dialect { quote_mode, ..Dialect::default() }));
}

#[divan::bench]
fn encode_jsonl(bencher: Bencher<'_, '_>) {
    encode(bencher, &Format::JsonLines(JsonStyle::default()));
}

#[divan::bench(args = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Zip])]
fn container(bencher: Bencher<'_, '_>, compression: Compression) {
    let (text, folder) = (csv_text(), tempfile::tempdir().expect("a folder"));
    let (format, path) = (Format::Csv(Dialect::default()), folder.path().join("file"));
    let schema = batches()[0].schema();
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut file = OutputFile::create(&path, &format, compression, Some("data.csv"), &schema, Algorithm::Xxh3)
            .expect("a file");
        file.write_encoded(black_box(&text)).expect("room");
        file.finish().expect("room")
    });
}

#[divan::bench]
fn parquet(bencher: Bencher<'_, '_>) {
    let (batches, folder) = (batches(), tempfile::tempdir().expect("a folder"));
    let (schema, path) = (batches[0].schema(), folder.path().join("file"));
    bencher.counter(BytesCount::new(csv_text().len())).bench(|| {
        let mut file = OutputFile::create(&path, &Format::Parquet, Compression::None, None, &schema, Algorithm::Xxh3)
            .expect("a file");
        batches.iter().for_each(|batch| file.write_batch(batch).expect("room"));
        file.finish().expect("room")
    });
}
