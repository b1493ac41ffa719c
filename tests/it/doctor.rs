//! `doctor`, and the preflight of a run: what targets can do is found out by doing it, and nothing stays behind.

use std::path::Path;

use crate::support::process::{Outflow, files_below};
use crate::support::strict_s3::{self, Action, Fault, StrictS3};

/// A folder with a pipeline for a bucket, declared as a connection.
fn feed(server: &StrictS3, delivery: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let project = format!(
        "version: 1\nconnections:\n  bucket:\n    s3: {{bucket: feeds, endpoint: \"{}\", access_key_id: \"${{env:KEY}}\", \
         secret_access_key: \"${{env:SECRET}}\"}}\n",
        server.endpoint()
    );
    std::fs::write(folder.path().join("outflow.yaml"), project).unwrap();
    std::fs::write(folder.path().join("contacts.csv"), "id\n1\n").unwrap();
    let pipeline = format!(
        "version: 1\nname: contacts\nsource: {{files: {{path: contacts.csv}}}}\nlayout:\n  files: {{path: \"{{{{ at | unix }}}}.csv\", \
         format: csv}}\nsink: {{connection: bucket, path: in}}\ndelivery: {{{delivery}}}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn outflow(folder: &Path, arguments: &[&str]) -> Outflow {
    let call = Outflow::in_folder(folder).args(arguments);
    call.env("KEY", strict_s3::ACCESS_KEY).env("SECRET", strict_s3::SECRET_KEY)
}

#[test]
fn doctor_tells_of_a_pipeline_a_connection_and_all() {
    let server = StrictS3::start(&["feeds"]);
    let folder = feed(&server, "");
    for arguments in [&["doctor", "feed.yaml"][..], &["doctor", "--connection", "bucket"], &["doctor"]] {
        let told = outflow(folder.path(), arguments).run().expect_code(0).expect_stdout("s3://feeds");
        let told = told.expect_stdout("create if absent  yes").expect_stdout("in step with this machine");
        told.expect_stdout("one version of each name, whoever else writes there").expect_stdout("HTTP, in clear");
    }
    assert!(server.store().objects("feeds").is_empty(), "nothing stays");
    assert_eq!(server.exchanges_of("DeleteObjects").len(), 3 * 2);
    outflow(folder.path(), &["doctor", "--connection", "buckt"]).run().expect_code(2).expect_stderr("`bucket`");
    let refused = outflow(folder.path(), &["doctor", "feed.yaml"]).env("SECRET", "canary-secret-0000").run();
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
    refused.expect_code(3);
    let told = outflow(folder.path(), &["doctor", "feed.yaml", "--format", "json"]).run().expect_code(0);
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(told["schema"], "outflow/doctor/v1");
    assert_eq!(told["targets"][0]["guarantee"], "create_if_absent");
    let local = "version: 1\nname: a\nsource: {files: {path: contacts.csv}}\nlayout:\n  files: {path: \"{{ at }}.csv\", format: csv}\n\
        sink: {local: {path: out}}\n";
    std::fs::write(folder.path().join("local.yaml"), local).unwrap();
    outflow(folder.path(), &["doctor", "local.yaml"]).run().expect_code(0).expect_stdout("create if absent  yes");
    assert!(files_below(&folder.path().join("out")).is_empty(), "nothing stays");
}

/// F25: a server that ignores the condition is found out; what is then promised is less, and said so.
#[test]
fn doctor_finds_out_who_ignores_conditions() {
    let server = StrictS3::start(&["feeds"]);
    let folder = feed(&server, "");
    server.fail(Fault::always("PutObject", "", Action::IgnoreConditions));
    let told = outflow(folder.path(), &["doctor", "feed.yaml"]).run().expect_code(0);
    told.expect_stdout("create if absent  no").expect_stdout("by pinned bytes and the ledger only");
    assert!(server.store().objects("feeds").is_empty(), "nothing stays");
}

/// SAIL-16: writing, reading and deleting are tried before anything is extracted, and what was written is deleted.
#[test]
fn a_preflight_that_fails_stops_before_anything_is_read() {
    // Deletions name their keys in the body.
    for (operation, key) in [("PutObject", ".outflow-probe"), ("GetObject", ".outflow-probe"), ("DeleteObjects", "")] {
        let server = StrictS3::start(&["feeds"]);
        let folder = feed(&server, "preflight: true");
        server.fail(Fault::always(operation, key, Action::Respond(403, "AccessDenied")));
        let run = outflow(folder.path(), &["run", "feed.yaml", "--report", "report.json"]).run();
        run.expect_code(3);
        let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
        assert!(report.contains("client_service_error"), "{operation}: {report}");
        let left = server.store().objects("feeds").len();
        assert_eq!(left, usize::from(operation == "DeleteObjects"), "{operation}");
        assert!(server.exchanges_of("PutObject").iter().all(|put| put.key.contains(".outflow-probe")), "{operation}");
        server.heal();
        outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(0);
    }
    let server = StrictS3::start(&["feeds"]);
    let folder = feed(&server, "preflight: true");
    outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(0);
    let order: Vec<String> = server.exchanges().into_iter().map(|exchange| exchange.operation).collect();
    let at = |operation: &str| order.iter().position(|name| name == operation).unwrap();
    assert!(at("PutObject") < at("GetObject") && at("GetObject") < at("DeleteObjects"), "{order:?}");
    assert_eq!(server.store().objects("feeds").len(), 1, "only what was delivered stays");
}

/// A target that could refuse a second version and cannot any more stops the run, until someone has looked.
#[test]
fn a_lost_ability_stops_the_run() {
    let server = StrictS3::start(&["feeds"]);
    let folder = feed(&server, "preflight: true");
    outflow(folder.path(), &["run", "feed.yaml"]).run().expect_code(0);
    server.fail(Fault::always("PutObject", "", Action::IgnoreConditions));
    std::fs::write(folder.path().join("contacts.csv"), "id\n2\n").unwrap();
    let stopped = outflow(folder.path(), &["run", "feed.yaml", "--at", "2026-01-01T00:00:00Z"]).run().expect_code(3);
    stopped.expect_stderr("does not any more").expect_stderr("outflow doctor");
    outflow(folder.path(), &["doctor", "feed.yaml"]).run().expect_code(0).expect_stdout("create if absent  no");
    outflow(folder.path(), &["run", "feed.yaml", "--at", "2026-01-01T00:00:00Z"]).run().expect_code(0);
}
