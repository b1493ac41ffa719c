//! Cells, nulls, rejects and lines of delimited text, and what the writer makes of them.

use super::*;
use crate::encode::encoder;
use crate::format::{Format, NewlineInCell, QuoteMode, Terminator};
use arrow::array::{Array, AsArray, Float64Builder, ListBuilder, StringBuilder, StringViewArray};
use arrow::datatypes::UInt64Type;

/// Rows of texts, null as `None`, and rejects as line and code.
type Read = (Vec<Vec<Option<String>>>, Vec<(u64, &'static str)>);

fn texts(batch: &RecordBatch) -> Vec<Vec<Option<String>>> {
    let columns: Vec<_> = batch.columns().iter().filter_map(|column| column.as_string_view_opt()).collect();
    let row = |row| columns.iter().map(|column| column.is_valid(row).then(|| column.value(row).to_owned())).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn read_as(text: &[u8], dialect: &Dialect, columns: usize, size: usize) -> Read {
    let names: Vec<_> = (0..columns).map(|number| format!("c{number}")).collect();
    let decoder = Decoder::new(dialect, &names, &names, true).unwrap();
    let (mut rows, mut rejects) = (Vec::new(), Vec::new());
    for chunk in Chunker::csv(text, dialect).with_chunk_bytes(size) {
        let decoded = decoder.decode(chunk.unwrap()).unwrap();
        rows.extend(texts(&decoded.batch));
        rejects.extend(decoded.rejects.into_iter().map(|reject| (reject.line, reject.code)));
    }
    (rows, rejects)
}

fn read(text: &[u8], columns: usize) -> Read {
    read_as(text, &Dialect::default(), columns, 1 << 20)
}

fn row(cells: &[Option<&str>]) -> Vec<Option<String>> {
    cells.iter().map(|cell| cell.map(str::to_owned)).collect()
}

/// The reading half of SIMON-23.
#[test]
fn null_is_not_empty_text() {
    let (rows, rejects) = read(b"a,,\"\"\n\"\",\"b \"\"c\"\"\",\n", 3);
    assert_eq!(rows, [row(&[Some("a"), None, Some("")]), row(&[Some(""), Some("b \"c\""), None])]);
    assert_eq!(rejects, []);
    let dialect = Dialect { null_text: "NULL".to_owned(), ..Dialect::default() };
    let (rows, _) = read_as(b"NULL,\"NULL\",\n", &dialect, 3, 100);
    assert_eq!(rows, [row(&[None, Some("NULL"), Some("")])]);
}

#[test]
fn numbers_and_codes_stay_as_they_are() {
    let (rows, _) = read(b"0099,1e5,12345678901234567890,+32470000000\n", 4);
    assert_eq!(rows, [row(&[Some("0099"), Some("1e5"), Some("12345678901234567890"), Some("+32470000000")])]);
}

#[test]
fn bad_records_are_rejected_with_their_line() {
    let text = b"a,b\n1\n\n1,2,3\n\"x\ny\",\"z\"w\n\xff,b\nok,\"\xc3\xa9\"\n5\" pipe,b\nq,\"open\nlast,row\n";
    for size in [1, 5, 1000] {
        let (rows, rejects) = read_as(text, &Dialect::default(), 2, size);
        assert_eq!(
            rows,
            [["a", "b"], ["ok", "é"], ["5\" pipe", "b"], ["last", "row"]].map(|cells| row(&cells.map(Some))),
            "{size}"
        );
        let expected = [(2, "csv/columns"), (4, "csv/columns"), (5, "csv/quote"), (7, "csv/utf8"), (10, "csv/quote")];
        assert_eq!(rejects, expected, "{size}");
    }
}

#[test]
fn one_column_keeps_empty_lines() {
    let (rows, rejects) = read(b"a\n\n\"\"\n\nb", 1);
    assert_eq!(rows, [Some("a"), None, Some(""), None, Some("b")].map(|cell| row(&[cell])));
    assert_eq!(rejects, []);
    assert_eq!(read(b"\n\n\r\n", 2), (vec![], vec![]));
}

#[test]
fn projection_is_by_name_and_lines_are_physical() {
    let names = ["a", "b", "c"].map(str::to_owned);
    let wanted = ["c", "x", "a"].map(str::to_owned);
    let decoder = Decoder::new(&Dialect::default(), &names, &wanted, true).unwrap();
    let chunk = Chunk { bytes: b"1,\"2\r\n2\",3\n\n4,5,6\n".to_vec(), first_line: 10, unclosed: false, index: None };
    let decoded = decoder.decode(chunk).unwrap();
    assert_eq!(texts(&decoded.batch), [row(&[Some("3"), None, Some("1")]), row(&[Some("6"), None, Some("4")])]);
    assert_eq!(decoded.batch.column(3).as_primitive::<UInt64Type>().values(), &[10, 13]);
    assert_eq!(decoded.rows(), 2);
    let none = Decoder::new(&Dialect::default(), &names, &[], false).unwrap();
    let chunk = Chunk { bytes: b"1,2,3\n4,5,6\n".to_vec(), first_line: 1, unclosed: false, index: None };
    assert_eq!(none.decode(chunk).unwrap().batch.num_rows(), 2);
}

#[test]
fn headers() {
    let header = |text: &[u8]| read_header(&mut Chunker::csv(text, &Dialect::default()), &Dialect::default());
    let names = |text| header(text).unwrap().unwrap();
    assert_eq!(names(b"a,b\n1,2\n"), ["a", "b"]);
    assert_eq!(names(b"\"a \"\"q\"\", x\",\"b\nc\"\r\n"), ["a \"q\", x", "b\nc"]);
    assert_eq!(names(b"a"), ["a"]);
    assert!(header(b"").unwrap().is_none());
    for (text, part) in [
        (&b"a,b,a,b,c\n"[..], "twice: `a`, `b`"),
        (b"a,,c\n", "column 2 has no name"),
        (b"a,\xff\n", "column 2 in the header on line 1 is not UTF-8"),
        (b"a,\"b\"c\n", "text after a closing quote"),
        (b"a,\"b\n", "never closed"),
    ] {
        let error = header(text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

fn batch(rows: &[&[Option<&str>]]) -> RecordBatch {
    let columns = (0..rows[0].len()).map(|number| {
        let texts: StringViewArray = rows.iter().map(|row| row[number]).collect();
        (format!("c{number}"), Arc::new(texts) as ArrayRef)
    });
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

fn write(rows: &[&[Option<&str>]], dialect: &Dialect) -> Result<String> {
    let batch = batch(rows);
    let encoder = encoder(&Format::Csv(dialect.clone()), &batch.schema())?.unwrap();
    let mut out = encoder.header()?;
    encoder.encode(&batch, 0, &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// SIMON-23: null is an empty cell, empty text an empty pair of quotes.
#[test]
fn quotes_are_written_where_they_are_needed() {
    let headless = Dialect { header: false, ..Dialect::default() };
    let rows: &[&[Option<&str>]] = &[
        &[Some("plain"), None, Some(""), Some("a,b")],
        &[Some("say \"hi\" to everybody, twice"), Some("two\nlines"), Some("\r"), Some("a;b 'c' \t é")],
        &[Some("0099"), Some("1e5"), Some("12345678901234567890"), Some("+32470000000")],
    ];
    let minimal = "plain,,\"\",\"a,b\"\n\"say \"\"hi\"\" to everybody, twice\",\"two\nlines\",\"\r\",a;b 'c' \t é\n\
                   0099,1e5,12345678901234567890,+32470000000\n";
    assert_eq!(write(rows, &headless).unwrap(), minimal);
    let always = Dialect { quote_mode: QuoteMode::Always, terminator: Terminator::Crlf, ..Dialect::default() };
    assert_eq!(write(&[&[Some("a"), None, Some("")]], &always).unwrap(), "\"c0\",\"c1\",\"c2\"\r\n\"a\",,\"\"\r\n");
    let backslash = Dialect { escape: Escape::Backslash, ..headless.clone() };
    assert_eq!(write(&[&[Some("a\"b"), Some("c\\d"), Some("e")]], &backslash).unwrap(), "\"a\\\"b\",\"c\\\\d\",e\n");
    let nulls = Dialect { null_text: "\\N".to_owned(), delimiter: b';', ..headless.clone() };
    assert_eq!(write(&[&[None, Some("\\N"), Some(""), Some("a,b")]], &nulls).unwrap(), "\\N;\"\\N\";;a,b\n");
    let single = Dialect { quote: b'\'', ..headless.clone() };
    assert_eq!(write(&[&[Some("it's"), Some("\"x\"")]], &single).unwrap(), "'it''s',\"x\"\n");
    assert_eq!(write(&[&[None], &[Some("")], &[Some("x")]], &headless).unwrap(), "\"\"\n\"\"\nx\n");
}

/// ACT-20 and CIO-9: elements of a list joined in one cell; line ends folded where a feed forbids them in cells.
#[test]
fn lists_and_line_ends_in_cells() {
    let texts = [Some(vec![Some("a"), None, Some("b\r\nc")]), None, Some(vec![]), Some(vec![Some("x|y")])];
    let mut list = ListBuilder::new(StringBuilder::new());
    texts.iter().for_each(|row| list.append_option(row.clone()));
    let numbers = [Some(vec![Some(1.5), Some(1e21)]), Some(vec![Some(-2.0)]), None, None];
    let mut floats = ListBuilder::new(Float64Builder::new());
    numbers.iter().for_each(|row| floats.append_option(row.clone()));
    let lines = StringViewArray::from(vec!["a\nb", "\r\n\n\r longer than twelve bytes", "no line end", ""]);
    let columns: [(&str, ArrayRef, bool); 3] =
        [("t", Arc::new(list.finish()), true), ("n", Arc::new(floats.finish()), true), ("l", Arc::new(lines), true)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let write = |rows: usize, separator: Option<&str>, newline_in_cell| {
        let list_separator = separator.map(str::to_owned);
        let dialect = Dialect { header: false, list_separator, newline_in_cell, ..Dialect::default() };
        let mut out = Vec::new();
        let encoder = encoder(&Format::Csv(dialect), &batch.schema())?.unwrap();
        encoder.encode(&batch.slice(0, rows), 0, &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    assert_eq!(
        write(3, Some("|"), NewlineInCell::Space).unwrap(),
        "a||b c,1.5|1000000000000000000000,a b\n,-2,    longer than twelve bytes\n\"\",,no line end\n"
    );
    let json = "\"[\"\"a\"\",null,\"\"b\\r\\nc\"\"]\",\"[1.5,1000000000000000000000]\",\"a\nb\"\n";
    assert_eq!(write(1, None, NewlineInCell::Keep).unwrap(), json);
    let error = write(4, Some("|"), NewlineInCell::Keep).unwrap_err().to_string();
    assert_eq!(error, "row 4, column `t`: the value has an element that holds the separator of lists");
    assert!(write(1, Some(""), NewlineInCell::Keep).is_err());
}

#[test]
fn what_a_dialect_cannot_hold_is_an_error_with_its_place() {
    let never = Dialect { quote_mode: QuoteMode::Never, ..Dialect::default() };
    assert_eq!(write(&[&[Some("a"), None, Some("")]], &never).unwrap(), "c0,c1,c2\na,,\n");
    let latin = Dialect { encoding: encoding_rs::WINDOWS_1252, ..Dialect::default() };
    for (rows, dialect, part) in [
        (&[&[Some("a"), Some("b")][..], &[Some("c"), Some("d,e")]][..], &never, "row 2, column `c1`"),
        (&[&[None]], &never, "row 1, column `c0`"),
        (&[&[Some("é"), None], &[Some("é"), Some("あ")]], &latin, "row 2, column `c1`: windows-1252 has no `あ`"),
        (&[&[None]], &Dialect { null_text: "a,b".to_owned(), ..Dialect::default() }, "null_text"),
        (&[&[None]], &Dialect { bom: true, ..latin.clone() }, "byte order mark"),
        (&[&[None]], &Dialect { delimiter: b'"', ..Dialect::default() }, "different"),
    ] {
        let error = write(rows, dialect).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn marks_and_encodings_of_written_files() {
    let rows = &batch(&[&[Some("é"), Some("😀")]]);
    for (encoding, bom, expected) in [
        (encoding_rs::UTF_8, true, &b"\xef\xbb\xbfc0,c1\n\xc3\xa9,\xf0\x9f\x98\x80\n"[..]),
        (encoding_rs::UTF_16LE, true, b"\xff\xfec\x000\0,\0c\x001\0\n\0\xe9\0,\0\x3d\xd8\0\xde\n\0"),
        (encoding_rs::UTF_16BE, false, b"\0c\x000\0,\0c\x001\0\n\0\xe9\0,\xd8\x3d\xde\0\0\n"),
    ] {
        let dialect = Dialect { encoding, bom, ..Dialect::default() };
        let encoder = encoder(&Format::Csv(dialect), &rows.schema()).unwrap().unwrap();
        let mut out = encoder.header().unwrap();
        encoder.encode(rows, 0, &mut out).unwrap();
        assert_eq!(out, expected, "{}", encoding.name());
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut random = crate::scan::tests::Random(11);
    let pieces = ["a", ",", "\"", "\n", "\r", "\\", "é", "x y", ";", "\t", "longer than twelve bytes", "'"];
    for round in 0..400 {
        let dialect = Dialect {
            delimiter: [b',', b';', b'\t', b'|'][round % 4],
            escape: [Escape::Double, Escape::Backslash][round / 4 % 2],
            quote_mode: [QuoteMode::Minimal, QuoteMode::Always][round / 8 % 2],
            terminator: [Terminator::Lf, Terminator::Crlf][round / 16 % 2],
            null_text: ["", "NULL"][round / 32 % 2].to_owned(),
            header: false,
            ..Dialect::default()
        };
        let cells: Vec<Vec<Option<String>>> = (0..1 + random.below(20))
            .map(|_| {
                let mut cell = || match random.below(8) {
                    0 => None,
                    1 => Some("NULL".to_owned()),
                    _ => Some((0..random.below(5)).map(|_| pieces[random.below(pieces.len())]).collect::<String>()),
                };
                vec![cell(), cell(), cell()]
            })
            .collect();
        let rows: Vec<Vec<Option<&str>>> =
            cells.iter().map(|row| row.iter().map(|cell| cell.as_deref()).collect()).collect();
        let rows: Vec<&[Option<&str>]> = rows.iter().map(Vec::as_slice).collect();
        let text = write(&rows, &dialect).unwrap();
        for size in [1, 17, 1 << 20] {
            assert_eq!(read_as(text.as_bytes(), &dialect, 3, size), (cells.clone(), vec![]), "{text:?}");
        }
    }
}
