//! Heads: formats by extension, columns across files, options that cannot be.

use super::*;

fn spec(value: serde_json::Value) -> FilesSource {
    serde_json::from_value(value).unwrap()
}

fn known(folder: &Path, name: &str, content: &[u8], options: serde_json::Value) -> Result<KnownFile> {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let file = InputFile {
        name: name.to_owned(),
        location: Location::Local(path),
        size: content.len() as u64,
        version: "1".to_owned(),
    };
    KnownFile::open(&spec(options), &file)
}

#[test]
fn formats_are_told_by_extension_or_option() {
    let plain = spec(serde_json::json!({"path": "x"}));
    let cases = [
        ("a.csv", Some((SourceFormat::Csv, container::Compression::None))),
        ("a.TSV.gz", Some((SourceFormat::Tsv, container::Compression::Gzip))),
        ("b/a.ndjson.zst", Some((SourceFormat::Jsonl, container::Compression::Zstd))),
        ("a.parquet", Some((SourceFormat::Parquet, container::Compression::None))),
        ("a.txt", None),
        ("csv", None),
    ];
    for (name, expected) in cases {
        assert_eq!(kinds(&plain, name).ok(), expected, "{name}");
    }
    let told = spec(serde_json::json!({"path": "x", "format": "csv", "compression": "none"}));
    assert_eq!(kinds(&told, "a.gz").ok(), Some((SourceFormat::Csv, container::Compression::None)));
}

#[test]
fn columns_are_united_by_name_and_first_appearance() {
    let folder = tempfile::tempdir().unwrap();
    let path = serde_json::json!({"path": "x"});
    let files = [
        known(folder.path(), "a.csv", b"id,b\n1,2\n", path.clone()).unwrap(),
        known(folder.path(), "b.jsonl", b"{\"c\":1,\"b\":2,\"id\":\"x\"}\n", path.clone()).unwrap(),
        known(folder.path(), "c.csv", b"d,id\n1,2\n", path).unwrap(),
    ];
    let all = union(&files).unwrap();
    let columns = all.iter().map(json_column).map(|column| (column.name, column.kind == jsonl::Kind::Raw));
    let expected = [("id", false), ("b", false), ("c", true), ("d", false)].map(|(name, raw)| (name.to_owned(), raw));
    assert_eq!(columns.collect::<Vec<_>>(), expected);
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8], serde_json::Value, &str); 6] = [
        ("a.csv", b"x,x\n1,2\n", serde_json::json!({"path": "x"}), "`x`"),
        ("a.csv", b"1,2\n", serde_json::json!({"path": "x", "header": false}), "no header"),
        ("a.csv", b"x\n", serde_json::json!({"path": "x", "delimiter": "é"}), "ASCII"),
        ("a.csv", b"x\n", serde_json::json!({"path": "x", "encoding": "klingon"}), "klingon"),
        ("a.csv.gz", b"not gzip", serde_json::json!({"path": "x"}), "a.csv.gz"),
        ("a.parquet", b"not parquet", serde_json::json!({"path": "x"}), "a.parquet"),
    ];
    for (name, content, options, expected) in cases {
        let error = known(folder.path(), name, content, options).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}
