//! Rows cut at every byte, and data that lies.

use arrow::array::AsArray;
use arrow::datatypes::{Field, Schema};

use super::*;

fn column(name: &str, wire: Wire) -> Column {
    Column::telling(name, wire)
}

fn decoder(columns: &[Column]) -> Decoder {
    let fields = columns.iter().map(|column| column.field());
    let row = Arc::new(Field::new(ROW, arrow::datatypes::DataType::UInt64, true));
    Decoder::new(columns, Arc::new(Schema::new(fields.chain([row]).collect::<Vec<_>>())), "orders")
}

fn data(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
    let mut data = SIGNATURE.to_vec();
    data.extend([0, 0, 0, 0, 0, 0, 0, 3, 9, 9, 9]);
    for row in rows {
        data.extend((row.len() as i16).to_be_bytes());
        for value in *row {
            data.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
            data.extend(value.unwrap_or_default());
        }
    }
    data.extend((-1_i16).to_be_bytes());
    data
}

#[test]
fn rows_may_be_cut_at_any_byte() {
    let columns = [column("id", Wire::Int4), column("doc", Wire::Jsonb), column("ok", Wire::Bool)];
    let rows: [&[Option<&[u8]>]; 2] =
        [&[Some(&[0, 0, 0, 7]), Some(b"\x01{\n}"), Some(&[1])], &[None, None, Some(&[0])]];
    let data = data(&rows);
    for cut in 0..=data.len() {
        let mut decoder = decoder(&columns);
        assert!(decoder.take(&data[..cut]).unwrap().is_none());
        assert!(decoder.take(&data[cut..]).unwrap().is_none());
        let batch = decoder.finish().unwrap().unwrap();
        let ids = batch.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>();
        let docs = batch.column(1).as_string_view().iter().collect::<Vec<_>>();
        let oks = batch.column(2).as_boolean().iter().collect::<Vec<_>>();
        let places = batch.column(3).as_primitive::<UInt64Type>().values().to_vec();
        assert_eq!((ids, docs), (vec![Some(7), None], vec![Some("{ }"), None]), "cut at {cut}");
        assert_eq!((oks, places), (vec![Some(true), Some(false)], vec![1, 2]));
    }
}

#[test]
fn data_that_lies_is_refused() {
    let columns = [column("id", Wire::Int4)];
    let good = data(&[&[Some(&[0, 0, 0, 7])]]);
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        bad
    };
    let head = SIGNATURE.len() + 11;
    for bad in [
        with(0, b'X'),
        with(SIGNATURE.len() + 4, 0x80),
        with(head, 1),
        with(head + 2, 0x80),
        data(&[&[Some(&[0, 7])]]),
        data(&[&[None, None]]),
        [&good[..], b"more"].concat(),
        good[..good.len() - 1].to_vec(),
    ] {
        let mut decoder = decoder(&columns);
        assert!(decoder.take(&bad).and_then(|_| decoder.finish()).is_err(), "{bad:?}");
    }
    let mut decoder = decoder(&[column("name", Wire::Text)]);
    let error = decoder.take(&data(&[&[Some(b"ok")], &[Some(b"\xff")]])).unwrap_err();
    assert!(error.to_string().starts_with("row 2 of orders: column `name` holds bytes"), "{error}");
}

#[test]
fn a_batch_is_full_by_rows_or_by_bytes() {
    let columns = [column("name", Wire::Text)];
    let large = vec![b'x'; BATCH_BYTES];
    let mut decoder = decoder(&columns);
    let all = data(&[&[Some(&large)]]);
    assert_eq!(decoder.take(&all).unwrap().unwrap().num_rows(), 1);
    assert_eq!(decoder.finish().unwrap().map(|batch| batch.num_rows()), None);
}
