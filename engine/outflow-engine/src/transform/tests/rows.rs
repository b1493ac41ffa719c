//! The transforms that decide which rows go on: what stays, in which order, and what is told of the others.

use super::*;
use crate::membership::Membership;

/// Seven rows: `n` is the number of the row, `id` repeats, `t` is a time of sorts.
fn repeated() -> DataFrame {
    let text = |values: [Option<&str>; 7]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("id", text([Some("a"), Some("b"), Some("a"), None, Some("b"), None, Some("c")]), true),
        (
            "t",
            Arc::new(Int64Array::from(vec![Some(3), Some(1), Some(2), Some(5), Some(9), None, Some(4)])) as ArrayRef,
            true,
        ),
        ("n", Arc::new(Int64Array::from_iter_values(1..8)) as ArrayRef, true),
        ("_outflow_file", text([Some("in.csv"); 7]), true),
        ("_outflow_row", Arc::new(UInt64Array::from_iter_values(2..9)) as ArrayRef, true),
    ]);
    session().read_batch(batch.unwrap()).unwrap()
}

struct Ran {
    rows: Vec<String>,
    rejects: Vec<(Option<u64>, String, String)>,
    counts: Vec<String>,
}

fn snapshots(previous: Option<std::path::PathBuf>, next: Option<std::path::PathBuf>) -> Membership {
    let mut membership = Membership::default();
    (membership.previous, membership.next) = (previous, next);
    membership
}

async fn ran(frame: DataFrame, specs: &Value, folder: &std::path::Path, membership: Membership) -> Result<Ran> {
    let rejects = Arc::new(DeadLetter::create(folder.join("rejects.jsonl"), None));
    let notes = Arc::new(Notes { membership, ..Notes::default() });
    let context = TransformContext {
        index: 0,
        at: Timestamp::UNIX_EPOCH,
        timezone: TimeZone::UTC,
        rejects: Arc::clone(&rejects),
        base: folder.to_owned(),
        notes: Arc::clone(&notes),
        offline: false,
    };
    let specs = serde_json::from_value::<Vec<TransformSpec>>(specs.clone()).unwrap();
    let frame = apply_all(&specs, frame, &context).await?;
    let names = columns::visible(&frame);
    let frame = frame.select(names.iter().map(|name| columns::column(name)).collect::<Vec<_>>()).unwrap();
    let options = FormatOptions::new().with_null("-");
    let mut rows = Vec::new();
    for batch in frame.collect().await.map_err(crate::spool::running)? {
        let cells = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap());
        let cells = cells.collect::<Vec<_>>();
        let row = |row| cells.iter().map(|cell| cell.value(row).to_string()).collect::<Vec<_>>().join("|");
        rows.extend((0..batch.num_rows()).map(row));
    }
    let rejects = rejects.first().into_iter().map(|reject| (reject.row, reject.code, reject.message)).collect();
    let counts = notes.tally.report().into_iter().flat_map(|transform| {
        let counts = transform.rows.into_iter();
        counts.map(move |(name, rows)| format!("{} {}: {rows} {name}", transform.transform, transform.name))
    });
    Ok(Ran { rows, rejects, counts: counts.collect() })
}

async fn over_repeated(specs: &Value) -> Result<Ran> {
    let folder = tempfile::tempdir().unwrap();
    ran(repeated(), specs, folder.path(), Membership::default()).await
}

#[tokio::test]
async fn one_row_a_key_stays_in_input_order() {
    let numbers = json!({"select": {"columns": ["n"]}});
    for (options, expected) in [
        (json!({"by": ["id"]}), "1 2 4 6 7"),
        (json!({"by": ["id"], "keep": "last"}), "3 4 5 6 7"),
        (json!({"by": ["id"], "order_by": "t"}), "2 3 4 6 7"),
        (json!({"by": ["id"], "keep": "last", "order_by": "t"}), "1 4 5 6 7"),
        (json!({"by": ["id"], "keep": "first", "order_by": "t > 100"}), "1 2 4 6 7"),
        (json!({"by": ["id"], "keep": "last", "order_by": "NULLIF(t, 9)"}), "1 2 4 6 7"),
        (json!({"by": ["id", "t"]}), "1 2 3 4 5 6 7"),
    ] {
        let specs = json!([{"deduplicate": options}, numbers]);
        let ran = over_repeated(&specs).await.unwrap();
        assert_eq!(ran.rows.join(" "), expected, "{specs}");
        assert_eq!(ran.counts, [format!("1 deduplicate: {} duplicates", 7 - ran.rows.len())], "{specs}");
    }
}

/// What stands after the transform sees its result, and what stands before it decides what comes first.
#[tokio::test]
async fn nothing_moves_through_an_operator() {
    for (specs, expected) in [
        (
            json!([{"deduplicate": {"by": ["id"]}}, {"sql": "SELECT n FROM input WHERE n > 2 ORDER BY n DESC LIMIT 2"}]),
            "7 6",
        ),
        (
            json!([{"sql": "SELECT id, n FROM input ORDER BY t DESC NULLS LAST"}, {"deduplicate": {"by": ["id"]}},
                {"select": {"columns": ["n"]}}]),
            "5 4 7 1 6",
        ),
        (
            json!([{"deduplicate": {"by": ["id"]}}, {"filter": "n <> 1"}, {"derive": {"n": "n * 10"}},
                {"select": {"columns": ["n"]}}]),
            "20 40 60 70",
        ),
        (
            json!([{"sql": "SELECT id, n FROM input WHERE n < 3 UNION ALL SELECT id, n FROM input"},
                {"deduplicate": {"by": ["n"]}}, {"sql": "SELECT count(*) AS c FROM input"}]),
            "7",
        ),
    ] {
        assert_eq!(over_repeated(&specs).await.unwrap().rows.join(" "), expected, "{specs}");
    }
}

#[tokio::test]
async fn rows_that_break_a_rule_are_told() {
    let cases = [
        (json!("n = 2"), "1 3 4 5 6 7", vec![(3, "reject/rule", "`n = 2` is true")]),
        (
            json!([{"unless": "id <> 'c'", "code": "x/y", "message": "no c"}, {"when": "t > 4"}]),
            "1 2 3",
            vec![(5, "x/y", "no c"), (6, "reject/rule", "`t > 4` is true"), (7, "x/y", "no c"), (8, "x/y", "no c")],
        ),
        // Null is not true: `when` keeps the row, `unless` does not.
        (json!([{"when": "t > 0 AND n = 6"}]), "1 2 3 4 5 6 7", vec![]),
        (json!([{"unless": "t > 0"}]), "1 2 3 4 5 7", vec![(7, "reject/rule", "`t > 0` is not true")]),
    ];
    for (rules, expected, rejects) in cases {
        let specs = json!([{"reject": rules}, {"select": {"columns": ["n"]}}]);
        let ran = over_repeated(&specs).await.unwrap();
        assert_eq!(ran.rows.join(" "), expected, "{specs}");
        let told = ran.rejects.iter().map(|(row, code, message)| (row.unwrap(), code.as_str(), message.as_str()));
        assert_eq!(told.collect::<Vec<_>>(), rejects, "{specs}");
    }
}

#[tokio::test]
async fn columns_are_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("names.csv", "code,name,rank\na,Anna,1\n,Nobody,2\nc,Carl,3\n");
    write("twice.csv", "code,name\na,Anna\nb,Bob\na,Other\n");
    write("numbers.jsonl", "{\"t\": 3, \"v\": {\"x\": 1}}\n{\"t\": 9, \"v\": null}\n");
    let keep =
        |spec: Value| json!([{"select": {"columns": ["n", "id", "t"]}}, {"lookup": spec}, {"derive": {"t": "''"}}]);
    let source = |path: &str| json!({"files": {"path": path}});
    let spec = |path: &str, missing: &str, duplicate: &str| {
        keep(json!({"source": source(path), "on": {"id": "code"}, "columns": {"who": "name"},
            "on_missing": missing, "on_duplicate": duplicate}))
    };
    let cases = [
        (spec("names.csv", "keep", "error"), "1|a||Anna 2|b||- 3|a||Anna 4|-||- 5|b||- 6|-||- 7|c||Carl", 4),
        (spec("names.csv", "drop", "error"), "1|a||Anna 3|a||Anna 7|c||Carl", 4),
        (spec("twice.csv", "reject", "first"), "1|a||Anna 2|b||Bob 3|a||Anna 5|b||Bob", 3),
        (
            json!([{"select": {"columns": ["n", "t"]}}, {"lookup": {"source": source("numbers.jsonl"), "on": ["t"],
                "columns": ["v"], "on_missing": "drop"}}]),
            "1|3|{\"x\": 1} 5|9|-",
            5,
        ),
    ];
    for (specs, expected, missing) in cases {
        let ran = ran(repeated(), &specs, folder.path(), Membership::default()).await.unwrap();
        assert_eq!(ran.rows.join(" "), expected, "{specs}");
        assert_eq!(ran.counts, [format!("2 lookup: {missing} not_found")], "{specs}");
        let reject = (Some(5), "lookup/not-found".to_owned(), "the lookup has no row for `id`".to_owned());
        assert_eq!(ran.rejects.first(), specs.to_string().contains("reject").then_some(&reject), "{specs}");
    }
    for (specs, message) in [
        (spec("names.csv", "error", "error"), "row 3 of `in.csv`: the lookup has no row for its `id`"),
        (
            spec("twice.csv", "keep", "error"),
            "transform 2 (`lookup`): two rows of the lookup have code = `a`: row 2 of `twice.csv` and row 4 of `twice.csv`",
        ),
        (spec("none.csv", "keep", "error"), "transform 2 (`lookup`): no file matches source path `none.csv`"),
        (spec("numbers.jsonl", "keep", "error"), "lookup: the input has no column `code`"),
        (
            json!([{"lookup": {"source": source("names.csv"), "on": {"idd": "code"}, "columns": ["name"]}}]),
            "`on`: the input has no column `idd`",
        ),
        (
            json!([{"lookup": {"source": source("names.csv"), "on": {"id": "code"}, "columns": {"t": "name"}}}]),
            "already have a column `t`",
        ),
    ] {
        let Err(error) = ran(repeated(), &specs, folder.path(), Membership::default()).await else {
            panic!("{specs} is accepted")
        };
        assert!(error.to_string().contains(message), "{specs}: {error}");
    }
}

/// Adds in input order, then removes as they were delivered; a snapshot counts only when its delivery asked for the end.
#[tokio::test]
async fn members_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let at = |number: usize| Some(folder.path().join(format!("{number}.parquet")));
    let changes = json!({"changes": {"key": ["id"]}});
    let steps = [
        (json!([changes]), "a|3|1|add b|1|2|add c|4|7|add", 2),
        (
            json!([{"filter": "n <> 2"}, {"derive": {"id": "replace(id, 'a', 'z')"}}, changes]),
            "z|3|1|add a|3|1|remove",
            1,
        ),
        (json!([{"filter": "id = 'b' AND n = 5"}, changes]), "z|3|1|remove c|4|7|remove", 0),
        (json!([{"filter": "id = 'b' AND n = 5"}, changes]), "", 0),
        (json!([{"filter": "n = 0"}, changes]), "b|9|5|remove", 0),
        (json!([{"derive": {"new": "'x'"}}, {"filter": "n = 1"}, changes]), "a|3|1|x|add", 0),
        (json!([{"filter": "n = 2"}, {"derive": {"other": "2"}}, changes]), "b|1|2|2|add a|3|1|-|remove", 0),
    ];
    for (step, (specs, expected, duplicates)) in steps.iter().enumerate() {
        let previous = step.checked_sub(1).and_then(at);
        let membership = snapshots(previous, at(step));
        let ran = ran(repeated(), specs, folder.path(), membership).await.unwrap();
        assert_eq!(ran.rows.join(" "), *expected, "{specs}");
        assert!(ran.counts[0].ends_with(&format!(": {duplicates} duplicates")), "{specs}: {:?}", ran.counts);
        for (_, code, message) in &ran.rejects {
            assert_eq!(
                (code.as_str(), message.as_str()),
                ("changes/key", "a member needs its key, and here `id` is null")
            );
        }
    }
    for (specs, message) in [
        (json!([{"changes": {"key": ["idd"]}}]), "`key`: the input has no column `idd`"),
        (json!([{"changes": {"key": ["id"], "column": "t"}}]), "already have a column `t`"),
        (json!([{"derive": {"k": "id"}}, {"changes": {"key": ["k"]}}]), "the last delivery have no column `k`"),
        (
            json!([changes, {"sql": "SELECT a.id FROM input a JOIN input b ON a.id = b.id"}]),
            "a later step takes the changes twice",
        ),
    ] {
        let membership = snapshots(at(0), None);
        let Err(error) = ran(repeated(), &specs, folder.path(), membership).await else {
            panic!("{specs} is accepted")
        };
        assert!(error.to_string().contains(message), "{specs}: {error}");
    }
    let gone = snapshots(at(99), None);
    let error = ran(repeated(), &json!([changes]), folder.path(), gone).await.err().unwrap();
    assert!(error.hint_text().unwrap_or_default().starts_with("restore the file"), "{error}");
}
