//! Values as they stood, surprises, and every way for a line to be broken.

use super::*;
use crate::chunk::Chunker;
use crate::encode::encoder;
use crate::format::{Format, JsonStyle};
use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::UInt64Type;

fn chunk(text: &[u8]) -> Chunk {
    Chunk { bytes: text.to_vec(), first_line: 1, unclosed: false, index: None }
}

fn columns(names: &[(&str, Kind)]) -> Vec<Column> {
    names.iter().map(|&(name, kind)| Column { name: name.to_owned(), kind }).collect()
}

fn names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Reads a text with the columns that its sample shows.
fn read(text: &[u8]) -> Decoded {
    let columns = sample(text);
    Decoder::new(&columns, &names(&columns), true).decode(chunk(text)).unwrap()
}

/// Reads a text and writes it again.
fn rewrite(text: &str) -> String {
    let columns = sample(text.as_bytes());
    let batch = Decoder::new(&columns, &names(&columns), false).decode(chunk(text.as_bytes())).unwrap().batch;
    let mut out = Vec::new();
    let encoder = encoder(&Format::JsonLines(JsonStyle::default()), &batch.schema()).unwrap().unwrap();
    encoder.encode(&batch, 0, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn values_pass_unchanged() {
    for line in [
        r#"{"a":"0099","b":1e5,"c":12345678901234567890,"d":"+32470000000","e":1e400,"f":-0,"g":9007199254740993}"#,
        r#"{"a":{"x":[1,2.50,{"y":"z\u00e9"}]},"b":[],"c":{},"d":true,"e":false,"f":null}"#,
        r#"{"a":"say \"hi\"\\\n\t\b\f\r\u0001","é":"日本語 😀","long key with \"quotes\"":"x"}"#,
        "{}",
    ] {
        let line = format!("{line}\n");
        assert_eq!(rewrite(&line), line);
    }
    assert_eq!(rewrite("{\"a\":\"\\u00e9\\ud83d\\ude00\\/\"}\n"), "{\"a\":\"é😀/\"}\n");
    assert_eq!(rewrite(" { \"a\" : 1 , \"b\" : [ 1, 2 ] } \r\n"), "{\"a\":1,\"b\":[ 1, 2 ]}\n");
    assert_eq!(rewrite("{\"a\":1,\"a\":2}\n"), "{\"a\":2}\n");
    assert_eq!(rewrite("{\"a\":1}\n\n{\"b\":2}"), "{\"a\":1,\"b\":null}\n{\"a\":null,\"b\":2}\n");
    assert_eq!(rewrite("{\"a\":1}\n{\"a\":\"x\"}\n"), "{\"a\":\"1\"}\n{\"a\":\"x\"}\n");
}

#[test]
fn samples_tell_columns_by_first_appearance() {
    let text = b"{\"b\":null,\"a\":1}\nbroken\n{\"a\":\"x\",\"c\":[1]}\n{\"d\":tr";
    assert_eq!(sample(text), columns(&[("b", Kind::Raw), ("a", Kind::Text), ("c", Kind::Raw)]));
}

#[test]
fn what_the_sample_did_not_show_is_a_surprise() {
    let mut known = columns(&[("a", Kind::Raw), ("b", Kind::Text)]);
    let decoder = Decoder::new(&known, &names(&known), false);
    let text = b"{\"a\":1,\"b\":2}\n{\"b\":\"x\",\"new\":1}\n{\"a\":\"t\",\"new\":\"y\"}\n{\"lost\":1,}\n";
    let decoded = decoder.decode(chunk(text)).unwrap();
    assert_eq!(decoded.surprises, columns(&[("new", Kind::Text), ("a", Kind::Text)]));
    assert_eq!(decoded.rejects.len(), 1);
    assert!(widen(&mut known, &decoded.surprises));
    assert_eq!(known, columns(&[("a", Kind::Text), ("b", Kind::Text), ("new", Kind::Text)]));
    assert!(!widen(&mut known, &decoded.surprises));
    let again = Decoder::new(&known, &names(&known), false).decode(chunk(text)).unwrap();
    assert_eq!(again.surprises, []);
    assert!(again.batch.schema().field(0).metadata().is_empty());
}

#[test]
fn keys_are_found_in_any_order() {
    let known = columns(&[("a", Kind::Raw), ("b", Kind::Raw), ("c", Kind::Raw), ("d", Kind::Raw), ("e", Kind::Raw)]);
    let decoder = Decoder::new(&known, &["e".to_owned(), "b".to_owned(), "x".to_owned()], true);
    let decoded = decoder.decode(chunk(b"{\"e\":1,\"b\":2}\n\n{\"a\":0,\"e\":3,\"\\u0062\":4}\n")).unwrap();
    let column = |number: usize| decoded.batch.column(number).as_string_view();
    assert_eq!(column(0).iter().collect::<Vec<_>>(), [Some("1"), Some("3")]);
    assert_eq!(column(1).iter().collect::<Vec<_>>(), [Some("2"), Some("4")]);
    assert_eq!(column(2).null_count(), 2);
    assert_eq!(decoded.batch.column(3).as_primitive::<UInt64Type>().values(), &[1, 3]);
    assert_eq!(decoded.surprises, []);
}

#[test]
fn broken_lines_are_rejected_with_line_and_column() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let allowed = format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127));
    assert_eq!(read(allowed.as_bytes()).rejects, []);
    for (line, code, part) in [
        (&b"[1]"[..], "json/syntax", "column 1: a line must hold one JSON object"),
        (b"{\"a\":1", "json/syntax", "column 7: expected `,` or `}`"),
        (b"{\"a\":1}}", "json/syntax", "column 8: text after"),
        (b"{\"a\" 1}", "json/syntax", "expected `:`"),
        (b"{a:1}", "json/syntax", "column 2: expected a key"),
        (b"{\"a\":1,}", "json/syntax", "expected a key"),
        (b"{\"a\":01}", "json/syntax", "superfluous zero"),
        (b"{\"a\":-}", "json/syntax", "digit"),
        (b"{\"a\":1.}", "json/syntax", "digit"),
        (b"{\"a\":.5}", "json/syntax", "expected a value"),
        (b"{\"a\":+1}", "json/syntax", "expected a value"),
        (b"{\"a\":1e}", "json/syntax", "digit"),
        (b"{\"a\":NaN}", "json/syntax", "expected a value"),
        (b"{\"a\":nul}", "json/syntax", "expected a value"),
        (b"{\"a\":'x'}", "json/syntax", "expected a value"),
        (b"{\"a\":\"x}", "json/syntax", "not closed"),
        (b"{\"a\":\"\t\"}", "json/syntax", "control character"),
        (b"{\"a\":\"\0\"}", "json/syntax", "control character"),
        (b"{\"a\":\"\\x\"}", "json/syntax", "escape"),
        (b"{\"a\":\"\\u12g4\"}", "json/syntax", "hexadecimal"),
        (b"{\"a\":[1,2}", "json/syntax", "`]`"),
        (b"{\"a\":[1,]}", "json/syntax", "expected a value"),
        (b"{\"a\":{\"b\"}}", "json/syntax", "`:`"),
        (b"{\"a\":{\"b\":1]}", "json/syntax", "`}`"),
        (b"{\"a\":[\"\\udc00\"]}", "json/surrogate", "stands alone"),
        (b"{\"a\":\"\\ud800\"}", "json/surrogate", "column 7"),
        (b"{\"a\":\"\\ud800\\u0041\"}", "json/surrogate", "alone"),
        (b"{\"a\":\"\xff\"}", "json/utf8", "UTF-8"),
        (b"{\"a\":\"\xed\xa0\x80\"}", "json/utf8", "UTF-8"),
        (deep.as_bytes(), "json/depth", "128 deep"),
        (b"\xef\xbb\xbf{}", "json/syntax", "object"),
    ] {
        let text = [b"{\"a\":0}\n", line, b"\n{\"a\":2}\n"].concat();
        let decoded = read(&text);
        assert_eq!(decoded.batch.num_rows(), 2, "{}", line.escape_ascii());
        let [reject] = &decoded.rejects[..] else { panic!("{:?}", decoded.rejects) };
        assert_eq!((reject.line, reject.code, &reject.record[..]), (2, code, line));
        assert!(reject.message.contains(part), "{}: {}", line.escape_ascii(), reject.message);
        assert!(serde_json::from_slice::<serde_json::Value>(line).is_err() || line == b"[1]");
    }
}

#[test]
fn every_line_end_and_chunk_size() {
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("{{\"a\":1}}{end}{{\"a\":2}}{end}{end}{{\"a\":3}}");
        for size in 1..40 {
            let decoder = Decoder::new(&columns(&[("a", Kind::Raw)]), &["a".to_owned()], true);
            let (mut values, mut lines) = (Vec::new(), Vec::new());
            for chunk in Chunker::lines(text.as_bytes()).with_chunk_bytes(size) {
                let decoded = decoder.decode(chunk.unwrap()).unwrap();
                assert_eq!(decoded.rejects, []);
                let texts = decoded.batch.column(0).as_string_view();
                values.extend(texts.iter().map(|text| text.unwrap().to_owned()));
                lines.extend_from_slice(decoded.batch.column(1).as_primitive::<UInt64Type>().values());
            }
            assert_eq!((values.join(""), lines), ("123".to_owned(), vec![1, 2, 4]), "{size}");
        }
    }
}

/// SIMON-23: null is `null`.
#[test]
fn null_members_can_be_left_out() {
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("r", DataType::Utf8View, true)
            .with_metadata([(JSON_METADATA.to_owned(), JSON_RAW.to_owned())].into()),
    ]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(-7), None]));
    let raw: ArrayRef = Arc::new(arrow::array::StringViewArray::from(vec![None, Some("not json"), Some("[1]")]));
    let batch = RecordBatch::try_new(Arc::new(schema), vec![numbers, raw]).unwrap();
    for (omit_null, expected) in [
        (true, "{}\n{\"n\":-7,\"r\":\"not json\"}\n{\"r\":[1]}\n"),
        (false, "{\"n\":null,\"r\":null}\n{\"n\":-7,\"r\":\"not json\"}\n{\"n\":null,\"r\":[1]}\n"),
    ] {
        let encoder = encoder(&Format::JsonLines(JsonStyle { omit_null }), &batch.schema()).unwrap().unwrap();
        let mut out = Vec::new();
        encoder.encode(&batch, 0, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
