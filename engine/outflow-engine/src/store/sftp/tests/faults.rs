//! What lines and servers can do wrong: F38 to F41 and F44 to F46 of the fault matrix, with both backends.

use std::time::Instant;

use super::proxy::{Fault, Leg};
use super::sshd::Setup;
use super::*;

/// F38, F39: a flipped byte and a cut leave at most the temporary file, and the next attempt succeeds.
#[tokio::test]
async fn f38_f39_a_spoilt_line_publishes_nothing() {
    for backend in BOTH {
        for fault in [Fault::Corrupt, Fault::Cut] {
            let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
            let proxy = Proxy::scripted(server.address(), move |n| match n {
                0 => Script::up(3_000_000, fault),
                _ => Script::default(),
            });
            let sink = sink(&server, backend, proxy.address());
            let sealed = file(folder.path(), "data.csv", &noise(10_000_000));
            let put = sink.put(&sealed, ".outflow-1.part", &Quiet).await.unwrap();
            assert!(
                matches!(&put, Put::Unknown(error) if error.retry() == Retry::Later),
                "{backend:?} {fault:?}: {put:?}"
            );
            assert!(there(&server).iter().all(|name| name == ".outflow-1.part"), "{:?}", there(&server));
            assert_eq!(sink.compare(&sealed, Trust::Spool).await.unwrap(), Proof::Absent);
            let put = sink.put(&sealed, ".outflow-1.part", &Quiet).await.unwrap();
            assert!(matches!(put, Put::Stored), "{put:?}");
            assert_eq!(sink.compare(&sealed, Trust::Nothing).await.unwrap(), Proof::Same);
            assert_eq!(there(&server), ["data.csv"]);
        }
    }
}

/// F39: what a dead attempt left is swept by its name, and only that.
#[tokio::test]
async fn f39_leftovers_are_swept() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let sink = sink(&server, backend, server.address());
        let sealed = file(folder.path(), "a/data.csv", b"ours");
        sink.sweep(&sealed, ".outflow-1.part").await.unwrap();
        fs::create_dir_all(server.files().join("in/actito/a")).unwrap();
        for name in ["a/.outflow-1.part", "a/.outflow-2.part", "a/other.csv"] {
            fs::write(server.files().join("in/actito").join(name), "half").unwrap();
        }
        sink.sweep(&sealed, ".outflow-1.part").await.unwrap();
        assert_eq!(there(&server), ["a/.outflow-2.part", "a/other.csv"]);
    }
}

/// F40: the server confirms neither what it could not write; `fsync` and `close` may succeed all the same.
#[tokio::test]
async fn f40_a_full_disk_is_an_error_and_leaves_nothing() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let disk = server.files().join("in/actito");
        fs::create_dir_all(&disk).unwrap();
        let small = Mounted::new(&disk);
        let sink = sink(&server, backend, server.address());
        let sealed = file(folder.path(), "big.csv", &noise(5_000_000));
        let error = sink.put(&sealed, ".part", &Quiet).await.unwrap_err();
        assert_eq!((error.domain(), error.retry()), (Domain::External, Retry::Later), "{error}");
        assert!(error.to_string().contains("big.csv") && error.hint_text().unwrap().contains("space"), "{error}");
        assert_eq!(there(&server), [""; 0], "{backend:?}");
        // The session goes on.
        let sealed = file(folder.path(), "small.csv", b"fits");
        assert!(matches!(sink.put(&sealed, ".part", &Quiet).await.unwrap(), Put::Stored));
        drop(small);
    }
}

/// A file system of one megabyte.
struct Mounted(PathBuf);

impl Mounted {
    fn new(place: &Path) -> Self {
        let arguments = ["-t", "tmpfs", "-o", "size=1m", "none"];
        assert!(as_root("mount").args(arguments).arg(place).status().unwrap().success(), "this test needs to mount");
        Self(place.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = as_root("umount").arg("-l").arg(&self.0).status();
    }
}

fn as_root(program: &str) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id == b"0\n" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["-n", program]);
    command
}

/// F41: the reply to the rename is lost; the file is there, whole, and is adopted.
#[tokio::test]
async fn f41_a_rename_whose_reply_is_lost_is_adopted() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let late = Leg { latency: Duration::from_millis(300), ..Leg::default() };
        let proxy = Proxy::scripted(server.address(), move |n| match n {
            0 => Script { down: late.clone(), ..Script::default() },
            _ => Script::default(),
        });
        let sink = sink(&server, backend, proxy.address());
        let sealed = file(folder.path(), "data.csv", &noise(100_000));
        let place = server.files().join("in/actito/data.csv");
        let watched = async {
            while !place.exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            proxy.cut();
        };
        let (put, ()) = tokio::join!(sink.put(&sealed, ".part", &Quiet), watched);
        assert!(matches!(put, Ok(Put::Unknown(_))), "{put:?}");
        assert_eq!(sink.compare(&sealed, Trust::Spool).await.unwrap(), Proof::Same);
        assert_eq!(there(&server), ["data.csv"]);
    }
}

/// F44: a key that is unknown, has changed, is of another kind or was revoked ends it before any password is sent.
#[tokio::test]
async fn f44_a_server_that_does_not_prove_itself_gets_nothing() {
    let config = "PasswordAuthentication yes";
    let server = Sshd::with(Setup { host_keys: &["ed25519", "ecdsa"], config });
    let only_rsa = Sshd::with(Setup { host_keys: &["rsa"], config });
    let other = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let files = AtomicU64::new(0);
    let port = server.address().port();
    let ours = server.known_hosts("ed25519", port);
    for backend in BOTH {
        let guarded = |server: &Sshd, known_hosts: Option<&str>, pins: &[String]| SftpSink {
            known_hosts: known_hosts.map(|text| {
                let known = folder.path().join(files.fetch_add(1, Ordering::Relaxed).to_string());
                fs::write(&known, text).unwrap();
                known.to_str().unwrap().to_owned()
            }),
            host_keys: pins.to_vec(),
            password: Some(Secret::new("canary-password-0123456789")),
            private_key: None,
            ..spec(&other, backend, server.address())
        };
        let ed = server.fingerprint("ed25519");
        let cases = [
            (guarded(&server, None, &[other.fingerprint("ed25519")]), ed.as_str()),
            (guarded(&server, Some(""), &[]), "has no key of it"),
            (guarded(&server, Some(&other.known_hosts("ed25519", port)), &[]), "but"),
            (guarded(&server, Some(&format!("{ours}@revoked * {}", &ours[ours.find(' ').unwrap()..])), &[]), "revoked"),
            (guarded(&only_rsa, Some(&server.known_hosts("ed25519", only_rsa.address().port())), &[]), "ssh-rsa"),
            (SftpSink { known_hosts: Some("/nowhere/known_hosts".into()), ..guarded(&server, None, &[]) }, "/nowhere"),
        ];
        for (spec, wanted) in cases {
            let error = open(&spec).check().await.unwrap_err();
            assert_eq!((error.domain(), error.retry()), (Domain::External, Retry::Never), "{backend:?} {error}");
            assert!(error.to_string().contains(wanted), "{backend:?}: `{wanted}` is missing in: {error}");
            assert!(!format!("{error:?}").contains("canary-password"));
        }
        // The server has two kinds of keys, and only the one it does not prefer is known.
        let second = server.known_hosts("ecdsa", port);
        let known_by_second = SftpSink {
            private_key: Some(Secret::new(fs::read_to_string(server.private_key()).unwrap())),
            password: None,
            ..guarded(&server, Some(&second), &[])
        };
        open(&known_by_second).check().await.unwrap();
    }
    for server in [&server, &only_rsa] {
        assert!(!server.log().contains("assword"), "nobody tried a password: {}", server.log());
    }
}

/// F45: a server that stops answering costs bounded time, whatever it was doing.
#[tokio::test]
async fn f45_a_frozen_server_is_given_up() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let sink = open(&SftpSink { idle_seconds: 1, connect_seconds: 2, ..spec(&server, backend, server.address()) });
        let sealed = file(folder.path(), "data.csv", &noise(200_000_000));
        sink.check().await.unwrap();
        let frozen = async {
            while !there(&server).contains(&".part".to_owned()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            server.freeze();
            Instant::now()
        };
        let (put, began) = tokio::join!(sink.put(&sealed, ".part", &Quiet), frozen);
        assert!(matches!(put, Ok(Put::Unknown(_))), "{put:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{backend:?} {:?}", began.elapsed());
        let began = Instant::now();
        let error = sink.compare(&sealed, Trust::Spool).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later, "{error}");
        assert!(began.elapsed() < Duration::from_secs(7), "{backend:?} {:?}", began.elapsed());
        assert!(!there(&server).contains(&"data.csv".to_owned()));
    }
}

/// A connection that was lost between two calls is replaced without a word; so is one that is refused at first.
#[tokio::test]
async fn lost_connections_are_replaced() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let proxy = Proxy::scripted(server.address(), |n| Script { refuse: n == 0, ..Script::default() });
        let sink = sink(&server, backend, proxy.address());
        let sealed = file(folder.path(), "data.csv", b"ours");
        assert_eq!(sink.compare(&sealed, Trust::Spool).await.unwrap(), Proof::Absent);
        server.kill();
        assert_eq!(sink.compare(&sealed, Trust::Spool).await.unwrap(), Proof::Absent);
        proxy.cut();
        assert_eq!(sink.compare(&sealed, Trust::Spool).await.unwrap(), Proof::Absent);
        assert!(matches!(sink.put(&sealed, ".part", &Quiet).await.unwrap(), Put::Stored));
        assert_eq!(proxy.connections(), 4);
        proxy.treat(|_| Script { refuse: true, ..Script::default() });
        proxy.cut();
        let error = sink.compare(&sealed, Trust::Spool).await.unwrap_err();
        assert_eq!((error.domain(), error.retry()), (Domain::External, Retry::Later), "{error}");
    }
}

/// A narrow line is not a silent one.
#[tokio::test]
async fn a_slow_line_is_waited_for() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let narrow = Leg { bandwidth: Some(400_000), ..Leg::default() };
        let proxy = Proxy::scripted(server.address(), move |_| Script { up: narrow.clone(), ..Script::default() });
        let sink = open(&SftpSink { idle_seconds: 1, ..spec(&server, backend, proxy.address()) });
        let sealed = file(folder.path(), "data.csv", &noise(2_000_000));
        let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
        assert!(matches!(put, Put::Stored), "{backend:?} {put:?}");
    }
}

/// F46: what the server does not allow is said with the path, and is not tried again.
#[tokio::test]
async fn f46_refusals_name_the_path() {
    let read_only = Sshd::with(Setup { config: "ForceCommand internal-sftp -R", ..Setup::default() });
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let sealed = file(folder.path(), "a/data.csv", b"ours");
        let error = sink(&read_only, backend, read_only.address()).put(&sealed, ".part", &Quiet).await.unwrap_err();
        assert_eq!((error.domain(), error.retry()), (Domain::External, Retry::Never), "{error}");
        assert!(error.to_string().contains("permission denied") && error.to_string().contains("/in"), "{error}");

        let sink = sink(&server, backend, server.address());
        let root = server.files().join("in/actito");
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("a"), "a file where a folder has to be").unwrap();
        let error = sink.put(&sealed, ".part", &Quiet).await.unwrap_err();
        assert!(error.to_string().contains("in/actito/a` is not a folder"), "{error}");
        let too_long = file(folder.path(), "data.csv", b"ours");
        let error = sink.put(&too_long, &"x".repeat(300), &Quiet).await.unwrap_err();
        assert_eq!((error.domain(), error.retry()), (Domain::External, Retry::Never), "{error}");
        assert!(error.to_string().contains("in/actito/data.csv"), "{error}");

        std::os::unix::fs::symlink(folder.path(), root.join("away")).unwrap();
        let escaping = file(folder.path(), "away/data.csv", b"ours");
        let error = sink.put(&escaping, ".part", &Quiet).await.unwrap_err();
        assert!(error.to_string().contains("is not a folder"), "{error}");
        assert!(!folder.path().join("data.csv").exists());
        std::os::unix::fs::symlink("/nowhere", root.join("link.csv")).unwrap();
        let linked = file(folder.path(), "link.csv", b"ours");
        assert!(matches!(sink.compare(&linked, Trust::Nothing).await.unwrap(), Proof::Different(_)));
        assert!(matches!(sink.put(&linked, ".part", &Quiet).await.unwrap(), Put::Taken));

        // A folder that was removed after it was made is made again.
        let again = file(folder.path(), "b/one.csv", b"ours");
        assert!(matches!(sink.put(&again, ".part", &Quiet).await.unwrap(), Put::Stored));
        fs::remove_dir_all(root.join("b")).unwrap();
        assert!(matches!(sink.put(&again, ".part", &Quiet).await.unwrap(), Put::Stored));
    }
}
