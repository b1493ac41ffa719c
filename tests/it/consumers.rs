//! What those who read the files do at the target: take them away at once, or write over them. Neither makes a delivery
//! send anything twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::process::{Outcome, Outflow, files_below};
use crate::support::sshd::Sshd;
use crate::support::strict_s3::{self, StrictS3};

const FILES: usize = 12;

/// A folder with a pipeline: a file for each contact, and no control file.
fn feed(sink: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..FILES).map(|row| format!("contact{row},{row}\n")).collect();
    std::fs::write(folder.path().join("contacts.csv"), format!("id,note\n{rows}")).unwrap();
    let pipeline = format!(
        "version: 1\nname: taken\nsource: {{files: {{path: contacts.csv}}}}\nlayout:\n  files: {{path: \
         \"{{{{ partition.id }}}}_{{{{ nonce[:8] }}}}.csv\", format: csv, split_by: [id]}}\nsink: {{{sink}}}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    let call = Outflow::in_folder(folder).args(arguments);
    call.env("KEY", strict_s3::ACCESS_KEY).env("SECRET", strict_s3::SECRET_KEY).run()
}

/// How often the consumer found each name.
type Taken = BTreeMap<String, usize>;

/// Takes away every final name as soon as it is there.
struct Consumer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Taken>,
}

impl Consumer {
    fn start(mut take: impl FnMut() -> Vec<String> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                let mut taken = Taken::new();
                loop {
                    let last = stop.load(Ordering::SeqCst);
                    take().into_iter().for_each(|name| *taken.entry(name).or_default() += 1);
                    if last {
                        return taken;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                }
            }
        });
        Self { stop, thread }
    }

    fn of_folder(folder: PathBuf) -> Self {
        Self::start(move || {
            let found = files_below(&folder).into_iter().map(|(name, _)| name);
            let names = found.filter(|name| name.ends_with(".csv"));
            names.filter(|name| std::fs::remove_file(folder.join(name)).is_ok()).collect()
        })
    }

    fn finish(self) -> Taken {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// Delivers to a target whose consumer takes each file at once; twice, and looks at what is told.
fn deliver(folder: &Path, consumer: Consumer, story: &str) {
    outflow(folder, &["run", "feed.yaml"]).expect_code(0).expect_stdout("delivered");
    outflow(folder, &["run", "feed.yaml"]).expect_code(0).expect_stdout("already delivered");
    let taken = consumer.finish();
    assert!(taken.len() == FILES && taken.values().all(|times| *times == 1), "{story}: {taken:?}");
    let told = outflow(folder, &["files", "verify", "feed.yaml"]).expect_code(0).stdout;
    assert_eq!(told.matches("collected").count(), FILES, "{story}: {told}");
}

/// F51: a consumer moves files away the moment they are there, before anything can read them back: each comes once.
#[test]
fn f51_files_that_are_taken_at_once_come_once() {
    let folder = feed("local: {path: out}");
    deliver(folder.path(), Consumer::of_folder(folder.path().join("out")), "local");

    let server = Arc::new(StrictS3::start(&["feeds"]));
    let folder = feed(&format!(
        "s3: {{bucket: feeds, endpoint: \"{}\", access_key_id: \"${{env:KEY}}\", secret_access_key: \"${{env:SECRET}}\"}}",
        server.endpoint()
    ));
    let store = server.clone();
    let consumer = Consumer::start(move || {
        let names = store.store().objects("feeds").into_keys();
        names.inspect(|name| store.store().delete("feeds", name).unwrap()).collect()
    });
    deliver(folder.path(), consumer, "s3");

    let server = Sshd::start();
    let folder = feed(&format!(
        "sftp: {{host: 127.0.0.1, port: {}, user: {}, private_key: \"${{file:{}}}\", host_keys: [\"{}\"], path: {}}}",
        server.address().port(),
        server.user(),
        server.private_key().display(),
        server.fingerprint("ed25519"),
        server.files().display()
    ));
    deliver(folder.path(), Consumer::of_folder(server.files()), "sftp");
}

/// F52: a consumer writes over a published file. It is told, and nobody but the consumer has changed it.
#[test]
fn f52_what_a_consumer_wrote_over_a_file_stays() {
    let folder = feed("local: {path: out}");
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    let out = folder.path().join("out");
    let files = files_below(&out);
    let (same_size, other) = (&files[3].0, &files[4].0);
    let spoilt = String::from_utf8(files[3].1.clone()).unwrap().replace("contact", "CONTACT");
    std::fs::write(out.join(same_size), spoilt).unwrap();
    std::fs::write(out.join(other), "done\n").unwrap();
    let before = files_below(&out);
    for run in ["already delivered", "already delivered"] {
        outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0).expect_stdout(run);
        let told = outflow(folder.path(), &["files", "verify", "feed.yaml"]).expect_code(3).stdout;
        assert!(told.lines().any(|line| line.contains("other content") && line.contains(same_size)), "{told}");
        assert!(told.lines().any(|line| line.contains("bytes at the target") && line.contains(other)), "{told}");
        assert_eq!(told.matches("intact").count(), FILES - 2, "{told}");
    }
    std::fs::write(folder.path().join("contacts.csv"), "id,note\nnew,row\n").unwrap();
    outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
    let after = files_below(&out);
    assert_eq!(after.len(), FILES + 1);
    assert!(before.iter().all(|file| after.contains(file)), "what the consumer wrote is as it was");
}
