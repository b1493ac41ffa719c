//! Actito deliveries, byte for byte after inflating: the cases of `tests/golden/actito`, made by hand from the vendor's
//! description.

use std::process::Command;
use std::time::Duration;

use crate::support::golden::check;
use crate::support::process::{Outflow, copy_folder, repository, run};

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

/// ACT-3: likewise when the input is empty; the pipeline names the columns that it would have.
#[test]
fn an_empty_input() {
    check("actito/empty_input", "2024-05-02T01:00:00Z");
}

/// ACT-19: a comma within a value is replaced.
#[test]
fn a_comma_within_a_value() {
    check("actito/replace", "2024-05-02T01:00:00Z");
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

/// What Python reads from the archives of a folder: name, header, rows.
const READ: &str = r#"
import csv, io, pathlib, sys, zipfile
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    [entry] = zipfile.ZipFile(path).namelist()
    text = zipfile.ZipFile(path).read(entry).decode("utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
    assert entry == path.stem + ".csv" and all(len(row) == len(header) for row in rows)
    print(path.stem.rsplit("_", 1)[0], len(rows))
"#;

/// ACT-2, ACT-3, ACT-13, ACT-14, ACT-20, ACT-30: the shipped pipeline, read by another program.
#[test]
fn the_shipped_pipeline_as_python_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines/actito"), folder.path());
    Outflow::in_folder(folder.path()).args(["run", "out-flows.yaml"]).run().expect_code(0);
    let mut python = Command::new("python3");
    python.args(["-c", READ]).arg(folder.path().join("out"));
    let said = run(&mut python, Duration::from_secs(60)).expect_code(0).stdout;
    let archives: Vec<_> = said.lines().map(|line| line.rsplit_once(' ').unwrap()).collect();
    assert_eq!(archives.len(), 16, "{said}");
    assert!(!said.contains("email_unsubscribe") && said.contains("sms_delivered_Prospects 0\n"), "{said}");
    let rows = |flow: &str| {
        let counts = archives.iter().filter(|(name, _)| name.starts_with(flow));
        counts.map(|(_, rows)| rows.parse::<u32>().unwrap()).sum::<u32>()
    };
    assert_eq!((rows("email_sent"), rows("email_click"), rows("survey_answers")), (150, 60, 30), "{said}");
}
