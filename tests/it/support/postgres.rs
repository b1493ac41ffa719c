//! A PostgreSQL server of the test's own, on loopback in a temporary folder, from Debian's package `postgresql`.
//! Uses the standard library only, for the engine's unit tests include this file too. It ends with the test process,
//! however that ends: a shell waits for the pipe from here to close, then stops the server and removes its folder.

#![allow(dead_code, reason = "not every test program uses all of it")]

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const USER: &str = "outflow";
const MISSING: &str = "the tests need a PostgreSQL server: apt-get install postgresql";

/// A running server.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    password: String,
    guard: Option<ChildStdin>,
    guardian: Child,
}

impl Postgres {
    /// The server that all tests of this program share; each takes databases of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[], &[]))
    }

    /// A server of its own, with these files in its data folder (certificates, say) and these settings beside the
    /// defaults. Example: `start(&[("server.crt", …), ("server.key", …)], &[("ssl", "on")])`.
    pub fn start(files: &[(&str, &str)], settings: &[(&str, &str)]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let programs = programs();
        let folder = std::env::temp_dir().join(format!("outflow-postgres-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let password = format!("Kingfisher-{}-{number}", std::process::id());
        fs::write(folder.join("password"), &password).expect("a temporary file can be written");
        own(&folder);
        let data = folder.join("data");
        let mut make = as_server(&programs.join("initdb"), &folder);
        make.args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--username", USER]);
        succeed(make.arg("--pwfile").arg(folder.join("password")).arg("--pgdata").arg(&data));
        let port = free_port();
        let mut told = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nfsync = off\n\
             max_connections = 200\nshared_buffers = 16MB\nmax_prepared_transactions = 4\n"
        );
        settings.iter().for_each(|(name, value)| told.push_str(&format!("{name} = '{value}'\n")));
        fs::write(data.join("postgresql.auto.conf"), told).expect("the settings can be written");
        for (name, text) in files {
            let path = data.join(name);
            fs::write(&path, text).expect("a file of the server can be written");
            succeed(Command::new("chmod").arg("600").arg(&path));
        }
        own(&folder);
        let (guard, guardian) = watch(&programs, &folder);
        let server = Self { programs, folder, port, password, guard, guardian };
        server.control(&["start", "-w", "-t", "60", "-s"]);
        server
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Name of its only user, who may do everything.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Password of its only user.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Makes an empty database; gives its URL, with the password.
    pub fn database(&self) -> String {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// URL of a database by name.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Runs statements with psql; gives what they answer, columns between `|`, without headings.
    pub fn sql(&self, url: &str, statements: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        succeed(psql.args(["--command", statements, url]))
    }

    /// Ends it as a crash would, without a checkpoint, and starts it again.
    pub fn crash_and_restart(&self) {
        self.stop();
        self.start_again();
    }

    /// Ends it as a crash would; every connection breaks.
    pub fn stop(&self) {
        self.control(&["stop", "-m", "immediate", "-w", "-s"]);
    }

    /// Starts it after `stop`, under the same port.
    pub fn start_again(&self) {
        self.control(&["start", "-w", "-t", "60", "-s"]);
    }

    fn control(&self, words: &[&str]) {
        let mut control = as_server(&self.programs.join("pg_ctl"), &self.folder);
        control.args(words).arg("-D").arg(self.folder.join("data")).arg("-l").arg(self.folder.join("log"));
        let status = control.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(status.is_ok_and(|status| status.success()), "pg_ctl {words:?} failed\n{}", log());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.take());
        let _ = self.guardian.wait();
    }
}

/// A shell that outlives this process just long enough to tidy up after it.
fn watch(programs: &Path, folder: &Path) -> (Option<ChildStdin>, Child) {
    let script = "cat >/dev/null; \"$0\" -D \"$1/data\" -m immediate -w -s stop; cd /; rm -rf \"$1\"";
    let mut shell = as_server(Path::new("sh"), folder);
    shell.arg("-c").arg(script).arg(programs.join("pg_ctl")).arg(folder);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut guardian = shell.spawn().expect("a shell can be started");
    let mut guard = guardian.stdin.take();
    // Proves that the pipe is there before the server is.
    guard.as_mut().map(|guard| guard.write_all(b"\n")).transpose().expect("the shell is listening");
    (guard, guardian)
}

/// The newest server's folder of programs.
fn programs() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().expect(MISSING).1
}

/// A command as the user that may run a server: root may not, and becomes the user that the package made.
fn as_server(program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).env("LC_ALL", "C");
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn own(folder: &Path) {
    if is_root() {
        succeed(Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder));
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed\n{told}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
