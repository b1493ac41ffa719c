//! An FTP server that does one thing wrong, in Python beside this module, which needs nothing but Python itself.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::process::{Server, repository};
use super::vsftpd::{Validity, certificate, fingerprint};

/// A running server.
pub struct FtpScript {
    server: Server,
    folder: tempfile::TempDir,
}

impl FtpScript {
    /// Starts one; `ftp_server.py` says what it can do wrong.
    pub fn start(wrong: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = certificate(folder.path(), "IP:127.0.0.1", Validity::Valid);
        let script = repository().join("tests/it/support/ftp_server.py");
        let mut python = Command::new("python3");
        python.arg(script).arg(wrong).args([certificate, key, folder.path().join("heard")]);
        let server = Server::start(&mut python, Duration::from_secs(300));
        Self { server, folder }
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// SHA-256 of its certificate, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate())
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Every command so far, a line each.
    pub fn heard(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("heard")).unwrap_or_default()
    }
}
