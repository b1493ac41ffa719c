//! A mail server (aiosmtpd, PyPI) that demands STARTTLS and a login and keeps what it gets, and its certificate.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{Server, run};
use super::python::python;

/// The account that may send.
pub const USER: &str = "outflow";
/// Its password.
pub const PASSWORD: &str = "canary-mail-password";

/// Serves on a free port, prints the address, ends with its standard input. Each mail is a line of JSON in a file.
const SERVE: &str = r#"
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult
mails, certificate, key, user, password = sys.argv[1:6]
class Handler:
    async def handle_DATA(self, server, session, envelope):
        with open(mails, "a") as file:
            file.write(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
                "content": envelope.content.decode()}) + "\n")
        return "250 kept"
def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login.decode() == user and data.password.decode() == password)
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    make = lambda: SMTP(Handler(), tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print("%s:%d" % server.sockets[0].getsockname(), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"#;

/// A running mail server.
pub struct MailServer {
    server: Server,
    folder: tempfile::TempDir,
}

impl MailServer {
    /// Starts it with a certificate for `localhost` of an authority of its own.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        certify(folder.path());
        let path = |name: &str| folder.path().join(name);
        let mut command = python().command();
        command.arg("-c").arg(SERVE).args([path("mails"), path("host.pem"), path("host.key")]).args([USER, PASSWORD]);
        Self { server: Server::start(&mut command, Duration::from_secs(600)), folder }
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// The certificate of its authority.
    pub fn authority(&self) -> std::path::PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// The mails it has got.
    pub fn mails(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.path().join("mails")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

fn certify(folder: &Path) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        run(command.current_dir(folder).args(arguments.split(' ')), Duration::from_secs(60)).expect_code(0);
    };
    let new = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("{new} -x509 -days 2 -subj /CN=authority -keyout authority.key -out authority.pem"));
    openssl(&format!("{new} -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout host.key -out host.csr"));
    openssl(
        "x509 -req -in host.csr -CA authority.pem -CAkey authority.key -days 2 -copy_extensions copy -out host.pem",
    );
}
