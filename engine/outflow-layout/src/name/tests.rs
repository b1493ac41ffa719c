//! Names that are refused, values that are made safe, and clashes.

use super::*;

#[test]
fn checked() {
    for path in ["a", "2017/03/14/a_b.csv", "dt=2019/é ü.csv", "..a", "a..", ".hidden", "a%2Fb"] {
        assert_eq!(check(path), Ok(()), "{path}");
    }
    for (path, why) in [
        ("", "a file name is empty"),
        ("../x", "the file name `../x` has a part `..`, which leads to another folder"),
        ("a/./x", "the file name `a/./x` has a part `.`, which leads to another folder"),
        ("a//x", "the file name `a//x` has an empty part between slashes"),
        ("a/", "the file name `a/` has an empty part between slashes"),
        ("/a", "the file name `/a` starts with `/`; names are relative to the sink's path"),
        ("a\\b", "the file name `a\\\\b` holds a back-slash; folders are separated by `/`"),
        ("a\r\nb", "the file name `a\\r\\nb` holds a control character"),
        ("a\0", "the file name `a\\0` holds a control character"),
        ("a\u{85}", "the file name `a\\u{85}` holds a control character"),
    ] {
        assert_eq!(check(path), Err(why.to_string()), "{path}");
    }
    assert_eq!(check(&"a".repeat(255)), Ok(()));
    assert!(check(&"a".repeat(256)).expect_err("long").ends_with("has a part of 256 bytes; at most 255 are allowed"));
    assert_eq!(check(&"a/b/c/d/".repeat(128)[..1023]), Ok(()));
    assert!(check(&"a/b/c/d/".repeat(129)).expect_err("long").ends_with("has 1032 bytes; at most 1024 are allowed"));
}

#[test]
fn escaping_is_injective_and_safe() {
    for (value, safe) in [
        ("add", "add"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a..b", "a..b"),
        ("\n\\\0", "%0A%5C%00"),
        ("é\u{85}", "é%C2%85"),
    ] {
        assert_eq!(escaped(value), safe);
        assert_eq!(check(safe), Ok(()));
    }
}

#[test]
fn clashes() {
    let intent =
        |part| FileIntent { dataset: "d".into(), partition: vec![], part, nonce: String::new(), counters: vec![] };
    let name = FileName { path: "x".into(), archive_entry: None, content_type: None, metadata: vec![] };
    let odd = FileName { content_type: Some("text/csv\r\nx: y".into()), ..name.clone() };
    let error = Register::default().data_files([(&intent(1), &odd)]).expect_err("a header of its own");
    assert_eq!(error, "the metadata `text/csv\\r\\nx: y` of the file `x` holds more than printable ASCII");
    let mut register = Register::default();
    assert_eq!(register.data_files([(&intent(1), &name)]), Ok(()));
    assert_eq!(register.data_files([(&intent(1), &name)]), Ok(()), "the same file again");
    assert!(register.data_files([(&intent(2), &name)]).is_err());
    let entry = |path: &str, entry: &str| FileName {
        path: path.into(),
        archive_entry: Some(entry.into()),
        ..FileName::default()
    };
    assert_eq!(register.data_files([(&intent(3), &entry("z", "1")), (&intent(4), &entry("z", "2"))]), Ok(()));
    assert_eq!(register.data_files([(&intent(4), &entry("z", "2"))]), Ok(()), "the same entry again");
    let error = register.data_files([(&intent(5), &entry("z", "2"))]).expect_err("one entry twice");
    assert!(error.starts_with("two files of the run are both the entry `2` of `z`"), "{error}");
    for name in [FileName { path: "z".into(), ..FileName::default() }, entry("x", "1")] {
        let error = register.data_files([(&intent(6), &name)]).expect_err("an archive and a file");
        assert!(error.starts_with("two files of the run are both named"), "{error}");
    }
    let artifact =
        |path: &str, body: &str| Artifact { path: path.into(), content_type: String::new(), body: body.into() };
    assert_eq!(register.artifacts(&[], &[artifact("c", "1")]), Ok(()));
    assert_eq!(register.artifacts(&[], &[artifact("c", "1")]), Ok(()), "the same artifact again");
    assert!(register.artifacts(&[], &[artifact("c", "2")]).is_err());
    assert!(register.artifacts(&[], &[artifact("x", "1")]).is_err(), "over a data file");
    let error = register.artifacts(&[], &[artifact("d", "1"), artifact("d", "1")]).expect_err("of two data files");
    assert!(error.starts_with("two companions are both named `d`"), "{error}");
    assert_eq!(register.artifacts(&[], &[artifact("e/f/g", "1"), artifact("e-f", "1"), artifact("e/fg", "1")]), Ok(()));
    for (path, inner, outer) in [("e", "e/", "e"), ("e/f", "e/f/g", "e/f"), ("x/count", "x/count", "x")] {
        let error = register.artifacts(&[], &[artifact(path, "1")]).expect_err(path);
        let told = error.contains(&format!("`{inner}")) && error.contains(&format!(" below `{outer}`"));
        assert!(told, "{error}");
    }
}
