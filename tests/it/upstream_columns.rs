//! What a column that appears or disappears upstream does to a feed: nothing, a ride along, or a refusal in words.

use std::fs;
use std::path::Path;

use crate::support::process::{Outflow, files_below};

/// What the run must do.
enum Expected<'a> {
    /// Deliver these files, in the order of their names.
    Files(&'a [&'a str]),
    /// Fail with these words, and deliver nothing.
    Refused(&'a [&'a str]),
}
use Expected::{Files, Refused};

const SIMON: &str = r#"
transforms:
  - select: {columns: [identifier, variant, operation, city], on_missing: "null", on_new: drop}
layout:
  simon: {client: acme, segment_name: New buyers, flow: {id: "4711", name: Welcome}, format: csv}
"#;

const LIVERAMP: &str = r#"
transforms:
  - select: {columns: [customer, city], on_missing: error, on_new: error}
layout:
  files:
    path: "Acme_NewBuyers_{{ at | date('%Y-%m-%d') }}.csv"
    format: csv
    columns: [{header: CUSTOMERID, column: customer}, {header: CITY, column: city}, {header: NEWBUYERS, value: "'1'"}]
"#;

const APPENDING: &str = r#"
transforms:
  - select: {columns: [customer, city], on_missing: {default: unknown}, on_new: append}
layout:
  files: {path: "feed_{{ at | date('%Y-%m-%d') }}.csv", format: csv}
"#;

const SAILTHRU: &str = "layout:\n  sailthru: {tables: [campaign_click]}\n";

/// A delivered table of Sailthru, which as CSV can be read again as the rows that gave it.
const CLICKS: &str =
    include_str!("../golden/sailthru/click/expected/campaign_click/dt=20190926/client_id=0000/part-NONCE00.csv");

const CONTROL: &str = "*";
const SIMON_ROWS: &str = "identifier,timestamp,segment_name,flow_name,action,variant,operation,city\n\
    a@x.be,2017-03-14 17:54:13,New buyers,Welcome,data_feed,,add,Ghent\n";

#[test]
fn a_column_that_comes_or_goes_does_what_the_pipeline_says() {
    let cases = [
        ("Simon, as it was", SIMON, "identifier,operation,city\na@x.be,add,Ghent\n", Files(&[SIMON_ROWS, CONTROL])),
        (
            "Simon, a new column changes nothing",
            SIMON,
            "brand_new,identifier,operation,city\n1,a@x.be,add,Ghent\n",
            Files(&[SIMON_ROWS, CONTROL]),
        ),
        (
            "Simon, a removed column is null",
            SIMON,
            "identifier,operation\na@x.be,add\n",
            Files(&[
                "identifier,timestamp,segment_name,flow_name,action,variant,operation,city\n\
                 a@x.be,2017-03-14 17:54:13,New buyers,Welcome,data_feed,,add,\n",
                CONTROL,
            ]),
        ),
        (
            "LiveRamp, as it was",
            LIVERAMP,
            "city,customer\nGhent,c-1\n",
            Files(&["CUSTOMERID,CITY,NEWBUYERS\nc-1,Ghent,1\n"]),
        ),
        (
            "LiveRamp, a new column is refused",
            LIVERAMP,
            "city,brand_new,customer\nGhent,1,c-1\n",
            Refused(&[
                "transform 1 (`select`): the input has columns that are not named: `brand_new`",
                "name them in `columns`, or set `on_new` to `drop` or `append`",
            ]),
        ),
        (
            "LiveRamp, a removed column is refused",
            LIVERAMP,
            "customer\nc-1\n",
            Refused(&["transform 1 (`select`): the input has no column `city`", "the columns are `customer`"]),
        ),
        (
            "a new column rides along after the known ones",
            APPENDING,
            "brand_new,city,customer\n1,Ghent,c-1\n",
            Files(&["customer,city,brand_new\nc-1,Ghent,1\n"]),
        ),
        ("a removed column has its default", APPENDING, "customer\nc-1\n", Files(&["customer,city\nc-1,unknown\n"])),
    ];
    for (what, pipeline, rows, expected) in cases {
        check(what, pipeline, rows, &expected);
    }
}

/// SAIL-2, SAIL-3, SAIL-4: a column that the upstream inserts anywhere rides along behind the known ones.
#[test]
fn a_new_column_of_sailthru_rides_along() {
    let (header, rows) = CLICKS.split_once('\n').unwrap();
    let inserted: String = rows.lines().map(|row| format!("new,{row}\n")).collect();
    let behind: String = rows.lines().map(|row| format!("{row},new\n")).collect();
    check("as it was", SAILTHRU, CLICKS, &Files(&[CLICKS]));
    let (read, written) = (format!("brand_new,{header}\n{inserted}"), format!("{header},brand_new\n{behind}"));
    check("a new column", SAILTHRU, &read, &Files(&[&written]));
}

fn check(what: &str, pipeline: &str, rows: &str, expected: &Expected<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let head = "version: 1\nname: feed\nsource: {files: {path: in.csv}}\nsink: {local: {path: out}}\n";
    fs::write(folder.path().join("feed.yaml"), format!("{head}{pipeline}")).unwrap();
    fs::write(folder.path().join("in.csv"), rows).unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let outflow = Outflow::in_folder(folder.path()).env("XDG_CACHE_HOME", cache);
    let outcome = outflow.args(["run", "feed.yaml", "--at", "2017-03-14T17:54:13Z"]).run();
    let found = files_below(&folder.path().join("out"));
    match expected {
        Files(files) => {
            assert_eq!(outcome.code, Some(0), "{what}: {}", outcome.stderr);
            assert_eq!(found.len(), files.len(), "{what}: {found:?}");
            for ((path, bytes), content) in found.iter().zip(*files) {
                assert!(*content == CONTROL || bytes == content.as_bytes(), "{what}: {path}: {bytes:?}");
            }
        }
        Refused(words) => {
            assert!(outcome.code != Some(0) && found.is_empty(), "{what}: {:?} {found:?}", outcome.code);
            for words in *words {
                assert!(outcome.stderr.contains(words), "{what}: `{words}` is missing in\n{}", outcome.stderr);
            }
        }
    }
}
