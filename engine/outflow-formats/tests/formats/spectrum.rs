//! The cases of csv-spectrum: each `.csv` reads as the `.jsonl` beside it, and is written as it stood but for quotes
//! that are not needed.

use outflow_formats::format::{Dialect, Format, Terminator};

use crate::{as_json, read_csv, write};

#[test]
fn every_case_reads_as_expected_and_round_trips() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/tests/formats/spectrum";
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "csv") {
            continue;
        }
        let text = std::fs::read(&path).unwrap();
        let expected = std::fs::read_to_string(path.with_extension("jsonl")).unwrap();
        for size in [1, 10, 1 << 20] {
            let (batches, rejects) = read_csv(&text, &Dialect::default(), size).unwrap();
            assert_eq!(rejects, [], "{path:?}");
            assert_eq!(as_json(&batches), expected, "{path:?}");
            let crlf = path.to_string_lossy().contains("crlf");
            let terminator = if crlf { Terminator::Crlf } else { Terminator::Lf };
            let dialect = Dialect { terminator, ..Dialect::default() };
            assert_eq!(write(&batches, &Format::Csv(dialect)), text, "{path:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}
