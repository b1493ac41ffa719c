//! `outflow init`: whatever vendor's pipeline it writes passes the linter, runs, and delivers what it says it must.

use std::path::Path;

use crate::support::process::{Outcome, Outflow, files_below, repository};

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    Outflow::in_folder(folder).args(arguments).run()
}

/// Folders of `pipelines/` are vendors; nothing else has to be done for a new one.
fn vendors() -> Vec<String> {
    let folders = std::fs::read_dir(repository().join("pipelines")).unwrap().flatten();
    let folders = folders.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn every_vendors_pipeline_lints_runs_and_delivers_what_it_must() {
    let told = outflow(&repository(), &["init", "--list"]).expect_code(0).stdout;
    assert!(vendors().contains(&"simon".to_owned()));
    assert!(told.contains("\npostgres  "), "{told}");
    // What reads a database is run beside its source, with a server.
    let vendors = vendors().into_iter().filter(|vendor| vendor != "postgres").collect::<Vec<_>>();
    for vendor in vendors.iter().map(Some).chain([None]) {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = vec!["init", "feed"];
        if let Some(vendor) = vendor {
            assert!(told.lines().any(|line| line.split(' ').next() == Some(vendor)), "{vendor} is missing in\n{told}");
            arguments.extend(["--vendor", vendor]);
        }
        let said = outflow(folder.path(), &arguments).expect_code(0).stdout;
        assert!(!files_below(&folder.path().join("feed/expected")).is_empty(), "{vendor:?} expects no file");
        let next = said.split("Next:\n").nth(1).unwrap();
        let commands = next.lines().map(|line| line.trim().strip_prefix("outflow ").unwrap()).collect::<Vec<_>>();
        assert_eq!(commands.len(), 4, "{said}");
        for command in commands {
            outflow(folder.path(), &command.split(' ').collect::<Vec<_>>()).expect_code(0);
        }
        outflow(folder.path(), &["lint", "feed", "--twice", "--deny-warnings"]).expect_code(0);
        assert!(!files_below(&folder.path().join("feed/out")).is_empty(), "{vendor:?} delivered no file");
    }
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("orders.yaml"), "mine").unwrap();
    let refused = outflow(folder.path(), &["init"]).expect_code(2);
    refused.expect_stderr("error: `./orders.yaml` is there already").expect_stderr("hint: choose an empty folder");
    assert_eq!(files_below(folder.path()), [("orders.yaml".to_owned(), b"mine".to_vec())]);
    outflow(folder.path(), &["init", "--vendor", "nobody"])
        .expect_code(2)
        .expect_stderr("unknown vendor `nobody`")
        .expect_stderr("`simon`");
}

/// What differs is told by its lines, and `--update` or `BLESS=1` takes it as expected.
#[test]
fn a_test_tells_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    outflow(folder.path(), &["init"]).expect_code(0);
    let data = folder.path().join("data/orders.csv");
    let changed = std::fs::read_to_string(&data).unwrap().replace("0.99", "1.99").replace("cancelled", "paid");
    std::fs::write(&data, changed).unwrap();
    let told = outflow(folder.path(), &["test"]).expect_code(1).stdout;
    for line in ["FAILED     ./orders.yaml", "different  2026/03/14/orders_BE_", "  from line 3", "  + 0003,"] {
        assert!(told.contains(line), "`{line}` is missing in\n{told}");
    }
    outflow(folder.path(), &["test", "--update"]).expect_code(0).expect_stdout("updated    ./orders.yaml: 2 files");
    outflow(folder.path(), &["test"]).expect_code(0).expect_stdout("ok         ./orders.yaml");
    std::fs::remove_dir_all(folder.path().join("expected")).unwrap();
    outflow(folder.path(), &["test"]).expect_code(2).expect_stderr("`--update`");
    Outflow::in_folder(folder.path()).args(["test", "orders.yaml"]).env("BLESS", "1").run().expect_code(0);
    assert_eq!(files_below(&folder.path().join("expected")).len(), 2);
    assert!(!folder.path().join("out").exists() && !folder.path().join(".outflow").exists());
}
