//! Input that nobody should send: it is read, rejected or refused, and never lost or a panic.

use arrow::array::AsArray;
use outflow_formats::container::{self, decompress};
use outflow_formats::format::Dialect;
use outflow_formats::text::decode_text;
use std::io::Read;

use crate::read_csv;

fn first_cell(text: &[u8]) -> String {
    let (batches, rejects) = read_csv(text, &Dialect::default(), 1 << 20).unwrap();
    assert_eq!(rejects, []);
    batches[0].column(0).as_string_view().value(0).to_owned()
}

#[test]
fn odd_bytes_are_text() {
    assert_eq!(first_cell(b"a,b\nx\0y,1\n"), "x\0y");
    assert_eq!(first_cell(b"a,b\r1,2\r3,4\r"), "1");
    assert_eq!(first_cell(b"a,b\n=cmd|' /C calc'!A0,-5\n"), "=cmd|' /C calc'!A0");
    assert_eq!(first_cell(b"a,b\n 1 ,2"), " 1 ");
}

#[test]
fn a_field_of_ten_megabytes() {
    let field = "x".repeat(10 << 20);
    assert_eq!(first_cell(format!("a,b\n{field},1\n").as_bytes()), field);
    assert_eq!(first_cell(format!("a,b\n\"{field}\n\"\"\",1\n").as_bytes()), format!("{field}\n\""));
}

#[test]
fn ten_thousand_columns() {
    let names: Vec<_> = (0..10_000).map(|number| format!("c{number}")).collect();
    let text = format!("{}\n{}\n", names.join(","), vec!["v"; 10_000].join(","));
    let (batches, rejects) = read_csv(text.as_bytes(), &Dialect::default(), 4096).unwrap();
    assert_eq!(rejects, []);
    assert_eq!(batches[0].num_columns(), 10_000);
    assert_eq!(batches[0].column(9_999).as_string_view().value(0), "v");
}

#[test]
fn a_lone_quote_at_the_end_costs_one_record() {
    let (batches, rejects) = read_csv(b"a,b\n1,2\n3,\"", &Dialect::default(), 1 << 20).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);
    assert_eq!((rejects[0].line, rejects[0].code, &rejects[0].record[..]), (3, "csv/quote", &b"3,\""[..]));
}

#[test]
fn a_header_with_the_same_name_twice_is_refused() {
    let error = read_csv(b"a,b,a\n1,2,3\n", &Dialect::default(), 100).unwrap_err();
    assert!(error.contains("`a`"), "{error}");
}

#[test]
fn utf16_is_read_with_its_label_only() {
    let text: Vec<u8> = "\u{feff}a,b\né,\"x\ny\"\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let open = |label: &str| {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let reader = decompress(Box::new(std::io::Cursor::new(text.clone())), container::Compression::None).unwrap();
        let mut out = Vec::new();
        decode_text(reader, encoding)?.read_to_end(&mut out).map(|_| out)
    };
    assert_eq!(first_cell(&open("utf-16le").unwrap()), "é");
    assert!(open("utf-8").unwrap_err().to_string().contains("UTF-16LE"));
}

#[test]
fn every_short_text_is_read_to_its_end() {
    let alphabet = *b"a,\"\n\r\xff";
    for number in 0..6usize.pow(6) {
        let text: Vec<u8> = (0..6).map(|digit| alphabet[number / 6usize.pow(digit) % 6]).collect();
        let text = [b"x,y\n".to_vec(), text].concat();
        let (batches, rejects) = read_csv(&text, &Dialect::default(), 3).unwrap();
        let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        let blank = text[4..].iter().all(|byte| matches!(byte, b'\n' | b'\r'));
        assert_eq!(rows + rejects.len() == 0, blank, "{}", text.escape_ascii());
    }
}
