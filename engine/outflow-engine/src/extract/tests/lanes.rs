//! Lanes: several threads read, compute, encode and write, and nothing of that shows.

use super::*;

/// Rows `id,kind,name` that are worth more than one thread.
const ROWS: usize = 700_000;

fn by_kind() -> Vec<PartitionKey> {
    vec![PartitionKey { name: "kind".to_owned(), value: "kind".to_owned() }]
}

/// Several threads carry a lone output's rows from reading to encoding; rows and rejects, of the reader and of a rule, are
/// told in input order all the same.
#[tokio::test(flavor = "multi_thread")]
async fn lanes_keep_the_order_of_rows_and_rejects() {
    let mut text = rows(ROWS);
    assert!(text.len() > 10 << 20);
    // Every 70,000th row has a field too many.
    let (bad, broken) = (|id: usize| id.is_multiple_of(70_000), |id: usize| id % 50_001 == 7);
    text = text.lines().enumerate().fold(String::with_capacity(text.len()), |mut text, (line, row)| {
        text += row;
        text += if line > 0 && bad(line - 1) { ",more\n" } else { "\n" };
        text
    });
    let bench = Bench { transforms: json!([{"derive": {"shout": "upper(name)"}}]), ..Bench::new(&text) };
    let lone = Output {
        rules: vec![rule("CAST(id AS BIGINT) % 50001 <> 7", "feed/seven")],
        ..output("lone", &[("id", "id"), ("shout", "shout")])
    };
    let outcome = bench.extract(vec![lone]).await.unwrap();
    assert_eq!((outcome.extracted.reads, outcome.extracted.rows), (1, ROWS as u64));
    let good = ids(ROWS, |id| !bad(id) && !broken(id)).into_iter().map(|id| format!("{id},NAME{id}"));
    assert!(good.eq(outcome.records("lone")), "the rows are not those of the input, or not in its order");
    let told = std::fs::read_to_string(bench.folder.path().join("rejects")).unwrap();
    let told = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>();
    let rows_of = |code: &str| {
        told.iter().filter(|reject| reject["code"] == code).map(|reject| reject["row"].as_u64().unwrap()).collect()
    };
    let lines = |ids: Vec<String>| ids.iter().map(|id| id.parse::<u64>().unwrap() + 2).collect::<Vec<_>>();
    let (columns, seven): (Vec<_>, Vec<_>) = (rows_of("csv/columns"), rows_of("feed/seven"));
    assert_eq!((columns, seven), (lines(ids(ROWS, bad)), lines(ids(ROWS, broken))));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_partitions_and_parts_are_in_order() {
    let text = rows(ROWS);
    assert!(text.len() > 10 << 20);
    let bench = Bench::new(&text);
    let split = Output {
        partition_by: by_kind(),
        roll: Roll { max_rows: Some(100_000), max_bytes: None },
        counters: vec![counter("n", CounterScope::File, 1)],
        ..of("split")
    };
    let outcome = bench.extract(vec![split]).await.unwrap();
    // Three partitions of 233,333 or 233,334 rows; files are numbered in the order of their first rows.
    let numbers = [("a", [1, 4, 7]), ("b", [2, 5, 8]), ("c", [3, 6, 9])];
    assert_eq!(outcome.texts.len(), 9, "{:?}", outcome.texts.keys());
    for (place, (kind, files)) in numbers.into_iter().enumerate() {
        let names = files.map(|number| format!("split-{kind}-n{number}"));
        let found = names.iter().flat_map(|name| outcome.records(name)).collect::<Vec<_>>();
        assert!(
            found == ids(ROWS, |id| id % 3 == place),
            "partition {kind} is not that of the input, or not in its order"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_encoded_is_told_with_its_row() {
    let text = rows(ROWS).replace("name600000\n", "\n").replace("name650001\n", "\n");
    let bench = Bench::new(&text);
    let document = JsonObject { key: "name".to_owned(), root: None, style: JsonStyle::default() };
    let whole = Output { format: Format::JsonObject(document), ..output("whole", &[("name", "name")]) };
    let split = Output { partition_by: by_kind(), ..whole.clone() };
    for (output, row) in [(whole, 600_001), (split, 200_001)] {
        let error = bench.extract(vec![output]).await.unwrap_err().to_string();
        assert!(error.contains(&format!("row {row}, column `name`")), "{error}");
        empty(&bench.spool()).unwrap();
    }
}

/// What nothing looks at of a row that a rule leaves out stands in its reject as if it were read: plain, quoted, not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_left_out_is_shown_whole() {
    let text =
        "id,kind,name,note,last\n1,a,x,,y\n2,,\"q\"\"uoted, name\",\"two\nlines\",\"\"\n3,c,n,o,l\n4,d,É,\"p\",\n";
    let shown = |outcome: &Outcome| {
        outcome.rejects.iter().map(|reject| (reject.row, reject.record.clone())).collect::<Vec<_>>()
    };
    let bench = Bench::new(text);
    let ruled = |name: &str| Output {
        rules: vec![rule("id NOT IN ('2', '4')", "feed/even")],
        ..output(name, &[("kind", "kind"), ("name", "name"), ("note", "note")])
    };
    let outcome = bench.extract(vec![ruled("lone")]).await.unwrap();
    assert_eq!(outcome.texts["lone"], "kind,name,note\na,x,\nc,n,o\n");
    let expected = [
        (Some(3), json!({"id": "2", "kind": null, "name": "q\"uoted, name", "note": "two\nlines", "last": ""})),
        (Some(6), json!({"id": "4", "kind": "d", "name": "É", "note": "p", "last": null})),
    ];
    assert_eq!(shown(&outcome), expected);
    empty(&bench.spool()).unwrap();
    // Beside another output the columns are all read.
    assert_eq!(shown(&bench.extract(vec![ruled("one"), of("two")]).await.unwrap()), expected);
}

/// A lone output is written by lanes; beside another one the same rows take the other way.
#[tokio::test(flavor = "multi_thread")]
async fn files_are_the_same_without_lanes() {
    // The last rows are of a partition of their own.
    let text = rows(ROWS / 2) + &(ROWS..ROWS + 10).map(|id| format!("{id},late,name{id}\n")).collect::<String>();
    assert!(text.len() > 5 << 20);
    let bench = Bench::new(&text);
    let csv = || Format::Csv(Dialect::default());
    let document = || Format::JsonObject(JsonObject { key: "id".to_owned(), root: None, style: JsonStyle::default() });
    let plain = [csv(), document(), Format::JsonArray(JsonStyle::default())].map(|format| (format, Compression::None));
    let packed = [Compression::Gzip, Compression::Zstd, Compression::Zip].map(|compression| (csv(), compression));
    let whole = Roll { max_rows: None, max_bytes: None };
    for (format, compression) in plain.into_iter().chain(packed).chain([(Format::Parquet, Compression::None)]) {
        for (roll, split) in [
            (whole, false),
            (whole, true),
            (Roll { max_bytes: Some(1 << 20).filter(|_| format != Format::Parquet), max_rows: Some(60_000) }, true),
        ] {
            let lone = Output {
                format: format.clone(),
                compression,
                roll,
                partition_by: if split { by_kind() } else { Vec::new() },
                counters: vec![counter("n", CounterScope::File, 1)],
                ..output("files", &[("id", "id"), ("name", "name")])
            };
            let none = Output { filter: Some("false".to_owned()), ..of("none") };
            let mut files = Vec::new();
            for outputs in [vec![lone.clone()], vec![lone, none]] {
                empty(&bench.spool()).unwrap();
                let extracted = bench.extract(outputs).await.unwrap().extracted;
                let facts = |file: SpooledFile| file.parts.into_iter().map(|part| (part.name.path, part.facts));
                files.push(extracted.files.into_iter().flat_map(facts).collect::<Vec<_>>());
            }
            let told = format!("{format:?}, {compression:?}, {roll:?}, split: {split}");
            assert!(files[0].len() > usize::from(split), "{told}");
            assert_eq!(files[0], files[1], "{told}");
        }
    }
}
