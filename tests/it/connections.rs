//! The project file from the command line: looked for upwards, linted beside the pipelines, used by a run.

use std::path::Path;

use crate::support::process::{Outflow, files_below};

const PIPELINE: &str = "version: 1\nname: contacts\nsource: {files: {path: contacts.csv}}\nlayout:\n  \
    files: {path: \"{{ at | date('%Y%m%d') }}.csv\", format: csv}\nsink: {connection: NAME, path: in/actito}\n";

fn project(connections: &str, uses: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("pipelines/actito");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(folder.path().join("outflow.yaml"), format!("version: 1\nconnections:\n  {connections}\n")).unwrap();
    std::fs::write(deep.join("contacts.csv"), "id\n1\n").unwrap();
    std::fs::write(deep.join("contacts.yaml"), PIPELINE.replace("NAME", uses)).unwrap();
    folder
}

fn outflow(folder: &Path, arguments: &[&str]) -> Outflow {
    Outflow::in_folder(folder).args(arguments)
}

/// ACT-8: a target declared apart from the pipeline is used by name; its folder starts at the project, not the pipeline.
#[test]
fn a_run_delivers_to_a_connection() {
    let folder = project("drop: {local: {path: \"${env:DROP}\"}}", "drop");
    let run = outflow(folder.path(), &["run", "pipelines/actito/contacts.yaml"]).env("DROP", "delivered").run();
    run.expect_code(0).expect_stdout("delivered");
    let files = files_below(&folder.path().join("delivered"));
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].0.starts_with("in/actito/20"), "{files:?}");
    outflow(folder.path(), &["lint", "."])
        .env("DROP", "delivered")
        .run()
        .expect_code(0)
        .expect_stderr("2 files checked");
}

#[test]
fn findings_of_the_project_stop_a_run_and_are_told_once() {
    let folder = project("drop: {local: {pth: out}}", "drop");
    let second = PIPELINE.replace("NAME", "drop").replace("name: contacts", "name: second");
    std::fs::write(folder.path().join("pipelines/actito/second.yaml"), second).unwrap();
    let lint = outflow(folder.path(), &["lint", "."]).run().expect_code(1).expect_stdout("outflow.yaml:3");
    assert_eq!(lint.stdout.matches("unknown field `pth`").count(), 1, "{}", lint.stdout);
    outflow(folder.path(), &["lint", "outflow.yaml"])
        .run()
        .expect_code(1)
        .expect_stdout("a similar name exists: `path`");
    let run = outflow(folder.path(), &["run", "pipelines/actito/contacts.yaml"]).run();
    run.expect_code(2).expect_stderr("outflow.yaml:3");
    assert!(!folder.path().join("pipelines/actito/.outflow").exists(), "nothing began");
    let folder = project("drop: {local: {path: out}}", "dorp");
    let lint = outflow(folder.path(), &["lint", "."]).run().expect_code(1);
    lint.expect_stdout("OF212").expect_stdout("a similar name exists: `drop`");
}

/// A secret of a connection shows neither in findings nor in errors of a run.
#[test]
fn secrets_of_a_connection_do_not_show() {
    let connection = "drop: {s3: {bucket: feeds, endpoint: \"http://127.0.0.1:1\", access_key_id: \"${env:KEY}\", \
        secret_access_key: \"${env:KEY}\"}}";
    let folder = project(connection, "drop");
    let run = outflow(folder.path(), &["run", "pipelines/actito/contacts.yaml"]).env("KEY", "canary-0123456789").run();
    assert!(!format!("{run:?}").contains("canary"), "{run:?}");
    run.expect_code(4);
}
