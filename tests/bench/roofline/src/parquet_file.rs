//! W3: the events of W1 as Parquet, with a timestamp and a number. Each thread encodes a whole row group; they are appended in order.

use std::fs::File;
use std::sync::{Arc, Mutex};

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Float64Array, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;

use crate::Job;
use crate::chunks::Chunks;
use crate::digest::Identifier;
use crate::events::column::*;
use crate::events::{NAMES, label_parts};
use crate::ordered::Ordered;
use crate::record::{Ends, Record, is_quoted, unquote};
use crate::time;

/// Chunks of a row group: about a quarter of a million rows.
const GROUP: usize = 100;

/// The names of columns that are not text.
const TYPED: [(&str, DataType); 2] =
    [("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None)), ("revenue", DataType::Float64)];

pub fn write(job: &Job) {
    let schema = Arc::new(schema());
    let parquet_schema = ArrowSchemaConverter::new().convert(&schema).unwrap();
    let file = File::create(&job.output).unwrap();
    let writer = SerializedFileWriter::new(file, parquet_schema.root_schema_ptr(), Arc::new(properties())).unwrap();
    let factory = ArrowRowGroupWriterFactory::new(&writer, schema.clone());
    let (groups, writer) = (Groups::new(&job.input), Ordered::new(writer));
    job.on_threads(|| {
        while let Some((number, buffers)) = groups.next() {
            let mut columns = factory.create_column_writers(number as usize).unwrap();
            let mut rows = Rows::new();
            for (buffer, len) in buffers {
                let arrays = rows.read(&buffer, len);
                let mut writers = columns.iter_mut();
                for (field, array) in schema.fields().iter().zip(&arrays) {
                    for leaf in compute_leaves(field, array).unwrap() {
                        writers.next().unwrap().write(&leaf).unwrap();
                    }
                }
            }
            let closed: Vec<_> = columns.into_iter().map(|column| column.close().unwrap()).collect();
            writer.write(number, |writer| {
                let mut group = writer.next_row_group().unwrap();
                closed.into_iter().for_each(|column| column.append_to_row_group(&mut group).unwrap());
                group.close().unwrap();
            });
        }
    });
    writer.into_inner().close().unwrap();
}

fn schema() -> Schema {
    let field = |name: &&str| {
        let typed = TYPED.into_iter().find(|(typed, _)| typed == name).map(|(_, data_type)| data_type);
        Field::new(*name, typed.unwrap_or(DataType::Utf8), true)
    };
    Schema::new(NAMES.iter().map(field).collect::<Vec<_>>())
}

/// Digests never repeat enough for a dictionary, nor does their order tell a reader anything about pages.
fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))
        .set_column_dictionary_enabled("identifier".into(), false)
        .set_column_statistics_enabled("identifier".into(), EnabledStatistics::Chunk)
        .build()
}

/// Hands out the chunks of a row group together.
struct Groups {
    chunks: Chunks,
    next: Mutex<u64>,
}

type Group = Vec<(Vec<u8>, usize)>;

impl Groups {
    fn new(input: &str) -> Self {
        Groups { chunks: Chunks::csv_body(input), next: Mutex::new(0) }
    }

    fn next(&self) -> Option<(u64, Group)> {
        let mut next = self.next.lock().unwrap();
        let read = || {
            let mut buffer = Vec::new();
            self.chunks.next(&mut buffer).map(|chunk| (buffer, chunk.len))
        };
        let group: Group = std::iter::from_fn(read).take(GROUP).collect();
        let number = *next;
        *next += 1;
        (!group.is_empty()).then_some((number, group))
    }
}

/// Turns the records of a buffer into arrays.
struct Rows {
    ends: Ends,
    identifier: Identifier,
    plain: Vec<u8>,
}

impl Rows {
    fn new() -> Self {
        Rows { ends: Ends::default(), identifier: Identifier::new(), plain: Vec::new() }
    }

    fn read(&mut self, buffer: &[u8], len: usize) -> Vec<ArrayRef> {
        self.ends.find(buffer, len, b',');
        let mut texts: Vec<StringBuilder> = NAMES.iter().map(|_| StringBuilder::with_capacity(4096, 1 << 17)).collect();
        let (mut timestamps, mut revenues) = (Vec::new(), Vec::new());
        let ends = std::mem::take(&mut self.ends);
        for record in ends.records(buffer, COUNT) {
            texts[0].append_value(as_text(self.identifier.of(record.field(EMAIL))));
            timestamps.push(time::parse(record.field(TIMESTAMP)));
            for (column, text) in texts.iter_mut().enumerate().take(OPERATION + 1).skip(SEGMENT) {
                self.text(record.field(column), column == VARIANT, text);
            }
            texts[7].append_value("acme");
            self.label(&record, &mut texts[8]);
            for (at, column) in [(9, CLIENT), (10, COUNTRY), (12, OFFER)] {
                self.text(record.field(column), false, &mut texts[at]);
            }
            revenues.push(decimal(record.field(REVENUE)));
        }
        self.ends = ends;
        let mut arrays: Vec<ArrayRef> = texts.iter_mut().map(|text| Arc::new(text.finish()) as ArrayRef).collect();
        arrays[1] = Arc::new(TimestampMicrosecondArray::from(timestamps));
        arrays[11] = Arc::new(Float64Array::from(revenues));
        arrays
    }

    #[inline(always)]
    fn text(&mut self, field: &[u8], empty_is_null: bool, to: &mut StringBuilder) {
        if empty_is_null && field.is_empty() {
            to.append_null();
        } else if is_quoted(field) {
            self.plain.clear();
            unquote(field, &mut self.plain);
            to.append_value(as_text(&self.plain));
        } else {
            to.append_value(as_text(field));
        }
    }

    fn label(&mut self, record: &Record, to: &mut StringBuilder) {
        self.plain.clear();
        for (at, part) in label_parts(record).into_iter().enumerate() {
            if at > 0 {
                self.plain.push(b'/');
            }
            if is_quoted(part) {
                unquote(part, &mut self.plain);
            } else {
                self.plain.extend_from_slice(part);
            }
        }
        to.append_value(as_text(&self.plain));
    }
}

/// The input is the suite's own and known to be UTF-8.
fn as_text(bytes: &[u8]) -> &str {
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

fn decimal(text: &[u8]) -> f64 {
    let (mut digits, mut scale, mut behind_point) = (0u64, 1u64, false);
    for &byte in text {
        if byte == b'.' {
            behind_point = true;
            continue;
        }
        digits = digits * 10 + u64::from(byte - b'0');
        scale *= if behind_point { 10 } else { 1 };
    }
    digits as f64 / scale as f64
}
