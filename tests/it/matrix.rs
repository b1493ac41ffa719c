//! One pipeline, many clients: each with its own values, credentials, state and outcome.

use std::path::Path;

use serde_json::Value;

use crate::support::process::{Outcome, Outflow, files_below};
use crate::support::strict_s3::{self, StrictS3};

/// A folder with rows, and a pipeline whose instances go to folders named by their `client`.
fn feed(matrix: &str, sink: &str, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.csv"), "id,city\n1,Gent\n2,Brugge\n").unwrap();
    let pipeline = format!(
        "version: 1\nname: feed\nsource: {{files: {{path: rows.csv}}}}\nlayout:\n  files: {{path: \
         \"${{matrix:client}}_{{{{ nonce }}}}.csv\", format: csv}}\nsink: {sink}\nmatrix: {matrix}\n{more}"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

const LOCAL: &str = "{local: {path: \"out/${matrix:client}\"}}";

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    Outflow::in_folder(folder).args(arguments).run()
}

fn reports(outcome: &Outcome) -> Vec<Value> {
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// SAIL-14, SAIL-17: a client whose bucket or credentials fail is left out and told apart from trouble of our own; the
/// others are delivered, and the exit code says that some were not.
#[test]
fn a_client_that_fails_is_left_out_and_the_others_go_on() {
    let server = StrictS3::start(&["acme", "beta", "zeta"]);
    let sink = format!(
        "{{s3: {{bucket: \"${{matrix:bucket}}\", endpoint: \"{}\", access_key_id: \"${{matrix:key}}\", \
         secret_access_key: \"${{matrix:secret}}\"}}}}",
        server.endpoint()
    );
    let entry = |client: &str, bucket: &str, secret: &str| {
        format!(
            "  - {{client: \"{client}\", bucket: {bucket}, key: \"${{env:KEY}}\", secret: \"${{env:{secret}}}\"}}\n"
        )
    };
    let matrix = [
        entry("0001", "acme", "SECRET"),
        entry("0002", "nowhere", "SECRET"),
        entry("0003", "beta", "WRONG"),
        entry("0004", "beta", "UNSET"),
        entry("0005", "zeta", "SECRET"),
    ];
    let folder = feed(&format!("\n{}", matrix.concat()), &sink, "");
    let call = || {
        let command = Outflow::in_folder(folder.path()).args(["run", "feed.yaml", "--format", "json"]);
        command.env("KEY", strict_s3::ACCESS_KEY).env("SECRET", strict_s3::SECRET_KEY).env("WRONG", "canary-secret-1")
    };
    let ran = call().run().expect_code(5).expect_stderr("`UNSET` is not set (instance `0004`)");
    assert!(!format!("{ran:?}").contains("canary-secret-1"), "{ran:?}");
    let told = reports(&ran);
    let outcomes = told.iter().map(|report| {
        let word = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
        (word("pipeline"), word("status"), word("class"))
    });
    let client = "client_service_error";
    let expected = [
        ("feed/0001", "delivered", ""),
        ("feed/0002", "failed", client),
        ("feed/0003", "failed", client),
        ("feed/0004", "failed", "general_error"),
        ("feed/0005", "delivered", ""),
    ];
    assert_eq!(outcomes.collect::<Vec<_>>(), expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    assert_eq!((server.store().objects("acme").len(), server.store().objects("beta").len()), (1, 0));
    // Each has its own ledger; the lists know them all.
    let runs = outflow(folder.path(), &["runs", "list"]).expect_code(0);
    assert_eq!(runs.stdout.lines().count(), 5, "{}", runs.stdout);
    assert_eq!(runs.stdout.matches(client).count(), 2, "{}", runs.stdout);
    assert!(!runs.stdout.contains("canary-secret-1"));
    assert!(folder.path().join(".outflow/instances/feed/0001/ledger.sqlite").exists());
    outflow(folder.path(), &["files", "list"]).expect_code(0).expect_stdout("0005_");
    // Once it is mended, the same call delivers what is missing and nothing twice.
    let again = call().env("UNSET", strict_s3::SECRET_KEY).env("WRONG", strict_s3::SECRET_KEY).run().expect_code(5);
    let statuses =
        reports(&again).iter().map(|report| report["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(statuses, ["already_delivered", "failed", "delivered", "delivered", "already_delivered"]);
}

#[test]
fn instances_are_picked_by_name() {
    let folder = feed("[{client: acme}, {client: beta}, {client: zeta}]", LOCAL, "");
    let path = folder.path();
    outflow(path, &["run", "feed.yaml", "--instance", "beta", "--instance", "acme"]).expect_code(0);
    let names = |files: Vec<(String, Vec<u8>)>| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let delivered = names(files_below(&path.join("out")));
    assert!(delivered.len() == 2 && delivered[0].starts_with("acme/acme_"), "{delivered:?}");
    outflow(path, &["run", "feed.yaml", "--instance", "nobody"]).expect_code(2).expect_stderr("`acme`, `beta`, `zeta`");
    outflow(path, &["preview", "feed.yaml"]).expect_code(2).expect_stderr("--instance acme");
    outflow(path, &["preview", "feed.yaml", "--instance", "zeta"]).expect_code(0).expect_stdout("zeta_");
    outflow(path, &["files", "verify", "feed.yaml", "--instance", "beta"]).expect_code(0).expect_stdout("intact");
    // One at a time or all at once, it is the same.
    outflow(path, &["run", "feed.yaml", "--parallel", "1"]).expect_code(0);
    assert_eq!(files_below(&path.join("out")).len(), 3);
}

#[test]
fn many_instances_run_at_the_same_time() {
    let entries = (0..24).map(|client| format!("- {{client: c{client:02}}}\n")).collect::<String>();
    let folder = feed("{file: clients.yaml}", LOCAL, "");
    std::fs::write(folder.path().join("clients.yaml"), entries).unwrap();
    let ran = outflow(folder.path(), &["run", "feed.yaml", "--format", "json", "--parallel", "8"]).expect_code(0);
    let names = reports(&ran).iter().map(|report| report["pipeline"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let expected = (0..24).map(|client| format!("feed/c{client:02}")).collect::<Vec<_>>();
    assert_eq!(names, expected, "told in the order of the file");
    assert_eq!(files_below(&folder.path().join("out")).len(), 24);
    // A file of instances is no pipeline.
    outflow(folder.path(), &["lint", "."]).expect_code(0).expect_stderr("1 file checked");
}

#[test]
fn the_linter_checks_every_instance_and_says_which() {
    let folder =
        feed("[{client: acme, bucket: a}, {client: beta, bucket: s3://b}]", "{s3: {bucket: \"${matrix:bucket}\"}}", "");
    let linted = outflow(folder.path(), &["lint", "feed.yaml", "--format", "concise"]).expect_code(1);
    let lines = linted.stdout.lines().collect::<Vec<_>>();
    assert!(
        matches!(lines.as_slice(), [one] if one.contains("OF401") && one.ends_with("(instance `beta`)")),
        "{lines:?}"
    );
    outflow(folder.path(), &["run", "feed.yaml", "--instance", "beta"]).expect_code(2).expect_stderr("OF401");
}

/// After so many failures that only the client can mend, it is left alone until something changes or time is over.
#[test]
fn a_broken_client_is_left_alone() {
    let server = StrictS3::start(&["acme"]);
    let sink = format!(
        "{{s3: {{bucket: acme, endpoint: \"{}\", access_key_id: \"${{env:KEY}}\", secret_access_key: \"${{env:SECRET}}\"}}}}",
        server.endpoint()
    );
    let folder = feed("[{client: acme}]", &sink, "delivery: {breaker: {failures: 2, retry_after: 1h}}\n");
    let call = |secret: &str, more: &[&str]| {
        let command = Outflow::in_folder(folder.path()).args(["run", "feed.yaml"]).args(more);
        command.env("KEY", strict_s3::ACCESS_KEY).env("SECRET", secret).run()
    };
    for _ in 0..2 {
        call("wrong-secret-1", &[]).expect_code(3);
    }
    let asked = server.exchanges().len();
    let held = call("wrong-secret-1", &[]).expect_code(3).expect_stderr("not tried: the last 2 runs failed");
    assert_eq!(server.exchanges().len(), asked, "nobody was asked: {held:?}");
    outflow(folder.path(), &["runs", "list"]).expect_stdout("held");
    call("wrong-secret-1", &["--force"]).expect_code(3);
    assert!(server.exchanges().len() > asked);
    let asked = server.exchanges().len();
    call("wrong-secret-1", &[]).expect_code(3).expect_stderr("not tried");
    assert_eq!(server.exchanges().len(), asked);
    // Other credentials are another configuration.
    call(strict_s3::SECRET_KEY, &[]).expect_code(0);
    assert_eq!(server.store().objects("acme").len(), 1);
}

/// `test` takes every instance of a pipeline for a case of its own, or the one that is named.
#[test]
fn each_instance_is_tested_against_files_of_its_own() {
    let folder = feed("[{client: acme}, {client: beta}]", LOCAL, "");
    let path = folder.path();
    outflow(path, &["test", "feed.yaml", "--update"])
        .expect_code(0)
        .expect_stdout("feed.yaml acme")
        .expect_stdout("feed.yaml beta");
    let expected = files_below(&path.join("expected/feed"));
    assert!(expected.iter().any(|(name, _)| name.starts_with("beta/beta_")), "{expected:?}");
    assert_eq!(outflow(path, &["test"]).expect_code(0).stdout.matches("ok  ").count(), 2);
    let (name, _) = expected.iter().find(|(name, _)| name.starts_with("beta/")).unwrap();
    std::fs::write(path.join("expected/feed").join(name), "id,city\n").unwrap();
    outflow(path, &["test"]).expect_code(1).expect_stdout("FAILED     ./feed.yaml beta");
    outflow(path, &["test", "feed.yaml", "--instance", "acme"])
        .expect_code(0)
        .expect_stdout("ok         feed.yaml acme");
    outflow(path, &["test", "feed.yaml", "--instance", "nobody"]).expect_code(2);
}
