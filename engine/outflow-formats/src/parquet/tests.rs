//! Written files read back by name, and files that are not Parquet.

use super::*;
use arrow::array::{Array, AsArray, Int64Array, StringArray, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{TimeUnit, UInt64Type};

use crate::digest::Algorithm;
use crate::file::OutputFile;
use crate::format::{Compression, Format};

fn sample() -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef, true),
        ("name", Arc::new(StringArray::from(vec![Some("a"), Some("longer than twelve bytes"), None])), true),
        ("note", Arc::new(StringViewArray::from(vec![Some(""), None, Some("é")])), true),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1, 2]).with_timezone("UTC")), true),
    ])
    .unwrap()
}

fn written() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let batch = sample();
    let mut file =
        OutputFile::create(&path, &Format::Parquet, Compression::None, None, &batch.schema(), Algorithm::Xxh3).unwrap();
    file.write_batch(&batch).unwrap();
    file.write_batch(&batch).unwrap();
    assert!(file.write_encoded(b"x").is_err());
    file.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn wanted(fields: &[(&str, DataType)]) -> Vec<FieldRef> {
    fields.iter().map(|(name, data_type)| Arc::new(Field::new(*name, data_type.clone(), true))).collect()
}

#[test]
fn columns_are_read_by_name() {
    let file = open(bytes::Bytes::from(written())).unwrap();
    assert_eq!(file.rows(), 6);
    let types: Vec<_> = file.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    assert_eq!(types, [DataType::Int64, DataType::Utf8View, DataType::Utf8View, zoned]);
    let wanted = wanted(&[("note", DataType::Utf8View), ("missing", DataType::Date32), ("id", DataType::Utf8View)]);
    let batches: Vec<_> = file.batches(&wanted, true).unwrap().collect::<Result<_>>().unwrap();
    let [batch] = &batches[..] else { panic!("{}", batches.len()) };
    let texts = |number: usize| batch.column(number).as_string_view().iter().take(3).collect::<Vec<_>>();
    assert_eq!(texts(0), [Some(""), None, Some("é")]);
    assert_eq!(batch.column(1).null_count(), 6);
    assert_eq!(texts(2), [Some("1"), None, Some("3")]);
    assert_eq!(batch.column(3).as_primitive::<UInt64Type>().values(), &[1, 2, 3, 4, 5, 6]);
    assert_eq!(batch.schema().field(3).name(), ROW_COLUMN);
}

#[test]
fn rows_without_columns_are_counted() {
    let file = open(bytes::Bytes::from(written())).unwrap();
    let rows: usize = file.batches(&[], false).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 6);
}

#[test]
fn what_does_not_fit_or_is_not_parquet_is_an_error() {
    let file = open(bytes::Bytes::from(written())).unwrap();
    let error = file.batches(&wanted(&[("name", DataType::Int64)]), false).unwrap().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("column `name`"), "{error}");
    assert!(open(bytes::Bytes::from_static(b"a,b\n1,2\n")).is_err());
    let whole = written();
    for end in [0, 4, whole.len() / 2, whole.len() - 1] {
        assert!(open(bytes::Bytes::from(whole[..end].to_vec())).is_err(), "{end}");
    }
}

#[test]
fn damage_is_never_a_panic() {
    let whole = written();
    for position in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x55;
        let Ok(file) = open(bytes::Bytes::from(bytes)) else {
            continue;
        };
        let fields: Vec<_> = file.schema().fields().iter().cloned().collect();
        if let Ok(batches) = file.batches(&fields, true) {
            let _ = batches.take(10).count();
        }
    }
}
