//! F53, F54 as an engineer meets them: `incremental` over a table that others write to while it is read.

use serde_json::Value;

use super::bench::Bench;
use crate::support::postgres::Postgres;

const TABLE: &str = "table: t\n    columns: [id]";

/// Runs the pipeline; the ids that were delivered, and how many of them came late.
fn next(bench: &Bench) -> (Vec<u32>, u64) {
    let before = bench.files().len();
    let told = bench.outflow(&["run", "feed.yaml", "--format", "json"]).run().expect_code(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    let files = bench.files();
    let ids = files[before..].iter().flat_map(|file| file.lines().skip(1).map(|id| id.parse().unwrap()));
    let mut ids = ids.collect::<Vec<u32>>();
    ids.sort_unstable();
    (ids, report["rows"]["late_rows"].as_u64().unwrap_or_default())
}

/// F53: a row whose transaction was open when its window was delivered is in the next file, once.
#[test]
fn f53_a_row_that_is_committed_late_is_in_the_next_file() {
    let incremental = "incremental: {cursor: at, start: 2020-01-01T00:00:00Z, key: [id], overlap: 1h}\n";
    let bench = Bench::new(TABLE, incremental);
    bench.sql("CREATE TABLE t (id int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())");
    bench.sql("INSERT INTO t VALUES (0, '2019-12-31 23:59:59+00'), (1, DEFAULT)");
    bench.sql("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'f53_file'");
    bench.sql("INSERT INTO t VALUES (3)");
    assert_eq!(next(&bench), (vec![1, 3], 0));
    bench.sql("COMMIT PREPARED 'f53_file'");
    bench.sql("INSERT INTO t VALUES (4)");
    assert_eq!(next(&bench), (vec![2, 4], 1));
    assert_eq!(next(&bench), (vec![], 0));
}

/// F53 with the number of the transaction: nothing is read twice, and nothing has to be remembered.
#[test]
fn f53_an_xid8_cursor_waits_for_open_transactions() {
    // Transactions of other databases count too, so nobody else uses this server.
    let server = Postgres::start(&[], &[]);
    let bench = Bench::new(TABLE, "incremental: {cursor: tx, start: '0'}\n").with_server(server);
    bench.sql("CREATE TABLE t (id int, tx xid8 DEFAULT pg_current_xact_id()); INSERT INTO t VALUES (1)");
    bench.sql("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'f53_xid8'");
    bench.sql("INSERT INTO t VALUES (3)");
    assert_eq!(next(&bench), (vec![1], 0));
    assert_eq!(next(&bench), (vec![], 0));
    bench.sql("COMMIT PREPARED 'f53_xid8'");
    assert_eq!(next(&bench), (vec![2, 3], 0));
}

/// F54: ten thousand rows of one instant, written while windows that end there are delivered, come once each.
#[test]
fn f54_rows_of_one_instant_come_once_each() {
    let incremental = "incremental: {cursor: at, start: 2020-01-01T00:00:00Z, key: [id], overlap: 1h}\n";
    let bench = Bench::new(TABLE, incremental);
    bench
        .sql("CREATE TABLE t (id int PRIMARY KEY, at timestamptz); CREATE TABLE one AS SELECT clock_timestamp() AS at");
    let mut all = Vec::new();
    for part in 0..4 {
        bench.sql(&format!(
            "INSERT INTO t SELECT i, one.at FROM one, generate_series({}, {}) i",
            part * 2500 + 1,
            (part + 1) * 2500
        ));
        let (ids, _) = next(&bench);
        assert_eq!(ids.len(), 2500);
        all.extend(ids);
    }
    assert_eq!(all, (1..=10_000).collect::<Vec<_>>());
}

/// A cursor that loses rows is refused before anything is delivered.
#[test]
fn a_cursor_that_would_lose_rows_is_refused() {
    let bench = Bench::new(TABLE, "incremental: {cursor: at, start: 2020-01-01T00:00:00Z}\n");
    bench.sql("CREATE TABLE t (id int, at timestamptz); INSERT INTO t VALUES (1, now())");
    bench.run().expect_code(2).expect_stderr("committed late").expect_stderr("overlap");
    assert!(bench.files().is_empty());
}
