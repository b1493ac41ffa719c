//! Which rows of a file are in a window, as files come, grow and change.

use arrow::datatypes::{Field, Schema};

use super::*;

/// A folder with files of times, and what deliveries saw of it.
struct Bench {
    folder: tempfile::TempDir,
    seen: Seen,
    versions: u64,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), seen: Seen::new(), versions: 0 }
    }

    /// Puts a file of times of day, one a line.
    fn put(&self, name: &str, times: &str) {
        let lines = times.split_whitespace().map(|time| format!("2026-03-14T{time}:00Z\n")).collect::<String>();
        std::fs::write(self.folder.path().join(name), lines).unwrap();
    }

    /// Reads a window and takes it for delivered: its times, the late ones, those of files written anew.
    fn window(&mut self, lo: &str, hi: &str, floor: &str) -> (String, u64, u64) {
        let at = |time: &str| format!("2026-03-14T{time}:00Z");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            self.versions += 1;
            // What is the same has the same version.
            files.push(InputFile {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                size: text.len() as u64,
                version: hex(&Sha256::digest(&text)),
                location: Location::Local(path),
            });
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let wanted = Wanted {
            cursor: "at".to_owned(),
            window: Window::new(at(lo), at(hi)),
            late_from: Some(at(floor)),
            seen: Arc::new(self.seen.clone()),
            overlap: None,
        };
        let arrivals = Arrivals::new(&wanted, &files).unwrap();
        let dead = DeadLetter::create(self.folder.path().join(".rejects"), None);
        let mut taken = Vec::new();
        for (number, file) in files.iter().enumerate() {
            if arrivals.skips(number) {
                continue;
            }
            let Location::Local(path) = &file.location else { panic!("a local file") };
            let text = std::fs::read_to_string(path).unwrap();
            let texts = text.lines().map(Some).collect::<StringViewArray>();
            let schema = Arc::new(Schema::new(vec![Field::new("at", DataType::Utf8View, true)]));
            let batch = RecordBatch::try_new(schema, vec![Arc::new(texts)]).unwrap();
            let (kept, _) = arrivals.take(number, &batch, &dead).unwrap();
            let column = kept.column(0).as_string_view().clone();
            taken.extend((0..column.len()).map(|row| column.value(row)[11..16].to_owned()));
        }
        assert!(arrivals.arrived().is_err(), "not read to its end");
        arrivals.complete();
        let arrived = arrivals.arrived().unwrap();
        self.seen.extend(arrived.seen);
        (taken.join(" "), arrived.late, arrived.untold)
    }
}

fn is(times: &str, late: u64, untold: u64) -> (String, u64, u64) {
    (times.to_owned(), late, untold)
}

#[test]
fn files_that_arrive_are_delivered_once() {
    let mut bench = Bench::new();
    bench.put("a", "09:59 10:00 10:09 10:10 10:25");
    assert_eq!(
        bench.window("10:00", "10:10", "10:00"),
        is("10:00 10:09", 0, 0),
        "what is before the start is not wanted"
    );
    bench.put("b", "09:30 10:05 10:15");
    assert_eq!(
        bench.window("10:10", "10:20", "10:00"),
        is("10:10 10:05 10:15", 1, 0),
        "late rows come with the next window"
    );
    assert_eq!(bench.window("10:20", "10:30", "10:00"), is("10:25", 0, 0));
    assert_eq!(bench.window("10:30", "10:40", "10:00"), is("", 0, 0));
}

#[test]
fn files_may_grow_at_their_end() {
    let mut bench = Bench::new();
    bench.put("a", "10:00 10:12");
    assert_eq!(bench.window("10:00", "10:10", "10:00"), is("10:00", 0, 0));
    bench.put("a", "10:00 10:12 10:01 10:13");
    assert_eq!(bench.window("10:10", "10:20", "10:00"), is("10:12 10:01 10:13", 1, 0));
    bench.put("a", "10:00 10:12 10:01 10:13 10:14 10:21");
    assert_eq!(bench.window("10:20", "10:30", "10:00"), is("10:14 10:21", 1, 0));
}

#[test]
fn files_written_anew_are_read_by_their_cursor() {
    let mut bench = Bench::new();
    bench.put("a", "10:00 10:05 10:12");
    assert_eq!(bench.window("10:00", "10:10", "10:00"), is("10:00 10:05", 0, 0));
    bench.put("a", "10:05 10:12 10:00 10:19 10:30");
    assert_eq!(
        bench.window("10:10", "10:20", "10:00"),
        is("10:12 10:19", 0, 2),
        "older rows are told, not delivered again"
    );
    bench.put("a", "10:31");
    assert_eq!(bench.window("10:20", "10:40", "10:00"), is("10:31", 0, 0));
}

#[test]
fn times_as_they_are_written() {
    let expected: Timestamp = "2026-03-14T10:00:00Z".parse().unwrap();
    for text in [
        "2026-03-14T10:00:00Z",
        " 2026-03-14 10:00:00 ",
        "2026-03-14T11:00:00+01:00",
        "2026-03-14 10:00:00+00",
        "1773482400000",
    ] {
        assert_eq!(instant(text), Some(expected), "{text}");
    }
    for text in ["", "soon", "2026-13-14T10:00:00Z", "-", "99999999999999999999"] {
        assert_eq!(instant(text), None, "{text}");
    }
}
