//! Actito deliveries, byte for byte after inflating: the cases of `tests/golden/actito`, made by hand from the vendor's
//! description.

use crate::support::golden::check;
use crate::support::process::{Outflow, repository};

/// ACT-3: likewise when the input is empty; the pipeline names the columns that it would have.
#[test]
fn an_empty_input() {
    check("actito/empty_input", "2024-05-02T01:00:00Z");
}

/// ACT-14, ACT-20: another container or delimiter is an error before anything runs.
#[test]
fn other_containers_and_delimiters() {
    let pipeline = repository().join("tests/golden/actito/email_sent/pipeline.yaml");
    let text = std::fs::read_to_string(pipeline).unwrap();
    for (option, expected) in [("compression: none", "expected `zip`"), ("delimiter: \",\"", "expected `;`")] {
        let folder = tempfile::tempdir().unwrap();
        let changed =
            text.replace("profile_tables: [Customers]", &format!("profile_tables: [Customers]\n    {option}"));
        std::fs::write(folder.path().join("pipeline.yaml"), changed).unwrap();
        let said = Outflow::in_folder(folder.path()).args(["lint", "pipeline.yaml"]).run().expect_code(1);
        assert!(said.stdout.contains("OF104") && said.stdout.contains(expected), "{}\n{}", said.stdout, said.stderr);
    }
}
