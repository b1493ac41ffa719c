//! Actito deliveries, byte for byte after inflating: the cases of `tests/golden/actito`, made by hand from the vendor's
//! description.

use std::process::Command;
use std::time::Duration;

use crate::support::golden::check;
use crate::support::process::run;

/// ACT-11, ACT-12, ACT-13, ACT-14, ACT-15, ACT-16, ACT-17, ACT-18, ACT-19, ACT-21, ACT-22: a file of one row.
#[test]
fn a_sent_email() {
    check("actito/email_sent", "2024-05-02T01:00:00Z");
}

/// ACT-20: one deflated entry that other readers accept, and the same bytes again for the same run.
#[test]
fn the_container() {
    let archives = [(); 2].map(|()| {
        let ran = check("actito/email_sent", "2024-05-02T01:00:00Z");
        let archive = ran.delivered("email_sent_Customers_20240502.zip");
        let bytes = std::fs::read(&archive).unwrap();
        let listed = run(Command::new("unzip").arg("-Z").arg(&archive), Duration::from_secs(60)).expect_code(0);
        assert_eq!(listed.stdout.matches(" defN ").count(), 1, "{}", listed.stdout);
        run(Command::new("unzip").arg("-tq").arg(&archive), Duration::from_secs(60)).expect_code(0);
        let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); [e] = z.infolist(); print(z.testzip(), e.filename, e.compress_type)";
        let said = run(Command::new("python3").args(["-c", script]).arg(&archive), Duration::from_secs(60));
        assert_eq!(said.expect_code(0).stdout.trim(), "None email_sent_Customers_20240502.csv 8");
        bytes
    });
    assert!(archives[0] == archives[1]);
}

/// ACT-2, ACT-19, ACT-21, ACT-30: flows and profile tables of one input; a disabled flow is left out, rows of an unknown
/// flow or table and values that cannot be told apart are rejected. The date is that of the pipeline's zone.
#[test]
fn flows_and_tables() {
    let ran = check("actito/several", "2024-05-01T22:30:00Z");
    assert_eq!(ran.report()["rows"]["read"], 9);
}

/// ACT-3: a day without data has its files all the same.
#[test]
fn a_day_without_data() {
    check("actito/empty_day", "2024-05-02T01:00:00Z");
}

/// ACT-3: likewise when the input has not even columns.
#[test]
fn an_empty_input() {
    check("actito/empty_input", "2024-05-02T01:00:00Z");
}

/// ACT-19: a comma within a value is replaced.
#[test]
fn a_comma_within_a_value() {
    check("actito/replace", "2024-05-02T01:00:00Z");
}
