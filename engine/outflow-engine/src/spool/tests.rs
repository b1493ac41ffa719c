//! Rows into many files: what each holds, where one ends and the next begins, and archives of several.

use std::collections::BTreeMap;
use std::io::Read;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use outflow_formats::container::{Compression as Container, decompress};
use outflow_formats::format::{Dialect, JsonObject, JsonStyle};
use outflow_layout::layout::{Dataset, LayoutError, PartitionKey, Roll};

use super::*;
use crate::counters::Counters;
use crate::plan::Flow;
use crate::progress::Quiet;

/// Names files after their dataset, values and part; all of one folder share an archive.
struct Names {
    archive: bool,
}

#[async_trait::async_trait]
impl Layout for Names {
    async fn outputs(&mut self, _: &[Dataset]) -> Result<Vec<Output>, LayoutError> {
        Ok(Vec::new())
    }

    async fn name_files(&mut self, files: &[(FileIntent, Option<FileFacts>)]) -> Result<Vec<FileName>, LayoutError> {
        let name = |(intent, _): &(FileIntent, Option<FileFacts>)| {
            let values = intent.partition.iter().map(|(_, value)| format!("{value}-")).collect::<String>();
            let own = format!("{}-{values}{}", intent.dataset, intent.part);
            let path = if self.archive { "all.zip".to_owned() } else { own.clone() };
            FileName { path, archive_entry: Some(own), ..FileName::default() }
        };
        Ok(files.iter().map(name).collect())
    }

    async fn files_written(&mut self, _: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        Ok(Vec::new())
    }

    async fn run_written(&mut self, _: &[Written]) -> Result<Vec<Artifact>, LayoutError> {
        Ok(Vec::new())
    }
}

fn output(dataset: &str, format: Format, compression: Compression, roll: Roll) -> Output {
    Output {
        dataset: dataset.to_owned(),
        kind: "data".to_owned(),
        input: "input".to_owned(),
        query: None,
        expand: None,
        filter: None,
        input_rules: Vec::new(),
        rules: Vec::new(),
        fields: Vec::new(),
        pass_through: false,
        partition_by: Vec::new(),
        order_by: Vec::new(),
        format,
        compression,
        roll,
        counters: Vec::new(),
        write_when_empty: true,
        name_after: false,
    }
}

/// A row: its text, its number, its partition value.
type Row = (String, i64, Option<String>);

/// The rows of a run of outputs, in batches of `size`.
struct Bench {
    folder: tempfile::TempDir,
    rows: Vec<Row>,
    size: usize,
    pool: Arc<dyn MemoryPool>,
}

impl Bench {
    fn new(rows: Vec<Row>, size: usize) -> Self {
        let pool = Arc::new(UnboundedMemoryPool::default());
        Self { folder: tempfile::tempdir().unwrap(), rows, size, pool }
    }

    fn schema() -> SchemaRef {
        let field = |name, data_type| Field::new(name, data_type, true);
        Arc::new(Schema::new(vec![field("t", DataType::Utf8View), field("n", DataType::Int64)]))
    }

    fn batches(&self, split: bool) -> Vec<RecordBatch> {
        let batch = |rows: &[Row]| {
            let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
                ("t", Arc::new(rows.iter().map(|row| Some(&row.0)).collect::<StringViewArray>()), true),
                ("n", Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()), true),
            ];
            if split {
                columns.push(("p", Arc::new(rows.iter().map(|row| row.2.as_ref()).collect::<StringViewArray>()), true));
            }
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        };
        self.rows.chunks(self.size).map(batch).collect()
    }

    async fn spool(&self, mut outputs: Vec<Output>, split: bool, archive: bool) -> Result<Vec<SpooledFile>> {
        let _ = std::fs::remove_dir_all(self.folder.path());
        std::fs::create_dir_all(self.folder.path()).unwrap();
        let mut names = Names { archive };
        let layout: Mutex<&mut dyn Layout> = Mutex::new(&mut names);
        let spool = Spool::new(self.folder.path(), "seed", Algorithm::Xxh3, &Quiet);
        let mut files = Vec::new();
        for (number, output) in outputs.iter_mut().enumerate() {
            if split {
                output.partition_by = vec![PartitionKey { name: "p".into(), value: "p".into() }];
            }
            let batches = self.batches(split);
            let schema = batches.first().map_or_else(Self::schema, RecordBatch::schema);
            let rows = futures::stream::iter(batches.into_iter().map(Ok));
            let counters = Arc::new(Counters::default()).of(output);
            let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
            let rows = Flow::Batches(rows);
            let waiting = MemoryConsumer::new("rows").register(&self.pool);
            let planned = PlannedOutput { output: output.clone(), rows, schema: Self::schema(), counters, waiting };
            files.extend(spool.write(planned, &layout, number).await?);
        }
        merge(files).await
    }

    /// The files by name with their texts; facts are checked.
    async fn texts(&self, output: Output, split: bool) -> Vec<(String, String)> {
        let format = (output.format.clone(), output.compression);
        let files = self.spool(vec![output], split, false).await.unwrap();
        let left = std::fs::read_dir(self.folder.path()).unwrap().count();
        assert_eq!(left, files.len(), "rows that were set aside are gone");
        files.iter().map(|file| (file.parts[0].name.path.clone(), read(file, &format))).collect()
    }
}

fn read(file: &SpooledFile, (format, compression): &(Format, Compression)) -> String {
    let bytes = std::fs::read(&file.path).unwrap();
    let facts = &file.parts[0].facts;
    assert_eq!((facts.bytes, &facts.digest), (bytes.len() as u64, &Algorithm::Xxh3.of(&bytes)));
    if *format == Format::Parquet {
        let parquet = outflow_formats::parquet::open(bytes::Bytes::from(bytes)).unwrap();
        let fields = parquet.schema().fields().to_vec();
        let batches = parquet.batches(&fields, false).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        return csv(&batches);
    }
    let mut text = String::new();
    let bytes = std::io::Cursor::new(bytes);
    let read = match compression {
        Compression::None => bytes.take(u64::MAX).read_to_string(&mut text),
        Compression::Gzip => decompress(Box::new(bytes), Container::Gzip).unwrap().read_to_string(&mut text),
        Compression::Zstd => decompress(Box::new(bytes), Container::Zstd).unwrap().read_to_string(&mut text),
        Compression::Zip => zip::ZipArchive::new(bytes).unwrap().by_index(0).unwrap().read_to_string(&mut text),
    };
    read.unwrap();
    text
}

fn csv(batches: &[RecordBatch]) -> String {
    let encoder =
        outflow_formats::encode::encoder(&Format::Csv(Dialect::default()), &Bench::schema()).unwrap().unwrap();
    let mut out = encoder.header().unwrap();
    batches.iter().for_each(|batch| encoder.encode(batch, 0, &mut out).unwrap());
    String::from_utf8(out).unwrap()
}

fn all_formats() -> Vec<(Format, Compression)> {
    let csv = || Format::Csv(Dialect::default());
    let mut formats = vec![(Format::Parquet, Compression::None)];
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Zip] {
        formats.push((csv(), compression));
    }
    formats
}

/// Rows that jump between partitions, with long texts now and then.
fn scattered(count: usize, partitions: usize) -> Vec<Row> {
    let row = |number: usize| {
        let partition = number * 7919 % partitions;
        let value = (!partition.is_multiple_of(5)).then(|| format!("p{partition}"));
        (format!("text {number}").repeat(1 + number % 11), number as i64, value)
    };
    (0..count).map(row).collect()
}

/// Every file holds its partition's rows in input order, whether it was written at once, in pieces, or set aside.
#[tokio::test(flavor = "multi_thread")]
async fn files_hold_their_rows_in_order() {
    for (partitions, rows, size) in [(1, 3000, 1000), (7, 9000, 8192), (900, 5000, 700)] {
        let bench = Bench::new(scattered(rows, partitions), size);
        let mut expected: Vec<(String, String)> = Vec::new();
        for (text, number, value) in &bench.rows {
            let name = format!("d-{}-1", value.as_deref().unwrap_or_default());
            let place = expected.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                expected.push((name, "t,n\n".to_owned()));
                expected.len() - 1
            });
            expected[place].1 += &format!("{text},{number}\n");
        }
        for (format, compression) in all_formats() {
            let told = format!("{partitions} partitions, {format:?}, {compression:?}");
            let found = bench.texts(output("d", format, compression, Roll::default()), true).await;
            assert!(found == expected, "{told}");
        }
    }
}

/// Whether rows were set aside does not show in the file.
#[tokio::test(flavor = "multi_thread")]
async fn equal_rows_make_equal_bytes() {
    let row = |number: usize| {
        let text = format!("{:x}", number * number).repeat(1 + number % 30);
        ["a", "b", "c", "d"].map(|value| (text.clone(), number as i64, Some(value.to_owned())))
    };
    let bench = Bench::new((0..20_000).flat_map(row).collect(), 8192);
    for (format, compression) in all_formats() {
        if compression == Compression::Zip || format == Format::Parquet {
            continue;
        }
        let files = bench.spool(vec![output("d", format, compression, Roll::default())], true, false).await.unwrap();
        let digests = files.iter().map(|file| file.parts[0].facts.digest.clone()).collect::<Vec<_>>();
        assert!(digests.iter().all(|digest| *digest == digests[0]), "{compression:?}: {digests:?}");
    }
}

/// Where others hold the memory, rows go to disk at once; the files are the same, and nothing stays charged.
#[tokio::test(flavor = "multi_thread")]
async fn rows_without_room_go_to_disk() {
    for (rows, partitions, max_rows) in
        [(4000, 6, None), (12_000, 200, None), (4000, 6, Some(50)), (4000, 200, Some(7))]
    {
        let roomy = Bench::new(scattered(rows, partitions), 256);
        let array = (Format::JsonArray(JsonStyle::default()), Compression::None);
        for (format, compression) in all_formats().into_iter().chain([array]) {
            let output = output("d", format, compression, Roll { max_rows, max_bytes: None });
            let expected = roomy.texts(output.clone(), true).await;
            for bytes in [0, 20_000, 200_000] {
                let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
                let tight = Bench { pool: pool.clone(), ..Bench::new(scattered(rows, partitions), 256) };
                let found = tight.texts(output.clone(), true).await;
                assert!(found == expected, "{partitions} partitions, {compression:?}, {max_rows:?}, {bytes} bytes");
                assert_eq!(pool.reserved(), 0);
            }
        }
    }
}

fn numbers(count: i64) -> Vec<Row> {
    (0..count).map(|number| ("x".repeat(number as usize % 3 + 1), number, None)).collect()
}

/// A file is full at its most rows or bytes, header and footer included; the next has the next part and nonce.
#[tokio::test(flavor = "multi_thread")]
async fn files_roll() {
    let roll = |max_rows, max_bytes| Roll { max_rows, max_bytes };
    let lines = |format: &Format, text: &str| match format {
        Format::JsonArray(_) => serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap().len(),
        Format::JsonObject(_) => serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text).unwrap().len(),
        _ => text.lines().count() - 1,
    };
    let object = JsonObject { key: "n".to_owned(), root: None, style: JsonStyle::default() };
    for format in [Format::Csv(Dialect::default()), Format::JsonArray(JsonStyle::default()), Format::JsonObject(object)]
    {
        for (max_rows, max_bytes) in [(Some(1), None), (Some(10), None), (Some(7), Some(200)), (None, Some(90))] {
            for size in [1, 10, 64] {
                let bench = Bench::new(numbers(64), size);
                let found =
                    bench.texts(output("d", format.clone(), Compression::None, roll(max_rows, max_bytes)), false).await;
                let told = format!("{format:?} {max_rows:?} {max_bytes:?} in batches of {size}");
                let names = (1..=found.len()).map(|part| format!("d-{part}"));
                assert!(names.eq(found.iter().map(|(name, _)| name.clone())), "{told}");
                let counts = found.iter().map(|(_, text)| lines(&format, text)).collect::<Vec<_>>();
                assert_eq!(counts.iter().sum::<usize>(), 64, "{told}");
                for (place, (_, text)) in found.iter().enumerate() {
                    assert!(max_bytes.is_none_or(|most| text.len() as u64 <= most), "{told}: {text}");
                    assert!(max_rows.is_none_or(|most| counts[place] as u64 <= most), "{told}: {text}");
                    // A row more would have been too many: the next file's first is at least 3 bytes long.
                    let full = max_rows.is_some_and(|most| counts[place] as u64 == most)
                        || max_bytes.is_some_and(|most| text.len() as u64 + 40 > most);
                    assert!(full || place + 1 == found.len(), "{told}: {text}");
                }
            }
        }
    }
    let large = Bench::new(vec![("x".repeat(500), 1, None), ("y".into(), 2, None)], 10);
    let csv = output("d", Format::Csv(Dialect::default()), Compression::Gzip, roll(None, Some(50)));
    let found = large.texts(csv, false).await;
    assert_eq!(
        found.iter().map(|(_, text)| text.len()).collect::<Vec<_>>(),
        [507, 8],
        "one row is a file however large"
    );
    let exact = output("d", Format::Csv(Dialect::default()), Compression::None, roll(None, Some(12)));
    let found = Bench::new(numbers(3), 10).texts(exact, false).await;
    assert_eq!(found[0].1, "t,n\nx,0\n", "4 + 4 bytes, and 5 more would be 13");
    let error = Bench::new(numbers(3), 10)
        .spool(vec![output("d", Format::Parquet, Compression::None, roll(None, Some(12)))], false, false)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Parquet"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_partitions_roll_apart() {
    let bench = Bench::new(scattered(4000, 6), 512);
    for (format, compression) in all_formats() {
        let rolled = output("d", format, compression, Roll { max_rows: Some(100), max_bytes: None });
        let found = bench.texts(rolled, true).await;
        let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, text) in &found {
            let (partition, _) = name.rsplit_once('-').unwrap();
            assert!(text.lines().count() <= 101);
            rows.entry(partition).or_default().extend(text.lines().skip(1));
        }
        for (partition, lines) in rows {
            let own = |row: &&Row| format!("d-{}", row.2.as_deref().unwrap_or_default()) == partition;
            let expected = bench.rows.iter().filter(own).map(|row| format!("{},{}", row.0, row.1));
            assert!(expected.eq(lines.iter().map(|line| (*line).to_owned())), "{compression:?} {partition}");
        }
    }
}

/// The document of APSIS-17: one object with a member a row; without rows it is empty.
#[tokio::test(flavor = "multi_thread")]
async fn documents() {
    let root = JsonObject { key: "t".to_owned(), root: Some("profiles".to_owned()), style: JsonStyle::default() };
    let rows = [("a\"b", 1), ("c", 2)].map(|(text, number)| (text.to_owned(), number, None));
    let array = Format::JsonArray(JsonStyle::default());
    for (rows, format, expected) in [
        (&rows[..], Format::JsonObject(root.clone()), "{\"profiles\":{\n\"a\\\"b\":{\"n\":1},\n\"c\":{\"n\":2}\n}}\n"),
        (&[], Format::JsonObject(root.clone()), "{\"profiles\":{}}\n"),
        (&rows, array.clone(), "[\n{\"t\":\"a\\\"b\",\"n\":1},\n{\"t\":\"c\",\"n\":2}\n]\n"),
        (&[], array.clone(), "[]\n"),
    ] {
        let bench = Bench::new(rows.to_vec(), 1);
        let found = bench.texts(output("d", format, Compression::None, Roll::default()), false).await;
        assert_eq!(found, [("d-1".to_owned(), expected.to_owned())]);
        serde_json::from_str::<serde_json::Value>(&found[0].1).unwrap();
    }
    for size in [1, 2] {
        let twice = Bench::new(vec![("a".to_owned(), 1, None), ("a".to_owned(), 2, None)], size);
        let document = output("d", Format::JsonObject(root.clone()), Compression::None, Roll::default());
        let error = twice.spool(vec![document], false, false).await.unwrap_err();
        assert!(error.to_string().contains("`a`"), "{error}");
    }
    let missing = JsonObject { key: "none".to_owned(), ..root };
    let document = output("d", Format::JsonObject(missing), Compression::None, Roll::default());
    let error = Bench::new(numbers(1), 1).spool(vec![document], false, false).await.unwrap_err();
    assert!(error.to_string().contains("`none`"), "{error}");
}

/// Files of several outputs with one path are the entries of one archive, in the order of outputs and first rows.
#[tokio::test(flavor = "multi_thread")]
async fn zip_files_of_one_path_are_one_archive() {
    let bench = Bench::new(scattered(500, 4), 100);
    let of = |dataset: &str| output(dataset, Format::Csv(Dialect::default()), Compression::Zip, Roll::default());
    let mut digests = Vec::new();
    for _ in 0..2 {
        let files = bench.spool(vec![of("one"), of("two")], true, true).await.unwrap();
        let [file] = &files[..] else { panic!("{files:?}") };
        let entries = file.parts.iter().filter_map(|part| part.name.archive_entry.clone()).collect::<Vec<_>>();
        let expected =
            ["one", "two"].map(|dataset| ["--1", "-p3-1", "-p2-1", "-p1-1"].map(|end| format!("{dataset}{end}")));
        assert_eq!(entries, expected.concat());
        assert_eq!(file.rows(), 1000);
        let length = std::fs::metadata(&file.path).unwrap().len();
        assert!(file.parts.iter().all(|part| part.facts.bytes == length));
        digests.push(file.parts[0].facts.digest.clone());
        let script = "import sys, zipfile\n\
                      archive = zipfile.ZipFile(sys.argv[1])\n\
                      assert archive.testzip() is None\n\
                      for entry in archive.infolist():\n\
                      \x20   assert entry.date_time == (1980, 1, 1, 0, 0, 0)\n\
                      \x20   print(entry.filename, archive.read(entry).count(b'\\n'))\n";
        // A machine without Python does not fail the test.
        if let Ok(told) = std::process::Command::new("python3").arg("-c").arg(script).arg(&file.path).output() {
            let counts =
                file.parts.iter().zip(&entries).map(|(part, entry)| format!("{entry} {}\n", part.facts.rows + 1));
            assert_eq!(String::from_utf8_lossy(&told.stdout), counts.collect::<String>(), "{told:?}");
        }
        assert_eq!(std::fs::read_dir(bench.folder.path()).unwrap().count(), 1);
    }
    assert_eq!(digests[0], digests[1]);
    let error = bench.spool(vec![of("one"), of("one")], true, true).await.unwrap_err();
    assert!(error.to_string().contains("both the entry `one-"), "{error}");
}
