//! One logged-in FTP session over TLS. Nothing is said before the server has proven who it is, data connections are
//! protected and go to the host of the control connection only, and no step may be silent for long.

use std::io::{Error as IoError, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use outflow_spec::sink::{FtpsMode, FtpsSink};
use rustls::ClientConfig;
use suppaftp::tokio::{AsyncRustlsConnector, AsyncRustlsFtpStream};
use suppaftp::types::FileType;
use suppaftp::{FtpError, FtpResult, Mode, Status};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Longest that connecting, with all of TLS and the login, may take.
const CONNECT: Duration = Duration::from_secs(30);
/// Longest silence.
const PATIENCE: Duration = Duration::from_secs(60);
/// A session idle for longer is asked whether it lives before it is used.
const IDLE: Duration = Duration::from_secs(10);
const CHUNK: usize = 256 * 1024;

/// A session.
pub(super) struct Session {
    ftp: AsyncRustlsFtpStream,
    used: Instant,
}

/// Why there is no session.
pub(super) enum Refusal {
    /// The server, or the way to it.
    Connection(FtpError),
    /// The server refuses the user.
    Login(FtpError),
}

impl From<FtpError> for Refusal {
    fn from(error: FtpError) -> Self {
        Self::Connection(error)
    }
}

impl Session {
    /// Connects and logs in.
    pub async fn open(sink: &FtpsSink, tls: Arc<ClientConfig>) -> Result<Self, Refusal> {
        match tokio::time::timeout(CONNECT, Self::greet(sink, tls)).await {
            Ok(session) => session,
            Err(_) => Err(silent(CONNECT).into()),
        }
    }

    async fn greet(sink: &FtpsSink, tls: Arc<ClientConfig>) -> Result<Self, Refusal> {
        let connector = AsyncRustlsConnector::from(TlsConnector::from(tls));
        let address = (sink.host.as_str(), port(sink));
        let mut ftp = match sink.tls {
            FtpsMode::Explicit => {
                let stream = TcpStream::connect(address).await.map_err(FtpError::ConnectionError)?;
                AsyncRustlsFtpStream::connect_with_stream(stream).await?.into_secure(connector, &sink.host).await?
            }
            FtpsMode::Implicit => {
                let mut ftp = AsyncRustlsFtpStream::connect_secure_implicit(address, connector, &sink.host).await?;
                ftp.custom_command("PBSZ 0", &[Status::CommandOk]).await?;
                ftp.custom_command("PROT P", &[Status::CommandOk]).await?;
                ftp
            }
        };
        let server = ftp.get_ref().await.peer_addr().map_err(FtpError::ConnectionError)?;
        match server {
            // The answer's address is put aside for the one of the control connection: whatever a server says, data
            // goes nowhere else.
            SocketAddr::V4(_) => ftp.set_passive_nat_workaround(true),
            SocketAddr::V6(_) => ftp.set_mode(Mode::ExtendedPassive),
        }
        match ftp.login(sink.user.as_str(), sink.password.reveal()).await {
            Err(error @ FtpError::UnexpectedResponse(_)) => return Err(Refusal::Login(error)),
            done => done?,
        }
        ftp.transfer_type(FileType::Binary).await?;
        // Names are UTF-8 to us; servers that need to be told know this, others refuse it.
        match ftp.opts("UTF8", Some("ON")).await {
            Ok(()) | Err(FtpError::UnexpectedResponse(_)) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self { ftp, used: Instant::now() })
    }

    /// Whether the session still answers; one that was just used is believed.
    pub async fn lives(&mut self) -> bool {
        self.used.elapsed() < IDLE || within(self.ftp.noop()).await.is_ok()
    }

    /// Notes that the session was just used.
    pub fn touch(&mut self) {
        self.used = Instant::now();
    }

    /// Bytes of a file; none where there is no file.
    pub async fn size(&mut self, path: &str) -> FtpResult<Option<u64>> {
        absent_is_none(within(self.ftp.size(path)).await).map(|size| size.map(|bytes| bytes as u64))
    }

    /// When a file was last written, in seconds since 1970.
    pub async fn modified(&mut self, path: &str) -> FtpResult<Option<i64>> {
        let modified = absent_is_none(within(self.ftp.mdtm(path)).await)?;
        Ok(modified.map(|at| at.and_utc().timestamp()))
    }

    /// Makes a folder; that it is there already is fine, and so is a parent that is nobody's business.
    pub async fn make_folder(&mut self, path: &str) -> FtpResult<()> {
        match within(self.ftp.mkdir(path)).await {
            Err(FtpError::UnexpectedResponse(_)) => Ok(()),
            done => done,
        }
    }

    /// Removes a file; says whether one was there.
    pub async fn remove(&mut self, path: &str) -> FtpResult<bool> {
        absent_is_none(within(self.ftp.rm(path)).await).map(|removed| removed.is_some())
    }

    /// Renames a file. Servers put it in the place of whatever has the new name.
    pub async fn rename(&mut self, from: &str, to: &str) -> FtpResult<()> {
        within(self.ftp.rename(from, to)).await
    }

    /// Sends a file, handing its bytes to `seen`; complete only when the server has said so.
    pub async fn send(&mut self, path: &str, file: &mut File, mut seen: impl FnMut(&[u8])) -> FtpResult<()> {
        let mut transfer = within(self.ftp.put_with_stream(path)).await?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = file.read(&mut chunk).await.map_err(FtpError::ConnectionError)?;
            if read == 0 {
                break;
            }
            seen(&chunk[..read]);
            within(async { transfer.write_all(&chunk[..read]).await.map_err(FtpError::ConnectionError) }).await?;
        }
        within(transfer.finish()).await
    }

    /// Reads a file, handing its bytes to `seen`.
    pub async fn fetch(&mut self, path: &str, mut seen: impl FnMut(&[u8])) -> FtpResult<()> {
        let mut transfer = within(self.ftp.retr_as_stream(path)).await?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = within(async { transfer.read(&mut chunk).await.map_err(FtpError::ConnectionError) }).await?;
            if read == 0 {
                break;
            }
            seen(&chunk[..read]);
        }
        within(transfer.finish()).await
    }
}

/// The port that a sink says or means.
pub(super) fn port(sink: &FtpsSink) -> u16 {
    sink.port.unwrap_or(match sink.tls {
        FtpsMode::Explicit => 21,
        FtpsMode::Implicit => 990,
    })
}

/// Whether the session is of no use after this error: its two sides may not agree any more on what was said.
pub(super) fn breaks(error: &FtpError) -> bool {
    match error {
        FtpError::UnexpectedResponse(answer) => answer.status == Status::NotAvailable,
        _ => true,
    }
}

fn absent_is_none<T>(answer: FtpResult<T>) -> FtpResult<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(FtpError::UnexpectedResponse(answer)) if answer.status == Status::FileUnavailable => Ok(None),
        Err(error) => Err(error),
    }
}

async fn within<T>(step: impl Future<Output = FtpResult<T>>) -> FtpResult<T> {
    tokio::time::timeout(PATIENCE, step).await.unwrap_or_else(|_| Err(silent(PATIENCE)))
}

fn silent(after: Duration) -> FtpError {
    FtpError::ConnectionError(IoError::new(ErrorKind::TimedOut, format!("nothing was heard for {} s", after.as_secs())))
}
