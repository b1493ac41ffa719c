//! Arrow to Parquet, the columns of a row group encoded on several threads. The file does not depend on how many.

use std::collections::{HashSet, VecDeque};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{AsArray, StringViewArray};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{
    ArrowColumnChunk, ArrowColumnWriter, ArrowLeafColumn, ArrowRowGroupWriterFactory, compute_leaves,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};
use crate::file::ZSTD_LEVEL;
use crate::workers;

/// Rows in a row group, which is held in memory, encoded, while it is written.
const ROW_GROUP_ROWS: usize = 256 << 10;

/// Batches whose encoding may be under way.
const WAITING: usize = 4;

/// Rows that are looked at before a column gets a dictionary.
const SAMPLE_ROWS: usize = 1024;

/// A Parquet file being written.
pub(crate) struct ParquetWriter<W: Write + Send> {
    schema: SchemaRef,
    state: State<W>,
}

enum State<W: Write + Send> {
    /// Nothing is written before the first rows tell which columns repeat.
    New(Option<W>),
    Open(Box<Open<W>>),
}

struct Open<W: Write + Send> {
    file: SerializedFileWriter<W>,
    factory: ArrowRowGroupWriterFactory,
    group: Option<Group>,
    groups: usize,
}

/// A row group under way.
struct Group {
    columns: Vec<Arc<Mutex<Column>>>,
    rows: usize,
    /// Batches whose columns are not all encoded.
    waiting: VecDeque<Batch>,
}

/// Tells, column by column, that a batch is encoded.
type Batch = Receiver<ParquetResult<()>>;

/// One column of a row group; at most one thread encodes it at a time, in the order of its batches.
struct Column {
    /// Gone when it is complete.
    writer: Option<ArrowColumnWriter>,
    values: VecDeque<(ArrowLeafColumn, Sender<ParquetResult<()>>)>,
    busy: bool,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A file for batches of `schema`.
    pub(crate) fn new(out: W, schema: &Schema) -> Self {
        Self { schema: Arc::new(schema.clone()), state: State::New(Some(out)) }
    }

    /// Appends a batch.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let open = self.open(Some(batch))?;
        open.write(batch).map_err(|source| Error::because("writing the Parquet file", source))
    }

    /// Completes the file.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.open(None)?;
        let State::Open(mut open) = self.state else { return Err(Error::data("a Parquet file was never begun")) };
        let finish = || -> ParquetResult<W> {
            open.end_group()?;
            open.file.into_inner()
        };
        finish().map_err(|source| Error::because("completing the Parquet file", source))
    }

    fn open(&mut self, first: Option<&RecordBatch>) -> Result<&mut Open<W>> {
        if let State::New(out) = &mut self.state
            && let Some(out) = out.take()
        {
            let open = Open::new(out, &self.schema, first);
            self.state = State::Open(open.map_err(|source| Error::because("starting a Parquet file", source))?.into());
        }
        match &mut self.state {
            State::Open(open) => Ok(open),
            State::New(_) => Err(Error::data("the Parquet file has failed before")),
        }
    }
}

impl<W: Write + Send> Open<W> {
    fn new(out: W, schema: &SchemaRef, first: Option<&RecordBatch>) -> ParquetResult<Self> {
        let described = ArrowSchemaConverter::new().convert(schema)?;
        // Arrow's own schema is left out, so that the file says the same to every reader.
        let file = SerializedFileWriter::new(out, described.root_schema_ptr(), properties(schema, first)?)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, schema.clone());
        Ok(Self { file, factory, group: None, groups: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> ParquetResult<()> {
        let mut begin = 0;
        while begin < batch.num_rows() {
            if self.group.is_none() {
                self.group = Some(Group::new(self.factory.create_column_writers(self.groups)?));
                self.groups += 1;
            }
            let Some(group) = &mut self.group else { return Ok(()) };
            let rows = (batch.num_rows() - begin).min(ROW_GROUP_ROWS - group.rows);
            group.write(&batch.slice(begin, rows))?;
            begin += rows;
            if group.rows == ROW_GROUP_ROWS {
                self.end_group()?;
            }
        }
        Ok(())
    }

    fn end_group(&mut self) -> ParquetResult<()> {
        let Some(group) = self.group.take() else { return Ok(()) };
        let mut row_group = self.file.next_row_group()?;
        for chunk in group.finish()? {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close().map(drop)
    }
}

impl Group {
    fn new(writers: Vec<ArrowColumnWriter>) -> Self {
        let column =
            |writer| Arc::new(Mutex::new(Column { writer: Some(writer), values: VecDeque::new(), busy: false }));
        Self { columns: writers.into_iter().map(column).collect(), rows: 0, waiting: VecDeque::new() }
    }

    fn write(&mut self, batch: &RecordBatch) -> ParquetResult<()> {
        let (sender, receiver) = channel();
        let mut columns = self.columns.iter();
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            for (leaf, column) in compute_leaves(field, array)?.into_iter().zip(columns.by_ref()) {
                let mut locked = lock(column);
                locked.values.push_back((leaf, sender.clone()));
                if !std::mem::replace(&mut locked.busy, true) {
                    let column = column.clone();
                    workers::spawn(move || encode(&column));
                }
            }
        }
        self.rows += batch.num_rows();
        self.waiting.push_back(receiver);
        while self.waiting.len() > WAITING {
            self.wait()?;
        }
        Ok(())
    }

    /// Waits for the oldest batch.
    fn wait(&mut self) -> ParquetResult<()> {
        self.waiting.pop_front().into_iter().flatten().collect()
    }

    /// The encoded columns.
    fn finish(mut self) -> ParquetResult<Vec<ArrowColumnChunk>> {
        while !self.waiting.is_empty() {
            self.wait()?;
        }
        let complete = |column: Arc<Mutex<Column>>| {
            let (sender, receiver) = channel();
            workers::spawn(move || {
                let writer = lock(&column).writer.take();
                let _ = sender.send(writer.map(ArrowColumnWriter::close));
            });
            receiver
        };
        let chunks = self.columns.into_iter().map(complete).collect::<Vec<_>>();
        chunks.into_iter().map(|chunk| chunk.recv().ok().flatten().ok_or_else(stopped)?).collect()
    }
}

/// Encodes what waits of a column.
fn encode(column: &Mutex<Column>) {
    loop {
        let mut locked = lock(column);
        let Some((values, sender)) = locked.values.pop_front() else {
            locked.busy = false;
            return;
        };
        let Some(mut writer) = locked.writer.take() else {
            // It has failed before, which was told.
            continue;
        };
        drop(locked);
        let written = catch_unwind(AssertUnwindSafe(|| writer.write(&values).map(|()| writer)));
        let mut locked = lock(column);
        let result = match written {
            Ok(Ok(writer)) => {
                locked.writer = Some(writer);
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(stopped()),
        };
        drop(locked);
        // Nobody waits for it if the file was given up.
        let _ = sender.send(result);
    }
}

fn stopped() -> ParquetError {
    ParquetError::General("a thread that encodes has stopped".to_owned())
}

/// A column whose first rows hardly repeat gets no dictionary: it would be built and thrown away.
fn properties(schema: &Schema, first: Option<&RecordBatch>) -> ParquetResult<WriterPropertiesPtr> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    let columns = first.into_iter().flat_map(|batch| schema.fields().iter().zip(batch.columns()));
    for (field, array) in columns {
        if array.as_string_view_opt().is_some_and(hardly_repeats) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
    }
    Ok(Arc::new(properties.build()))
}

fn hardly_repeats(texts: &StringViewArray) -> bool {
    let present = || texts.iter().take(SAMPLE_ROWS).flatten();
    let distinct = present().collect::<HashSet<_>>().len();
    distinct > SAMPLE_ROWS / 8 && distinct > present().count() * 3 / 4
}

/// Nothing here is left half done by a panic.
fn lock(column: &Mutex<Column>) -> MutexGuard<'_, Column> {
    column.lock().unwrap_or_else(PoisonError::into_inner)
}
