//! Sessions over `russh`: many pieces of many files on their way at once through one connection.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{FuturesOrdered, FuturesUnordered, StreamExt};
use russh::client::{self, AuthResult, DisconnectReason, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, PrivateKeyWithHashAlg, PublicKeyBase64, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelMsg, MethodKind, MethodSet, Preferred, cipher};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use crate::error::{Error, Kind, Result};
use crate::host_key::Trusted;
use crate::pace::{Pace, Watched};
use crate::source::Pieces;
use crate::wire::{Opening, Wire};
use crate::{Credential, Found, Line, Server, Session, Watch};

/// Largest piece of a file in one request, and the one every server takes.
const LARGE: usize = 255 * 1024;
const SMALL: usize = 32 * 1024;
/// Bytes on their way in one connection, over all files, and requests at most.
const IN_FLIGHT: usize = 64 * LARGE;
const REQUESTS: usize = 256;

/// AES-GCM before ChaCha20: the machines that deliver have instructions for it.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

struct Connection {
    wire: Wire,
    // Keep the connection open.
    _handle: client::Handle<Gate>,
    _line: Line,
    pace: Pace,
    piece: usize,
    fsync: AtomicBool,
    room: Semaphore,
    broken: AtomicBool,
}

/// Lets a server in that shows a trusted key, and notes how the connection ended.
struct Gate {
    trusted: Trusted,
    farewell: Arc<Mutex<Option<String>>>,
}

impl From<russh::Error> for Error {
    fn from(error: russh::Error) -> Self {
        Self::new(Kind::Lost, format!("the SSH connection failed: {error}"))
    }
}

impl client::Handler for Gate {
    type Error = Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool> {
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.trusted.check(&key.public_key_bytes()).map(|()| true),
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Error>) -> Result<()> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let said = info.message.chars().filter(|c| !c.is_control()).collect();
                *self.farewell.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

pub(crate) async fn connect(server: &Server) -> Result<impl Session + use<>> {
    let trusted = server.host_keys.of(&server.host, server.port)?;
    let kinds = trusted.kinds();
    let key = kinds.iter().filter_map(|kind| kind.parse::<Algorithm>().ok()).collect::<Vec<_>>();
    let preferred = Preferred { key: Cow::Owned(key), cipher: Cow::Borrowed(CIPHERS), ..Preferred::DEFAULT };
    let config = client::Config { preferred, nodelay: true, ..client::Config::default() };
    let pace = Pace::new(server.patience);
    let line = Line::dial(server).await?;
    let socket = tokio::net::TcpStream::from_std(line.stream()?);
    let socket = socket.map_err(|error| Error::new(Kind::Unreachable, format!("no socket: {error}")))?;
    let stream = Watched::new(socket, pace.clone());
    let farewell = Arc::new(Mutex::new(None));
    let gate = Gate { trusted, farewell: farewell.clone() };
    let unreachable = |error: Error| match error.kind() {
        Kind::Lost => Error::new(Kind::Unreachable, format!("`{}:{}`: {error}", server.host, server.port)),
        _ => error,
    };
    let mut handle = client::connect_stream(Arc::new(config), stream, gate).await.map_err(unreachable)?;
    log_in(&mut handle, server, &farewell).await.map_err(unreachable)?;
    let wire = async {
        let mut channel = handle.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::Failure | ChannelMsg::Close) | None => {
                    return Err(Error::new(Kind::Unsupported, "the server has no SFTP"));
                }
                Some(_) => {}
            }
        }
        Wire::open(channel).await
    };
    let (wire, extensions) = wire.await.map_err(unreachable)?;
    let mut piece = SMALL;
    if extensions.limits {
        let (read, write) = wire.limits().await.map_err(unreachable)?;
        let limit = |limit: u64| usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(SMALL);
        piece = LARGE.min(limit(read)).min(limit(write));
    }
    let room = Semaphore::new((IN_FLIGHT / piece).clamp(1, REQUESTS));
    let (fsync, broken) = (AtomicBool::new(extensions.fsync), AtomicBool::new(false));
    Ok(Connection { wire, _handle: handle, _line: line, pace, piece, fsync, room, broken })
}

async fn log_in(handle: &mut client::Handle<Gate>, server: &Server, farewell: &Mutex<Option<String>>) -> Result<()> {
    let mut accepted = MethodSet::empty();
    for credential in &server.credentials {
        let result = match credential {
            Credential::Key { text, passphrase } => offer_key(handle, server, text, passphrase.as_deref()).await?,
            Credential::Agent(socket) => offer_agent(handle, server, socket).await?,
            Credential::Password(password) => offer_password(handle, server, password).await?,
        };
        match result {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { remaining_methods, .. } => accepted = remaining_methods,
        }
        if handle.is_closed() {
            let said = farewell.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(match said {
                Some(said) => {
                    Error::new(Kind::Login, format!("the server ended the login of `{}`: {said}", server.user))
                }
                None => Error::new(Kind::Lost, "the connection closed during the login"),
            });
        }
    }
    let methods: Vec<&str> = accepted.iter().map(<&str>::from).collect();
    let methods = if methods.is_empty() { "none".to_owned() } else { methods.join(", ") };
    Err(Error::new(Kind::Login, format!("the server refused `{}`; it takes: {methods}", server.user)))
}

async fn offer_key(
    handle: &mut client::Handle<Gate>,
    server: &Server,
    text: &str,
    passphrase: Option<&str>,
) -> Result<AuthResult> {
    let key = decode_secret_key(text, passphrase)
        .map_err(|error| Error::new(Kind::Setup, format!("the private key cannot be read: {error}")))?;
    let hash = match key.algorithm() {
        Algorithm::Rsa { .. } => handle.best_supported_rsa_hash().await?.flatten(),
        _ => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    Ok(handle.authenticate_publickey(&server.user, key).await?)
}

async fn offer_agent(handle: &mut client::Handle<Gate>, server: &Server, socket: &Path) -> Result<AuthResult> {
    let failed = |error: String| Error::new(Kind::Setup, format!("the agent at `{}`: {error}", socket.display()));
    let mut agent = AgentClient::connect_uds(socket).await.map_err(|error| failed(error.to_string()))?;
    let identities = agent.request_identities().await.map_err(|error| failed(error.to_string()))?;
    let mut last = AuthResult::Failure { remaining_methods: MethodSet::empty(), partial_success: false };
    for identity in identities {
        let AgentIdentity::PublicKey { key, .. } = identity else { continue };
        let hash = match key.algorithm() {
            Algorithm::Rsa { .. } => handle.best_supported_rsa_hash().await?.flatten(),
            _ => None,
        };
        let offered = handle.authenticate_publickey_with(&server.user, key, hash, &mut agent).await;
        last = offered.map_err(|error| failed(error.to_string()))?;
        if last.success() || handle.is_closed() {
            break;
        }
    }
    Ok(last)
}

async fn offer_password(handle: &mut client::Handle<Gate>, server: &Server, password: &str) -> Result<AuthResult> {
    let refused = handle.authenticate_password(&server.user, password).await?;
    let AuthResult::Failure { remaining_methods, .. } = &refused else { return Ok(refused) };
    if !remaining_methods.contains(&MethodKind::KeyboardInteractive) {
        return Ok(refused);
    }
    let mut reply = handle.authenticate_keyboard_interactive_start(&server.user, None).await?;
    loop {
        reply = match reply {
            KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
            KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                return Ok(AuthResult::Failure { remaining_methods, partial_success });
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                // What is echoed is no password.
                let answer = |echo| if echo { String::new() } else { password.to_owned() };
                let answers = prompts.iter().map(|prompt| answer(prompt.echo)).collect();
                handle.authenticate_keyboard_interactive_respond(answers).await?
            }
        }
    }
}

impl Connection {
    /// Waits with patience; what was lost once is not used again.
    async fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let done = self.pace.wait(work).await;
        if done.as_ref().is_err_and(|error| error.kind() == Kind::Lost) {
            self.broken.store(true, Ordering::Relaxed);
        }
        done
    }

    async fn open_new(&self, path: &str) -> Result<bytes::Bytes> {
        match self.wire.open_file(path, Opening::New).await {
            Err(error) if error.kind() == Kind::Failed => {
                // Something may lie there; if not, the second answer is as good as the first.
                let _ = self.wire.remove(path).await;
                self.wire.open_file(path, Opening::New).await
            }
            opened => opened,
        }
    }

    async fn send(&self, handle: &[u8], pieces: &mut Pieces, told: &UnboundedSender<u64>) -> Result<()> {
        let mut flying = FuturesUnordered::new();
        let mut offset = 0;
        loop {
            let next = async {
                let permit = self.room.acquire().await;
                (permit, pieces.next().await)
            };
            tokio::pin!(next);
            let (permit, piece) = loop {
                tokio::select! {
                    next = &mut next => break next,
                    Some(sent) = flying.next() => self.confirmed(sent, told)?,
                }
            };
            let Some(piece) = piece else { break };
            let at = offset;
            offset += piece.len() as u64;
            flying.push(async move {
                let _permit = permit;
                self.wire.write(handle, at, &piece).await.map(|()| piece.len() as u64)
            });
        }
        while let Some(sent) = flying.next().await {
            self.confirmed(sent, told)?;
        }
        Ok(())
    }

    /// A confirmation is a few bytes that stand for many.
    fn confirmed(&self, sent: Result<u64>, told: &UnboundedSender<u64>) -> Result<()> {
        let bytes = sent?;
        self.pace.moved(bytes);
        // Nobody has to listen.
        let _ = told.send(bytes);
        Ok(())
    }

    /// Has the server write a file to its disk, as far as it can, and closes it.
    async fn finish(&self, handle: &[u8]) -> Result<()> {
        if !self.fsync.load(Ordering::Relaxed) {
            return self.wire.close(handle).await;
        }
        let (synced, closed) = self.wire.sync_and_close(handle).await?;
        match synced {
            Err(error) if error.kind() == Kind::Unsupported => self.fsync.store(false, Ordering::Relaxed),
            synced => synced?,
        }
        closed
    }

    async fn read_at(&self, handle: &[u8], offset: u64, length: usize) -> Result<Vec<u8>> {
        let _permit = self.room.acquire().await;
        let mut piece = Vec::with_capacity(length);
        while piece.len() < length {
            let part = self.wire.read(handle, offset + piece.len() as u64, (length - piece.len()) as u32).await?;
            if part.is_empty() || piece.len() + part.len() > length {
                break;
            }
            piece.extend_from_slice(&part);
        }
        Ok(piece)
    }

    async fn read(&self, handle: &[u8], bytes: u64, mut watch: Watch) -> Result<u64> {
        let mut flying = FuturesOrdered::new();
        let (mut asked, mut read) = (0, 0);
        loop {
            while asked < bytes && flying.len() < IN_FLIGHT / self.piece / 2 {
                let length = usize::try_from(bytes - asked).unwrap_or(usize::MAX).min(self.piece);
                flying.push_back(self.read_at(handle, asked, length));
                asked += length as u64;
            }
            let Some(piece) = flying.next().await else { break };
            let piece = piece?;
            read += piece.len() as u64;
            watch(&piece);
        }
        Ok(read)
    }
}

#[async_trait]
impl Session for Connection {
    async fn look(&self, path: &str) -> Result<Option<Found>> {
        self.wait(self.wire.look(path)).await
    }

    async fn make_folder(&self, path: &str) -> Result<()> {
        self.wait(self.wire.make_folder(path)).await
    }

    async fn write(&self, path: &str, file: File, told: UnboundedSender<u64>, watch: Watch) -> Result<u64> {
        self.wait(async {
            let handle = self.open_new(path).await?;
            let mut pieces = Pieces::of(file, self.piece, watch);
            // After a failed write the server may well sync and close without complaint: the first error counts.
            let sent = self.send(&handle, &mut pieces, &told).await;
            let finished = self.finish(&handle).await;
            sent.and(finished).map_err(Error::of_writing)?;
            pieces.end().await
        })
        .await
    }

    async fn read_back(&self, path: &str, watch: Watch) -> Result<u64> {
        self.wait(async {
            let handle = self.wire.open_file(path, Opening::Read).await?;
            let bytes = self.wire.look(path).await?.map_or(0, |found| found.bytes);
            let read = self.read(&handle, bytes, watch).await;
            let closed = self.wire.close(&handle).await;
            read.and_then(|read| closed.map(|()| read))
        })
        .await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.wait(self.wire.rename(from, to)).await
    }

    async fn remove(&self, path: &str) -> Result<()> {
        self.wait(self.wire.remove(path)).await
    }

    fn is_lost(&self) -> bool {
        self.broken.load(Ordering::Relaxed) || self.wire.is_closed()
    }
}
