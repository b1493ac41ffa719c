//! Publishing to an FTP server over TLS. A file is sent under a name of its own, its size is asked for, and then it gets
//! its final name by a rename, after a look that this name is free: FTP's rename replaces what is there, so between look
//! and rename nobody else may write, and what keeps versions apart is that the bytes are pinned.

mod session;
mod trust;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use outflow_formats::digest::{Algorithm, Digester};
use outflow_layout::layout::Target;
use outflow_spec::sink::{FtpsSink, TlsVersion};
use rustls::ClientConfig;
use rustls::client::Resumption;
use suppaftp::{FtpError, FtpResult};
use tokio::fs::File;
use tokio::sync::{Mutex, MutexGuard};

use self::session::{Refusal, Session};
use super::{Proof, Put, Sink, Trust, check_path};
use crate::error::{Error, Result, Retry};
use crate::kill_point;
use crate::ledger::SealedFile;
use crate::progress::{Event, Progress};

/// A folder of an FTP server. Files go one after another over one session.
pub struct Ftps {
    sink: FtpsSink,
    base: PathBuf,
    target: Target,
    identity: String,
    tls: StdMutex<Option<ClientConfig>>,
    seen: trust::Seen,
    session: Mutex<Option<Session>>,
    /// Paths that this process gave their names, and folders it made.
    ours: StdMutex<HashSet<String>>,
}

impl Ftps {
    /// A sink for what the pipeline says; `base` is where paths on this machine start. Connects to nothing.
    pub fn new(sink: &FtpsSink, base: &Path) -> Result<Self> {
        let wrong = |what: &str| Error::user(format!("`{what}` of the ftps sink holds a blank or control character"));
        if sink.host.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@')) {
            return Err(wrong("host").hint("write the name of the server alone, as `ftp.acme.example`"));
        }
        if sink.user.chars().any(char::is_control) || sink.password.reveal().chars().any(char::is_control) {
            return Err(wrong("user` or `password"));
        }
        let inner = sink.path.strip_prefix('/').unwrap_or(&sink.path);
        if !inner.is_empty() {
            check_path(inner)?;
        }
        let port = session::port(sink);
        Ok(Self {
            identity: format!("ftps://{}@{}:{port}/{}", sink.user, sink.host, sink.path)
                .trim_end_matches('/')
                .to_owned(),
            target: super::target(&outflow_spec::sink::SinkSpec::Ftps(sink.clone())),
            sink: sink.clone(),
            base: base.to_owned(),
            tls: StdMutex::default(),
            seen: trust::Seen::default(),
            session: Mutex::default(),
            ours: StdMutex::default(),
        })
    }

    fn remote(&self, path: &str) -> Result<String> {
        check_path(path)?;
        let root = self.sink.path.as_str();
        let between = if root.is_empty() || root.ends_with('/') { "" } else { "/" };
        Ok(format!("{root}{between}{path}"))
    }

    /// The settings of TLS, read once, for a control connection and its data connections. They resume one another's
    /// sessions and nobody else's: servers refuse data connections that bring a ticket of a former control connection.
    fn tls(&self) -> Result<Arc<ClientConfig>> {
        let mut held = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        let tls = match held.take() {
            Some(tls) => tls,
            None => trust::settings(&self.sink, &self.base, &self.seen)?,
        };
        let mut own = tls.clone();
        own.resumption = Resumption::in_memory_sessions(SESSIONS);
        *held = Some(tls);
        Ok(Arc::new(own))
    }

    async fn session(&self) -> Result<Held<'_>> {
        let mut place = self.session.lock().await;
        if let Some(mut session) = place.take()
            && session.lives().await
        {
            return Ok(Held { session, place });
        }
        Ok(Held { session: self.connect().await?, place })
    }

    async fn connect(&self) -> Result<Session> {
        let what = format!("connecting to `{}:{}`", self.sink.host, session::port(&self.sink));
        match Session::open(&self.sink, self.tls()?).await {
            Ok(session) => Ok(session),
            Err(Refusal::Connection(error)) => Err(self.failure(&what, &error)),
            // What the server answers to a password is not repeated.
            Err(Refusal::Login(error)) => {
                let failed = describe(&error, &what);
                let message = format!("{what}: the login of `{}` was refused", self.sink.user);
                Err(match failed.retry() {
                    Retry::Later => Error::transient(message),
                    _ => Error::external(message).fault_of_client().hint("check `user` and `password`"),
                })
            }
        }
    }

    fn failure(&self, what: &str, error: &FtpError) -> Error {
        let failed = describe(error, what);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (untrusted(error), seen) {
            (true, Some(seen)) => failed.hint(format!(
                "the server showed the certificate with SHA-256 {seen}; once its owner confirms that, pin it with \
                 `certificate_sha256`, or name the issuer's certificate as `ca_file`"
            )),
            _ => failed,
        }
    }

    fn at(&self, doing: &str, file: &SealedFile) -> String {
        format!("{doing} `{}`", self.target.url(&file.path))
    }

    fn ours(&self, path: &str) -> bool {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn note(&self, path: &str) {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
    }

    /// Makes the folders that a file lies in, those of the sink's own path included.
    async fn make_folders(&self, session: &mut Session, path: &str) -> FtpResult<()> {
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        for folder in ends.map(|at| &path[..at]) {
            let key = format!("{folder}/");
            if !self.ours(&key) {
                session.make_folder(folder).await?;
                self.note(&key);
            }
        }
        Ok(())
    }

    /// Makes the folders of a file, and sends it under its staging name.
    async fn send(
        &self,
        session: &mut Session,
        file: &SealedFile,
        (path, staging): (&str, &str),
        progress: &dyn Progress,
    ) -> FtpResult<Option<Put>> {
        self.make_folders(session, path).await?;
        self.stage(session, file, staging, progress).await
    }

    /// Sends a file under its staging name; `Some` says that it was not what was sealed.
    async fn stage(
        &self,
        session: &mut Session,
        file: &SealedFile,
        staging: &str,
        progress: &dyn Progress,
    ) -> FtpResult<Option<Put>> {
        let damaged = |why: String| Ok(Some(Put::Damaged(format!("spool file `{}` {why}", file.spool_path.display()))));
        let mut spool = match File::open(&file.spool_path).await {
            Ok(spool) => spool,
            Err(error) => return damaged(format!("cannot be read: {error}")),
        };
        match spool.metadata().await {
            Ok(found) if found.len() == file.bytes => {}
            Ok(_) => return damaged("was changed after it was sealed".to_owned()),
            Err(error) => return damaged(format!("cannot be read: {error}")),
        }
        let mut digester = Digester::new(file.digest.algorithm());
        let sent = session.send(staging, &mut spool, |bytes| {
            digester.update(bytes);
            progress.event(Event::Delivered(bytes.len() as u64));
        });
        sent.await?;
        if digester.finish() != file.digest {
            session.remove(staging).await?;
            return damaged("was changed after it was sealed".to_owned());
        }
        Ok(None)
    }

    /// Gives a staged file its final name if that is free.
    async fn show(&self, session: &mut Session, file: &SealedFile, staging: &str, path: &str) -> FtpResult<Shown> {
        let staged = session.size(staging).await?;
        if staged != Some(file.bytes) {
            session.remove(staging).await?;
            return Ok(Shown::Short(staged.unwrap_or_default()));
        }
        if session.size(path).await?.is_some() {
            session.remove(staging).await?;
            return Ok(Shown::Taken);
        }
        kill_point!("ftps-before-rename");
        session.rename(staging, path).await?;
        kill_point!("ftps-renamed");
        Ok(Shown::Stored)
    }
}

enum Shown {
    Stored,
    Taken,
    Short(u64),
}

/// The session in use. It goes back only when both sides know where they are; else it is closed.
struct Held<'a> {
    session: Session,
    place: MutexGuard<'a, Option<Session>>,
}

impl Held<'_> {
    fn give_back<T>(mut self, result: Result<&T, &FtpError>) {
        if !result.is_err_and(session::breaks) {
            self.session.touch();
            *self.place = Some(self.session);
        }
    }
}

#[async_trait]
impl Sink for Ftps {
    /// The server can make none.
    fn digest(&self) -> Algorithm {
        Algorithm::Xxh3
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn check(&self) -> Result<()> {
        self.session().await?.give_back(Ok(&()));
        Ok(())
    }

    async fn compare(&self, file: &SealedFile, trust: Trust) -> Result<Proof> {
        let path = self.remote(&file.path)?;
        let mut held = self.session().await?;
        let mut digester = Digester::new(file.digest.algorithm());
        let looked = async {
            let size = held.session.size(&path).await?;
            // FTP tells no digest; the size is proof enough of a file that this process has just sent and named.
            let believed = trust == Trust::Spool && self.ours(&path);
            if size == Some(file.bytes) && !believed {
                held.session.fetch(&path, |bytes| digester.update(bytes)).await?;
            }
            Ok((size, believed))
        };
        let found: FtpResult<_> = looked.await;
        held.give_back(found.as_ref());
        match found.map_err(|error| self.failure(&self.at("reading back", file), &error))? {
            (None, _) => Ok(Proof::Absent),
            (Some(size), _) if size != file.bytes => {
                Ok(Proof::Different(format!("has {size} bytes at the target, not {}", file.bytes)))
            }
            (Some(_), true) => Ok(Proof::Same),
            _ if digester.finish() == file.digest => Ok(Proof::Same),
            _ => Ok(Proof::Different("has other content at the target than was sealed".to_owned())),
        }
    }

    async fn put(&self, file: &SealedFile, staging: &str, progress: &dyn Progress) -> Result<Put> {
        let path = self.remote(&file.path)?;
        let staging = sibling(&path, staging);
        let mut held = self.session().await?;
        let mut staged = self.send(&mut held.session, file, (&path, &staging), progress).await;
        if staged.as_ref().is_err_and(|error| code(error) == NOT_RESUMED) {
            // TLS 1.3 resumes a session a few times only; the next control connection begins another. It is this file's
            // at once: were the place left, files that wait for it would use the new one up.
            held.session = self.connect().await?;
            staged = self.send(&mut held.session, file, (&path, &staging), progress).await;
        }
        let error = match staged {
            Ok(None) => {
                kill_point!("ftps-sent");
                let shown = self.show(&mut held.session, file, &staging, &path).await;
                held.give_back(shown.as_ref());
                match shown {
                    Ok(Shown::Stored) => {
                        self.note(&path);
                        return Ok(Put::Stored);
                    }
                    Ok(Shown::Taken) => return Ok(Put::Taken),
                    Ok(Shown::Short(bytes)) => {
                        let what = self.at("writing", file);
                        let message = format!("{what}: {bytes} bytes arrived, not {}", file.bytes);
                        return Ok(Put::Unknown(Error::transient(message)));
                    }
                    Err(error) => error,
                }
            }
            Ok(Some(damaged)) => {
                held.give_back(Ok(&()));
                return Ok(damaged);
            }
            Err(error) => {
                held.give_back::<()>(Err(&error));
                error
            }
        };
        let error = self.failure(&self.at("writing", file), &error);
        // What was sent is no use without its final name; where it cannot go now, recovery sweeps it.
        let _ = self.sweep(file, staging.rsplit('/').next().unwrap_or(&staging)).await;
        if error.retry() == Retry::Never { Err(error) } else { Ok(Put::Unknown(error)) }
    }

    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()> {
        let path = sibling(&self.remote(&file.path)?, staging);
        let mut held = self.session().await?;
        let removed = held.session.remove(&path).await;
        held.give_back(removed.as_ref());
        removed.map(drop).map_err(|error| self.failure(&format!("removing `{path}`"), &error))
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        let path = self.remote(&file.path)?;
        let mut held = self.session().await?;
        let removed: FtpResult<_> = async {
            let size = held.session.size(&path).await?;
            let gone = size == Some(file.bytes) && held.session.remove(&path).await?;
            Ok((size, gone))
        }
        .await;
        held.give_back(removed.as_ref());
        match removed.map_err(|error| self.failure(&self.at("removing", file), &error))? {
            (None, _) => Ok(Proof::Absent),
            (Some(_), true) => Ok(Proof::Same),
            (Some(size), _) if size != file.bytes => {
                Ok(Proof::Different(format!("has {size} bytes at the target, not {}", file.bytes)))
            }
            _ => Ok(Proof::Absent),
        }
    }

    fn creates_if_absent(&self) -> bool {
        false
    }

    fn verified_by(&self) -> &'static str {
        "the size after sending, all bytes read back when recovering"
    }

    async fn modified(&self, file: &SealedFile) -> Result<Option<Timestamp>> {
        let path = self.remote(&file.path)?;
        let mut held = self.session().await?;
        let at = held.session.modified(&path).await;
        held.give_back(at.as_ref());
        // Not every server tells.
        Ok(at.ok().flatten().and_then(|seconds| Timestamp::from_second(seconds).ok()))
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let tls = match self.sink.newest_tls {
            TlsVersion::Tls12 => "TLS 1.2, control and data connections",
            TlsVersion::Tls13 => "TLS 1.2 or 1.3, control and data connections",
        };
        let by = match (&self.sink.certificate_sha256, &self.sink.ca_file) {
            (Some(_), _) => "pinned".to_owned(),
            (None, Some(file)) => format!("vouched for by `{file}`"),
            (None, None) => "vouched for by this machine's certificates".to_owned(),
        };
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let certificate = seen.map(|seen| ("certificate", format!("SHA-256 {seen}, {by}")));
        std::iter::once(("transport", tls.to_owned())).chain(certificate).collect()
    }
}

/// A name beside a path.
fn sibling(path: &str, name: &str) -> String {
    path.rsplit_once('/').map_or_else(|| name.to_owned(), |(folder, _)| format!("{folder}/{name}"))
}

/// Whether the server could not prove who it is.
fn untrusted(error: &FtpError) -> bool {
    matches!(error, FtpError::SecureError(text) if text.contains("certificate"))
}

/// TLS sessions that are kept of a control connection.
const SESSIONS: usize = 32;

/// What a server answers that wants a data connection to resume the session of the control connection.
const NOT_RESUMED: u16 = 522;

/// The code of a server's answer; 0 where it is none. The library does not know all of them.
fn code(error: &FtpError) -> u16 {
    let FtpError::UnexpectedResponse(answer) = error else { return 0 };
    let text = String::from_utf8_lossy(&answer.body);
    text.trim().get(..3).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Turns a failure into the engine's error; `what` says what was done where.
fn describe(error: &FtpError, what: &str) -> Error {
    match error {
        FtpError::SecureError(text) if untrusted(error) => {
            Error::external(format!("{what}: the server's certificate is not trusted ({text})")).fault_of_client()
        }
        FtpError::UnexpectedResponse(answer) => {
            let text = String::from_utf8_lossy(&answer.body);
            let said: String = text.trim().chars().filter(|c| !c.is_control()).take(200).collect();
            let message = format!("{what}: the server answered `{said}`");
            match code(error) {
                NOT_RESUMED => Error::external(message)
                    .hint("it wants data connections to resume the session: leave `newest_tls` at `tls12`"),
                452 | 552 => Error::transient(message).hint("free some space there"),
                400..=499 => Error::transient(message),
                500..=599 if what.starts_with("connecting") => Error::external(message)
                    .hint("the server must offer TLS on control and data connections; nothing is sent in clear"),
                530 | 532 | 550 | 553 => {
                    Error::external(message).fault_of_client().hint("check `path`, and that `user` may write there")
                }
                _ => Error::external(message),
            }
        }
        FtpError::ConnectionError(cause) => Error::transient(format!("{what}: {cause}")),
        FtpError::SecureError(text) => Error::transient(format!("{what}: {text}")),
        other => Error::transient(format!("{what}: {other}")),
    }
}
