//! Rows as bytes and back, for rows that wait on disk until the Parquet file they belong to is made. Nothing else
//! reads these bytes, and no version of them is kept.

use std::io::Read;

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, RowParser, Rows, SortField};

use crate::encode::Span;
use crate::error::{Error, Result};

#[cfg(test)]
mod tests;

/// Rows in a batch that is read back.
const BATCH_ROWS: usize = 8192;

/// Bytes of the rows of a batch that is read back; one more row may be in it.
const BATCH_BYTES: usize = 8 << 20;

/// Packs the rows of one schema.
pub struct Packer {
    schema: SchemaRef,
    converter: RowConverter,
}

impl Packer {
    /// A packer for batches of `schema`.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter =
            RowConverter::new(fields.collect()).map_err(|source| Error::because("setting rows aside", source))?;
        Ok(Self { schema, converter })
    }

    /// The rows of `batch` as bytes, and the end of each span in them.
    pub fn pack(&self, batch: &RecordBatch, spans: &[Span]) -> Result<(Vec<u8>, Vec<usize>)> {
        let rows = self.rows(batch.columns())?;
        let (mut out, mut ends) = (Vec::new(), Vec::with_capacity(spans.len()));
        for (_, places) in Span::places(spans) {
            for row in places {
                let row = rows.row(row);
                let bytes = row.data();
                let length = u32::try_from(bytes.len())
                    .map_err(|_| Error::data("a row is larger than 4 GiB, which cannot be set aside"))?;
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(bytes);
            }
            ends.push(out.len());
        }
        Ok((out, ends))
    }

    fn rows(&self, columns: &[ArrayRef]) -> Result<Rows> {
        self.converter.convert_columns(columns).map_err(|source| Error::because("setting rows aside", source))
    }

    /// Calls `each` with the packed rows that `packed` gives, in order.
    pub fn unpack(&self, mut packed: impl Read, mut each: impl FnMut(&RecordBatch) -> Result<()>) -> Result<()> {
        let failed = |source| Error::io("reading rows that were set aside", source);
        let parser = self.converter.parser();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut length = [0; 4];
        loop {
            let more = packed.read(&mut length[..1]).map_err(failed)? > 0;
            if ends.len() == BATCH_ROWS || bytes.len() > BATCH_BYTES || (!more && !ends.is_empty()) {
                each(&self.batch(&parser, &bytes, &ends)?)?;
                bytes.clear();
                ends.clear();
            }
            if !more {
                return Ok(());
            }
            packed.read_exact(&mut length[1..]).map_err(failed)?;
            let begin = bytes.len();
            bytes.resize(begin + u32::from_le_bytes(length) as usize, 0);
            packed.read_exact(&mut bytes[begin..]).map_err(failed)?;
            ends.push(bytes.len());
        }
    }

    fn batch(&self, parser: &RowParser, bytes: &[u8], ends: &[usize]) -> Result<RecordBatch> {
        let failed = |source| Error::because("reading rows that were set aside", source);
        let mut begin = 0;
        let rows = ends.iter().map(|&end| parser.parse(&bytes[std::mem::replace(&mut begin, end)..end]));
        let columns = self.converter.convert_rows(rows).map_err(failed)?;
        // Dictionaries come back as their values.
        let columns = columns.into_iter().zip(self.schema.fields()).map(|(column, field)| {
            if column.data_type() == field.data_type() { Ok(column) } else { cast(&column, field.data_type()) }
        });
        let columns = columns.collect::<Result<_, _>>().map_err(failed)?;
        RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)
    }
}
