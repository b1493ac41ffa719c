//! OpenSSH's own server for tests: one `sshd -i` a connection behind a listener of ours, so that a test knows every
//! process and no port is guessed. It serves SFTP below a folder of its own, to the user who runs the test.
//! Standard library only, so that any test of the project can take it in.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

const SSHD: &str = "/usr/sbin/sshd";

/// What a server offers.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Kinds of its host keys, as `ssh-keygen -t` calls them.
    pub host_keys: &'a [&'a str],
    /// Further lines of its configuration.
    pub config: &'a str,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { host_keys: &["ed25519"], config: "" }
    }
}

struct State {
    folder: PathBuf,
    children: Mutex<Vec<Child>>,
    /// Connections that a frozen server leaves in its queue.
    queued: Mutex<Vec<TcpStream>>,
    frozen: AtomicBool,
    over: AtomicBool,
}

/// A running server; dropping it ends every connection and removes what it served.
pub struct Sshd {
    address: SocketAddr,
    state: Arc<State>,
}

impl Sshd {
    /// A server with one host key.
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    /// A server as told.
    pub fn with(setup: Setup<'_>) -> Self {
        assert!(Path::new(SSHD).exists(), "`{SSHD}` is missing: install Debian's `openssh-server`");
        let folder = own_folder();
        std::fs::create_dir_all(folder.join("files")).expect("a folder for temporary files can be written");
        for kind in setup.host_keys {
            make_key(&folder.join(format!("host_{kind}")), kind);
        }
        make_key(&folder.join("id"), "ed25519");
        std::fs::copy(folder.join("id.pub"), folder.join("authorized_keys")).expect("the key was made");
        std::fs::write(folder.join("config"), config(&folder, &setup)).expect("the folder can be written");
        if user() == "root" {
            // Where root's server locks its unprivileged half in.
            let _ = std::fs::create_dir_all("/run/sshd");
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            folder,
            children: Mutex::default(),
            queued: Mutex::default(),
            frozen: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        thread::spawn({
            let state = state.clone();
            move || serve(&listener, &state)
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder to deliver to; an absolute path.
    pub fn files(&self) -> PathBuf {
        self.state.folder.join("files")
    }

    /// Whom to log in as.
    pub fn user(&self) -> String {
        user()
    }

    /// File with the private key that it accepts.
    pub fn private_key(&self) -> PathBuf {
        self.state.folder.join("id")
    }

    /// Fingerprint of a host key.
    pub fn fingerprint(&self, kind: &str) -> String {
        let key = self.state.folder.join(format!("host_{kind}.pub"));
        let told = output(Command::new("ssh-keygen").arg("-lf").arg(key));
        told.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    /// The line of a known_hosts file for a host key, for a port of loopback.
    pub fn known_hosts(&self, kind: &str, port: u16) -> String {
        let key = std::fs::read_to_string(self.state.folder.join(format!("host_{kind}.pub"))).unwrap_or_default();
        format!("[127.0.0.1]:{port} {key}")
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.state.folder.join("log")).unwrap_or_default()
    }

    /// Stops every process of it, as they are; new connections are accepted and nobody speaks.
    pub fn freeze(&self) {
        self.state.frozen.store(true, Ordering::SeqCst);
        self.signal("STOP");
    }

    /// Kills every connection.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        lock(&self.state.children).len()
    }

    fn signal(&self, name: &str) {
        for child in lock(&self.state.children).iter_mut() {
            if matches!(child.try_wait(), Ok(None)) {
                // The process that speaks to the client; the others of the session end with it.
                let _ = Command::new("kill").args(["-s", name, &child.id().to_string()]).status();
            }
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        for child in lock(&self.state.children).iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.state.folder);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.over.load(Ordering::SeqCst) {
            return;
        }
        if state.frozen.load(Ordering::SeqCst) {
            lock(&state.queued).push(stream);
            continue;
        }
        let log = std::fs::OpenOptions::new().append(true).create(true).open(state.folder.join("log"));
        let (Ok(output), Ok(log)) = (stream.try_clone(), log) else { continue };
        let _ = stream.set_nodelay(true);
        let child = Command::new(SSHD)
            .args(["-i", "-e", "-f"])
            .arg(state.folder.join("config"))
            .stdin(OwnedFd::from(stream))
            .stdout(OwnedFd::from(output))
            .stderr(log)
            .process_group(0)
            .spawn();
        if let Ok(child) = child {
            lock(&state.children).push(child);
        }
    }
}

fn config(folder: &Path, setup: &Setup<'_>) -> String {
    let place = folder.display();
    let keys: String = setup.host_keys.iter().map(|kind| format!("HostKey {place}/host_{kind}\n")).collect();
    format!(
        "{keys}AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\nPidFile none\nLogLevel VERBOSE\n\
         Subsystem sftp internal-sftp\n{}\n",
        setup.config
    )
}

/// A folder nobody else uses.
fn own_folder() -> PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let mut nonce = [0; 8];
    let random = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut nonce));
    random.expect("the system has random numbers");
    let nonce = u64::from_le_bytes(nonce);
    std::env::temp_dir().join(format!("sshd-{}-{number}-{nonce:x}", std::process::id()))
}

fn make_key(path: &Path, kind: &str) {
    let mut command = Command::new("ssh-keygen");
    output(command.args(["-q", "-N", "", "-t", kind, "-f"]).arg(path));
}

fn user() -> String {
    output(Command::new("id").arg("-un")).trim().to_owned()
}

fn output(command: &mut Command) -> String {
    let told = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(told.status.success(), "{command:?}: {}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8_lossy(&told.stdout).into_owned()
}
