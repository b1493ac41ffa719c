//! What is shown of a difference, and that an update leaves none.

use super::*;

#[test]
fn only_the_lines_that_differ_are_shown() {
    for (expected, found, shown) in [
        ("a\nb\nc\n", "a\nx\nc\n", "  from line 2\n  - b\n  + x\n"),
        ("a\n", "a\nb\n", "  from line 2\n  + b\n"),
        ("a\na\n", "a\n", "  from line 2\n  - a\n"),
        ("a", "a\n", "  from line 1\n  - a (no line feed)\n  + a\n"),
        ("\"a\"\r\n", "\"a\"\n", "  from line 1\n  - \"a\"\\r\n  + \"a\"\n"),
        ("", "", "  from line 1\n"),
    ] {
        assert_eq!(lines(expected.as_bytes(), found.as_bytes()), shown);
    }
    assert_eq!(lines(b"ab\xff", b"ac"), "  no text: 3 bytes expected, 2 found, equal up to byte 1\n");
    assert!(lines(b"", "x\n".repeat(40).as_bytes()).ends_with("  + … and 28 more lines\n"));
}

#[test]
fn folders() {
    let scratch = tempfile::tempdir().expect("a folder");
    let (expected, found) = (scratch.path().join("expected"), scratch.path().join("found"));
    assert_eq!(differences(&expected, &found).expect("no folder is an empty one"), Vec::<String>::new());
    embedded::write(&found.join("a/b.csv"), b"x\n").expect("writes");
    embedded::write(&expected.join("c.csv"), b"").expect("writes");
    let told = differences(&expected, &found).expect("reads");
    assert_eq!(told, ["missing    c.csv\n", "unexpected a/b.csv\n  from line 1\n  + x\n"]);
    assert_eq!(update(&expected, &found).expect("writes"), 1);
    assert_eq!(differences(&expected, &found).expect("reads"), Vec::<String>::new());
}
