//! W5: Parquet becomes CSV files, one for each day and client. Row groups go to the threads; each keeps a buffer a partition and
//! appends it to the partition's file when it is full, so order within a file is not that of the input.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::{Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};

use crate::Job;
use crate::text::Text;
use crate::time;

/// Bytes that a partition collects before they are written.
const FULL: usize = 32 << 10;

pub fn write(job: &Job) {
    let file = File::open(&job.input).unwrap();
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).unwrap();
    let groups = metadata.metadata().num_row_groups();
    let files = Files::new(&job.output, &metadata);
    let next = AtomicUsize::new(0);
    job.on_threads(|| {
        let mut parts = HashMap::new();
        loop {
            let group = next.fetch_add(1, Ordering::Relaxed);
            if group >= groups {
                break;
            }
            let file = File::open(&job.input).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
                .with_row_groups(vec![group])
                .with_batch_size(8192)
                .build()
                .unwrap();
            reader.for_each(|batch| files.split(&batch.unwrap(), &mut parts));
        }
        parts.values_mut().for_each(Part::flush);
    });
}

/// One thread's share of a partition.
struct Part {
    file: Arc<Mutex<File>>,
    rows: Text,
}

impl Part {
    fn flush(&mut self) {
        self.file.lock().unwrap().write_all(&self.rows.0).unwrap();
        self.rows.0.clear();
    }
}

/// The files that are open, and where the columns are.
struct Files {
    folder: String,
    header: String,
    day: usize,
    client: usize,
    open: Mutex<HashMap<u32, Arc<Mutex<File>>>>,
}

impl Files {
    fn new(folder: &str, metadata: &ArrowReaderMetadata) -> Self {
        let names: Vec<&str> = metadata.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let place = |wanted: &str| names.iter().position(|name| *name == wanted).expect("a column to split by");
        let (day, client) = (place("dt"), place("client_id"));
        let kept: Vec<&str> = (0..names.len()).filter(|at| ![day, client].contains(at)).map(|at| names[at]).collect();
        Files { folder: folder.into(), header: kept.join(",") + "\n", day, client, open: Mutex::default() }
    }

    fn split(&self, batch: &RecordBatch, parts: &mut HashMap<u32, Part>) {
        let columns: Vec<Column> = batch.columns().iter().map(|array| Column::of(array.as_ref())).collect();
        let (Column::Text(days), Column::Text(clients)) = (&columns[self.day], &columns[self.client]) else {
            panic!("the columns to split by are text");
        };
        for row in 0..batch.num_rows() {
            let (day, client) = (days.value(row), clients.value(row));
            // Eight digits and four: the last six of the day and a thousand clients fit into 32 bits.
            let key = number(day) % 1_000_000 * 1_000 + number(client);
            let part = parts.entry(key).or_insert_with(|| self.part(key, day, client));
            let mut first = true;
            for (at, column) in columns.iter().enumerate() {
                if at == self.day || at == self.client {
                    continue;
                }
                if !first {
                    part.rows.add(b",");
                }
                first = false;
                column.write(row, &mut part.rows);
            }
            part.rows.add(b"\n");
            if part.rows.0.len() > FULL {
                part.flush();
            }
        }
    }

    fn part(&self, key: u32, day: &str, client: &str) -> Part {
        let create = || {
            let folder = format!("{}/dt={day}/client_id={client}", self.folder);
            std::fs::create_dir_all(&folder).unwrap();
            let mut file = File::create(folder + "/part-0.csv").unwrap();
            file.write_all(self.header.as_bytes()).unwrap();
            Arc::new(Mutex::new(file))
        };
        let file = self.open.lock().unwrap().entry(key).or_insert_with(create).clone();
        Part { file, rows: Text(Vec::with_capacity(FULL + (8 << 10))) }
    }
}

fn number(digits: &str) -> u32 {
    digits.bytes().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

/// A column by its type.
enum Column<'a> {
    Text(&'a StringArray),
    Moment(&'a TimestampMicrosecondArray),
    Number(&'a Int64Array),
    Money(&'a Decimal128Array),
}

impl<'a> Column<'a> {
    fn of(array: &'a dyn Array) -> Self {
        let any = array.as_any();
        if let Some(array) = any.downcast_ref() {
            Column::Text(array)
        } else if let Some(array) = any.downcast_ref() {
            Column::Moment(array)
        } else if let Some(array) = any.downcast_ref() {
            Column::Number(array)
        } else {
            Column::Money(any.downcast_ref().expect("a type that the events have"))
        }
    }

    #[inline(always)]
    fn write(&self, row: usize, to: &mut Text) {
        match self {
            Column::Text(array) if array.is_null(row) => {}
            Column::Text(array) => to.csv(array.value(row)),
            Column::Moment(array) => time::format(array.value(row), to),
            Column::Number(array) => write!(to.0, "{}", array.value(row)).unwrap(),
            Column::Money(array) => {
                let cents = array.value(row) as i64;
                write!(to.0, "{}.{:02}", cents / 100, cents % 100).unwrap();
            }
        }
    }
}
