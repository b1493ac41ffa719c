//! Parquet to Arrow, through the parquet crate. Types stay as the file has them, but text is always `Utf8View`.
//!
//! That crate may panic on a file that lies about itself; here this is an error like any other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
pub use parquet::file::reader::ChunkReader;

use crate::error::{Error, Result};
use crate::{ROW_COLUMN, value};

#[cfg(test)]
mod tests;
pub(crate) mod write;

/// Rows in a batch.
const BATCH_ROWS: usize = 8192;

/// A Parquet file whose metadata has been read.
pub struct ParquetFile<R> {
    reader: R,
    metadata: ArrowReaderMetadata,
}

/// Reads the metadata of a file: a [`std::fs::File`], bytes, or anything else with ranges.
pub fn open<R: ChunkReader + 'static>(reader: R) -> Result<ParquetFile<R>> {
    let metadata = guarded("reading the Parquet metadata", || {
        let metadata = ArrowReaderMetadata::load(&reader, ArrowReaderOptions::new())?;
        let fields: Vec<_> = metadata.schema().fields().iter().map(text_as_views).collect();
        let schema = Arc::new(Schema::new(fields));
        ArrowReaderMetadata::try_new(metadata.metadata().clone(), ArrowReaderOptions::new().with_schema(schema))
    })?;
    Ok(ParquetFile { reader, metadata })
}

fn text_as_views(field: &FieldRef) -> FieldRef {
    if value::is_text(field.data_type()) {
        Arc::new(Field::new(field.name(), DataType::Utf8View, field.is_nullable()))
    } else {
        field.clone()
    }
}

fn guarded<T>(doing: &str, work: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|source| Error::because(doing, source)),
        Err(_) => Err(Error::data(format!("{doing}: the file contradicts itself"))),
    }
}

impl<R: ChunkReader + 'static> ParquetFile<R> {
    /// The columns of the file.
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// The number of rows that the file says it has.
    pub fn rows(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads the columns `wanted`, in that order. A column that the file lacks is all null; one of another type is
    /// cast, and a value that does not fit is an error. `with_rows` adds [`ROW_COLUMN`] at the end: the number of each
    /// row in the file, from 1.
    pub fn batches(self, wanted: &[FieldRef], with_rows: bool) -> Result<Batches> {
        let file = self.metadata.schema();
        let mut numbers: Vec<_> = wanted.iter().filter_map(|field| file.index_of(field.name()).ok()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let columns = wanted.iter().map(|field| {
            let number = file.index_of(field.name()).ok()?;
            numbers.binary_search(&number).ok()
        });
        let columns = columns.collect();
        let mut fields: Vec<FieldRef> =
            wanted.iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect();
        if with_rows {
            fields.push(Arc::new(Field::new(ROW_COLUMN, DataType::UInt64, false)));
        }
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), numbers.iter().copied());
        let reader = guarded("reading the Parquet file", || {
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.reader, self.metadata)
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS)
                .build()
        })?;
        Ok(Batches { reader, columns, schema: Arc::new(Schema::new(fields)), with_rows, rows: 0, failed: false })
    }
}

/// The rows of a file, in order.
pub struct Batches {
    reader: ParquetRecordBatchReader,
    /// For each wanted column, its number in the batches of `reader`.
    columns: Vec<Option<usize>>,
    schema: SchemaRef,
    with_rows: bool,
    rows: u64,
    failed: bool,
}

impl Batches {
    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn shape(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for (number, field) in self.columns.iter().zip(self.schema.fields()) {
            arrays.push(match number {
                Some(number) => fit(batch.column(*number), field)?,
                None => new_null_array(field.data_type(), rows),
            });
        }
        if self.with_rows {
            let first = self.rows + 1;
            arrays.push(Arc::new(UInt64Array::from_iter_values(first..first + rows as u64)));
        }
        self.rows += rows as u64;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|source| Error::because("building a batch", source))
    }
}

fn fit(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if array.data_type() == field.data_type() {
        return Ok(array.clone());
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, field.data_type(), &options)
        .map_err(|source| Error::because(format!("column `{}`", field.name()), source))
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let doing = format!("reading the Parquet file after row {}", self.rows);
        let next = guarded(&doing, || Ok(self.reader.next().transpose()?)).transpose()?;
        let batch = next.and_then(|batch| self.shape(&batch));
        self.failed = batch.is_err();
        Some(batch)
    }
}
