//! Every type, with the values that programs get wrong, against what `psql` shows of the same rows.

use super::bench::Bench;

/// A column: name, type, what `psql` is asked for in place of the column where that differs, and values in SQL.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

const CASES: [Case; 38] = [
    ("b", "bool", "b::text", &["true", "false"]),
    ("i2", "int2", "", &["32767", "-32768", "0"]),
    ("i4", "int4", "", &["2147483647", "-2147483648"]),
    ("i8", "int8", "", &["9223372036854775807", "-9223372036854775808"]),
    ("o", "oid", "", &["4294967295"]),
    ("x8", "xid8", "", &["'18446744073709551615'", "'0'"]),
    ("f4", "float4", "", &["1.5", "-0.1", "3.4028235", "524288", "'NaN'", "'-Infinity'"]),
    ("f8", "float8", "", &["0.1", "-0", "123456789.123456", "'NaN'", "'Infinity'", "0.0001", "999999999999999"]),
    (
        "n",
        "numeric",
        "",
        &[
            "0",
            "0.00",
            "-0.00000000000000000001",
            "12345678901234567890.12345678901234567890",
            "1e30",
            "-1e-10",
            "'NaN'",
            "'Infinity'",
            "'-Infinity'",
            "10000",
            "9999.9999",
            "100000000.5",
            "0.00010000",
        ],
    ),
    ("n2", "numeric(10,2)", "", &["1.5", "-99999999.99", "'NaN'"]),
    (
        "t",
        "text",
        "",
        &["''", "'Zoë, \"x\"'", "E'two\\nlines'", "E'a\\\\b\\tc'", "'\u{1F600}'", "repeat('long ', 5000)"],
    ),
    ("v", "varchar(5)", "", &["'ab'"]),
    ("c", "char(5)", "", &["'ab'", "''"]),
    ("c1", "\"char\"", "", &["'x'"]),
    ("nm", "name", "", &["'Some Name'"]),
    ("ci", "citext", "", &["'MiXed'"]),
    ("u", "uuid", "", &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    (
        "d",
        "date",
        "",
        &[
            "'2026-11-23'",
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 BC'",
            "'4713-01-01 BC'",
            "'10000-01-01'",
            "'5874897-12-31'",
            "'2000-02-29'",
            "'0001-01-01'",
            "'1582-10-10'",
        ],
    ),
    ("tm", "time", "", &["'00:00'", "'24:00'", "'23:59:59.999999'", "'01:02:03.1'"]),
    ("tz", "timetz", "", &["'12:34:56.7+05:30'", "'00:00-15:59:59'"]),
    (
        "ts",
        "timestamp",
        "",
        &[
            "'2026-11-23 04:05:06'",
            "'2026-11-23 04:05:06.000001'",
            "'infinity'",
            "'-infinity'",
            "'1999-12-31 23:59:59.5'",
            "'0001-01-01 00:00:00.25 BC'",
            "'294276-12-31 23:59:59.999999'",
            "'4713-01-01 00:00:00 BC'",
        ],
    ),
    (
        "tstz",
        "timestamptz",
        "",
        &[
            "'2026-03-29 02:30:00+02'",
            "'2026-11-23 04:05:06.123456-08'",
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 12:00 BC'",
            "'20260-01-01 00:00+00'",
        ],
    ),
    (
        "iv",
        "interval",
        "",
        &["'1 year 2 mons -3 days 04:05:06.789'", "'-1 day'", "'0'", "'100 hours'", "'-00:00:00.000001'"],
    ),
    ("by", "bytea", "", &["'\\x00ff10'", "''"]),
    ("j", "json", "", &["'{\"b\": 1,  \"a\": [1.50, null]}'", "'\"x\"'", "'{\"z\":\"\\u0000\"}'", "'1e400'"]),
    ("jb", "jsonb", "", &["'{\"b\": 1, \"a\": {\"c\": \"\\u00e9\"}}'", "'null'"]),
    ("ai", "int[]", "to_json(ai)::text", &["'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'"]),
    ("at", "text[]", "to_json(at)::text", &["ARRAY['a\"b', NULL, 'c,d']"]),
    ("an", "numeric[]", "to_json(an)::text", &["'{1.50,NaN}'"]),
    ("e", "mood", "", &["'so so'", "'ok'"]),
    ("ea", "mood[]", "to_json(ea)::text", &["'{ok,ok}'"]),
    ("co", "pair", "to_json(co)::text", &["ROW(1, 'x')", "ROW(NULL, NULL)"]),
    ("do1", "positive", "", &["7"]),
    ("ip", "inet", "", &["'10.0.0.1'", "'10.0.0.1/8'", "'::1'"]),
    ("ci4", "cidr", "", &["'10.0.0.0/8'"]),
    ("mo", "money", "", &["12345.67", "-1"]),
    ("ra", "tstzrange", "", &["'[2026-01-01, 2026-02-01)'", "'empty'"]),
    ("xm", "xml", "", &["'<a>x</a>'"]),
];

const TYPES: &str = "CREATE EXTENSION IF NOT EXISTS citext; CREATE TYPE mood AS ENUM ('so so', 'ok');
                     CREATE TYPE pair AS (a int, b text); CREATE DOMAIN positive AS int CHECK (VALUE > 0);";

/// A row for each value of each column, all others null, in order.
fn rows(bench: &Bench, cases: &[Case]) {
    let columns = cases.iter().map(|(name, kind, ..)| format!("{name} {kind}")).collect::<Vec<_>>().join(", ");
    let mut statements =
        format!("{TYPES} CREATE TABLE wide (line serial, {columns}); INSERT INTO wide DEFAULT VALUES;");
    for (name, _, _, values) in cases {
        for value in *values {
            statements.push_str(&format!("INSERT INTO wide ({name}) VALUES ({value});"));
        }
    }
    bench.sql(&statements);
}

/// The files are, byte for byte, what `psql` shows: infinity, BC, years after 9999, NaN, trailing zeros and blanks.
#[test]
fn every_type_is_written_as_psql_shows_it() {
    let layout = "layout:\n  files: {path: \"{{ nonce }}.csv\", format: csv, csv: {null_text: '\\N'}}\n";
    let bench = Bench::with_layout("query: SELECT * FROM wide ORDER BY line", layout);
    rows(&bench, &CASES);
    let asked = CASES.iter().map(|(name, _, asked, _)| match *asked {
        "" => (*name).to_owned(),
        asked => format!("{asked} AS {name}"),
    });
    let asked = asked.collect::<Vec<_>>().join(", ");
    let query = format!("SELECT line, {asked} FROM wide ORDER BY line");
    let shown = bench.sql(&format!("COPY ({query}) TO STDOUT (FORMAT csv, HEADER, NULL '\\N')"));
    bench.run().expect_code(0);
    let written = bench.only_file();
    let faults = shown.lines().zip(written.trim_end().lines()).filter(|(shown, written)| shown != written);
    let faults = faults.map(|(shown, written)| format!("psql: {shown}\nfile: {written}\n")).collect::<String>();
    assert!(faults.is_empty() && shown == written.trim_end(), "{faults}");
}

/// Floats are written without exponent and are the same numbers.
#[test]
fn floats_keep_their_value() {
    let bench = Bench::new("query: SELECT f, g FROM floats", "");
    let values = [1e23, 1e-7, f64::MAX, f64::MIN_POSITIVE, 5e-324, 123_456_789_012_345_680.0, -1e15];
    let rows = values.map(|value| format!("('{value:e}', '{:e}')", value as f32).replace("inf", "Infinity"));
    bench.sql(&format!("CREATE TABLE floats (f float8, g float4); INSERT INTO floats VALUES {}", rows.join(", ")));
    bench.run().expect_code(0);
    let written = bench.only_file();
    for (line, value) in written.lines().skip(1).zip(values) {
        let (double, single) = line.split_once(',').unwrap();
        assert_eq!((double.parse(), single.parse()), (Ok(value), Ok(value as f32)), "{line}");
        assert!(!line.contains('e'), "{line}");
    }
}

/// In JSON Lines, numbers and JSON stand as they are, and what JSON has no number for is a text.
#[test]
fn json_lines_take_numbers_and_json_as_they_are() {
    let layout = "layout:\n  files: {path: \"{{ nonce }}.jsonl\", format: jsonl}\n";
    let query = "SELECT 1.50::numeric AS a, 'NaN'::numeric AS b, '{\"x\":  1.0}'::jsonb AS c, E'{\"y\":\\n2}'::json AS d, \
                 ARRAY[1,2] AS e, true AS f, 7 AS g, 'x' AS h, NULL::int AS i, 0.5::float8 AS j";
    let bench = Bench::with_layout(&format!("query: |\n      {query}"), layout);
    bench.run().expect_code(0);
    assert_eq!(
        bench.only_file(),
        "{\"a\":1.50,\"b\":\"NaN\",\"c\":{\"x\": 1.0},\"d\":{\"y\": 2},\"e\":[1,2],\"f\":true,\"g\":7,\"h\":\"x\",\
         \"i\":null,\"j\":0.5}\n"
    );
}

/// Integers, floats and truth values are what they are to transforms; the rest can be cast.
#[test]
fn transforms_compute_with_numbers() {
    let transforms = "transforms:\n  - filter: \"big > 9 AND yes AND CAST(price AS DOUBLE) > 9.5\"\n  \
                      - derive: {day: \"CAST(CAST(at AS TIMESTAMP) AS DATE)\"}\n";
    let bench = Bench::new(
        "query: \"SELECT * FROM (VALUES (10::int8, true, 10.0, '2026-01-02 03:04:05+00'::timestamptz), \
         (9, true, 10, now()), (11, true, 9.1, now())) AS v (big, yes, price, at)\"",
        transforms,
    );
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "big,yes,price,at,day\n10,true,10.0,2026-01-02 03:04:05+00,2026-01-02\n");
}

/// A database without encoding gives whatever bytes were put in: those that are no text are refused by column.
#[test]
fn bytes_that_are_no_text_are_refused() {
    let bench = Bench::new("query: SELECT n, t FROM raw", "");
    let server = crate::support::postgres::Postgres::shared();
    server.sql(&server.url("postgres"), "CREATE DATABASE raw_bytes ENCODING SQL_ASCII TEMPLATE template0");
    let url = server.url("raw_bytes");
    server.sql(&url, "CREATE TABLE raw (n int, t text); INSERT INTO raw VALUES (1, 'a'), (2, E'\\xff')");
    let told = bench.outflow(&["run", "feed.yaml"]).env("DATABASE_URL", &url).run();
    told.expect_code(3).expect_stderr("invalid byte sequence");
    assert!(bench.files().is_empty());
}
