//! Rows that come back as they were, in batches of a bounded size.

use super::*;
use arrow::array::{
    BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int32Type, Int64Type};
use std::sync::Arc;

fn sample(rows: i64) -> RecordBatch {
    let text = (0..rows).map(|row| (row % 7 != 0).then(|| format!("é{row}").repeat(row as usize % 40)));
    let lists = (0..rows).map(|row| (row % 5 != 0).then(|| (0..row % 4).map(Some).collect::<Vec<_>>()));
    let words = (0..rows).map(|row| ["one", "two"][row as usize % 2]).collect::<DictionaryArray<Int32Type>>();
    let columns: [(&str, ArrayRef); 6] = [
        ("text", Arc::new(text.collect::<StringViewArray>())),
        ("number", Arc::new((0..rows).map(|row| (row % 3 != 0).then_some(-row)).collect::<Int64Array>())),
        ("float", Arc::new((0..rows).map(|row| Some(row as f64 / 3.0)).collect::<Float64Array>())),
        ("truth", Arc::new((0..rows).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>())),
        ("list", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
        ("word", Arc::new(words)),
    ];
    let mut columns = columns.to_vec();
    let times = TimestampMicrosecondArray::from_iter_values(0..rows).with_timezone("UTC");
    columns.push(("at", Arc::new(times)));
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

#[test]
fn rows_come_back() {
    for rows in [0, 1, 8192, 20_000] {
        let batch = sample(rows);
        let packer = Packer::new(batch.schema()).unwrap();
        let third = batch.num_rows() / 3;
        let spans = [third, 0, batch.num_rows() - third].map(|rows| Span { rows, before: 0 });
        let (bytes, ends) = packer.pack(&batch, &spans).unwrap();
        assert_eq!((ends.len(), ends[0], ends[2]), (3, ends[1], bytes.len()));
        let mut found = Vec::new();
        packer
            .unpack(&bytes[..], |batch| {
                assert!(batch.num_rows() <= BATCH_ROWS);
                found.push(batch.clone());
                Ok(())
            })
            .unwrap();
        assert_eq!(concat_batches(&batch.schema(), &found).unwrap(), batch, "{rows} rows");
        let torn = packer.unpack(&bytes[..bytes.len().saturating_sub(1)], |_| Ok(()));
        assert_eq!(torn.is_err(), rows > 0);
    }
}
