//! The SFTP sink over OpenSSH's own server, with both backends: what it publishes, what it refuses, how it logs in.
//! What lines and servers do wrong is in `faults`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use outflow_spec::secret::Secret;

use super::*;
use crate::error::{Domain, Retry};
use crate::progress::Quiet;
use crate::store::tests::{conforms, file};

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../../../tests/it/support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../../../tests/it/support/sshd.rs"]
mod sshd;

mod faults;

use proxy::{Proxy, Script};
use sshd::Sshd;

const BOTH: [SftpBackend; 2] = [SftpBackend::Russh, SftpBackend::Ssh2];

fn spec(server: &Sshd, backend: SftpBackend, address: SocketAddr) -> SftpSink {
    SftpSink {
        host: address.ip().to_string(),
        port: address.port(),
        user: server.user(),
        password: None,
        private_key: Some(Secret::new(fs::read_to_string(server.private_key()).unwrap())),
        passphrase: None,
        agent: None,
        known_hosts: None,
        host_keys: vec![server.fingerprint("ed25519")],
        path: server.files().join("in/actito").to_str().unwrap().to_owned(),
        backend,
        connect_seconds: 10,
        idle_seconds: 5,
        files_at_once: 16,
        connections: None,
    }
}

fn open(spec: &SftpSink) -> Sftp {
    Sftp::new(spec, Path::new("/")).unwrap()
}

/// A sink through an address.
fn sink(server: &Sshd, backend: SftpBackend, address: SocketAddr) -> Sftp {
    open(&spec(server, backend, address))
}

/// Bytes that look like nothing.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Files below the folder that is delivered to, relative to it.
fn there(server: &Sshd) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let root = server.files().join("in/actito");
    let mut found = vec![];
    walk(&root, &root, &mut found);
    found.sort();
    found
}

#[tokio::test]
async fn sftp_conforms() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let sink = sink(&server, backend, server.address());
        conforms(&sink, folder.path()).await;
        assert_eq!(there(&server), ["a/Nothing/data.csv", "a/Spool/data.csv"], "{backend:?}: no temporary file stays");
        assert!(sink.identity().starts_with("sftp://") && !sink.identity().contains("PRIVATE"));
    }
}

/// Files larger than any window, of odd sizes, and none of a byte; all of it heard of; over one connection with russh.
#[tokio::test]
async fn many_files_of_all_sizes_are_in_flight() {
    struct Heard(AtomicU64);
    impl Progress for Heard {
        fn event(&self, event: Event<'_>) {
            if let Event::Delivered(bytes) = event {
                self.0.fetch_add(bytes, Ordering::Relaxed);
            }
        }
    }
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let proxy = Proxy::scripted(server.address(), |_| Script::round_trip(Duration::from_millis(10)));
        let sink = sink(&server, backend, proxy.address());
        let sizes =
            [0, 1, 255 * 1024, 255 * 1024 + 1, 1 << 20, 20_000_003].into_iter().chain((0..30).map(|n| 1000 + n));
        let spool = |n: usize, size: usize| {
            let place = folder.path().join(n.to_string());
            fs::create_dir(&place).unwrap();
            file(&place, &format!("deep/er/{n}.csv"), &noise(size))
        };
        let files: Vec<_> = sizes.enumerate().map(|(n, size)| spool(n, size)).collect();
        let heard = Heard(AtomicU64::new(0));
        let names: Vec<_> = (0..files.len()).map(|n| format!(".outflow-{n}.part")).collect();
        let puts = files.iter().zip(&names).map(|(file, name)| sink.put(file, name, &heard));
        for put in futures::future::join_all(puts).await {
            assert!(matches!(put, Ok(Put::Stored)), "{put:?}");
        }
        assert_eq!(heard.0.load(Ordering::Relaxed), files.iter().map(|file| file.bytes).sum::<u64>());
        for file in &files {
            assert_eq!(sink.compare(file, Trust::Spool).await.unwrap(), Proof::Same, "{}", file.path);
            assert_eq!(sink.compare(file, Trust::Nothing).await.unwrap(), Proof::Same, "{}", file.path);
        }
        let allowed = if backend == SftpBackend::Russh { 1 } else { 4 };
        assert_eq!(proxy.connections(), allowed, "{backend:?}");
        assert_eq!(there(&server).len(), files.len());
    }
}

/// F42: a name in use keeps its bytes; equal ones are ours, and others of equal size are not, whatever is trusted.
#[tokio::test]
async fn f42_an_existing_file_is_never_overwritten() {
    for backend in BOTH {
        let (server, folder) = (Sshd::start(), tempfile::tempdir().unwrap());
        let sink = sink(&server, backend, server.address());
        let sealed = file(folder.path(), "data.csv", b"ours");
        let place = server.files().join("in/actito/data.csv");
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        for (body, same) in [("ours", true), ("them", false), ("others", false)] {
            fs::write(&place, body).unwrap();
            let put = sink.put(&sealed, ".part", &Quiet).await.unwrap();
            assert!(matches!(put, Put::Taken), "{put:?}");
            for trust in [Trust::Spool, Trust::Nothing, Trust::Bytes] {
                assert_eq!(sink.compare(&sealed, trust).await.unwrap() == Proof::Same, same, "{body} {trust:?}");
            }
            assert_eq!(fs::read_to_string(&place).unwrap(), body);
        }
        assert_eq!(there(&server), ["data.csv"]);
        // What was ours a moment ago and is touched now is read again.
        fs::remove_file(&place).unwrap();
        assert!(matches!(sink.put(&sealed, ".part", &Quiet).await.unwrap(), Put::Stored));
        fs::write(&place, "OURS").unwrap();
        let earlier = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        fs::File::options().write(true).open(&place).unwrap().set_times(earlier).unwrap();
        assert!(matches!(sink.compare(&sealed, Trust::Spool).await.unwrap(), Proof::Different(_)));
    }
}

/// The request for the rename itself refuses, should a file appear at the last moment.
#[tokio::test]
async fn f42_the_rename_refuses_to_overwrite() {
    for backend in BOTH {
        let server = Sshd::start();
        let root = server.files();
        let (from, to) = (root.join("from"), root.join("to"));
        fs::write(&from, "ours").unwrap();
        fs::write(&to, "theirs").unwrap();
        let sink = sink(&server, backend, server.address());
        let lease = sink.pool.lease().await.unwrap();
        let refused = lease.rename(from.to_str().unwrap(), to.to_str().unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Failed, "{refused}");
        assert_eq!(
            (fs::read_to_string(from).unwrap(), fs::read_to_string(to).unwrap()),
            ("ours".into(), "theirs".into())
        );
    }
}

/// A login that is refused is told at once, and says nothing secret.
#[tokio::test]
async fn logins_by_key_agent_and_none() {
    let server = Sshd::start();
    let folder = tempfile::tempdir().unwrap();
    let key = |kind: &str, passphrase: &str| {
        let path = folder.path().join(format!("{kind}{}", passphrase.len()));
        let made = Command::new("ssh-keygen").args(["-q", "-N", passphrase, "-t", kind, "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        let public = fs::read_to_string(path.with_extension("pub")).unwrap();
        let accepted = server.private_key().with_file_name("authorized_keys");
        fs::write(&accepted, fs::read_to_string(&accepted).unwrap() + &public).unwrap();
        Secret::new(fs::read_to_string(path).unwrap())
    };
    let (rsa, locked) = (key("rsa", ""), key("ed25519", "open sesame"));
    let unknown = folder.path().join("unknown");
    assert!(Command::new("ssh-keygen").args(["-q", "-N", "", "-f"]).arg(&unknown).status().unwrap().success());
    let agent = Agent::start(&server, folder.path());
    for backend in BOTH {
        let spec = |key: Option<Secret>| SftpSink { private_key: key, ..spec(&server, backend, server.address()) };
        let passphrase = |text: &str| Some(Secret::new(text));
        open(&spec(Some(rsa.clone()))).check().await.unwrap();
        open(&SftpSink { passphrase: passphrase("open sesame"), ..spec(Some(locked.clone())) }).check().await.unwrap();
        open(&SftpSink { agent: Some(agent.socket.to_str().unwrap().into()), ..spec(None) }).check().await.unwrap();
        let unknown = Secret::new(fs::read_to_string(&unknown).unwrap());
        let wrong = Secret::new("no key at all");
        for (spec, domain) in [
            (spec(Some(unknown)), Domain::External),
            (SftpSink { passphrase: passphrase("canary-passphrase"), ..spec(Some(locked.clone())) }, Domain::User),
            (spec(Some(wrong)), Domain::User),
        ] {
            let error = open(&spec).check().await.unwrap_err();
            let told = format!("{error:?}");
            assert_eq!(error.retry(), Retry::Never, "{backend:?} {error}");
            // libssh2 does not tell a key it cannot read from one the server refuses.
            assert!(error.domain() == domain || backend == SftpBackend::Ssh2, "{backend:?} {error}");
            assert!(!told.contains("canary") && !told.contains("PRIVATE KEY"), "{told}");
        }
    }
}

/// An SSH agent with the server's key.
struct Agent {
    child: std::process::Child,
    socket: PathBuf,
}

impl Agent {
    fn start(server: &Sshd, folder: &Path) -> Self {
        let socket = folder.join("agent");
        let child =
            Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(std::process::Stdio::null()).spawn();
        let child = child.unwrap();
        for _ in 0..200 {
            if socket.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let added = Command::new("ssh-add").arg("-q").arg(server.private_key()).env("SSH_AUTH_SOCK", &socket).status();
        assert!(added.unwrap().success());
        Self { child, socket }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sink_without_pins_or_credentials_is_not_opened() {
    let server = Sshd::start();
    let spec = || spec(&server, SftpBackend::Russh, server.address());
    for (spec, wanted) in [
        (SftpSink { host_keys: vec![], ..spec() }, "which key"),
        (SftpSink { known_hosts: Some("known_hosts".into()), ..spec() }, "one place"),
        (SftpSink { private_key: None, ..spec() }, "no credentials"),
        (SftpSink { host_keys: vec!["MD5:00".into()], ..spec() }, "fingerprint"),
        (SftpSink { path: "in/../..".into(), ..spec() }, ".."),
    ] {
        let error = Sftp::new(&spec, Path::new("/")).err().unwrap();
        assert_eq!(error.domain(), Domain::User);
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
