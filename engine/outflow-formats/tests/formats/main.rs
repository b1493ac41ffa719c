//! The formats through their public face: files beside this one, other libraries, and hostile input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod differential;
mod hostile;
mod spectrum;

use outflow_formats::chunk::Chunker;
use outflow_formats::csv::{Decoder, read_header};
use outflow_formats::encode::encoder;
use outflow_formats::format::{Dialect, Format, JsonStyle};
use outflow_formats::reject::Reject;

use arrow::record_batch::RecordBatch;

/// A CSV text with its header, in chunks of `size`.
pub fn read_csv(text: &[u8], dialect: &Dialect, size: usize) -> Result<(Vec<RecordBatch>, Vec<Reject>), String> {
    let mut chunker = Chunker::csv(text, dialect).with_chunk_bytes(size);
    let names = read_header(&mut chunker, dialect).map_err(|error| error.to_string())?.unwrap_or_default();
    let decoder = Decoder::new(dialect, &names, &names, false).map_err(|error| error.to_string())?;
    let (mut batches, mut rejects) = (Vec::new(), Vec::new());
    for chunk in chunker {
        let decoded = decoder.decode(chunk.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        batches.push(decoded.batch);
        rejects.extend(decoded.rejects);
    }
    Ok((batches, rejects))
}

/// The batches in a format.
pub fn write(batches: &[RecordBatch], format: &Format) -> Vec<u8> {
    let Some(first) = batches.first() else {
        return Vec::new();
    };
    let encoder = encoder(format, &first.schema()).unwrap().unwrap();
    let mut out = encoder.header().unwrap();
    let mut rows = 0;
    for batch in batches {
        encoder.encode(batch, rows, &mut out).unwrap();
        rows += batch.num_rows() as u64;
    }
    out
}

/// The batches as JSON Lines, for comparing.
pub fn as_json(batches: &[RecordBatch]) -> String {
    String::from_utf8(write(batches, &Format::JsonLines(JsonStyle::default()))).unwrap()
}
