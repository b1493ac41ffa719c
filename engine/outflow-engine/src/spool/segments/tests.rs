//! Bytes of many files, of several readers, and what is wrong with them.

use super::*;

fn waiting(bytes: &[u8]) -> Waiting {
    let mut waiting = Waiting::default();
    waiting.extend(bytes);
    waiting
}

fn text(reader: &mut Reader, file: usize) -> String {
    let mut text = String::new();
    reader.of(file).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn bytes_come_back_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut segments = Segments::create(folder.path().join("rows")).unwrap();
    assert_eq!(text(&mut segments.reader(1).unwrap(), 0), "", "no segments");
    let long = "x".repeat(3 * READ.1 + 1);
    let mut expected = vec![String::new(); 50];
    for segment in 0..40 {
        let files = (0..50_usize).filter(|file| !(file + segment).is_multiple_of(3));
        let bytes =
            |file: usize| if (file + segment).is_multiple_of(11) { long.clone() } else { format!("{file}.{segment} ") };
        let files = files.map(|file| (file, bytes(file))).collect::<Vec<_>>();
        files.iter().for_each(|(file, bytes)| expected[*file] += bytes);
        let files = files.iter().map(|(file, bytes)| (*file, waiting(bytes.as_bytes()))).collect::<Vec<_>>();
        segments.append(files.iter().map(|(file, waiting)| (*file, waiting))).unwrap();
    }
    // With much memory for each segment and with little, every file and only some.
    for (readers, step) in [(1, 1), (2, 1), (3000, 1), (1, 7), (3000, 7)] {
        let mut reader = segments.reader(readers).unwrap();
        for file in (0..50).step_by(step) {
            assert!(text(&mut reader, file) == expected[file], "file {file} of {readers} readers");
        }
    }
    // What was only begun is passed over.
    let mut reader = segments.reader(1).unwrap();
    let mut begun = [0; 3];
    reader.of(10).read_exact(&mut begun).unwrap();
    assert_eq!(begun, expected[10].as_bytes()[..3]);
    assert!(text(&mut reader, 11) == expected[11]);
    segments.remove().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn lost_bytes_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut segments = Segments::create(folder.path().join("rows")).unwrap();
    segments.append([(4, &waiting(&[7; 9000]))].into_iter()).unwrap();
    segments.file.set_len(5000).unwrap();
    let error = segments.reader(1).unwrap().of(4).read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
