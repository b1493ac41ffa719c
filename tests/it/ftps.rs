//! Delivery to an FTP server over TLS: against vsftpd, which insists on resumed sessions, and against a scripted server
//! that misbehaves on command.

use std::path::Path;

use crate::support::ftp_script::FtpScript;
use crate::support::process::{Outcome, Outflow, files_below};
use crate::support::proxy::{Fault, Proxy, Script};
use crate::support::vsftpd::{PASSWORD, USER, Validity, Vsftpd};

/// A folder with a pipeline that delivers one file for each of these countries.
fn feed(port: u16, countries: usize, more: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |row: usize| format!("contact{row},c{}\n", row % countries);
    let text = "id,country\n".to_owned() + &(0..countries * 100).map(row).collect::<String>();
    std::fs::write(folder.path().join("contacts.csv"), text).unwrap();
    let pipeline = format!(
        "version: 1\nname: ftps\nsource: {{files: {{path: contacts.csv}}}}\nlayout:\n  files:\n    path: \
         \"{{{{ at | date('%Y') }}}}/{{{{ partition.country }}}}-{{{{ at | unix }}}}.csv\"\n    format: csv\n    split_by: [country]\nsink:\n  \
         ftps: {{host: 127.0.0.1, port: {port}, user: {USER}, password: \"${{env:PASSWORD}}\", path: in/actito{more}}}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

fn pinned(server: &Vsftpd, countries: usize) -> tempfile::TempDir {
    feed(server.port(), countries, &format!(", certificate_sha256: {}", server.fingerprint()))
}

fn call(folder: &Path, arguments: &[&str]) -> Outflow {
    Outflow::in_folder(folder).args(arguments).env("PASSWORD", PASSWORD)
}

fn deliver(folder: &Path) -> Outcome {
    call(folder, &["run", "feed.yaml"]).run()
}

fn delivered(server: &Vsftpd) -> Vec<String> {
    files_below(&server.root()).into_iter().map(|(path, _)| path).collect()
}

/// ACT-7, F47: ten files in one session at a server that wants every data connection to resume it.
#[test]
fn ten_files_go_in_one_session_that_is_resumed() {
    let server = Vsftpd::start(&[]);
    let folder = pinned(&server, 10);
    deliver(folder.path()).expect_code(0).expect_stdout("delivered to ftps://");
    let files = files_below(&server.root());
    assert_eq!(files.len(), 10, "{:?}", delivered(&server));
    for (path, bytes) in files {
        assert!(path.starts_with("in/actito/20") && path.ends_with(".csv"), "{path}");
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 101, "{path}");
    }
    let log = server.log();
    assert_eq!(log.matches("OK LOGIN").count(), 1, "{log}");
    assert_eq!(log.matches("OK UPLOAD").count(), 10, "{log}");
    assert!(!log.contains("\"522 "), "{log}");
    deliver(folder.path()).expect_code(0).expect_stdout("already delivered");
    call(folder.path(), &["files", "verify", "feed.yaml"]).run().expect_code(0);
}

/// F47 with TLS 1.3, whose sessions are not resumed for ever: where a server refuses a data connection for that, the next
/// session begins, and every file arrives once.
#[test]
fn what_tls_1_3_cannot_resume_begins_anew() {
    let vsftpd = Vsftpd::start(&[]);
    let folder = feed(vsftpd.port(), 10, &format!(", newest_tls: tls13, certificate_sha256: {}", vsftpd.fingerprint()));
    deliver(folder.path()).expect_code(0);
    let files = delivered(&vsftpd);
    assert!(files.len() == 10 && files.iter().all(|path| path.ends_with(".csv")), "{files:?}");

    let server = FtpScript::start("resume");
    let folder = feed(server.port(), 5, &format!(", newest_tls: tls13, certificate_sha256: {}", server.fingerprint()));
    deliver(folder.path()).expect_code(0);
    let heard = server.heard();
    let count = |word: &str| heard.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("RNTO "), count("STOR ")), (5, 7), "two files were refused once: {heard}");
    assert_eq!(count("USER "), 3, "two files in each session: {heard}");
}

#[test]
fn tls_from_the_first_byte() {
    let server = Vsftpd::start(&[("implicit_ssl", "YES")]);
    let folder = feed(server.port(), 3, &format!(", tls: implicit, certificate_sha256: {}", server.fingerprint()));
    deliver(folder.path()).expect_code(0);
    assert_eq!(delivered(&server).len(), 3);
}

/// F49: a server that cannot prove who it is gets neither user nor password.
#[test]
fn an_unproven_server_hears_no_password() {
    let other = format!(", certificate_sha256: \"{}ab\"", "ab:".repeat(31));
    for (subject, validity, trust) in [
        ("IP:127.0.0.1", Validity::Valid, ""),
        ("DNS:elsewhere.example", Validity::Valid, ", ca_file: ca.pem"),
        ("IP:127.0.0.1", Validity::Expired, ", ca_file: ca.pem"),
        ("IP:127.0.0.1", Validity::Valid, &other),
    ] {
        let server = Vsftpd::with_certificate(subject, validity, &[]);
        let folder = feed(server.port(), 1, trust);
        std::fs::copy(server.certificate(), folder.path().join("ca.pem")).unwrap();
        let refused = deliver(folder.path()).expect_code(3).expect_stderr("certificate is not trusted");
        assert!(refused.stderr.contains(&server.fingerprint()), "{refused:?}");
        let log = server.log();
        assert!(!log.contains("USER") && !log.contains("LOGIN"), "{log}");
    }
    // The same name, vouched for, is trusted; with the file missing nothing is.
    let server = Vsftpd::start(&[]);
    let folder = feed(server.port(), 1, ", ca_file: ca.pem");
    deliver(folder.path()).expect_code(2).expect_stderr("ca_file");
    std::fs::copy(server.certificate(), folder.path().join("ca.pem")).unwrap();
    deliver(folder.path()).expect_code(0);
}

/// F49: a server that offers no TLS, or none for data, is refused before the password.
#[test]
fn a_server_without_tls_hears_no_password() {
    for wrong in ["no-tls", "no-prot"] {
        let server = FtpScript::start(wrong);
        let folder = feed(server.port(), 1, &format!(", certificate_sha256: {}", server.fingerprint()));
        let refused = deliver(folder.path()).expect_code(3).expect_stderr("must offer TLS");
        assert!(!format!("{refused:?}").contains(PASSWORD));
        let heard = server.heard();
        assert!(heard.contains("AUTH TLS") && !heard.contains("USER") && !heard.contains("PASS"), "{heard}");
    }
}

/// The password shows nowhere, whether it is right or wrong.
#[test]
fn the_password_does_not_show() {
    let server = Vsftpd::start(&[]);
    let folder = pinned(&server, 1);
    let refused = call(folder.path(), &["run", "feed.yaml"]).env("PASSWORD", "canary-wrong-password").run();
    assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
    refused.expect_code(3).expect_stderr("the login of `anonymous` was refused");
    let run = deliver(folder.path()).expect_code(0);
    assert!(!format!("{run:?}").contains(PASSWORD));
    for (path, bytes) in files_below(&folder.path().join(".outflow")) {
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"), "{path}");
    }
}

/// F48: what arrived short is not shown, whether the server says so or not, and does not stay; F50: the data went to
/// this server although it named another address.
#[test]
fn a_truncated_file_is_never_shown() {
    for (wrong, wanted) in [("short", "bytes arrived, not"), ("aborted", "426")] {
        let server = FtpScript::start(wrong);
        let folder = feed(server.port(), 1, &format!(", certificate_sha256: {}", server.fingerprint()));
        deliver(folder.path()).expect_code(4).expect_stderr(wanted);
        let heard = server.heard();
        assert!(heard.contains("STOR in/actito/") && !heard.contains("RNTO"), "{heard}");
        let last = heard.lines().rfind(|line| line.contains(".part"));
        assert!(last.is_some_and(|line| line.starts_with("DELE")), "{heard}");
    }
    let server = FtpScript::start("none");
    let folder = feed(server.port(), 1, &format!(", certificate_sha256: {}", server.fingerprint()));
    deliver(folder.path()).expect_code(0);
}

/// A death right before or after the rename is set right from what the server shows.
#[test]
fn a_run_killed_around_the_rename_is_finished_by_the_next() {
    for point in ["ftps-before-rename", "ftps-renamed"] {
        let server = Vsftpd::start(&[]);
        let folder = pinned(&server, 2);
        let killed = call(folder.path(), &["run", "feed.yaml"]).env("OUTFLOW_KILL_AT", point).run();
        assert_eq!(killed.signal, Some(9), "{point}");
        deliver(folder.path()).expect_code(0);
        let files = delivered(&server);
        assert!(files.len() == 2 && files.iter().all(|path| path.ends_with(".csv")), "{point}: {files:?}");
    }
}

/// A name in use is left alone: adopted with the same bytes, set aside with others.
#[test]
fn a_foreign_file_is_left_alone() {
    let server = Vsftpd::start(&[]);
    let folder = pinned(&server, 1);
    let killed = call(folder.path(), &["run", "feed.yaml"]).env("OUTFLOW_KILL_AT", "ftps-before-rename").run();
    assert_eq!(killed.signal, Some(9));
    let staged = delivered(&server).remove(0);
    let sealed = std::fs::read(server.root().join(&staged)).unwrap();
    std::fs::remove_file(server.root().join(&staged)).unwrap();
    let name = manifest_path(folder.path());
    let place = server.root().join("in/actito").join(&name);
    std::fs::write(&place, vec![b'x'; sealed.len()]).unwrap();
    deliver(folder.path()).expect_code(3).expect_stderr(&name);
    assert_eq!(std::fs::read(&place).unwrap(), vec![b'x'; sealed.len()], "equal in size, yet not taken for ours");
}

/// The name of the one file of the unfinished delivery, as the ledger has it.
fn manifest_path(folder: &Path) -> String {
    let listed = call(folder, &["files", "list", "--format", "json"]).run().expect_code(0);
    let told: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let file = &told["files"][0];
    file["path"].as_str().or(file["file"]["path"].as_str()).unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// F35, F39 for FTP: a control connection cut at any byte ends in whole files after the next run, and nothing else.
#[test]
fn a_connection_cut_anywhere_is_made_up_for() {
    let server = Vsftpd::start(&[]);
    let proxy = Proxy::start(std::net::SocketAddr::from(([127, 0, 0, 1], server.port())));
    let folder = feed(proxy.address().port(), 2, &format!(", certificate_sha256: {}", server.fingerprint()));
    let scripts = [0, 300, 700, 1000, 1300].map(|after| Script::up(after, Fault::Cut));
    for script in scripts.into_iter().chain([400, 1500, 2100].map(|after| Script::down(after, Fault::Cut))) {
        proxy.treat(move |_| script.clone());
        let cut = deliver(folder.path());
        assert!(cut.code == Some(4) || cut.code == Some(0), "{cut:?}");
    }
    proxy.treat(|_| Script::default());
    deliver(folder.path()).expect_code(0);
    let files = files_below(&server.root());
    assert_eq!(files.len(), 2, "{:?}", delivered(&server));
    for (path, bytes) in files {
        assert!(path.ends_with(".csv") && bytes.iter().filter(|byte| **byte == b'\n').count() == 101, "{path}");
    }
}

/// F50: data goes to the host of the control connection, whatever address the server names.
#[test]
fn a_foreign_address_for_data_is_put_aside() {
    let server = Vsftpd::start(&[("pasv_address", "192.0.2.1")]);
    let folder = pinned(&server, 2);
    deliver(folder.path()).expect_code(0);
    assert!(server.log().contains("192,0,2,1"), "{}", server.log());
    assert_eq!(delivered(&server).len(), 2);
}

#[test]
fn doctor_says_what_ftp_cannot_promise() {
    let server = Vsftpd::start(&[]);
    let folder = pinned(&server, 1);
    let told = call(folder.path(), &["doctor", "feed.yaml"]).run().expect_code(0);
    let told = told.expect_stdout("create if absent  no").expect_stdout("by pinned bytes and the ledger only");
    assert!(told.stdout.contains(&server.fingerprint()) && told.stdout.contains("TLS 1.2"), "{}", told.stdout);
    assert_eq!(delivered(&server), Vec::<String>::new());
}
