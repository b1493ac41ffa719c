//! The readers and writers against the `csv` and `serde_json` crates and Python's `csv`, on generated texts. Ten million
//! of each: `OUTFLOW_CASES=10000000 cargo test --release -p outflow-formats --test formats differential`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringViewArray};
use arrow::record_batch::RecordBatch;
use outflow_formats::chunk::Chunker;
use outflow_formats::csv::{Decoder, Member, Stretch};
use outflow_formats::encode::encoder_keeping;
use outflow_formats::format::{Dialect, Escape, Format, JsonStyle, QuoteMode, Terminator};
use outflow_formats::jsonl;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::write;

/// How many cases a test takes.
fn cases(usual: usize) -> usize {
    std::env::var("OUTFLOW_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }

    fn pick<'a>(&mut self, pieces: &[&'a str]) -> &'a str {
        pieces[self.below(pieces.len())]
    }
}

/// Rows as texts; null reads as empty, as the `csv` crate has no null.
fn texts(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |row, column: &arrow::array::ArrayRef| {
        let column = column.as_string_view();
        if column.is_null(row) { String::new() } else { column.value(row).to_owned() }
    };
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(row, column)).collect()).collect()
}

fn ours(text: &str, dialect: &Dialect, size: usize) -> (Vec<Vec<String>>, usize) {
    let names = ["a", "b", "c"].map(str::to_owned);
    let decoder = Decoder::new(dialect, &names, &names, false).unwrap();
    let (mut rows, mut rejects) = (Vec::new(), 0);
    for chunk in Chunker::csv(text.as_bytes(), dialect).with_chunk_bytes(size) {
        let decoded = decoder.decode(chunk.unwrap()).unwrap();
        rows.extend(texts(&decoded.batch));
        rejects += decoded.rejects.len();
    }
    (rows, rejects)
}

fn theirs(text: &str, dialect: &Dialect) -> (Vec<Vec<String>>, usize) {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(dialect.delimiter);
    if dialect.escape == Escape::Backslash {
        builder.escape(Some(b'\\')).double_quote(false);
    }
    let (mut rows, mut rejects) = (Vec::new(), 0);
    for record in builder.from_reader(text.as_bytes()).records() {
        let record = record.unwrap();
        if record.len() == 3 {
            rows.push(record.iter().map(str::to_owned).collect());
        } else {
            rejects += 1;
        }
    }
    (rows, rejects)
}

/// Records of mostly three cells, in any dialect that a writer could have meant.
fn delimited(random: &mut Random, dialect: &Dialect) -> String {
    let escape = dialect.escape;
    let cells = ["", "a", "0099", "longer than twelve", "\"\"", "\"a,b\"", "\"l\ni\r\nn\re\"", "5\" pipe", "é😀"];
    let double = ["\"say \"\"hi\"\"\"", "\"\"\"\"", "\"ends with a \"\"quote\"\"\"", "\"\"\",\"\"\""];
    let backslash = ["\"say \\\"hi\\\"\"", "\"\\\\\"", "\"\\\",\\\"\"", "a\\b", "\"ends \\\\\""];
    let mut text = String::new();
    for _ in 0..random.below(12) {
        let count = [3, 3, 3, 3, 3, 3, 2, 4][random.below(8)];
        for number in 0..count {
            if number > 0 {
                text.push(dialect.delimiter.into());
            }
            let special = random.below(4) == 0;
            text += match escape {
                _ if !special => random.pick(&cells),
                Escape::Double => random.pick(&double),
                Escape::Backslash => random.pick(&backslash),
            };
        }
        text += random.pick(&["\n", "\n", "\r\n", "\r", "\n\n"]);
    }
    text
}

#[test]
fn csv_reads_like_the_csv_crate() {
    let mut random = Random(1);
    for round in 0..cases(3_000) {
        let escape = if round % 2 == 0 { Escape::Double } else { Escape::Backslash };
        let dialect = Dialect { escape, delimiter: [b',', b';'][round / 2 % 2], ..Dialect::default() };
        let text = delimited(&mut random, &dialect);
        let expected = theirs(&text, &dialect);
        for size in [1, 3, 64, 1 << 20] {
            assert_eq!(ours(&text, &dialect, size), expected, "{text:?} at {size}");
        }
    }
}

/// What is written of records whose cells are kept as one text is what is written of their cells; other columns of the
/// stretch may be read beside that, and files may have the columns in another order, or lack some.
#[test]
fn a_stretch_is_written_like_its_columns() {
    let mut random = Random(6);
    let wanted = ["a", "b", "c"].map(str::to_owned);
    for round in 0..cases(3_000) {
        let dialect = Dialect { delimiter: [b',', b';'][round % 2], ..Dialect::default() };
        let text = delimited(&mut random, &dialect);
        let file = [["a", "b", "c"], ["x", "b", "c"], ["c", "a", "b"], ["a", "x", "c"]][random.below(4)];
        let file = file.map(str::to_owned);
        let (first, columns) = [(0, 3), (0, 2), (1, 2)][random.below(3)];
        let carrier = random.below(columns);
        let members = (0..columns).map(|place| Member {
            name: wanted[first + place].clone(),
            read: place != carrier && random.below(2) == 0,
        });
        let stretches = [Stretch { first, columns: members.collect(), carrier }];
        let apart = Decoder::new(&dialect, &file, &wanted, false).unwrap();
        let kept = Decoder::keeping(&stretches, &dialect, &file, &wanted, false).unwrap();
        let format = Format::Csv(dialect.clone());
        let written = |decoder: &Decoder, stretches: &[Stretch]| {
            let encoder = encoder_keeping(stretches, &format, decoder.schema()).unwrap().unwrap();
            let mut out = encoder.header().unwrap();
            for chunk in Chunker::csv(text.as_bytes(), &dialect).with_chunk_bytes(64) {
                encoder.encode(&decoder.decode(chunk.unwrap()).unwrap().batch, 0, &mut out).unwrap();
            }
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&kept, &stretches), written(&apart, &[]), "{text:?} from {file:?} with {stretches:?}");
    }
}

/// A JSON text that is often valid.
fn value(random: &mut Random, depth: usize, out: &mut String) {
    match random.below(if depth > 3 { 8 } else { 10 }) {
        0 => *out += random.pick(&["0", "-0", "1e400", "9007199254740993", "-1.50", "2E+3", "01", "1.", "-", "+1"]),
        1 | 2 => *out += random.pick(&["12", "3.5", "-7"]),
        3 => *out += random.pick(&["true", "false", "null", "nul", "True"]),
        4..=6 => {
            *out += random.pick(&["\"\"", "\"text\"", "\"longer than twelve\"", "\"é😀\"", "\"a\\\"b\\\\c\\/\""]);
        }
        7 => {
            *out += random.pick(&[
                "\"\\u00e9\"",
                "\"\\ud83d\\ude00\"",
                "\"\\ud83d\"",
                "\"\\u12x\"",
                "\"\\q\"",
                "\"\t\"",
                "\"open",
            ]);
        }
        8 => {
            *out += random.pick(&["[", "[ "]);
            for number in 0..random.below(4) {
                *out += if number > 0 { random.pick(&[",", ", "]) } else { "" };
                value(random, depth + 1, out);
            }
            *out += random.pick(&["]", "]", "]", "]", ",]", "}"]);
        }
        _ => object(random, depth + 1, out),
    }
}

fn object(random: &mut Random, depth: usize, out: &mut String) {
    *out += random.pick(&["{", "{ "]);
    for number in 0..random.below(5) {
        *out += if number > 0 { random.pick(&[",", " , "]) } else { "" };
        *out += random.pick(&["\"a\"", "\"b\"", "\"c\"", "\"\\u0061\"", "\"new key\"", "\"\""]);
        *out += random.pick(&[":", ": ", " :"]);
        value(random, depth, out);
    }
    *out += random.pick(&["}", "}", "}", "}", "}", "}", "}", " }\t", "", "}}"]);
}

#[test]
fn json_lines_read_like_serde_json() {
    let mut random = Random(2);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..cases(30_000) {
        let mut line = String::new();
        object(&mut random, 0, &mut line);
        let columns = jsonl::sample(line.as_bytes());
        let names: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
        let decoder = jsonl::Decoder::new(&columns, &names, false);
        let chunk = Chunker::lines(line.as_bytes()).next().unwrap().unwrap();
        let decoded = decoder.decode(chunk).unwrap();
        // Raw values keep numbers that do not fit a float as they are; only full values look into escapes.
        let surrogates = serde_json::from_str::<Value>(&line.replace("1e400", "1")).is_ok();
        let expected = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&line);
        let (Ok(expected), true) = (expected, surrogates) else {
            assert_eq!((decoded.batch.num_rows(), decoded.rejects.len()), (0, 1), "{line}");
            bad += 1;
            continue;
        };
        good += 1;
        assert_eq!((decoded.batch.num_rows(), decoded.rejects.len()), (1, 0), "{line}: {:?}", decoded.rejects);
        assert_eq!(names.len(), expected.len(), "{line}");
        for (name, cell) in names.iter().zip(&texts(&decoded.batch)[0]) {
            let source = expected[name].get();
            let expected = match serde_json::from_str::<Value>(source) {
                Ok(Value::String(text)) => text,
                Ok(Value::Null) => String::new(),
                _ => source.to_owned(),
            };
            assert_eq!(*cell, expected, "{line}");
        }
    }
    assert!(good > cases(30_000) / 10 && bad > cases(30_000) / 10, "{good} good, {bad} bad");
}

/// Python reads each text by itself and is told what we read.
#[test]
fn csv_reads_like_python() {
    const PYTHON: &str = "
import csv, io, json, sys
for number, line in enumerate(sys.stdin):
    text, rows, rejects = json.loads(line)
    found = [row for row in csv.reader(io.StringIO(text, newline='')) if row]
    good = [row for row in found if len(row) == 3]
    if (good, len(found) - len(good)) != (rows, rejects):
        sys.exit(f'case {number}: {text!r} is {good} to Python and {rows} to us')
print(number + 1)
";
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut random = Random(3);
    let mut told = BufWriter::new(python.stdin.take().unwrap());
    for _ in 0..cases(3_000) {
        let text = delimited(&mut random, &Dialect::default());
        let (rows, rejects) = ours(&text, &Dialect::default(), 1 << 20);
        // It ends early where it disagrees, and says why.
        if writeln!(told, "{}", serde_json::json!([text, rows, rejects])).is_err() {
            break;
        }
    }
    drop(told);
    let ended = python.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(String::from_utf8(ended.stdout).unwrap().trim(), cases(3_000).to_string());
}

/// Any text, short or of several blocks, with what needs care anywhere in it.
fn cell(random: &mut Random) -> String {
    let pieces =
        ["a", "plain text", "é", "😀", "\"", "\"\"", ",", ";", "\n", "\r\n", "\r", "\\", "\t", "\u{1}", "\u{7f}", " "];
    let plain = random.below(2) == 0;
    let length = [0, 1, 2, 3, 8, 40][random.below(6)];
    (0..length).map(|_| random.pick(if plain { &pieces[..4] } else { &pieces })).collect()
}

/// Three columns of cells, as arrays of both kinds of text.
fn table(random: &mut Random) -> (Vec<Vec<String>>, RecordBatch) {
    let rows: Vec<Vec<_>> = (0..1 + random.below(6)).map(|_| (0..3).map(|_| cell(random)).collect()).collect();
    let column = |number: usize| {
        let cells = rows.iter().map(|row: &Vec<String>| row[number].as_str());
        match number {
            0 => Arc::new(StringArray::from_iter_values(cells)) as ArrayRef,
            _ => Arc::new(StringViewArray::from_iter_values(cells)) as ArrayRef,
        }
    };
    let batch = RecordBatch::try_from_iter([("a", column(0)), ("b", column(1)), ("c", column(2))]).unwrap();
    (rows, batch)
}

#[test]
fn the_csv_crate_reads_what_we_write() {
    let mut random = Random(4);
    for round in 0..cases(3_000) {
        let (rows, batch) = table(&mut random);
        let dialect = Dialect {
            delimiter: [b',', b';', b'\t'][round % 3],
            quote_mode: [QuoteMode::Minimal, QuoteMode::Always][round / 3 % 2],
            terminator: [Terminator::Lf, Terminator::Crlf][round / 6 % 2],
            escape: [Escape::Double, Escape::Backslash][round / 12 % 2],
            header: false,
            ..Dialect::default()
        };
        let text = String::from_utf8(write(&[batch], &Format::Csv(dialect.clone()))).unwrap();
        assert_eq!(theirs(&text, &dialect), (rows.clone(), 0), "{text:?} in {dialect:?}");
        assert_eq!(ours(&text, &dialect, 64), (rows, 0), "{text:?} in {dialect:?}");
    }
}

#[test]
fn json_strings_are_those_of_serde_json() {
    let mut random = Random(5);
    for _ in 0..cases(3_000) {
        let (rows, batch) = table(&mut random);
        let text = String::from_utf8(write(&[batch], &Format::JsonLines(JsonStyle::default()))).unwrap();
        let expected = rows.iter().map(|row| {
            let [a, b, c] = [0, 1, 2].map(|number| serde_json::to_string(&row[number]).unwrap());
            format!("{{\"a\":{a},\"b\":{b},\"c\":{c}}}\n")
        });
        assert_eq!(text, expected.collect::<String>());
    }
}
