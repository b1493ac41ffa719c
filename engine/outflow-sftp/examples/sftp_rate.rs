//! How fast both backends deliver over SFTP, beside OpenSSH's own `sftp`, on one server in one run: a large file, many
//! small ones, and a file over a line with a round trip of 20 and 40 ms. Ours do all that a delivery does (look, write,
//! sync, measure, rename, look again), `sftp` only puts. Run it with
//! `cargo run --release -p outflow-sftp --example sftp_rate -- [ROUNDS] [LARGE_MB]`; Debian's `openssh-server` and
//! `openssh-client` must be installed. `TMPDIR` says where files are read and written.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that cannot go on stops")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use outflow_sftp::{Backend, Credential, HostKeys, Server, connect};

#[allow(dead_code)]
#[path = "../../../tests/it/support/proxy.rs"]
mod proxy;
#[allow(dead_code)]
#[path = "../../../tests/it/support/sshd.rs"]
mod sshd;

use proxy::{Proxy, Script};
use sshd::Sshd;

/// Who sends: OpenSSH as it comes, OpenSSH with the cipher that ours prefer, ours.
const CLIENTS: [&str; 4] = ["sftp", "sftp aes256-gcm", "russh", "ssh2"];
/// Files on their way at once, and connections of `ssh2`, as in the sink.
const AT_ONCE: usize = 16;
const CONNECTIONS_OF_SSH2: usize = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rest @ ..] = arguments.as_slice()
        && mode == "send"
    {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(send(rest));
    }
    let number = |at: usize, default: usize| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let (rounds, large) = (number(0, 3), number(1, 1024));
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, count: usize, bytes: usize| {
        let place = folder.path().join(name);
        fs::create_dir(&place).unwrap();
        (0..count).for_each(|n| fs::write(place.join(format!("file{n:04}.csv")), noise(bytes, n)).unwrap());
        place
    };
    let (big, small) = (make("large", 1, large << 20), make("small", 1000, 100_000));
    let far = make("far", 1, 100 << 20);
    let server = Sshd::start();
    for (name, files, round_trip) in [
        (format!("1 file of {large} MB"), &big, 0),
        ("1,000 files of 100 KB".to_owned(), &small, 0),
        ("1 file of 100 MB, 20 ms".to_owned(), &far, 20),
        ("1 file of 100 MB, 40 ms".to_owned(), &far, 40),
        ("1,000 files of 100 KB, 20 ms".to_owned(), &small, 20),
    ] {
        let proxy = Proxy::scripted(server.address(), move |_| Script::round_trip(Duration::from_millis(round_trip)));
        let address = if round_trip == 0 { server.address() } else { proxy.address() };
        let mut measured: HashMap<&str, Vec<Measure>> = HashMap::new();
        for _ in 0..rounds {
            for client in CLIENTS {
                measured.entry(client).or_default().push(measure(&server, client, address, files, folder.path()));
            }
        }
        println!("\n{name}\n{:<18}{:>8}{:>8}{:>10}{:>9}", "client", "MB/s", "CPU s", "memory MB", "x sftp");
        let median = |client: &str| {
            let mut all = measured[client].clone();
            all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            all[all.len() / 2]
        };
        let bytes: u64 = fs::read_dir(files).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        for client in CLIENTS {
            let Measure { seconds, cpu, memory } = median(client);
            let (rate, ratio) = (bytes as f64 / 1e6 / seconds, median("sftp").seconds / seconds);
            println!("{client:<18}{rate:>8.0}{cpu:>8.2}{memory:>10.0}{ratio:>9.2}");
        }
    }
}

fn noise(bytes: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let mut body = Vec::with_capacity(bytes + 8);
    while body.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        body.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    body.truncate(bytes);
    body
}

#[derive(Clone, Copy, Debug)]
struct Measure {
    seconds: f64,
    cpu: f64,
    memory: f64,
}

fn measure(server: &Sshd, client: &str, address: SocketAddr, files: &Path, scratch: &Path) -> Measure {
    let target = server.files().join("in");
    let _ = fs::remove_dir_all(&target);
    fs::create_dir(&target).unwrap();
    let target = target.to_str().unwrap();
    let port = address.port().to_string();
    let key = server.private_key();
    let words: Vec<String> = if let Some(options) = client.strip_prefix("sftp") {
        let (known, batch) = (scratch.join("known_hosts"), scratch.join("batch"));
        fs::write(&known, server.known_hosts("ed25519", address.port())).unwrap();
        let put = |path: PathBuf| format!("put {} {target}/\n", path.display());
        fs::write(&batch, list(files).into_iter().map(put).collect::<String>()).unwrap();
        let known = format!("UserKnownHostsFile={}", known.display());
        let cipher = options.trim().strip_prefix("aes256-gcm").map(|_| "Ciphers=aes256-gcm@openssh.com");
        let mut words = vec!["sftp", "-q", "-P", &port, "-o", &known, "-o", "IdentitiesOnly=yes", "-i"];
        words.push(key.to_str().unwrap());
        words.extend(cipher.into_iter().flat_map(|cipher| ["-o", cipher]));
        words.extend(["-b", batch.to_str().unwrap()]);
        let host = format!("{}@127.0.0.1", server.user());
        words.into_iter().map(str::to_owned).chain([host]).collect()
    } else {
        let own = std::env::current_exe().unwrap();
        let words =
            [own.to_str().unwrap(), "send", client, &port, &server.user(), key.to_str().unwrap()].map(str::to_owned);
        let rest = [server.fingerprint("ed25519"), files.to_str().unwrap().to_owned(), target.to_owned()];
        words.into_iter().chain(rest).collect()
    };
    let measure = watch(&words);
    let arrived: u64 = list(Path::new(target)).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let sent: u64 = list(files).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(arrived, sent, "{client}");
    measure
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Runs a command in a shell that tells what its children used; looks at their memory all the time.
fn watch(words: &[String]) -> Measure {
    let began = Instant::now();
    let mut shell = Command::new("sh");
    shell.args(["-c", r#""$@" >/dev/null; times"#, "sh"]).args(words).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut most: HashMap<u32, u64> = HashMap::new();
    let mut seconds = None;
    while child.try_wait().unwrap().is_none() {
        for process in descendants(child.id()) {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            if let Some(kilobytes) = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()) {
                most.insert(process, kilobytes);
            }
        }
        seconds = Some(began.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    // The second line is of the children: user and system, as `0m1.230000s`.
    let part = |text: &str| {
        let (minutes, seconds) = text.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let cpu = told.lines().nth(1).unwrap().split_whitespace().map(part).sum();
    Measure { seconds: seconds.unwrap(), cpu, memory: most.values().sum::<u64>() as f64 / 1024.0 }
}

fn descendants(root: u32) -> HashSet<u32> {
    let mut found = HashSet::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|word| word.parse().ok()) {
            found.insert(child);
            parents.push(child);
        }
    }
    found
}

/// Delivers every file of a folder, as the sink does.
async fn send(arguments: &[String]) {
    let [backend, port, user, key, fingerprint, files, target] = arguments else { panic!("{arguments:?}") };
    let backend = if backend == "russh" { Backend::Russh } else { Backend::Libssh2 };
    let server = Server {
        host: "127.0.0.1".to_owned(),
        port: port.parse().unwrap(),
        user: user.clone(),
        credentials: vec![Credential::Key { text: fs::read_to_string(key).unwrap(), passphrase: None }],
        host_keys: HostKeys::Pinned(vec![fingerprint.clone()]),
        connect: Duration::from_secs(10),
        patience: Duration::from_secs(60),
        backend,
    };
    let paths = list(Path::new(files));
    let connections = if backend == Backend::Russh { 1 } else { CONNECTIONS_OF_SSH2.min(paths.len()) };
    let sessions = futures::future::join_all((0..connections).map(|_| connect(&server))).await;
    let sessions: Vec<_> = sessions.into_iter().map(|session| session.unwrap()).collect();
    let deliveries = paths.iter().enumerate().map(|(n, path)| {
        let session = &sessions[n % sessions.len()];
        async move {
            let name = path.file_name().unwrap().to_str().unwrap();
            let (temporary, place) = (format!("{target}/.{name}.part"), format!("{target}/{name}"));
            assert_eq!(session.look(&place).await.unwrap(), None);
            let (told, _) = tokio::sync::mpsc::unbounded_channel();
            let file = fs::File::open(path).unwrap();
            let mut digest = xxhash_rust::xxh3::Xxh3::new();
            let sent =
                session.write(&temporary, file, told, Box::new(move |bytes| digest.update(bytes))).await.unwrap();
            let (found, free) = tokio::join!(session.look(&temporary), session.look(&place));
            assert!(found.unwrap().unwrap().bytes == sent && free.unwrap().is_none());
            session.rename(&temporary, &place).await.unwrap();
            assert_eq!(session.look(&place).await.unwrap().unwrap().bytes, sent);
        }
    });
    let deliveries = deliveries.collect::<Vec<_>>();
    futures::stream::iter(deliveries).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}
