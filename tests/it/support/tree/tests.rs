//! The comparison finds what differs and nothing else.

use std::fs;
use std::process::Command;

use super::difference;

/// Files as path and content.
type Files = &'static [(&'static str, &'static str)];

#[test]
fn folders_are_compared_by_name_content_and_nonce() {
    let cases: &[(Files, Files, Option<&str>)] = &[
        (&[], &[], None),
        (&[("a/b.csv", "1\n2\n")], &[("a/b.csv", "1\n2\n")], None),
        (&[("a.csv", "1\n2\n")], &[("a.csv", "1\n3\n")], Some("line 2")),
        (&[("a.csv", "1\n")], &[("a.csv", "1\n2\n")], Some("line 2")),
        (&[("a.csv", "1\n")], &[], Some("`a.csv` is missing")),
        (&[], &[("a.csv", "")], Some("`a.csv` should not be there")),
        (&[("a_NONCE00.csv", "x NONCE00 y")], &[("a_0f1e2d3c.csv", "x 0f1e2d3c y")], None),
        (&[("a_NONCE00.csv", "x NONCE00 y")], &[("a_0f1e2d3c.csv", "x 0f1e2d3d y")], Some("differs")),
        (&[("a_NONCE00.csv", "")], &[("a_0F1E2D3C.csv", "")], Some("missing")),
        (&[("a_NONCE00.csv", "")], &[("a_0f1e2d3.csv", "")], Some("missing")),
    ];
    for (expected, actual, wanted) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (side, files) in [("expected", expected), ("actual", actual)] {
            for (path, content) in *files {
                let path = folder.path().join(side).join(path);
                fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
                fs::write(path, content).expect("a file");
            }
        }
        let found = difference(&folder.path().join("expected"), &folder.path().join("actual"));
        match wanted {
            None => assert_eq!(found, None, "{expected:?} {actual:?}"),
            Some(text) => {
                assert!(found.as_ref().is_some_and(|found| found.contains(text)), "{found:?} has no `{text}`")
            }
        }
    }
}

#[test]
fn archives_are_compared_by_what_is_in_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = "import gzip, zipfile; gzip.open('actual/a.csv.gz', 'w').write(b'1\\n'); zipfile.ZipFile('actual/b.zip', 'w').writestr('c/d.csv', '2\\n')";
    for (path, content) in [("a.csv.gz!/content", "1\n"), ("b.zip!/c/d.csv", "2\n")] {
        let path = folder.path().join("expected").join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    fs::create_dir(folder.path().join("actual")).expect("a folder");
    let status = Command::new("python3").args(["-c", script]).current_dir(folder.path()).status();
    assert!(status.is_ok_and(|status| status.success()));
    assert_eq!(difference(&folder.path().join("expected"), &folder.path().join("actual")), None);
}
