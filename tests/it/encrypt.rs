//! Encryption and checksums, judged by `gpg` and `sha256sum`; and what runs without rows deliver.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::process::{Outcome, Outflow, files_below, run};

/// A key ring of gpg.
struct KeyRing {
    folder: tempfile::TempDir,
}

impl KeyRing {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn gpg(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.folder.path()).args(["--batch", "--yes", "--pinentry-mode", "loopback"]);
        run(command.args(["--passphrase", ""]).args(arguments), Duration::from_secs(120))
    }

    /// Makes a key and exports it, with `secret` the private one.
    fn key(&self, name: &str, arguments: &[&str], secret: bool, to: &Path) {
        self.gpg(&[&["--quick-gen-key", name], arguments].concat()).expect_code(0);
        self.export(name, secret, to);
    }

    fn export(&self, name: &str, secret: bool, to: &Path) {
        let kind = if secret { "--export-secret-keys" } else { "--export" };
        self.gpg(&["--armor", "--output", to.to_str().unwrap(), kind, name]).expect_code(0);
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        // The agent that gpg left behind for this key ring.
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.folder.path()).args(["--kill", "gpg-agent"]).status();
    }
}

fn feed(layout: &str, delivery: &str, rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = (0..rows).map(|row| format!("{row},city {}\n", row % 17)).collect::<String>();
    std::fs::write(folder.path().join("rows.csv"), format!("id,city\n{text}")).unwrap();
    let pipeline = format!(
        "version: 1\nname: feed\nsource: {{files: {{path: rows.csv}}}}\nlayout: {layout}\nsink: {{local: {{path: out}}}}\ndelivery: \
         {delivery}\n"
    );
    std::fs::write(folder.path().join("feed.yaml"), pipeline).unwrap();
    folder
}

const FILES: &str = "{files: {path: \"a/rows_{{ nonce }}.csv.gz\", format: csv, compression: gzip}}";

fn outflow(folder: &Path, arguments: &[&str]) -> Outcome {
    Outflow::in_folder(folder).args(arguments).run()
}

fn delivered(folder: &Path) -> PathBuf {
    let files = files_below(&folder.join("out"));
    let (name, _) = files.iter().find(|(name, _)| !name.ends_with(".sha256")).unwrap();
    folder.join("out").join(name)
}

/// What is delivered is, decrypted, what would have been delivered in the clear, to the byte; what companions and
/// reports tell of it is what lies there.
#[test]
fn gpg_reads_what_was_encrypted_for_it() {
    let ring = KeyRing::new();
    let plain = feed(FILES, "{}", 200_000);
    let rows = std::fs::read(plain.path().join("rows.csv")).unwrap();
    for (name, options, extension) in [
        ("binary", "", "pgp"),
        ("armored", ", armor: true, extension: asc", "asc"),
        ("signed", ", extension: gpg, sign: {key: \"${file:signer.asc}\"}", "gpg"),
    ] {
        let delivery =
            format!("{{checksums: sha256, encrypt: {{pgp: {{keys: [keys/acme.asc, \"${{env:BETA}}\"]{options}}}}}}}");
        let folder = feed(FILES, &delivery, 200_000);
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        let beta = folder.path().join("beta.asc");
        if name == "binary" {
            ring.key(
                "acme@acme.example",
                &["future-default", "default", "never"],
                false,
                &folder.path().join("keys/acme.asc"),
            );
            // An older kind of key: one for everything.
            ring.key("beta@beta.example", &["rsa3072", "cert,sign,encr", "1y"], false, &beta);
            ring.key(
                "signer@outflow.example",
                &["future-default", "default", "never"],
                true,
                &folder.path().join("signer.asc"),
            );
        }
        ring.export("acme@acme.example", false, &folder.path().join("keys/acme.asc"));
        ring.export("beta@beta.example", false, &beta);
        ring.export("signer@outflow.example", true, &folder.path().join("signer.asc"));
        let beta = std::fs::read_to_string(&beta).unwrap();
        Outflow::in_folder(folder.path()).args(["lint", "feed.yaml"]).env("BETA", &beta).run().expect_code(0);
        let call = ["run", "feed.yaml", "--format", "json"];
        let ran = Outflow::in_folder(folder.path()).args(call).env("BETA", &beta).run().expect_code(0);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let file = delivered(folder.path());
        assert!(file.to_str().unwrap().ends_with(&format!(".csv.gz.{extension}")), "{}", file.display());
        let opened = folder.path().join("opened.gz");
        let out = opened.to_str().unwrap();
        let told = ring.gpg(&["--status-fd", "1", "--output", out, "--decrypt", file.to_str().unwrap()]).expect_code(0);
        assert_eq!(told.stdout.contains("GOODSIG"), name == "signed", "{}", told.stdout);
        assert_eq!(told.stdout.matches("ENC_TO").count(), 2, "{}", told.stdout);
        let unzipped = run(Command::new("gzip").arg("-d").arg(&opened), Duration::from_secs(60)).expect_code(0);
        drop(unzipped);
        assert_eq!(std::fs::read(folder.path().join("opened")).unwrap(), rows, "{name}");
        // The digests are those of what lies there.
        assert_eq!(report["files"][0]["rows"], 200_000);
        assert_eq!(report["files"][0]["bytes"], std::fs::metadata(&file).unwrap().len());
        let mut check = Command::new("sha256sum");
        let sums = format!("{}.sha256", file.file_name().unwrap().to_str().unwrap());
        check.current_dir(file.parent().unwrap()).args(["--check", "--strict", &sums]);
        run(&mut check, Duration::from_secs(60)).expect_code(0).expect_stdout("OK");
        assert!(
            std::fs::read_to_string(file.with_file_name(&sums))
                .unwrap()
                .starts_with(report["files"][0]["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap())
        );
        outflow(folder.path(), &["runs", "list"]).expect_code(0);
    }
}

/// A key that cannot be used is a finding, at its place, before anything runs; and no run goes on without it.
#[test]
fn keys_are_checked_by_the_linter() {
    let ring = KeyRing::new();
    let folder = feed(FILES, "{encrypt: {pgp: {keys: [\"${env:KEY_FILE}\"]}}}", 3);
    let file = |name: &str| folder.path().join(name);
    ring.key("signs@a.example", &["ed25519", "sign", "never"], false, &file("signs.asc"));
    let past = [
        "--faked-system-time",
        "20200101T000000",
        "--quick-gen-key",
        "old@a.example",
        "future-default",
        "default",
        "1y",
    ];
    ring.gpg(&past).expect_code(0);
    ring.export("old@a.example", false, &file("old.asc"));
    ring.key("gone@a.example", &["future-default", "default", "never"], false, &file("gone.asc"));
    for entry in std::fs::read_dir(ring.folder.path().join("openpgp-revocs.d")).unwrap() {
        // A colon in front of it keeps it from being used by mistake.
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().replace(":-----BEGIN", "-----BEGIN");
        std::fs::write(&path, text).unwrap();
    }
    let listed = ring.gpg(&["--with-colons", "--list-keys", "gone@a.example"]).expect_code(0).stdout;
    let id =
        listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned();
    ring.export("gone@a.example", true, &file("private.asc"));
    ring.gpg(&["--import", ring.folder.path().join(format!("openpgp-revocs.d/{id}.rev")).to_str().unwrap()])
        .expect_code(0);
    ring.export("gone@a.example", false, &file("revoked.asc"));
    std::fs::write(file("text.asc"), "no key").unwrap();
    for (name, why) in [
        ("signs.asc", "has no part for encryption"),
        ("old.asc", "expired on 2020-12-31"),
        ("revoked.asc", "is revoked"),
        ("private.asc", "is a private key"),
        ("text.asc", "is no OpenPGP key"),
        ("none.asc", "cannot be read"),
    ] {
        let call =
            |command: &str| Outflow::in_folder(folder.path()).args([command, "feed.yaml"]).env("KEY_FILE", name).run();
        let linted = call("lint").expect_code(1).expect_stdout(why).expect_stdout("OF703");
        assert!(!linted.stdout.contains("PRIVATE KEY BLOCK"));
        call("run").expect_code(2).expect_stderr(why);
    }
    assert!(!file("out").exists());
}

/// ACT-3, SIMON-40: a run without rows delivers what the layout says, or what `on_empty` says in its place.
#[test]
fn runs_without_rows_follow_the_layout_or_the_pipeline() {
    let files = "{files: {path: \"rows_{{ nonce }}.csv\", format: csv}}";
    let when_empty = "{files: {path: \"rows_{{ nonce }}.csv\", format: csv, when_empty: write}}";
    for (layout, policy, code, count) in [
        (files, "layout", 0, 0),
        (when_empty, "layout", 0, 1),
        (when_empty, "skip", 0, 0),
        (files, "header_only", 0, 1),
        (files, "fail", 3, 0),
        (when_empty, "fail", 3, 0),
    ] {
        let folder = feed(layout, &format!("{{on_empty: {policy}, checksums: sha256}}"), 0);
        outflow(folder.path(), &["run", "feed.yaml"]).expect_code(code);
        let out = folder.path().join("out");
        let found = if out.exists() { files_below(&out) } else { Vec::new() };
        assert_eq!(found.len(), 2 * count, "{layout} {policy}");
        assert!(found.iter().all(|(name, bytes)| name.ends_with(".sha256") || bytes == b"id,city\n"), "{found:?}");
        // Once there are rows, the same pipeline delivers them.
        std::fs::write(folder.path().join("rows.csv"), "id,city\n1,Gent\n").unwrap();
        outflow(folder.path(), &["run", "feed.yaml"]).expect_code(0);
        assert_eq!(files_below(&out).len(), 2 * count + 2, "{layout} {policy}");
    }
}
