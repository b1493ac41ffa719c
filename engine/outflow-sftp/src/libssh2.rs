//! Sessions over `libssh2`: one call at a time, each on a thread that may block, with a window of bytes on their way
//! that slides as the server confirms them. A thread that waits for a silent server is freed by cutting the line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ssh2::{ErrorCode, KeyboardInteractivePrompt, MethodType, OpenFlags, OpenType, Prompt, RenameFlags, Sftp};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use crate::error::{Error, Kind, Result};
use crate::pace::Pace;
use crate::source::Pieces;
use crate::{Credential, Found, Line, Server, Session, Sort, Watch};

/// Bytes on their way at most, and to begin with: over a slow line the first answer must not take for ever.
const WINDOW: usize = 4 << 20;
const FIRST: usize = 64 << 10;
/// Pieces that the local file is read in, and the server's.
const PIECE: usize = 256 << 10;
/// What ciphers to ask for, the fastest of today's machines first.
const CIPHERS: &str =
    "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";

const NO_SUPPORT: i32 = 8;
const AUTHENTICATION_FAILED: i32 = -18;
const UNVERIFIED: i32 = -19;

struct Connection {
    sftp: Arc<Sftp>,
    line: Arc<Line>,
    pace: Pace,
    turn: Mutex<()>,
    broken: AtomicBool,
}

/// Cuts the line unless the call ended: the thread behind it must not outlive who waits for it.
struct Leash(Option<Arc<Line>>);

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.cut();
        }
    }
}

async fn on_thread<T: Send + 'static>(
    line: &Arc<Line>,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let mut leash = Leash(Some(line.clone()));
    let done = tokio::task::spawn_blocking(work).await;
    leash.0 = None;
    done.unwrap_or_else(|error| Err(Error::new(Kind::Lost, format!("the thread of the session stopped: {error}"))))
}

pub(crate) async fn connect(server: &Server) -> Result<impl Session + use<>> {
    let line = Arc::new(Line::dial(server).await?);
    let (stream, ours) = (line.stream()?, server.clone());
    let sftp = on_thread(&line, move || {
        open(&ours, stream).map_err(|error| match error.kind() {
            Kind::Lost => Error::new(Kind::Unreachable, format!("`{}:{}`: {error}", ours.host, ours.port)),
            _ => error,
        })
    })
    .await?;
    let (sftp, pace) = (Arc::new(sftp), Pace::new(server.patience));
    Ok(Connection { sftp, line, pace, turn: Mutex::default(), broken: AtomicBool::new(false) })
}

fn open(server: &Server, stream: std::net::TcpStream) -> Result<Sftp> {
    let trusted = server.host_keys.of(&server.host, server.port)?;
    stream.set_nonblocking(false).map_err(|error| Error::new(Kind::Unreachable, format!("no socket: {error}")))?;
    let mut session = ssh2::Session::new().map_err(|error| lost(&error))?;
    let prefer = |what, names: &str| session.method_pref(what, names).map_err(|error| lost(&error));
    prefer(MethodType::HostKey, &trusted.kinds().join(","))?;
    prefer(MethodType::CryptCs, CIPHERS)?;
    prefer(MethodType::CryptSc, CIPHERS)?;
    session.set_tcp_stream(stream);
    session.handshake().map_err(|error| lost(&error))?;
    let (key, _) = session.host_key().ok_or_else(|| Error::new(Kind::HostKey, "the server shows no key"))?;
    trusted.check(key)?;
    log_in(&session, server)?;
    session.sftp().map_err(|error| match error.code() {
        ErrorCode::Session(-22) => Error::new(Kind::Unsupported, "the server has no SFTP"),
        _ => lost(&error),
    })
}

fn log_in(session: &ssh2::Session, server: &Server) -> Result<()> {
    let user = server.user.as_str();
    for credential in &server.credentials {
        let offered = match credential {
            Credential::Key { text, passphrase } => {
                session.userauth_pubkey_memory(user, None, text, passphrase.as_deref())
            }
            Credential::Agent(socket) => offer_agent(session, user, socket)?,
            Credential::Password(password) => session.userauth_password(user, password).or_else(|refused| {
                let asks = session.auth_methods(user).is_ok_and(|methods| methods.contains("keyboard-interactive"));
                let answer = || session.userauth_keyboard_interactive(user, &mut Answer(password));
                if asks { answer() } else { Err(refused) }
            }),
        };
        match offered {
            Ok(()) => {}
            // Of several the server may take the next, or want it too.
            Err(error) if matches!(error.code(), ErrorCode::Session(AUTHENTICATION_FAILED | UNVERIFIED)) => {}
            Err(error) if is_unreadable(&error) => {
                let text = format!("the private key cannot be read: {}", error.message());
                return Err(Error::new(Kind::Setup, text));
            }
            Err(error) => return Err(lost(&error)),
        }
        if session.authenticated() {
            return Ok(());
        }
    }
    let methods = session.auth_methods(user).unwrap_or("none").replace(',', ", ");
    Err(Error::new(Kind::Login, format!("the server refused `{user}`; it takes: {methods}")))
}

/// Offers the keys of an agent one by one; gives the last answer.
fn offer_agent(session: &ssh2::Session, user: &str, socket: &Path) -> Result<Result<(), ssh2::Error>> {
    let failed = |error: ssh2::Error| {
        Error::new(Kind::Setup, format!("the agent at `{}`: {}", socket.display(), error.message()))
    };
    let mut agent = session.agent().map_err(failed)?;
    agent.set_identity_path(socket).map_err(failed)?;
    agent.connect().map_err(failed)?;
    agent.list_identities().map_err(failed)?;
    let mut last = Err(ssh2::Error::from_errno(ErrorCode::Session(AUTHENTICATION_FAILED)));
    for identity in agent.identities().map_err(failed)? {
        last = agent.userauth(user, &identity);
        if last.is_ok() {
            break;
        }
    }
    Ok(last)
}

/// Answers every question that is not echoed with the password.
struct Answer<'a>(&'a str);

impl KeyboardInteractivePrompt for Answer<'_> {
    fn prompt(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'_>]) -> Vec<String> {
        prompts.iter().map(|prompt| if prompt.echo { String::new() } else { self.0.to_owned() }).collect()
    }
}

/// Whether the key itself is at fault: its file, its form, its passphrase.
fn is_unreadable(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-16 | -48 | -51 | -49))
}

fn lost(error: &ssh2::Error) -> Error {
    Error::new(Kind::Lost, format!("the SSH connection failed: {}", error.message()))
}

/// What a failed call means: an answer of the server, or the end of the connection.
fn failure(error: &ssh2::Error) -> Error {
    match error.code() {
        ErrorCode::SFTP(code) => Error::status(u32::try_from(code).unwrap_or(4), ""),
        ErrorCode::Session(_) => lost(error),
    }
}

impl Connection {
    /// Does something with the session when it is its turn.
    async fn call<T: Send + 'static>(&self, work: impl FnOnce(&Sftp) -> Result<T> + Send + 'static) -> Result<T> {
        let _turn = self.turn.lock().await;
        if self.broken.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Lost, "the connection closed"));
        }
        let sftp = self.sftp.clone();
        let done = self.pace.wait(on_thread(&self.line, move || work(&sftp))).await;
        if done.as_ref().is_err_and(|error| error.kind() == Kind::Lost) {
            self.broken.store(true, Ordering::Relaxed);
            self.line.cut();
        }
        done
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // libssh2 says goodbye and waits for an answer.
        self.line.cut();
    }
}

fn open_new(sftp: &Sftp, path: &Path) -> Result<ssh2::File> {
    let open = || {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        sftp.open_mode(path, flags, 0o666, OpenType::File).map_err(|error| failure(&error))
    };
    match open() {
        Err(error) if error.kind() == Kind::Failed => {
            // Something may lie there; if not, the second answer is as good as the first.
            let _ = sftp.unlink(path);
            open()
        }
        opened => opened,
    }
}

fn send(file: &mut ssh2::File, pieces: &mut Pieces, pace: &Pace, told: &UnboundedSender<u64>) -> io::Result<()> {
    let mut window = Vec::with_capacity(2 * WINDOW + PIECE);
    let (mut start, mut width, mut ended) = (0, FIRST, false);
    loop {
        while !ended && window.len() - start < width {
            match pieces.blocking_next() {
                Some(piece) => window.extend_from_slice(&piece),
                None => ended = true,
            }
        }
        if start == window.len() {
            return Ok(());
        }
        // It remembers what of these bytes it has sent, and returns how many were confirmed.
        let end = window.len().min(start + width);
        let confirmed = file.write(&window[start..end])?;
        start += confirmed;
        pace.moved(confirmed as u64);
        // Nobody has to listen.
        let _ = told.send(confirmed as u64);
        width = (width + confirmed).min(WINDOW);
        if start >= WINDOW {
            window.drain(..start);
            start = 0;
        }
    }
}

#[async_trait]
impl Session for Connection {
    async fn look(&self, path: &str) -> Result<Option<Found>> {
        let path = path.to_owned();
        self.call(move |sftp| match sftp.lstat(Path::new(&path)) {
            Ok(stat) => Ok(Some(Found {
                sort: Sort::of_mode(stat.perm),
                bytes: stat.size.unwrap_or(0),
                modified: stat.mtime.and_then(|time| u32::try_from(time).ok()),
            })),
            Err(error) => match failure(&error) {
                error if error.kind() == Kind::Missing => Ok(None),
                error => Err(error),
            },
        })
        .await
    }

    async fn make_folder(&self, path: &str) -> Result<()> {
        let path = path.to_owned();
        self.call(move |sftp| sftp.mkdir(Path::new(&path), 0o777).map_err(|error| failure(&error))).await
    }

    async fn write(&self, path: &str, file: File, told: UnboundedSender<u64>, watch: Watch) -> Result<u64> {
        let (path, pace) = (path.to_owned(), self.pace.clone());
        let pieces = self
            .call(move |sftp| {
                let path = Path::new(&path);
                let mut remote = open_new(sftp, path)?;
                let mut pieces = Pieces::of(file, PIECE, watch);
                if let Err(error) = send(&mut remote, &mut pieces, &pace, &told) {
                    // The library does not tell a refusal from a lost connection here; the server does.
                    let alive = sftp.lstat(path).err().is_none_or(|error| failure(&error).kind() != Kind::Lost);
                    let kind = if alive { Kind::Unwritten } else { Kind::Lost };
                    return Err(Error::new(kind, error.to_string()));
                }
                match remote.fsync() {
                    Err(error) if error.code() == ErrorCode::SFTP(NO_SUPPORT) => {}
                    synced => synced.map_err(|error| failure(&error).of_writing())?,
                }
                remote.close().map_err(|error| failure(&error).of_writing())?;
                Ok(pieces)
            })
            .await?;
        pieces.end().await
    }

    async fn read_back(&self, path: &str, mut watch: Watch) -> Result<u64> {
        let (path, pace) = (path.to_owned(), self.pace.clone());
        self.call(move |sftp| {
            let path = Path::new(&path);
            let mut remote = sftp.open(path).map_err(|error| failure(&error))?;
            let mut bytes = 0;
            let mut buffer = vec![0; PIECE];
            loop {
                let read = remote.read(&mut buffer).map_err(|error| Error::new(Kind::Lost, error.to_string()))?;
                if read == 0 {
                    return Ok(bytes);
                }
                watch(&buffer[..read]);
                bytes += read as u64;
                pace.moved(read as u64);
            }
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.call(move |sftp| {
            let done = sftp.rename(Path::new(&from), Path::new(&to), Some(RenameFlags::empty()));
            done.map_err(|error| failure(&error))
        })
        .await
    }

    async fn remove(&self, path: &str) -> Result<()> {
        let path = path.to_owned();
        self.call(move |sftp| sftp.unlink(Path::new(&path)).map_err(|error| failure(&error))).await
    }

    fn is_lost(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}
