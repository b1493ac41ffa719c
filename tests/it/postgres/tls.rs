//! Connections with TLS: a server is trusted when an authority of the author's choice says that it is this very host,
//! and no password goes to any other.

use std::path::Path;
use std::process::Command;

use super::bench::Bench;
use crate::support::postgres::Postgres;

/// Certificates made by `openssl`, an implementation that owes nothing to ours.
struct Authority(tempfile::TempDir);

impl Authority {
    fn new(name: &str) -> Self {
        let authority = Self(tempfile::tempdir().unwrap());
        let subject = format!("/CN={name}");
        authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-subj",
            &subject,
        ]);
        authority
    }

    /// Certificate and key of a host, or of a user.
    fn issue(&self, name: &str, extension: &str) -> (String, String) {
        let subject = format!("/CN={name}");
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "one.key",
            "-out",
            "one.csr",
            "-subj",
            &subject,
        ]);
        std::fs::write(self.0.path().join("one.ext"), extension).unwrap();
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "one.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "one.ext",
            "-out",
            "one.pem",
        ]);
        (self.read("one.pem"), self.read("one.key"))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn openssl(&self, words: &[&str]) {
        let output = Command::new("openssl").args(words).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn write(bench: &Bench, tls: &str) {
    let text = format!(
        "version: 1\nname: feed\nsource:\n  postgres:\n    url: \"${{env:DATABASE_URL}}\"\n    query: SELECT ssl, \
         client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()\n{tls}layout:\n  files: {{path: \"{{{{ nonce }}}}.csv\", \
         format: csv}}\nsink: {{local: {{path: out}}}}\n"
    );
    std::fs::write(bench.path().join("feed.yaml"), text).unwrap();
}

fn run(bench: &Bench, server: &Postgres, host: &str, tls: &str) -> crate::support::process::Outcome {
    write(bench, tls);
    let url = server.url("postgres").replace("127.0.0.1", host);
    bench.outflow(&["run", "feed.yaml"]).env("DATABASE_URL", url).run()
}

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn only_the_right_server_gets_the_password() {
    let (ours, other) = (Authority::new("Ours"), Authority::new("Other"));
    let (certificate, key) = ours.issue("db", "subjectAltName=DNS:localhost");
    let ca = ours.read("ca.pem");
    let settings = [("ssl", "on"), ("ssl_ca_file", "ca.pem")];
    let server = Postgres::start(&[("server.crt", &certificate), ("server.key", &key), ("ca.pem", &ca)], &settings);
    let bench = Bench::new("query: SELECT 1 AS a", "");
    put(bench.path(), "ca.pem", &ca);
    put(bench.path(), "other.pem", &other.read("ca.pem"));
    put(bench.path(), "empty.pem", "");
    for (host, tls, code, words) in [
        ("localhost", "", 3, "no protected connection"),
        ("localhost", "    tls: {ca: other.pem}\n", 3, "no protected connection"),
        ("localhost", "    tls: {ca: empty.pem}\n", 2, "holds no certificate"),
        ("127.0.0.1", "    tls: {ca: ca.pem}\n", 3, "no protected connection"),
    ] {
        run(&bench, &server, host, tls).expect_code(code).expect_stderr(words);
    }
    assert!(bench.files().is_empty());
    run(&bench, &server, "localhost", "    tls: {ca: ca.pem}\n").expect_code(0);
    assert_eq!(bench.only_file(), "ssl,client_dn\ntrue,\n");
    std::fs::remove_dir_all(bench.path().join("out")).unwrap();
    std::fs::remove_dir_all(bench.path().join(".outflow")).unwrap();
    run(&bench, &server, "127.0.0.1", "    tls: {ca: ca.pem, mode: verify_ca}\n").expect_code(0);
    // A certificate proves who connects.
    std::fs::remove_dir_all(bench.path().join("out")).unwrap();
    std::fs::remove_dir_all(bench.path().join(".outflow")).unwrap();
    let (certificate, key) = ours.issue("outflow", "extendedKeyUsage=clientAuth");
    put(bench.path(), "client.pem", &certificate);
    put(bench.path(), "client.key", &key);
    run(&bench, &server, "localhost", "    tls: {ca: ca.pem, certificate: client.pem, key: client.key}\n")
        .expect_code(0);
    assert_eq!(bench.only_file(), "ssl,client_dn\ntrue,/CN=outflow\n");
}

/// A server without TLS gets no password unless the author says that it may.
#[test]
fn a_server_without_tls_is_refused_unless_told() {
    let bench = Bench::new("query: SELECT 1 AS a", "");
    let server = Postgres::shared();
    run(&bench, server, "127.0.0.1", "").expect_code(3).expect_stderr("does not support TLS").expect_stderr("disable");
    run(&bench, server, "127.0.0.1", "    tls: {mode: disable}\n").expect_code(0);
    assert_eq!(bench.only_file(), "ssl,client_dn\nfalse,\n");
}
