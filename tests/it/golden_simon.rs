//! The Simon feed of two contacts, byte for byte, in every format: the files under `tests/golden/simon` were made
//! by hand from the vendor's description. Names, rows and control files at once, so that each rule is seen in place.

use std::fs;
use std::path::Path;

use crate::support::process::{Outflow, repository};
use crate::support::tree::difference;

/// The instant that the golden files were exported at.
const AT: &str = "2017-03-14T17:54:13Z";

/// Runs one golden case in an empty folder and compares what lies there afterwards.
fn check(case: &str) {
    let golden = repository().join("tests/golden/simon");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = |from: &Path, name: &str| {
        fs::copy(from, folder.path().join(name))
            .unwrap_or_else(|error| panic!("cannot copy {}: {error}", from.display()));
    };
    copy(&golden.join("contacts.jsonl"), "contacts.jsonl");
    copy(&golden.join(case).join("pipeline.yaml"), "pipeline.yaml");
    let arguments = ["run", "pipeline.yaml", "--at", AT, "--sink", "local:delivered"];
    Outflow::in_folder(folder.path()).args(arguments).run().expect_code(0);
    let found = difference(&golden.join(case).join("expected"), &folder.path().join("delivered"));
    assert_eq!(found, None, "{case}:\n{}", found.as_deref().unwrap_or_default());
}

/// SIMON-4, SIMON-9, SIMON-11, SIMON-12, SIMON-13, SIMON-14, SIMON-15, SIMON-16: folders and names. SIMON-18,
/// SIMON-19, SIMON-20, SIMON-21, SIMON-22, SIMON-23, SIMON-10: rows. SIMON-25, SIMON-26, SIMON-27, SIMON-28, SIMON-29,
/// SIMON-30, SIMON-31, SIMON-32, SIMON-33, SIMON-34, SIMON-35, SIMON-36, SIMON-37: the control file.
#[test]
fn csv_feed_and_control_file() {
    check("csv");
}

/// SIMON-4, SIMON-17: tab-separated, told as `tsv`.
#[test]
fn tsv_feed_and_control_file() {
    check("tsv");
}

/// SIMON-4, SIMON-23, SIMON-32: JSON Lines, null for no variant.
#[test]
fn jsonl_feed_and_control_file() {
    check("jsonl");
}

/// SIMON-5, SIMON-6: the SHA-256 of the address in place of the address.
#[test]
fn hashed_feed_and_control_file() {
    check("hashed");
}

/// SIMON-3: the vendor's conditions are a row filter of the pipeline.
#[test]
fn conditions_choose_contacts() {
    check("conditions");
}

/// SIMON-14, SIMON-17, SIMON-19, SIMON-25, SIMON-35: the other readings of the vendor's text, by options.
#[test]
fn options_for_other_readings() {
    check("options");
}
