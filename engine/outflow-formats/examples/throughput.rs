//! Prints how fast this machine cuts, decodes and encodes a text file on one thread:
//! `cargo run --release -p outflow-formats --example throughput -- FILE.csv|FILE.jsonl`.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use outflow_formats::chunk::{Chunk, Chunker};
use outflow_formats::encode::encoder;
use outflow_formats::format::{Dialect, Format, JsonStyle};
use outflow_formats::reject::Decoded;
use outflow_formats::{csv, jsonl};

type Failure = Box<dyn std::error::Error>;

/// The time that this thread has had a processor, so that others on the machine do not count.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default())
}

type Decode = Box<dyn Fn(Chunk) -> outflow_formats::Result<Decoded>>;

/// What decodes the chunks that come after the header.
fn decoder(path: &str, chunker: &mut Chunker<File>, dialect: &Dialect) -> Result<Decode, Failure> {
    if path.ends_with(".jsonl") {
        let head = Chunker::lines(File::open(path)?).next().transpose()?;
        let columns = head.map(|chunk| jsonl::sample(&chunk.bytes)).unwrap_or_default();
        let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
        let decoder = jsonl::Decoder::new(&columns, &names, false);
        return Ok(Box::new(move |chunk| decoder.decode(chunk)));
    }
    let names = csv::read_header(chunker, dialect)?.ok_or("an empty file")?;
    let decoder = csv::Decoder::new(dialect, &names, &names, false)?;
    Ok(Box::new(move |chunk| decoder.decode(chunk)))
}

fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1).ok_or("usage: throughput FILE.csv|FILE.jsonl")?;
    let json = path.ends_with(".jsonl");
    let dialect = Dialect::default();
    let open = || -> Result<Chunker<File>, Failure> {
        let file = File::open(&path)?;
        Ok(if json { Chunker::lines(file) } else { Chunker::csv(file, &dialect) })
    };
    let bytes = File::open(&path)?.metadata()?.len() as f64 / 1e6;
    let report = |what: &str, time: Duration| {
        println!("{what:<24}{:>8.0} MB/s  {:>7.3} CPU s", bytes / time.as_secs_f64(), time.as_secs_f64());
    };

    let start = busy();
    let mut chunks = 0;
    for chunk in open()? {
        chunks += usize::from(!chunk?.bytes.is_empty());
    }
    report(&format!("cut into {chunks} chunks"), busy().saturating_sub(start));

    let mut chunker = open()?;
    let decode = decoder(&path, &mut chunker, &dialect)?;
    let (mut reading, mut decoding, mut rows) = (Duration::ZERO, Duration::ZERO, 0);
    let formats = [Format::Csv(dialect.clone()), Format::JsonLines(JsonStyle::default())];
    let (mut encoding, mut written) = ([Duration::ZERO; 2], [0; 2]);
    loop {
        let start = busy();
        let Some(chunk) = chunker.next().transpose()? else {
            break;
        };
        reading += busy().saturating_sub(start);
        let start = busy();
        let batch: RecordBatch = decode(chunk)?.batch;
        decoding += busy().saturating_sub(start);
        rows += batch.num_rows();
        for (number, format) in formats.iter().enumerate() {
            let encoder = encoder(format, &batch.schema())?.ok_or("not a text format")?;
            let mut out = Vec::with_capacity(3 << 20);
            let start = busy();
            encoder.encode(&batch, 0, &mut out)?;
            encoding[number] += busy().saturating_sub(start);
            written[number] += out.len();
        }
    }
    println!("{rows} rows, {bytes:.0} MB");
    report("cut", reading);
    report("decode", decoding);
    report(&format!("encode csv ({} MB)", written[0] / 1_000_000), encoding[0]);
    report(&format!("encode jsonl ({} MB)", written[1] / 1_000_000), encoding[1]);
    Ok(())
}
