//! Keys of rows, small enough to remember many: 128 bits of the digest of their texts. Values of different types are
//! the same key when they are written the same.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_datafusion_err};
use sha2::{Digest, Sha256};

/// The bytes that a key takes in a set or map, about.
pub(super) const BYTES: usize = 24;

/// The key of each row; none where a column is null.
pub(super) fn keys(columns: &[ArrayRef]) -> Result<Vec<Option<u128>>> {
    let texts = columns.iter().map(|column| cast(column, &DataType::Utf8View)).collect::<Result<Vec<_>, _>>()?;
    let texts = texts.iter().map(|column| column.as_string_view()).collect::<Vec<_>>();
    let rows = columns.first().map_or(0, |column| column.len());
    let key = |row: usize| {
        if texts.iter().any(|column| column.is_null(row)) {
            return None;
        }
        let mut digest = Sha256::new();
        for column in &texts {
            let text = column.value(row);
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        digest.finalize().first_chunk().map(|bytes| u128::from_le_bytes(*bytes))
    };
    Ok((0..rows).map(key).collect())
}

/// The columns of these names.
pub(super) fn columns(batch: &RecordBatch, names: &[String]) -> Result<Vec<ArrayRef>> {
    let column = |name: &String| {
        batch
            .column_by_name(name)
            .cloned()
            .ok_or_else(|| plan_datafusion_err!("the rows have lost their column `{name}`"))
    };
    names.iter().map(column).collect()
}
