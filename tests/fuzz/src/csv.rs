//! CSV: any bytes read as the same rows however they are cut into chunks, and any cells come back from the file they
//! were written to.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewArray};
use arrow::compute::concat_batches;
use outflow_formats::chunk::Chunker;
use outflow_formats::csv::{Decoder, read_header};
use outflow_formats::encode::encoder;
use outflow_formats::format::{Dialect, Escape, Format, QuoteMode, Terminator};
use outflow_formats::reject::Reject;

/// Takes the dialect from the first two bytes and the rest as file and as cells.
pub fn run(bytes: &[u8]) {
    let [shape, sizes, rest @ ..] = bytes else { return };
    let dialect = dialect(*shape);
    let columns = usize::from(sizes & 3) + 1;
    let names: Vec<String> = (0..columns).map(|number| format!("c{number}")).collect();
    let whole = read(rest, &dialect, &names, 1 << 20);
    let pieces = read(rest, &dialect, &names, usize::from(sizes >> 2) + 1);
    assert_eq!(whole, pieces, "the cut into chunks shows");
    // A header of any bytes is a header or an error.
    let _ = read_header(&mut Chunker::csv(rest, &dialect), &dialect);
    round_trip(rest, &dialect, &names);
}

fn dialect(shape: u8) -> Dialect {
    let bit = |number: u8| shape >> number & 1 == 1;
    Dialect {
        delimiter: [b',', b';', b'\t', b'|'][usize::from(shape & 3)],
        escape: if bit(2) { Escape::Backslash } else { Escape::Double },
        quote_mode: if bit(3) { QuoteMode::Always } else { QuoteMode::Minimal },
        terminator: if bit(4) { Terminator::Crlf } else { Terminator::Lf },
        null_text: if bit(5) { "NULL".to_owned() } else { String::new() },
        quote: if bit(6) { b'\'' } else { b'"' },
        ..Dialect::default()
    }
}

type Rows = (Vec<Vec<Option<String>>>, Vec<Reject>);

fn read(file: &[u8], dialect: &Dialect, names: &[String], chunk_bytes: usize) -> Result<Rows, String> {
    let decoder = Decoder::new(dialect, names, names, false).map_err(|error| error.to_string())?;
    let (mut batches, mut rejects) = (Vec::new(), Vec::new());
    for chunk in Chunker::csv(file, dialect).with_chunk_bytes(chunk_bytes) {
        let decoded = decoder.decode(chunk.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        rejects.extend(decoded.rejects);
        batches.push(decoded.batch);
    }
    let batch = concat_batches(decoder.schema(), &batches).map_err(|error| error.to_string())?;
    let column = |array: &ArrayRef| array.as_string_view().iter().map(|cell| cell.map(str::to_owned)).collect();
    let columns: Vec<Vec<Option<String>>> = batch.columns().iter().map(column).collect();
    let rows = (0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect());
    Ok((rows.collect(), rejects))
}

fn round_trip(bytes: &[u8], dialect: &Dialect, names: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    // A cell that is a lone `~` is null. A line of one cell cannot be null: nothing at all is no line.
    let is_null = |cell: &str| cell == "~" && names.len() > 1;
    let cells: Vec<_> = text.split('\u{1f}').map(|cell| (!is_null(cell)).then(|| cell.to_owned())).collect();
    let rows: Vec<Vec<_>> = cells.chunks_exact(names.len()).map(<[_]>::to_vec).collect();
    if rows.is_empty() {
        return;
    }
    let column = |number: usize| {
        let cells = rows.iter().map(|row| row[number].as_deref());
        (names[number].clone(), Arc::new(cells.collect::<StringViewArray>()) as ArrayRef, true)
    };
    let batch = RecordBatch::try_from_iter_with_nullable((0..names.len()).map(column)).expect("columns of one length");
    let encoder = encoder(&Format::Csv(dialect.clone()), batch.schema_ref()).expect("text has a text form");
    let encoder = encoder.expect("CSV is text");
    let mut file = encoder.header().expect("plain names");
    encoder.encode(&batch, 0, &mut file).expect("every cell can be quoted");
    let mut chunker = Chunker::csv(&file[..], dialect);
    assert_eq!(read_header(&mut chunker, dialect).expect("our own header").as_deref(), Some(names));
    let body = &file[encoder.header().expect("plain names").len()..];
    assert_eq!(read(body, dialect, names, 64), Ok((rows, Vec::new())), "{:?}", String::from_utf8_lossy(&file));
}
