//! Deliveries to SFTP servers by the program itself, with both backends: OpenSSH's server, and one on paramiko that can
//! do less. What lines and servers do wrong is tested beside the sink.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::process::{Outflow, Server, copy_folder, files_below, repository, run};
use crate::support::python::python;
use crate::support::sshd::Sshd;

const BACKENDS: [&str; 2] = ["russh", "ssh2"];

/// A copy of a reference pipeline that delivers to a server.
struct Feed {
    folder: tempfile::TempDir,
}

impl Feed {
    /// `sink` is what stands between the braces of the sink.
    fn new(sink: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&repository().join("pipelines/actito"), folder.path());
        let feed = Self { folder };
        feed.deliver_to(sink);
        feed
    }

    fn deliver_to(&self, sink: &str) {
        let written = std::fs::read_to_string(repository().join("pipelines/actito/out-flows.yaml")).unwrap();
        let changed = written.replace("  local: {path: out}", &format!("  sftp: {{{sink}}}"));
        assert_ne!(changed, written);
        std::fs::write(self.folder.path().join("out-flows.yaml"), changed).unwrap();
    }

    fn run(&self) -> Outflow {
        let arguments = ["run", "out-flows.yaml", "--at", "2026-03-14T01:00:00Z"];
        Outflow::in_folder(self.folder.path()).args(arguments).env("SFTP_PASSWORD", "canary-password-0123456789")
    }
}

fn by_key(server: &Sshd, backend: &str) -> String {
    format!(
        "host: 127.0.0.1, port: {}, user: {}, private_key: \"${{file:{}}}\", host_keys: [\"{}\"], path: {}/in/actito, \
         backend: {backend}",
        server.address().port(),
        server.user(),
        server.private_key().display(),
        server.fingerprint("ed25519"),
        server.files().display()
    )
}

/// What the same pipeline writes into a folder.
fn expected() -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&repository().join("pipelines/actito"), folder.path());
    let arguments = ["run", "out-flows.yaml", "--at", "2026-03-14T01:00:00Z"];
    Outflow::in_folder(folder.path()).args(arguments).run().expect_code(0);
    files_below(&folder.path().join("out"))
}

/// ACT-7, its SFTP half: the files are those of any other target, OpenSSH's client lists them, and a second run changes
/// nothing.
#[test]
fn actito_by_sftp() {
    let expected = expected();
    assert!(expected.len() > 4);
    for backend in BACKENDS {
        let server = Sshd::start();
        let feed = Feed::new(&by_key(&server, backend));
        feed.run().run().expect_code(0).expect_stdout("delivered");
        let target = server.files().join("in/actito");
        assert!(files_below(&target) == expected, "{backend}");
        feed.run().run().expect_code(0).expect_stdout("already delivered");
        assert!(files_below(&target) == expected, "{backend}");

        let known = feed.folder.path().join("known_hosts");
        std::fs::write(&known, server.known_hosts("ed25519", server.address().port())).unwrap();
        let mut client = Command::new("sh");
        client.args(["-c", "echo \"ls -1 $1\" | sftp -q -b - -P $2 -i $3 -o UserKnownHostsFile=$4 $5@127.0.0.1", "sh"]);
        client.arg(&target).arg(server.address().port().to_string()).arg(server.private_key()).arg(&known);
        let listed = run(client.arg(server.user()), Duration::from_secs(60)).expect_code(0);
        expected.iter().for_each(|(name, _)| assert!(listed.stdout.contains(name), "{name} in {}", listed.stdout));
    }
}

/// A process that dies between any two steps of a publication leaves what the next run finishes, and no temporary file.
#[test]
fn deaths_between_the_steps_of_a_publication() {
    let expected = expected();
    for backend in BACKENDS {
        for point in ["sftp-written", "sftp-before-rename", "sftp-renamed#3"] {
            let server = Sshd::start();
            let feed = Feed::new(&by_key(&server, backend));
            let killed = feed.run().env("OUTFLOW_KILL_AT", point).run();
            assert_eq!(killed.signal, Some(9), "{backend} {point}: {killed:?}");
            let target = server.files().join("in/actito");
            let whole = |(name, body): &(String, Vec<u8>)| {
                name.ends_with(".part") || expected.iter().any(|other| (&other.0, &other.1) == (name, body))
            };
            assert!(files_below(&target).iter().all(whole), "{backend} {point}: I6, no final name holds less than all");
            feed.run().run().expect_code(0);
            assert!(files_below(&target) == expected, "{backend} {point}");
        }
    }
}

/// The paramiko server, whose folder lies in another.
struct Plain {
    server: Server,
    folder: tempfile::TempDir,
}

impl Plain {
    fn start(rename: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("files")).unwrap();
        let script = repository().join("tests/it/support/sftp_server.py");
        let mut command = python().command();
        command.arg(script).arg(folder.path().join("files")).args(["feeds", "canary-password-0123456789", rename]);
        Self { server: Server::start(&mut command, Duration::from_secs(600)), folder }
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    fn sink(&self, backend: &str, known_hosts: &Path) -> String {
        format!(
            "host: 127.0.0.1, port: {}, user: feeds, password: \"${{env:SFTP_PASSWORD}}\", known_hosts: \"{}\", \
             path: in/actito, backend: {backend}, connections: 2",
            self.server.address().port(),
            known_hosts.display()
        )
    }

    fn passwords_tried(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("files.tried")).unwrap_or_default().lines().count()
    }
}

/// F43: a server without fsync, limits and posix-rename gets the same files; where its rename would overwrite, the name
/// is looked at before. Passwords work, and none prints.
#[test]
fn f43_a_server_that_can_do_less() {
    let expected = expected();
    for (backend, rename) in [("russh", "refuse"), ("ssh2", "refuse"), ("russh", "overwrite"), ("ssh2", "overwrite")] {
        let plain = Plain::start(rename);
        let feed = Feed::new(&plain.sink(backend, &plain.folder.path().join("files.known_hosts")));
        let told = feed.run().run().expect_code(0).expect_stdout("delivered");
        assert!(!format!("{told:?}").contains("canary-password"));
        assert!(files_below(&plain.files().join("in/actito")) == expected, "{backend} {rename}");

        let foreign = plain.files().join("in/other");
        std::fs::create_dir(&foreign).unwrap();
        let (name, _) = &expected[0];
        std::fs::write(foreign.join(name), "theirs").unwrap();
        let sink = plain.sink(backend, &plain.folder.path().join("files.known_hosts"));
        feed.deliver_to(&sink.replace("in/actito", "in/other"));
        feed.run().run().expect_code(3).expect_stderr(name);
        assert_eq!(std::fs::read(foreign.join(name)).unwrap(), b"theirs", "{backend} {rename}");
    }
}

/// F44: a server whose key is not the one that is known never hears a password; a wrong password is told at once.
#[test]
fn f44_no_password_for_a_stranger() {
    let plain = Plain::start("refuse");
    let stranger = plain.folder.path().join("other_hosts");
    let known = std::fs::read_to_string(plain.folder.path().join("files.known_hosts")).unwrap();
    let other = Sshd::start();
    std::fs::write(&stranger, other.known_hosts("ed25519", plain.server.address().port())).unwrap();
    for backend in BACKENDS {
        let feed = Feed::new(&plain.sink(backend, &stranger));
        let refused = feed.run().run().expect_code(3).expect_stderr("ecdsa-sha2-nistp256 SHA256:");
        assert!(!format!("{refused:?}").contains("canary-password"));
        assert_eq!(plain.passwords_tried(), 0, "{backend}");
    }
    std::fs::write(&stranger, known).unwrap();
    for (turn, backend) in BACKENDS.into_iter().enumerate() {
        let feed = Feed::new(&plain.sink(backend, &stranger));
        let refused = feed.run().env("SFTP_PASSWORD", "canary-of-another").run().expect_code(3);
        assert!(refused.stderr.contains("refused `feeds`") && !refused.stderr.contains("canary"), "{refused:?}");
        assert_eq!(plain.passwords_tried(), turn + 1, "{backend}: once is enough");
    }
}
