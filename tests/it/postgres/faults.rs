//! F55, F56: what happens to rows while the table changes, the server restarts, or the query takes too long.

use std::time::{Duration, Instant};

use super::bench::Bench;
use crate::support::postgres::Postgres;
use crate::support::process::Outflow;

/// Rows that take a while: a twentieth of a second each.
const SLOW: &str = "query: SELECT id, v, (pg_sleep(0.05)::text = '') AS slept FROM t ORDER BY id";

/// Waits until a query of outflow's is under way.
fn until_reading(ask: impl Fn(&str) -> String) {
    until(|| {
        ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outflow' AND query LIKE 'COPY%' \
                  AND state = 'active' AND datname = current_database()")
            != "0"
    });
}

fn until(mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it never came to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// F55: rows that are changed, added and removed while others are read are delivered as they were at the beginning.
#[test]
fn f55_rows_changed_while_reading_are_delivered_as_they_were() {
    let bench = Bench::new(SLOW, "");
    bench.sql(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'old' FROM generate_series(1, 40) i",
    );
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run());
        until_reading(|query| bench.sql(query));
        bench.sql("UPDATE t SET v = 'new'; DELETE FROM t WHERE id > 30; INSERT INTO t VALUES (0, 'new'), (99, 'new')");
        run.join().unwrap()
    });
    run.expect_code(0);
    let rows = (1..=40).map(|id| format!("{id},old,true\n")).collect::<String>();
    assert_eq!(bench.only_file(), format!("id,v,slept\n{rows}"));
}

/// F55: the server goes away in the middle of the rows; nothing is published, and the next run delivers all.
#[test]
fn f55_a_restart_of_the_server_publishes_nothing_by_halves() {
    let server = Postgres::start(&[], &[]);
    let bench = Bench::new(SLOW, "");
    let url = server.database();
    server.sql(&url, "CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 60) i");
    let call = || Outflow::in_folder(bench.path()).args(["run", "feed.yaml"]).env("DATABASE_URL", &url);
    let told = std::thread::scope(|scope| {
        let run = scope.spawn(|| call().run());
        until_reading(|query| server.sql(&url, query));
        server.stop();
        run.join().unwrap()
    });
    told.expect_code(4);
    assert!(bench.files().is_empty());
    call().run().expect_code(4).expect_stderr("cannot connect");
    server.start_again();
    call().run().expect_code(0);
    assert_eq!(bench.only_file().lines().count(), 61);
}

/// F55: a query that takes longer than it may is ended by the server; the run can be repeated.
#[test]
fn f55_a_statement_timeout_is_tried_again_as_a_whole() {
    let bench = Bench::new(&format!("{SLOW}\n    statement_timeout: 1s"), "");
    bench.sql("CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 40) i");
    bench.run().expect_code(4).expect_stderr("statement timeout").expect_stderr("statement_timeout");
    assert!(bench.files().is_empty());
    bench.sql("DELETE FROM t WHERE id > 2");
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "id,v,slept\n1,x,true\n2,x,true\n");
}

/// F56: nobody can change the table while its rows are read, and the columns are those of the rows.
#[test]
fn f56_columns_changed_while_reading_wait_for_the_rows() {
    let bench = Bench::new(SLOW, "");
    bench.sql("CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, 'x' FROM generate_series(1, 20) i");
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| bench.run());
        until_reading(|query| bench.sql(query));
        bench.sql("ALTER TABLE t ADD w int DEFAULT 7, ALTER id TYPE text USING 'n' || id, ALTER v TYPE char(3)");
        run.join().unwrap()
    });
    run.expect_code(0);
    assert!(bench.only_file().starts_with("id,v,slept\n1,x,true\n2,x,true\n"));
    bench.run().expect_code(0);
    assert!(bench.files()[1].starts_with("id,v,slept\nn1,x  ,true\n"), "{}", bench.files()[1]);
}

/// F56: a table that is written anew after the snapshot and before its rows are read looks empty to the snapshot.
/// The run says so and delivers nothing, whichever way the table was replaced.
#[test]
fn f56_a_table_replaced_before_its_rows_are_read_is_noticed() {
    for replace in [
        "TRUNCATE t; INSERT INTO t SELECT i, 'new' FROM generate_series(1, 5) i",
        "ALTER TABLE t ALTER v TYPE varchar(9) USING v || '!'",
        "CREATE TABLE u AS SELECT id, 'new' AS v FROM t; DROP TABLE t; ALTER TABLE u RENAME TO t",
    ] {
        let bench = Bench::new("table: t", "");
        bench.sql("CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, 'old' FROM generate_series(1, 5) i");
        let told = std::thread::scope(|scope| {
            // Holds the table until outflow, which has its snapshot by then, waits for it.
            let other = scope.spawn(|| {
                let wait = "DO $$ BEGIN FOR i IN 1..600 LOOP PERFORM pg_sleep(0.05); PERFORM pg_stat_clear_snapshot(); \
                            EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'outflow' AND \
                            wait_event_type = 'Lock' AND datname = current_database()); END LOOP; END $$";
                bench.sql(&format!("BEGIN; LOCK TABLE t; {wait}; {replace}; COMMIT"))
            });
            until(|| {
                bench.sql(
                    "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
                                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                ) != "0"
            });
            let told = bench.run();
            other.join().unwrap();
            told
        });
        told.expect_code(4).expect_stderr("was replaced while it was read");
        assert!(bench.files().is_empty());
        bench.run().expect_code(0);
        assert_eq!(bench.only_file().lines().count(), 6, "{replace}");
    }
}
