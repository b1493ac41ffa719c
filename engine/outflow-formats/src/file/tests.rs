//! Every container read back, by this machine's other programs too, with the size and digest that were reported.

use std::io::Read;

use super::*;
use std::process::Command;

mod large;

fn write(folder: &Path, name: &str, compression: Compression) -> Finished {
    let format = Format::JsonLines(crate::format::JsonStyle::default());
    let schema = Schema::empty();
    let path = folder.join(name);
    let mut file =
        OutputFile::create(&path, &format, compression, Some("data é.jsonl"), &schema, Algorithm::Xxh3).unwrap();
    for line in 0..5000 {
        file.write_encoded(format!("{{\"line\":{line}}}\n").as_bytes()).unwrap();
    }
    file.finish().unwrap()
}

fn expected() -> String {
    (0..5000).map(|line| format!("{{\"line\":{line}}}\n")).collect()
}

#[test]
fn digest_and_size_are_those_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, compression) in [
        ("plain", Compression::None),
        ("gzip", Compression::Gzip),
        ("zstd", Compression::Zstd),
        ("zip", Compression::Zip),
    ] {
        let finished = write(folder.path(), name, compression);
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
        assert_eq!(finished.bytes, bytes.len() as u64, "{name}");
        assert_eq!(finished.digest, Algorithm::Xxh3.of(&bytes), "{name}");
        assert_eq!(write(folder.path(), name, compression), finished, "{name} twice");
    }
}

#[test]
fn containers_hold_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| File::open(folder.path().join(name)).unwrap();
    write(folder.path(), "x.gz", Compression::Gzip);
    let mut text = String::new();
    flate2::read::GzDecoder::new(open("x.gz")).read_to_string(&mut text).unwrap();
    assert_eq!(text, expected());
    write(folder.path(), "x.zst", Compression::Zstd);
    assert_eq!(zstd::decode_all(open("x.zst")).unwrap(), expected().into_bytes());
    write(folder.path(), "x.zip", Compression::Zip);
    let mut archive = ::zip::ZipArchive::new(open("x.zip")).unwrap();
    assert_eq!(archive.len(), 1);
    let mut entry = archive.by_index(0).unwrap();
    assert_eq!(entry.name().unwrap(), "data é.jsonl");
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    assert_eq!(text, expected());
    let gzip = std::fs::read(folder.path().join("x.gz")).unwrap();
    assert_eq!(gzip[3..8], [0; 5], "neither name nor time");
}

#[test]
fn a_zip_needs_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let format = Format::Parquet;
    let result = OutputFile::create(
        &folder.path().join("x"),
        &format,
        Compression::Zip,
        None,
        &Schema::empty(),
        Algorithm::Xxh3,
    );
    assert!(result.is_err());
    let missing = folder.path().join("no/folder");
    let error = OutputFile::create(&missing, &format, Compression::None, None, &Schema::empty(), Algorithm::Xxh3);
    assert!(error.err().unwrap().is_io());
}

/// Written in any pieces, closed in between.
#[test]
fn plain_files_hold_no_handle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut file = PlainFile::new(path.clone(), Algorithm::Sha256);
    ["", "a", "bc\n"].iter().for_each(|text| file.append(&[text]).unwrap());
    let finished = file.finish().unwrap();
    assert_eq!((finished.bytes, std::fs::read(&path).unwrap()), (4, b"abc\n".to_vec()));
    assert_eq!(finished.digest, Algorithm::Sha256.of(b"abc\n"));
    assert!(PlainFile::new(folder.path().join("no/folder"), Algorithm::Sha256).finish().unwrap_err().is_io());
}

/// Python's gzip and zipfile modules check every field.
#[test]
fn other_programs_read_the_containers() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "x.gz", Compression::Gzip);
    write(folder.path(), "x.zip", Compression::Zip);
    std::fs::write(folder.path().join("plain"), expected()).unwrap();
    let script = "import gzip, zipfile\n\
                  plain = open('plain', 'rb').read()\n\
                  assert gzip.open('x.gz').read() == plain\n\
                  archive = zipfile.ZipFile('x.zip')\n\
                  assert archive.testzip() is None\n\
                  assert archive.namelist() == ['data \\u00e9.jsonl'], archive.namelist()\n\
                  assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)\n\
                  assert archive.read(archive.namelist()[0]) == plain\n";
    for (program, arguments) in
        [("python3", &["-c", script][..]), ("gzip", &["-t", "x.gz"]), ("unzip", &["-tqq", "x.zip"])]
    {
        // A machine without the program does not fail the test.
        if let Ok(output) = Command::new(program).args(arguments).current_dir(folder.path()).output() {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
