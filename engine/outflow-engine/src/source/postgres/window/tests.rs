//! Windows over a real server: what late commits, equal positions and updates do to them. Each window is read by a
//! connection of its own, as runs do.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use outflow_spec::source::PostgresSource;
use serde_json::json;

use super::*;
use crate::dead_letter::DeadLetter;
use crate::progress::Quiet;
use crate::source::Reading;
use crate::source::postgres::PostgresInput;
use crate::source::postgres::tests::postgres::Postgres;

/// What a pipeline remembers from window to window.
struct Feed<'a> {
    server: &'a Postgres,
    url: String,
    cursor: &'static str,
    overlap: Option<u64>,
    lo: Option<String>,
    seen: Arc<Seen>,
    late: u64,
}

impl<'a> Feed<'a> {
    fn new(server: &'a Postgres, cursor: &'static str, overlap: Option<u64>, table: &str) -> Self {
        let url = server.database();
        server.sql(&url, table);
        Self { server, url, cursor, overlap, lo: None, seen: Arc::default(), late: 0 }
    }

    fn sql(&self, statements: &str) -> String {
        self.server.sql(&self.url, statements)
    }

    fn source(&self) -> PostgresSource {
        serde_json::from_value(json!({"url": self.url, "table": "t", "columns": ["id"], "tls": {"mode": "disable"}}))
            .unwrap()
    }

    /// Delivers what is due: the ids, in order.
    async fn next(&mut self) -> Result<Vec<i64>> {
        let input = PostgresInput::connect(&self.source(), std::path::Path::new(".")).await?;
        let Some(hi) = input.high(self.cursor, self.overlap.is_some(), |seen| Ok(seen.to_string())).await? else {
            return Ok(Vec::new());
        };
        self.window(input, hi).await
    }

    async fn window(&mut self, mut input: PostgresInput, hi: String) -> Result<Vec<i64>> {
        let overlap = self.overlap.map(|back| Overlap {
            key: vec!["id".to_owned()],
            back,
            seen: self.seen.clone(),
            found: Arc::default(),
        });
        let positions =
            Positions { cursor: self.cursor.to_owned(), lo: self.lo.clone(), hi: hi.clone(), floor: None, overlap };
        input.open().await?;
        input.select(positions);
        let table = input.table(Reading {
            dead_letter: Arc::new(DeadLetter::create("", None)),
            limit: None,
            progress: Arc::new(Quiet),
        });
        let rows = SessionContext::new().read_table(table.clone()).unwrap().collect().await;
        let rows = rows.map_err(crate::spool::running)?;
        let ids = rows
            .iter()
            .flat_map(|batch| batch.column_by_name("id").unwrap().as_primitive::<Int64Type>().values().to_vec());
        let mut ids = ids.collect::<Vec<_>>();
        ids.sort_unstable();
        // The ledger keeps texts.
        if let Some(found) = table.found() {
            self.seen = Arc::new(Seen::of_text(&found.again.to_text())?);
            self.late += found.late;
        }
        self.lo = Some(hi);
        Ok(ids)
    }
}

/// F53: a row that is written first and committed last is delivered once, by the window after the one that could not
/// see it; a cursor that only remembers the highest value would have passed it.
#[tokio::test(flavor = "multi_thread")]
async fn f53_a_late_commit_is_in_the_next_window_of_an_xid8_cursor() {
    let table = "CREATE TABLE t (id int8, tx xid8 NOT NULL DEFAULT pg_current_xact_id())";
    // Transactions of other databases count too: nobody else uses this server.
    let server = Postgres::start(&[], &[]);
    let mut feed = Feed::new(&server, "tx", None, table);
    feed.sql("INSERT INTO t VALUES (0)");
    // The long transaction: its row has the lower number.
    feed.sql("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'f53_xid8'");
    feed.sql("INSERT INTO t VALUES (2)");
    feed.sql("INSERT INTO t VALUES (3)");
    assert_eq!(feed.next().await.unwrap(), [0], "what comes after an open transaction waits for it");
    assert_eq!(feed.next().await.unwrap(), [] as [i64; 0]);
    feed.sql("COMMIT PREPARED 'f53_xid8'");
    assert_eq!(feed.next().await.unwrap(), [1, 2, 3]);
    assert_eq!(feed.next().await.unwrap(), [] as [i64; 0]);
}

/// F53: the same with a timestamp and an overlap, and with a number from a sequence.
#[tokio::test(flavor = "multi_thread")]
async fn f53_a_late_commit_is_found_in_the_overlap() {
    for (name, cursor, overlap, kind) in [
        ("f53_time", "at", 3600, "timestamptz DEFAULT clock_timestamp()"),
        ("f53_plain", "at", 3600, "timestamp DEFAULT clock_timestamp()"),
        ("f53_number", "number", 100, "int DEFAULT 0"),
    ] {
        let table = format!("CREATE TABLE t (id int8, {cursor} {kind}, more serial)")
            .replace("number int DEFAULT 0", "number serial");
        let mut feed = Feed::new(Postgres::shared(), cursor, Some(overlap), &table);
        feed.sql("INSERT INTO t VALUES (0)");
        feed.sql(&format!("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION '{name}'"));
        feed.sql("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
        assert_eq!(feed.next().await.unwrap(), [0, 2, 3], "{name}");
        feed.sql("INSERT INTO t VALUES (4)");
        assert_eq!(feed.next().await.unwrap(), [4], "{name}");
        feed.sql(&format!("COMMIT PREPARED '{name}'"));
        assert_eq!(feed.next().await.unwrap(), [1], "{name}");
        assert_eq!(feed.late, 1, "{name}");
        assert_eq!(feed.next().await.unwrap(), [] as [i64; 0], "{name}");
    }
}

/// F54: ten thousand rows share a position that is the end of a window, to the microsecond; half of them are committed
/// after it was read. Each is delivered once.
#[tokio::test(flavor = "multi_thread")]
async fn f54_rows_of_one_position_at_a_boundary_come_once_each() {
    let mut feed =
        Feed::new(Postgres::shared(), "at", Some(60), "CREATE TABLE t (id int8 PRIMARY KEY, at timestamptz)");
    let insert = |from: i64, to: i64| {
        format!("INSERT INTO t SELECT i, '2026-11-23 04:05:06.123456+00' FROM generate_series({from}, {to}) i")
    };
    feed.sql(&insert(1, 5000));
    let mut all = Vec::new();
    for hi in ["2026-11-23T04:05:06.123456Z", "2026-11-23T04:05:06.123457Z", "2026-11-23T04:05:20Z"] {
        let input = PostgresInput::connect(&feed.source(), std::path::Path::new(".")).await.unwrap();
        all.push(feed.window(input, hi.to_owned()).await.unwrap());
        if all.len() == 2 {
            feed.sql(&insert(5001, 10_000));
        }
    }
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [0, 5000, 5000]);
    assert_eq!(all.concat(), (1..=10_000).collect::<Vec<i64>>());
}

/// F55: a row that is updated gets a new position and comes again, as one of the next window; it is not lost between.
#[tokio::test(flavor = "multi_thread")]
async fn f55_an_updated_row_comes_again() {
    let table = "CREATE TABLE t (id int8, tx xid8 DEFAULT pg_current_xact_id()); INSERT INTO t VALUES (1), (2)";
    // Transactions of other databases count too: nobody else uses this server.
    let server = Postgres::start(&[], &[]);
    let mut feed = Feed::new(&server, "tx", None, table);
    assert_eq!(feed.next().await.unwrap(), [1, 2]);
    feed.sql("UPDATE t SET tx = DEFAULT WHERE id = 2");
    assert_eq!(feed.next().await.unwrap(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_would_lose_rows_is_refused() {
    let table = "CREATE TABLE t (id int8, at timestamptz, name text, tx xid8)";
    for (cursor, words) in [("at", "committed late"), ("id", "committed late"), ("name", "no order"), ("up", "lacks")] {
        let mut feed = Feed::new(Postgres::shared(), cursor, None, table);
        feed.sql("INSERT INTO t VALUES (1, now(), 'x', '1')");
        let error = feed.next().await.unwrap_err();
        assert!(error.to_string().contains(words), "{cursor}: {error}");
    }
}

#[test]
fn positions_are_checked_before_they_are_sent() {
    assert_eq!(literal(Kind::Number, "7", 10).unwrap(), "-3");
    assert_eq!(literal(Kind::Instant, "2026-01-01T00:00:00Z", 60).unwrap(), "'2025-12-31T23:59:00Z'::timestamptz");
    assert_eq!(literal(Kind::Transaction, "0", 0).unwrap(), "'0'::xid8");
    for (kind, position) in [(Kind::Number, "7; DROP"), (Kind::Instant, "7"), (Kind::Transaction, "now")] {
        assert!(literal(kind, position, 0).is_err(), "{position}");
    }
    let seen = Seen([1, 2, u128::MAX].into());
    assert_eq!(Seen::of_text(&seen.to_text()).unwrap(), seen);
    assert!(Seen::of_text("AAA").is_err() && Seen::of_text("").unwrap().is_empty());
}
