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

/// Rows encoded span by span, however they are cut, are the rows encoded one by one.
#[test]
fn spans_are_cut_at_rows() {
    use outflow_formats::encode::{Page, Span};
    use outflow_formats::format::JsonObject;
    let text = "a,b\n1,é\n2,\"x,\ny\"\n3,\n4,\"\"\n5,long enough for a buffer of its own\n6,z\n";
    let (batches, _) = read_csv(text.as_bytes(), &Dialect::default(), 1 << 20).unwrap();
    let object = JsonObject { key: "a".to_owned(), root: None, style: JsonStyle { omit_null: true } };
    for format in [
        Format::Csv(Dialect::default()),
        Format::Csv(Dialect { encoding: encoding_rs::UTF_16LE, bom: true, ..Dialect::default() }),
        Format::JsonLines(JsonStyle::default()),
        Format::JsonArray(JsonStyle::default()),
        Format::JsonObject(object),
    ] {
        let encoder = encoder(&format, &batches[0].schema()).unwrap().unwrap();
        let single = |row| {
            let mut out = Vec::new();
            encoder.encode(&batches[0].slice(row, 1), 0, &mut out).unwrap();
            out
        };
        for cuts in [&[6][..], &[1, 1, 1, 1, 1, 1], &[2, 0, 3, 1], &[0, 6]] {
            let spans = cuts.iter().map(|&rows| Span { rows, before: 0 }).collect::<Vec<_>>();
            let mut out = Page::default();
            let ends = encoder.encode_spans(&batches[0], &spans, &mut out).unwrap();
            let (mut begin, mut row) = (0, 0);
            for (end, rows) in ends.iter().zip(cuts) {
                let expected = (row..row + rows).flat_map(single).collect::<Vec<_>>();
                assert_eq!(out.bytes()[begin..*end], expected, "{format:?} {cuts:?}");
                (begin, row) = (*end, row + rows);
            }
            assert_eq!((begin, row), (out.bytes().len(), 6));
        }
    }
    // Messages count the rows of the file.
    let never = Dialect { quote_mode: outflow_formats::format::QuoteMode::Never, ..Dialect::default() };
    let encoder = encoder(&Format::Csv(never), &batches[0].schema()).unwrap().unwrap();
    let spans = [Span { rows: 1, before: 50 }, Span { rows: 5, before: 100 }];
    let error = encoder.encode_spans(&batches[0], &spans, &mut Page::default()).unwrap_err().to_string();
    assert!(error.starts_with("row 101, column `b`"), "{error}");
}

/// The batches as JSON Lines, for comparing.
pub fn as_json(batches: &[RecordBatch]) -> String {
    String::from_utf8(write(batches, &Format::JsonLines(JsonStyle::default()))).unwrap()
}
