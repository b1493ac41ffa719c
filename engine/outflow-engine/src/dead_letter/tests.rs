//! What the dead-letter file holds, counts and refuses.

use serde_json::json;

use super::*;

fn reject(row: u64, code: &str) -> Reject {
    Reject {
        file: Some("in.csv".into()),
        row: Some(row),
        code: code.into(),
        message: "4 cells, 3 expected".into(),
        record: json!({"b": 1, "a": null}),
    }
}

#[test]
fn the_file_is_born_with_the_first_reject_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let log = DeadLetter::create(folder.path().join("deep/rejects.jsonl"), None);
    assert!(!log.path().exists());
    log.finish().unwrap();
    assert!(!log.path().exists());
    for row in 1..=7 {
        log.push(reject(row, if row < 7 { "csv/columns" } else { "csv/utf8" })).unwrap();
    }
    log.finish().unwrap();
    let text = std::fs::read_to_string(log.path()).unwrap();
    let expected =
        r#"{"file":"in.csv","row":1,"code":"csv/columns","message":"4 cells, 3 expected","record":{"b":1,"a":null}}"#;
    assert_eq!(text.lines().next(), Some(expected));
    assert_eq!((text.lines().count(), log.count(), log.first().len()), (7, 7, KEPT));
    assert_eq!(log.codes(), BTreeMap::from([("csv/columns".into(), 6), ("csv/utf8".into(), 1)]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(log.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
    log.clear().unwrap();
    assert!(!log.path().exists() && log.count() == 0 && log.codes().is_empty());
}

#[test]
fn one_reject_too_many_fails_the_run() {
    let folder = tempfile::tempdir().unwrap();
    for (limit, allowed) in [(0, 0), (1, 1), (2, 2)] {
        let log = DeadLetter::create(folder.path().join(format!("{limit}.jsonl")), Some(limit));
        for row in 0..allowed {
            log.push(reject(row, "csv/columns")).unwrap();
        }
        let error = log.push(reject(9, "csv/quote")).unwrap_err();
        assert!(error.to_string().contains(&format!("more than {limit} row")), "{error}");
        assert!(error.to_string().contains("`csv/quote` 1"), "{error}");
        assert_eq!(error.domain(), crate::error::Domain::User);
        let written = std::fs::read_to_string(log.path()).unwrap().lines().count();
        assert_eq!(written, allowed as usize + 1, "the last one is written too");
    }
}

#[test]
fn a_path_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let log = DeadLetter::create(folder.path().join("file/rejects.jsonl"), None);
    let error = log.push(reject(1, "csv/columns")).unwrap_err();
    assert!(error.to_string().starts_with("cannot create the dead-letter file"), "{error}");
}
