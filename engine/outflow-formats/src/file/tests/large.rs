//! Archives past the limits of the first zip format, as other programs read them.

use super::*;

fn zip(path: &Path, entry: &str) -> OutputFile {
    let format = Format::JsonLines(crate::format::JsonStyle::default());
    OutputFile::create(path, &format, Compression::Zip, Some(entry), &Schema::empty(), Algorithm::Xxh3).unwrap()
}

/// `unzip`, and Python with a script of its own, must be content.
fn read_by_others(folder: &Path, script: &str) {
    for (program, arguments) in [("unzip", &["-tqq", "all.zip"][..]), ("python3", &["-c", script])] {
        let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// F66: more entries than a 16-bit number counts.
#[test]
fn an_archive_takes_more_entries_than_65_535() {
    const ENTRIES: usize = 65_600;
    let folder = tempfile::tempdir().unwrap();
    let one = |number: usize| {
        let path = folder.path().join(format!("{number}.zip"));
        let mut file = zip(&path, &format!("{number}.jsonl"));
        file.write_encoded(b"{}\n").unwrap();
        file.finish().unwrap();
        path
    };
    let archives = (0..ENTRIES).map(one).collect::<Vec<_>>();
    merge_zips(&archives, &folder.path().join("all.zip"), Algorithm::Xxh3).unwrap();
    read_by_others(
        folder.path(),
        &format!(
            "import zipfile; names = zipfile.ZipFile('all.zip').namelist(); assert names == [f'{{n}}.jsonl' for n in range({ENTRIES})]"
        ),
    );
}

/// F66: an entry larger than a 32-bit number counts. It takes a minute: `cargo test --workspace -- --ignored`.
#[test]
#[ignore = "writes and reads more than 4 GiB"]
fn an_entry_takes_more_than_4_gib() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = zip(&folder.path().join("all.zip"), "all.jsonl");
    let piece = vec![b'x'; 16 << 20];
    (0..257).for_each(|_| file.write_encoded(&piece).unwrap());
    file.finish().unwrap();
    read_by_others(
        folder.path(),
        "import zipfile; assert zipfile.ZipFile('all.zip').infolist()[0].file_size == 257 << 24",
    );
}
