//! Child processes that cannot outlive their test: `outflow` itself with a clean environment, and servers.
//! Every child has a deadline and is killed by its own id, never by name.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command may take unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a finished command said.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless standard error contains this text.
    #[track_caller]
    pub fn expect_stderr(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is missing in\n--- stderr\n{}", self.stderr);
        self
    }

    /// Fails the test unless standard output contains this text.
    #[track_caller]
    pub fn expect_stdout(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` is missing in\n--- stdout\n{}", self.stdout);
        self
    }
}

/// One call of the `outflow` binary.
pub struct Outflow {
    command: Command,
    patience: Duration,
}

impl Outflow {
    /// A call in this folder with nothing of the caller's environment but `PATH`; home is inside the folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self::through(&[], folder)
    }

    /// The same, run by another program, such as `strace -f …`.
    pub fn through(wrapper: &[&str], folder: &Path) -> Self {
        let binary = env!("CARGO_BIN_EXE_outflow");
        let mut words = wrapper.iter().copied().chain([binary]);
        let mut command = Command::new(words.next().unwrap_or(binary));
        command.args(words).current_dir(folder);
        clean_environment(&mut command, folder);
        Self { command, patience: PATIENCE }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it another deadline.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Outcome {
        run(&mut self.command, self.patience)
    }

    /// Starts it and leaves it running.
    pub fn spawn(mut self) -> Running {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running::start(&mut self.command, self.patience)
    }
}

fn clean_environment(command: &mut Command, folder: &Path) {
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    // A profile written by an instrumented binary must not land in the tested folder.
    if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
        command.env("LLVM_PROFILE_FILE", profile);
    }
    command.env("HOME", folder).env("LANG", "C.UTF-8").env("TZ", "UTC").env("NO_COLOR", "1");
    // Compiled plugins are shared, so that each call need not compile its own.
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    // Without these two, a client without credentials would ask the network for some.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("NO_PROXY", "127.0.0.1,localhost");
}

/// Runs a command to its end or its deadline and captures what it says.
pub fn run(command: &mut Command, patience: Duration) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let shown = format!("{command:?}");
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child, patience);
    let text =
        |reader: thread::JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    let Some(status) = status else {
        panic!("{shown} was still running after {patience:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
    };
    Outcome { code: status.code(), signal: signal_of(status), stdout, stderr }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // A pipe that breaks has said all it will say.
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Waits for the end of a child; kills it at the deadline and gives none.
fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

/// A child that runs beside the test; it is killed when dropped or when its time is over.
pub struct Running {
    child: Arc<Mutex<Child>>,
    over: Option<Sender<()>>,
}

impl Running {
    /// Starts a command that may live this long.
    pub fn start(command: &mut Command, life: Duration) -> Self {
        let shown = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        let child = Arc::new(Mutex::new(child));
        let (over, ended) = channel();
        let watched = child.clone();
        thread::spawn(move || {
            if ended.recv_timeout(life) == Err(RecvTimeoutError::Timeout) {
                end(&watched);
            }
        });
        Self { child, over: Some(over) }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Kills it without warning (SIGKILL) and waits until it is gone.
    pub fn kill(&self) {
        end(&self.child);
    }

    /// Waits until it ends by itself; none when it had to be killed.
    pub fn wait(&self, patience: Duration) -> Option<i32> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        wait(&mut child, patience).and_then(|status| status.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.over.take());
        end(&self.child);
    }
}

fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(child.try_wait(), Ok(None)) {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A server in a child process that prints `host:port` as its first line. Its standard input stays open as
/// long as the test lives, so that it can end itself when the test process is gone.
pub struct Server {
    address: SocketAddr,
    running: Running,
}

impl Server {
    /// Starts it and waits until its port answers.
    pub fn start(command: &mut Command, life: Duration) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let running = Running::start(command, life);
        let stdout = running.child.lock().unwrap_or_else(PoisonError::into_inner).stdout.take();
        let (found, line) = channel();
        thread::spawn(move || {
            let mut first = String::new();
            if let Some(stdout) = stdout {
                let mut reader = BufReader::new(stdout);
                let _ = reader.read_line(&mut first);
                let _ = found.send(first);
                // Reads on, so that a full pipe never stops the server.
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
            }
        });
        let line = line.recv_timeout(Duration::from_secs(60)).unwrap_or_default();
        let address = line.trim().parse().unwrap_or_else(|_| panic!("{command:?} printed no address but `{line}`"));
        wait_for_port(address, Duration::from_secs(150));
        Self { address, running }
    }

    /// Starts a program that neither says where it listens nor ends by itself. A shell watches over it: when the shell
    /// goes, by the end of its standard input or by force, the program goes too.
    pub fn guarded(program: &mut Command, address: SocketAddr, life: Duration) -> Self {
        let script = "echo \"$1\"; shift; setpriv --pdeathsig KILL \"$@\" >&2 & cat >/dev/null; kill $!";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", &address.to_string()]).arg(program.get_program()).args(program.get_args());
        shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::start(&mut shell, life)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub fn process(&self) -> &Running {
        &self.running
    }
}

/// A port of loopback that nothing listens at.
pub fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}

/// Waits until something accepts connections there.
pub fn wait_for_port(address: SocketAddr, patience: Duration) {
    let deadline = Instant::now() + patience;
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        assert!(Instant::now() < deadline, "nothing answers at {address} after {patience:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Root of the repository.
pub fn repository() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).expect("cargo runs the tests");
    manifest.ancestors().nth(2).map_or_else(|| manifest.clone(), Path::to_owned)
}

/// What runs leave behind in a folder; a developer's own trial must not leak into a test.
const LEFT_BEHIND: [&str; 2] = [".outflow", "out"];

/// Copies a folder with everything in it but what runs left behind.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap_or_else(|error| panic!("cannot make {}: {error}", to.display()));
    let entries = std::fs::read_dir(from).unwrap_or_else(|error| panic!("cannot list {}: {error}", from.display()));
    for entry in entries.flatten().filter(|entry| !LEFT_BEHIND.iter().any(|name| entry.file_name() == *name)) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target)
                .unwrap_or_else(|error| panic!("cannot copy {}: {error}", entry.path().display()));
        }
    }
}

/// The files below a folder as path with `/` and bytes, in path order.
pub fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if let (Ok(name), Ok(bytes)) = (path.strip_prefix(root), std::fs::read(&path)) {
                files.push((name.to_string_lossy().replace('\\', "/"), bytes));
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, folder, &mut files);
    files.sort();
    files
}
