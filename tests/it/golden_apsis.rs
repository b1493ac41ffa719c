//! The APSIS One export of profiles: byte for byte for a small request whose document was made by hand, and the
//! reference pipeline against documents that scripts, one in Python and one in jq, build from the same rows.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process::{Outflow, copy_folder, repository, run};
use crate::support::python::python;
use crate::support::tree::difference;

/// Runs one golden case in an empty folder, compares what lies there afterwards, and gives the run's report.
fn check(case: &str) -> Value {
    let golden = repository().join("tests/golden/apsis");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(golden.join("rows.jsonl"), folder.path().join("rows.jsonl")).unwrap();
    fs::copy(golden.join(case).join("pipeline.yaml"), folder.path().join("pipeline.yaml")).unwrap();
    let arguments = ["run", "pipeline.yaml", "--at", "2020-01-08T00:00:00Z", "--sink", "local:delivered"];
    Outflow::in_folder(folder.path()).args(arguments).args(["--report", "report.json"]).run().expect_code(0);
    let found = difference(&golden.join(case).join("expected"), &folder.path().join("delivered"));
    assert_eq!(found, None, "{case}:\n{}", found.as_deref().unwrap_or_default());
    serde_json::from_str(&fs::read_to_string(folder.path().join("report.json")).unwrap()).unwrap()
}

/// APSIS-3, APSIS-17, APSIS-18, APSIS-19, APSIS-20, APSIS-21, APSIS-22, APSIS-23, APSIS-24, APSIS-25, APSIS-26: the
/// document. APSIS-1: the state of topics stands below `topics`. APSIS-6: a week of events. Rows that it cannot hold
/// go to the dead letter, each with its reason.
#[test]
fn document() {
    let report = check("document");
    let codes = json!({
        "apsis/key": 1, "apsis/kind": 1, "apsis/number": 1, "apsis/boolean": 1,
        "apsis/created-at": 1, "apsis/source-event-time": 1, "apsis/data": 1,
    });
    assert_eq!(report["rejects"]["codes"], codes);
    assert_eq!(report["files"][0]["rows"], 3);
}

/// APSIS-3, APSIS-17 to APSIS-26: jq makes of the rows the document that was made by hand.
#[test]
fn document_by_jq() {
    let golden = repository().join("tests/golden/apsis");
    let request = json!({"window": [1_577_836_800_000_i64, 1_578_441_600_000_i64], "sections": [
        {
            "section": "s.europe",
            "attributes": [
                "a.email", "a.zip", {"id": "a.points", "type": "number"}, {"id": "a.member", "type": "boolean"},
                {"id": "a.likes", "type": "json"},
            ],
            "tags": ["t.vip", "t.new"],
            "events": ["e.open.1"],
        },
        {"section": "s.asia", "attributes": ["a.email", "a.points"], "topics": ["top.news"]},
    ]});
    let document = golden.join("document/expected/golden-document_20200108T000000Z.json");
    jq_agrees(&document, &request, &golden.join("rows.jsonl"));
}

/// Fails unless jq builds this document from these rows. Both go through jq, which so has the last word on numbers.
fn jq_agrees(document: &Path, request: &Value, rows: &Path) {
    let jq = |arguments: &[&str]| {
        let outcome = run(Command::new("jq").arg("-S").args(arguments), Duration::from_secs(120)).expect_code(0);
        assert!(outcome.stdout.len() > 100, "{}", outcome.stdout);
        outcome.stdout
    };
    let program = repository().join("tests/it/support/profiles.jq");
    let request = request.to_string();
    let built = jq(&["-n", "--argjson", "request", &request, "--slurpfile", "rows", text(rows), "-f", text(&program)]);
    assert_eq!(jq(&[".", text(document)]), built);
}

/// APSIS-14, APSIS-15: the same document, compressed.
#[test]
fn gzip() {
    check("gzip");
}

/// APSIS-4: whoever asks for events alone gets an empty document.
#[test]
fn events_alone_bring_no_profile() {
    check("events-only");
}

/// APSIS-2: a segment is a filter of the pipeline; a segment without profiles still makes a document.
#[test]
fn an_empty_segment_makes_a_document() {
    check("empty");
}

/// APSIS-3, APSIS-17 to APSIS-26 on the reference pipeline: equal to what a script makes of the same rows.
#[test]
fn reference_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines/apsis"), folder.path());
    let run = ["run", "europe-profiles.yaml", "--at", "2020-01-09T06:07:08Z", "--report", "report.json"];
    Outflow::in_folder(folder.path()).args(run).run().expect_code(0);
    let file = folder.path().join("out/europe_20200109T060708Z.json");
    let pipeline = fs::read_to_string(folder.path().join("europe-profiles.yaml")).unwrap();
    assert!(pipeline.contains("start_at: \"2020-01-01T00:00:00Z\""), "the window below is of another request");
    let request = json!({"window": [1_577_836_800_000_i64, 1_578_441_600_000_i64], "sections": [
        {
            "section": "usercreated.sections.europe-r6tz73a27t",
            "attributes": [
                "com.apsis1.attributes.email", "com.apsis1.attributes.firstname", "com.apsis1.attributes.mobile",
                {"id": "usercreated.attributes.points-1a2b3c4d5e", "type": "number"},
                {"id": "usercreated.attributes.member-9z8y7x6w5v", "type": "boolean"},
                {"id": "usercreated.attributes.interests-5t4r3e2w1q", "type": "json"},
            ],
            "tags": ["usercreated.tags.vip-aaaaaaaaaa", "usercreated.tags.new-bbbbbbbbbb"],
            "events": ["com.apsis1.events.email-open", "com.apsis1.events.email-click"],
        },
        {"section": "usercreated.sections.americas-k2m4p6q8s0", "attributes": ["com.apsis1.attributes.email"]},
    ]});
    let rows = folder.path().join("data/profile_rows.jsonl");
    let arguments = [text(&file), &request.to_string(), text(&rows)];
    python().file("profiles.py", &arguments).expect_code(0);
    jq_agrees(&file, &request, &rows);
    let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["rows"]["rejected"], 3);
    assert_eq!(report["rejects"]["codes"], json!({"apsis/kind": 1, "apsis/number": 1, "apsis/created-at": 1}));
}

/// APSIS-5, APSIS-27, APSIS-28: the linter tells what a request may not ask, and where it says so.
#[test]
fn the_linter_knows_the_limits() {
    let folder = tempfile::tempdir().unwrap();
    let golden = repository().join("tests/golden/apsis");
    fs::copy(golden.join("rows.jsonl"), folder.path().join("rows.jsonl")).unwrap();
    let good = fs::read_to_string(golden.join("document/pipeline.yaml")).unwrap();
    let many = (0..72).map(|number| format!("a.{number}")).collect::<Vec<_>>().join(", ");
    for (from, to, said) in [
        ("    start_at: \"2020-01-01T00:00:00Z\"\n", "", "events are exported of a time that you name"),
        ("00Z\"\n", "00Z\"\n    end_at: \"2020-04-01T00:00:01Z\"\n", "more than 3 calendar months after `start_at`"),
        ("[a.email, a.points]", &format!("[{many}]"), "77 attributes; an export has at most 75"),
        ("[t.vip, t.new]", "[t.vip, t.vip]", "`t.vip` is listed twice"),
    ] {
        let wrong = good.replace(from, to);
        assert_ne!(wrong, good, "{from}");
        fs::write(folder.path().join("pipeline.yaml"), wrong).unwrap();
        let outcome = Outflow::in_folder(folder.path()).args(["lint", "pipeline.yaml"]).run();
        assert_ne!(outcome.code, Some(0), "{said}");
        let all = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(all.contains(said), "`{said}` is missing in\n{all}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
