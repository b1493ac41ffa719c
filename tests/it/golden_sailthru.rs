//! Sailthru deliveries, byte for byte: the cases of `tests/golden/sailthru`, made by hand from the vendor's description.

use crate::support::golden::check;
use crate::support::process::{Outflow, copy_folder, files_below, repository};
use crate::support::python::python;

/// SAIL-6, SAIL-7, SAIL-21, SAIL-22, SAIL-23: the folder of the vendor's example, and a row as the vendor writes it.
#[test]
fn a_click() {
    check("sailthru/click", "2019-09-26T22:00:00Z");
}

/// SAIL-3, SAIL-4, SAIL-10, SAIL-23: two days of one run and a late event, from shuffled columns with old times; an
/// inserted column changes no other, absent ones are empty. A row without a time or a client is rejected.
#[test]
fn events_around_midnight() {
    check("sailthru/midnight", "2019-09-27T00:30:00Z");
}

/// SAIL-2: a new upstream column rides along.
#[test]
fn a_new_column_rides_along() {
    let ran = check("sailthru/midnight", "2019-09-27T00:30:00Z");
    let folder = ran.delivered("campaign_open/dt=20190927/client_id=0042");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.lines().next().unwrap().ends_with(",email_md5,email_sha256,app_version"), "{text}");
}

/// SAIL-8, SAIL-9, SAIL-10, SAIL-11: a lookup table is in the folder of the UTC hour of the export.
#[test]
fn a_lookup_table() {
    check("sailthru/lookup", "2019-10-01T00:00:30Z");
}

/// SAIL-24: mobile events of more than 48 hours ago are not in the delivery.
#[test]
fn late_mobile_events() {
    check("sailthru/mobile", "2024-05-03T12:00:00Z");
}

/// SAIL-1, SAIL-12: all three families from one input, which is read once; nothing else lies in the bucket.
#[test]
fn several_tables_of_one_input() {
    let ran = check("sailthru/several", "2024-05-03T12:00:00Z");
    assert_eq!(ran.report()["rows"]["read"], 8);
}

/// What DuckDB finds below a folder: rows, and rows that lie in the folder of another day or client.
const READ: &str = r#"
import duckdb, sys
for table in ["campaign_send", "campaign_click", "campaign_bounce", "triggered_click", "mobile_notifications"]:
    files = f"read_csv('{sys.argv[1]}/{table}/*/*/*.csv', all_varchar=true, filename=true, hive_partitioning=false)"
    right = "'%/dt=' || strftime(event_time::TIMESTAMP, '%Y%m%d') || '/client_id=' || client_id || '/part-%.csv'"
    query = f"SELECT count(*), count(*) FILTER (NOT filename LIKE {right}) FROM {files}"
    print(table, *duckdb.sql(query).fetchall()[0])
"#;

/// SAIL-3, SAIL-6, SAIL-10, SAIL-21: the shipped pipeline, read by another program by the names of its columns.
#[test]
fn the_shipped_pipeline_as_duckdb_reads_it() {
    if std::env::var_os("OUTFLOW_OFFLINE").is_some() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines/sailthru"), folder.path());
    Outflow::in_folder(folder.path()).args(["run", "events.yaml"]).run().expect_code(0);
    let said = python().script(READ, &[folder.path().join("out").to_str().unwrap()]).expect_code(0).stdout;
    let expected = "campaign_send 90 0\ncampaign_click 60 0\ncampaign_bounce 15 0\ntriggered_click 25 0\nmobile_notifications 50 0\n";
    assert_eq!(said, expected);
}

/// A Parquet file of one click, whose message is of the type given.
const WRITE: &str = "
import duckdb, sys
duckdb.sql(f\"\"\"COPY (SELECT '0000' AS client_id, TIMESTAMPTZ '2019-09-26 23:42:15.52+02' AS event_time,
    TIMESTAMP '2019-09-26 09:24:25' AS send_time, 1234567890123456789::{sys.argv[2]} AS message_id, 8421 AS campaign_id)
    TO '{sys.argv[1]}' (FORMAT parquet)\"\"\")
";

/// SAIL-22, SAIL-23: typed columns. Instants of any zone are written in UTC, and an id that was rounded is refused.
#[test]
fn typed_columns_of_parquet() {
    if std::env::var_os("OUTFLOW_OFFLINE").is_some() {
        return;
    }
    let pipeline = repository().join("tests/golden/sailthru/click/pipeline.yaml");
    let pipeline = std::fs::read_to_string(pipeline).unwrap().replace("clicks.jsonl", "clicks.parquet");
    let run = |kind: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        std::fs::write(folder.path().join("pipeline.yaml"), &pipeline).unwrap();
        let input = folder.path().join("in/clicks.parquet");
        python().script(WRITE, &[input.to_str().unwrap(), kind]).expect_code(0);
        let outcome = Outflow::in_folder(folder.path()).args(["run", "pipeline.yaml"]).run();
        let files = files_below(&folder.path().join("out"));
        (outcome, files.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect::<Vec<_>>())
    };
    let (outcome, files) = run("BIGINT");
    outcome.expect_code(0);
    assert!(files[0].0.starts_with("campaign_click/dt=20190926/client_id=0000/"), "{files:?}");
    let row = files[0].1.lines().nth(1).unwrap();
    assert!(row.starts_with("0000,,2019-09-26T21:42:15.520Z,2019-09-26 09:24:25,1234567890123456789,,8421,"), "{row}");
    let (outcome, files) = run("DOUBLE");
    outcome.expect_code(2).expect_stderr("`message_id` is a number of type Float64, which rounds ids");
    assert!(files.is_empty());
}
