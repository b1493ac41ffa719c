//! The source `postgres` against a real server: values as `psql` shows them, one state of the database for all rows,
//! columns by name, connections that are protected, failures that lose nothing.

mod bench;
mod faults;
mod tls;
mod types;
mod windows;

use serde_json::Value;

use crate::support::postgres::Postgres;
use crate::support::process::{Outflow, files_below};
use bench::Bench;

/// The same state of the database is delivered once; every other one is a delivery of its own.
#[test]
fn a_delivery_is_a_state_of_the_database() {
    // Whatever is written to a server, by other tests too, is another state of all its databases.
    let server = Postgres::start(&[], &[("autovacuum", "off")]);
    let bench = Bench::new("query: SELECT id, name FROM people ORDER BY id", "").with_server(server);
    bench.sql("CREATE TABLE people (id int, name text); INSERT INTO people VALUES (1, 'Ada'), (2, NULL)");
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "id,name\n1,Ada\n2,\n");
    bench.run().expect_code(0).expect_stdout("already delivered");
    bench.sql("INSERT INTO people VALUES (3, 'Grace')");
    let told = bench.outflow(&["run", "feed.yaml", "--format", "json"]).run().expect_code(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!((&report["rows"]["read"], &report["reads"]), (&3.into(), &1.into()), "{report:#}");
    assert_eq!(report["inputs"][0], format!("postgres://127.0.0.1:{}/{} (query)", bench.port(), bench.name()));
    assert_eq!(bench.files().len(), 2);
    let preview = bench.outflow(&["preview", "feed.yaml", "--rows", "2", "--reveal"]).run().expect_code(0);
    assert!(preview.stdout.contains("1,Ada") && !preview.stdout.contains("Grace"), "{}", preview.stdout);
}

/// F56 between runs: columns are found by name, whatever is put before, between or behind them.
#[test]
fn columns_that_come_and_move_change_nothing() {
    let bench = Bench::new("table: public.people\n    columns: [name, id]", "");
    bench.sql("CREATE TABLE people (id int, name text); INSERT INTO people VALUES (1, 'Ada')");
    bench.run().expect_code(0);
    bench.sql(
        "DROP TABLE people; CREATE TABLE people (extra date, name varchar(9), id bigint, more json);
         INSERT INTO people VALUES ('2026-01-01', 'Ada', 1, '{}')",
    );
    bench.run().expect_code(0);
    let files = bench.files();
    assert_eq!((files[0].as_str(), files[1].as_str()), ("name,id\nAda,1\n", "name,id\nAda,1\n"));
    bench.sql("ALTER TABLE people RENAME id TO number");
    bench.run().expect_code(2).expect_stderr("has no column `id`").expect_stderr("`number`");
    assert_eq!(bench.files().len(), 2);
}

#[test]
fn names_are_taken_as_they_are_written() {
    let bench = Bench::new("table: 'Odd \"schema\".Order'", "");
    bench.sql(
        "CREATE SCHEMA \"Odd \"\"schema\"\"\"; CREATE TABLE \"Odd \"\"schema\"\"\".\"Order\" (\"a,b\" int, \"SELECT\" int);
         INSERT INTO \"Odd \"\"schema\"\"\".\"Order\" VALUES (1, 2)",
    );
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "\"a,b\",SELECT\n1,2\n");
    for (reads, code, words) in [
        ("query: SELECT 1 AS a, 2 AS a", 2, "two columns `a`"),
        ("query: SELECT 1 AS _outflow_x", 2, "reserved"),
        ("query: SELECT a FROM nowhere", 2, "\"nowhere\" does not exist"),
        ("query: SELECT 1 AS a; SELECT 2 AS a", 2, "(42601)"),
        ("query: SELECT 1 AS a) TO STDOUT; DROP TABLE x; COPY (SELECT 1", 2, "(42601)"),
        ("query: WITH x AS (INSERT INTO t VALUES (1) RETURNING id) SELECT id FROM x", 2, "data-modifying"),
        ("query: SELECT nextval('s') AS a", 3, "read-only transaction"),
        ("query: SELECT 1 / (SELECT 0) AS a", 3, "division by zero"),
    ] {
        let bench = Bench::new(reads, "");
        bench.sql("CREATE TABLE t (id int); CREATE SEQUENCE s");
        bench.run().expect_code(code).expect_stderr(words);
        assert!(bench.files().is_empty());
    }
}

/// The end of a query may be a comment or a semicolon.
#[test]
fn queries_end_as_people_end_them() {
    let bench = Bench::new("query: |\n      -- all\n      SELECT 1 AS a; ", "");
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "a\n1\n");
    let bench = Bench::new("query: SELECT 1 AS a -- one", "");
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "a\n1\n");
}

#[test]
fn a_lookup_may_be_a_table() {
    let lookup = "transforms:\n  - lookup:\n      source:\n        postgres: {url: \"${env:DATABASE_URL}\", table: \
                  countries, tls: {mode: disable}}\n      on: {country: code}\n      columns: {country_name: name}\n";
    let bench = Bench::new("query: SELECT 1 AS id, 'BE' AS country", lookup);
    bench.sql("CREATE TABLE countries (code char(2), name text); INSERT INTO countries VALUES ('BE', 'Belgium')");
    bench.run().expect_code(0);
    assert_eq!(bench.only_file(), "id,country,country_name\n1,BE,Belgium\n");
}

/// What the server is given to prove who connects never comes back.
#[test]
fn no_failure_shows_the_password() {
    let server = Postgres::shared();
    let bench = Bench::new("query: SELECT 1 AS a", "");
    let wrong = format!("postgres://{}:swordfish@127.0.0.1:{}/{}", server.user(), server.port(), bench.name());
    let nowhere = "postgres://nobody:swordfish@127.0.0.1:1/x".to_owned();
    for (url, code, words) in [
        (wrong, 3, "password authentication failed"),
        (nowhere, 4, "cannot connect"),
        ("postgres://:swordfish@".to_owned(), 2, "url"),
        (format!("{}?sslmode=wrong&pass=swordfish", bench.url()), 2, "`pass`"),
    ] {
        let told = bench.outflow(&["run", "feed.yaml"]).env("DATABASE_URL", url).run();
        assert!(!format!("{}{}", told.stdout, told.stderr).contains("swordfish"), "{}", told.stderr);
        told.expect_code(code).expect_stderr(words);
    }
}

/// The reference pipeline, as `init` writes it: each change of its sample table once, and nothing that is not for it.
#[test]
fn the_reference_pipeline_delivers_each_change_once() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Postgres::shared());
    let url = server.database();
    let outflow = |arguments: &[&str]| {
        Outflow::in_folder(folder.path()).args(arguments).env("DATABASE_URL", &url).run().expect_code(0)
    };
    let said = outflow(&["init", "feed", "--vendor", "postgres"]).stdout;
    server.sql(&url, &std::fs::read_to_string(folder.path().join("feed/data/contacts.sql")).unwrap());
    let commands = said.split("Next:\n").nth(1).unwrap().lines();
    let commands = commands.map(|line| line.trim().strip_prefix("outflow ").unwrap()).collect::<Vec<_>>();
    assert_eq!(commands.len(), 3, "{said}");
    commands.iter().for_each(|command| drop(outflow(&command.split(' ').collect::<Vec<_>>())));
    let out = folder.path().join("feed/out");
    let delivered =
        || files_below(&out).into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect::<Vec<_>>();
    let header = "id,email,first_name,consent,changed_at\n";
    let first = format!(
        "{header}1,ada@example.com,Ada,true,2026-01-05 09:00:00+00\n2,grace@example.com,Grace,true,2026-01-05 09:00:00+00\n\
         4,edsger@example.com,Edsger,true,2026-02-11 08:15:00.123456+00\n"
    );
    assert_eq!(delivered(), [first.as_str()]);
    outflow(&["run", "feed/contacts.yaml"]);
    assert_eq!(delivered().len(), 1, "nothing has changed");
    server.sql(&url, "UPDATE contacts SET first_name = 'Countess', changed_at = DEFAULT WHERE id = 1");
    server.sql(&url, "INSERT INTO contacts VALUES (5, 'barbara@example.com', 'Barbara', 'x5', true)");
    let changed = outflow(&["run", "feed/contacts.yaml", "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&changed).unwrap();
    let new = delivered().into_iter().find(|file| *file != first).unwrap();
    assert!(
        new.contains("1,ada@example.com,Countess,") && new.contains("5,barbara@example.com,Barbara,true,"),
        "{new}"
    );
    assert_eq!((new.lines().count(), &report["rows"]["read"]), (3, &2.into()), "{new}");
}
