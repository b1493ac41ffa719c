//! Listing: one file, folders, globs, what is left out, and when two snapshots differ.

use super::*;

fn spec(path: &str) -> FilesSource {
    serde_json::from_value(serde_json::json!({ "path": path })).unwrap()
}

async fn names(path: &str, base: &Path) -> Vec<String> {
    match list(&spec(path), base, &[base.join("out")]).await {
        Ok(files) => files.into_iter().map(|file| file.name).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[tokio::test]
async fn files_are_found_in_name_order_without_hidden_ones() {
    let base = tempfile::tempdir().unwrap();
    for name in
        ["b.csv", "a.csv", ".half.csv", "_marker", "deep/c.csv", ".git/d.csv", "odd[1].csv", "out/e.csv", "_in/f.csv"]
    {
        let path = base.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    let cases: [(&str, &[&str]); 8] = [
        ("**/*.csv", &["a.csv", "b.csv", "deep/c.csv", "odd[1].csv"]),
        ("_in", &["_in/f.csv"]),
        ("a.csv", &["a.csv"]),
        ("*.csv", &["a.csv", "b.csv", "odd[1].csv"]),
        ("odd[1].csv", &["odd[1].csv"]),
        ("**/c.csv", &["deep/c.csv"]),
        (".", &["a.csv", "b.csv", "deep/c.csv", "odd[1].csv"]),
        ("x*.csv", &["no file matches source path `x*.csv`"]),
    ];
    for (path, expected) in cases {
        let found = names(path, base.path()).await;
        assert_eq!(found, expected, "{path}");
    }
}

#[tokio::test]
async fn a_snapshot_changes_with_content_and_name() {
    let base = tempfile::tempdir().unwrap();
    let path = base.path().join("a.csv");
    std::fs::write(&path, "one").unwrap();
    let first = snapshot(&list(&spec("a.csv"), base.path(), &[]).await.unwrap());
    assert_eq!(first, snapshot(&list(&spec("a.csv"), base.path(), &[]).await.unwrap()));
    std::fs::write(&path, "longer").unwrap();
    let second = snapshot(&list(&spec("a.csv"), base.path(), &[]).await.unwrap());
    assert_ne!(first, second);
    std::fs::rename(&path, base.path().join("b.csv")).unwrap();
    assert_ne!(second, snapshot(&list(&spec("b.csv"), base.path(), &[]).await.unwrap()));
}
