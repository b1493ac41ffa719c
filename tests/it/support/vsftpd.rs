//! The FTP server vsftpd (Debian's package of that name) on loopback, with a certificate of its own. It runs as the user
//! of the tests and knows one user, whose files lie in a temporary folder. It logs every command it is given.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{Server, free_address, run};

/// The user's name.
pub const USER: &str = "anonymous";
/// The user's password.
pub const PASSWORD: &str = "canary-ftps-password";

/// A running server.
pub struct Vsftpd {
    server: Server,
    folder: tempfile::TempDir,
}

/// A certificate for a name or address and its key, as PEM, made by openssl.
pub fn certificate(folder: &Path, subject: &str, validity: Validity) -> (PathBuf, PathBuf) {
    let place = |name: &str| folder.join(name);
    let told = format!(
        "[ca]\ndefault_ca = own\n[own]\ndatabase = {index}\nserial = {serial}\nnew_certs_dir = {folder}\ndefault_md = \
         sha256\npolicy = any\n[any]\ncommonName = supplied\n[leaf]\nsubjectAltName = {subject}\nbasicConstraints = \
         critical,CA:FALSE\n[req]\ndistinguished_name = name\n[name]\n",
        index = place("index").display(),
        serial = place("serial").display(),
        folder = folder.display(),
    );
    std::fs::write(place("openssl.conf"), told).unwrap();
    std::fs::write(place("index"), "").unwrap();
    std::fs::write(place("serial"), "01\n").unwrap();
    let openssl = |arguments: &str| {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(folder).args(arguments.split(' '));
        run(&mut openssl, Duration::from_secs(60)).expect_code(0);
    };
    openssl(
        "req -new -newkey rsa:2048 -nodes -subj /CN=outflow-test -config openssl.conf -keyout key.pem -out request.pem",
    );
    let until = match validity {
        Validity::Valid => "20991231235959Z",
        Validity::Expired => "20200201000000Z",
    };
    openssl(&format!(
        "ca -batch -notext -selfsign -config openssl.conf -keyfile key.pem -extensions leaf -startdate 20200101000000Z \
         -enddate {until} -in request.pem -out certificate.pem"
    ));
    (place("certificate.pem"), place("key.pem"))
}

/// Whether a certificate is of our time.
#[derive(Clone, Copy, Debug)]
pub enum Validity {
    /// It is.
    Valid,
    /// It was.
    Expired,
}

impl Vsftpd {
    /// Starts one that insists on resumed sessions, with a certificate for 127.0.0.1 and these settings beside the usual.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::with_certificate("IP:127.0.0.1", Validity::Valid, settings)
    }

    /// The same with a certificate of the test's choice.
    pub fn with_certificate(subject: &str, validity: Validity, settings: &[(&str, &str)]) -> Self {
        let program = Path::new("/usr/sbin/vsftpd");
        assert!(program.exists(), "the tests need an FTP server: apt-get install vsftpd");
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = certificate(folder.path(), subject, validity);
        for name in ["root", "empty"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("passwords"), format!("{PASSWORD}\n")).unwrap();
        let address = free_address();
        let (port, place) = (address.port().to_string(), |name: &str| folder.path().join(name).display().to_string());
        let (root, empty, passwords, log) = (place("root"), place("empty"), place("passwords"), place("log"));
        let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
        let mut told = String::new();
        let usual = [
            ("listen", "YES"),
            ("listen_address", "127.0.0.1"),
            ("listen_port", &port),
            ("background", "NO"),
            ("run_as_launching_user", "YES"),
            ("seccomp_sandbox", "NO"),
            ("secure_chroot_dir", &empty),
            ("anonymous_enable", "YES"),
            ("local_enable", "NO"),
            ("write_enable", "YES"),
            ("anon_root", &root),
            ("anon_upload_enable", "YES"),
            ("anon_mkdir_write_enable", "YES"),
            ("anon_other_write_enable", "YES"),
            ("anon_world_readable_only", "NO"),
            ("anon_umask", "022"),
            ("secure_email_list_enable", "YES"),
            ("email_password_file", &passwords),
            ("ssl_enable", "YES"),
            ("allow_anon_ssl", "YES"),
            ("force_anon_logins_ssl", "YES"),
            ("force_anon_data_ssl", "YES"),
            ("require_ssl_reuse", "YES"),
            ("rsa_cert_file", &certificate),
            ("rsa_private_key_file", &key),
            ("ssl_ciphers", "HIGH"),
            ("log_ftp_protocol", "YES"),
            ("vsftpd_log_file", &log),
            ("xferlog_enable", "YES"),
        ];
        for (name, value) in
            usual.iter().filter(|(name, _)| settings.iter().all(|(other, _)| other != name)).chain(settings)
        {
            told.push_str(&format!("{name}={value}\n"));
        }
        let configuration = folder.path().join("vsftpd.conf");
        std::fs::write(&configuration, told).unwrap();
        let server = Server::guarded(Command::new(program).arg(configuration), address, Duration::from_secs(600));
        Self { server, folder }
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// Folder that the user's names start at.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// File with the server's certificate, which is its own issuer.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// SHA-256 of the certificate, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.certificate())
    }

    /// Every command and answer so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// SHA-256 of a certificate, as openssl tells it.
pub fn fingerprint(certificate: &Path) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(certificate);
    let told = run(&mut openssl, Duration::from_secs(60)).expect_code(0);
    told.stdout.trim().rsplit('=').next().unwrap_or_default().replace(':', "").to_lowercase()
}
