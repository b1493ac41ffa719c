//! JSON Lines: any bytes read as the same rows however they are cut into chunks, and what was read is read again from
//! what is written of it. Every line written is one object to a reader that owes nothing to this one.

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use outflow_formats::chunk::Chunker;
use outflow_formats::encode::encoder;
use outflow_formats::format::{Format, JsonStyle};
use outflow_formats::jsonl::{Column, Decoder, sample, widen};

/// Takes the size of chunks from the first byte and the rest as a file.
pub fn run(bytes: &[u8]) {
    let [size, file @ ..] = bytes else { return };
    let mut columns = sample(&file[..file.len() / 2]);
    let Some((batch, rejects)) = read(file, &mut columns, 1 << 20) else { return };
    let mut again = columns.clone();
    let (pieces, rejected) = read(file, &mut again, usize::from(*size) + 1).expect("it was read before");
    assert_eq!((rows(&batch), rejects), (rows(&pieces), rejected), "the cut into chunks shows");
    if columns.is_empty() {
        return;
    }
    let encoder = encoder(&Format::JsonLines(JsonStyle::default()), batch.schema_ref()).expect("text has a text form");
    let mut written = Vec::new();
    encoder.expect("JSON is text").encode(&batch, 0, &mut written).expect("what was read can be written");
    for line in written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let value = serde_json::from_slice::<Box<serde_json::value::RawValue>>(line);
        let value = value.unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(line)));
        assert!(value.get().starts_with('{'));
    }
    let (back, rejects) = read(&written, &mut columns, 1 << 20).expect("what was written can be read");
    assert_eq!((rows(&batch), 0), (rows(&back), rejects), "{:?}", String::from_utf8_lossy(&written));
}

/// The rows, read again until the columns hold all that is there, and how many lines were refused.
fn read(file: &[u8], columns: &mut Vec<Column>, chunk_bytes: usize) -> Option<(RecordBatch, usize)> {
    loop {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let decoder = Decoder::new(columns, &names, false);
        let (mut batches, mut surprises, mut rejects) = (Vec::new(), Vec::new(), 0);
        for chunk in Chunker::lines(file).with_chunk_bytes(chunk_bytes) {
            let decoded = decoder.decode(chunk.ok()?).ok()?;
            rejects += decoded.rejects.len();
            widen(&mut surprises, &decoded.surprises);
            batches.push(decoded.batch);
        }
        if !widen(columns, &surprises) {
            return Some((concat_batches(decoder.schema(), &batches).ok()?, rejects));
        }
    }
}

fn rows(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let column = |array: &ArrayRef| array.as_string_view().iter().map(|cell| cell.map(str::to_owned)).collect();
    let columns: Vec<Vec<Option<String>>> = batch.columns().iter().map(column).collect();
    (0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect()
}
