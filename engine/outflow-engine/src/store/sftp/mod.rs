//! Publishing into a folder of an SFTP server. A file is written under a temporary name beside its place, synced,
//! measured and renamed by the request that refuses to overwrite. How bytes get there is `outflow-sftp`'s business.

mod failure;
mod pool;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use outflow_formats::digest::{Algorithm, Digest, Digester};
use outflow_layout::layout::Target;
use outflow_sftp::{Backend, Credential, Found, HostKeys, Kind, Server, Session, Sort, Watch};
use outflow_spec::sink::{SftpBackend, SftpSink};
use tokio::sync::{Semaphore, mpsc};

use self::failure::describe;
use self::pool::{Lease, Pool};
use super::{Proof, Put, Sink, Trust, check_path};
use crate::error::{Error, Result};
use crate::kill_point;
use crate::ledger::SealedFile;
use crate::progress::{Event, Progress};

/// Connections when the pipeline does not say: `libssh2` sends one file a connection.
const CONNECTIONS_OF_SSH2: u16 = 4;

/// A folder of an SFTP server.
pub struct Sftp {
    pool: Pool,
    target: Target,
    identity: String,
    at_once: u16,
    files: Semaphore,
    /// Folders that were found or made, and hold no link on their way.
    folders: tokio::sync::Mutex<HashSet<String>>,
    /// What this process has put where: the bytes of these need not be read back while nothing has touched them.
    placed: Mutex<HashMap<String, Placed>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Placed {
    digest: Digest,
    found: Found,
}

impl Sftp {
    /// The sink of a spec. `base` is the folder that `known_hosts` starts from. Connects to nothing.
    pub fn new(spec: &SftpSink, base: &Path) -> Result<Self> {
        let path = spec.path.strip_prefix('/').unwrap_or(&spec.path);
        if !path.is_empty() {
            check_path(path)?;
        }
        let server = server(spec, base)?;
        let target = Target { scheme: "sftp".to_owned(), container: spec.host.clone(), prefix: spec.path.clone() };
        let identity = format!("sftp://{}@{}:{}/{}", spec.user, spec.host, spec.port, spec.path);
        let connections = spec.connections.unwrap_or(match spec.backend {
            SftpBackend::Russh => 1,
            SftpBackend::Ssh2 => CONNECTIONS_OF_SSH2,
        });
        Ok(Self {
            pool: Pool::new(server, connections),
            target,
            identity,
            at_once: spec.files_at_once,
            files: Semaphore::new(usize::from(spec.files_at_once)),
            folders: tokio::sync::Mutex::default(),
            placed: Mutex::default(),
        })
    }

    /// Path of a file as the server takes it.
    fn path(&self, file: &str) -> Result<String> {
        check_path(file)?;
        Ok(match self.target.prefix.as_str() {
            "" => file.to_owned(),
            root => format!("{root}/{file}"),
        })
    }

    fn failure(&self, path: &str, doing: &str, error: &outflow_sftp::Error) -> Error {
        describe(error, &format!("{doing} `sftp://{}/{path}`", self.target.container))
    }

    fn placed(&self) -> MutexGuard<'_, HashMap<String, Placed>> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, path: &str) -> Result<Option<Found>> {
        let found = self.pool.ask(path, |session, path| session.look(path)).await;
        found.map_err(|error| self.failure(path, "reading back", &error))
    }

    /// What is under the path of a file; `believed` says whether bytes that this process put there are read again.
    async fn prove(&self, file: &SealedFile, path: &str, believed: bool) -> Result<Proof> {
        let different = |how: String| Ok(Proof::Different(how));
        let Some(found) = self.look(path).await? else { return Ok(Proof::Absent) };
        if found.sort != Sort::File {
            return different("is not a regular file at the target".to_owned());
        }
        if found.bytes != file.bytes {
            return different(format!("has {} bytes at the target, not {}", found.bytes, file.bytes));
        }
        let ours = Placed { digest: file.digest.clone(), found };
        if believed && self.placed().get(path) == Some(&ours) {
            return Ok(Proof::Same);
        }
        let algorithm = file.digest.algorithm();
        let read = self.pool.ask(path, move |session, path| Box::pin(read_back(session, path, algorithm))).await;
        let content = match read {
            Ok(content) => content,
            Err(error) if error.kind() == Kind::Missing => return Ok(Proof::Absent),
            Err(error) => return Err(self.failure(path, "reading back", &error)),
        };
        if is_sealed(&content, file) {
            Ok(Proof::Same)
        } else {
            different("has other content at the target than was sealed".to_owned())
        }
    }

    /// Makes sure that the folder of a path is there, and that no link below the sink's folder leads out of it.
    async fn make_folders(&self, lease: &Lease<'_>, path: &str) -> Result<()> {
        let Some((folder, _)) = path.rsplit_once('/') else { return Ok(()) };
        let mut known = self.folders.lock().await;
        if known.contains(folder) {
            return Ok(());
        }
        let ends = folder.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).chain([folder.len()]);
        for end in ends {
            let part = &folder[..end];
            if part.is_empty() || known.contains(part) {
                continue;
            }
            // The folder of the sink may be reached by links; that is its owner's choice.
            let ours = end > self.target.prefix.len();
            self.make_folder(lease, part, ours).await?;
            known.insert(part.to_owned());
        }
        Ok(())
    }

    async fn make_folder(&self, lease: &Lease<'_>, folder: &str, ours: bool) -> Result<()> {
        let failed = |error| self.failure(folder, "making", &error);
        let mut made = Ok(());
        let mut found = lease.look(folder).await.map_err(failed)?;
        if found.is_none() {
            made = lease.make_folder(folder).await;
            // Another may have made it at the same time.
            found = lease.look(folder).await.map_err(failed)?;
        }
        match found.map(|found| found.sort) {
            Some(Sort::Folder) => Ok(()),
            Some(Sort::Other) if !ours => Ok(()),
            None => made.map_err(failed),
            Some(_) => {
                let place = format!("sftp://{}/{folder}", self.target.container);
                Err(Error::external(format!("`{place}` is not a folder"))
                    .hint("outflow writes below the folder of the sink only, and follows no link there"))
            }
        }
    }

    /// Sends a file to its temporary name and tells of the bytes that were confirmed.
    async fn send(
        &self,
        lease: &Lease<'_>,
        temporary: &str,
        spool: File,
        algorithm: Algorithm,
        progress: &dyn Progress,
    ) -> outflow_sftp::Result<Content> {
        let (told, mut confirmed) = mpsc::unbounded_channel();
        let (digester, watch) = digesting(algorithm);
        let sent = lease.write(temporary, spool, told, watch);
        tokio::pin!(sent);
        let done = loop {
            tokio::select! {
                done = &mut sent => break done,
                Some(bytes) = confirmed.recv() => progress.event(Event::Delivered(bytes)),
            }
        };
        while let Ok(bytes) = confirmed.try_recv() {
            progress.event(Event::Delivered(bytes));
        }
        Ok(Content::of(done?, &digester))
    }

    /// Sends a file; when its folder has gone since it was last seen, once more.
    async fn upload(
        &self,
        lease: &Lease<'_>,
        temporary: &str,
        file: &SealedFile,
        progress: &dyn Progress,
    ) -> Result<outflow_sftp::Result<Content>, Stop> {
        self.make_folders(lease, temporary).await?;
        let sent = self.send(lease, temporary, open_spool(file)?, file.digest.algorithm(), progress).await;
        if !sent.as_ref().is_err_and(|error| error.kind() == Kind::Missing) {
            return Ok(sent);
        }
        self.folders.lock().await.clear();
        self.make_folders(lease, temporary).await?;
        Ok(self.send(lease, temporary, open_spool(file)?, file.digest.algorithm(), progress).await)
    }

    async fn publish(
        &self,
        file: &SealedFile,
        path: &str,
        staging: &str,
        progress: &dyn Progress,
    ) -> Result<Put, Stop> {
        let temporary = beside(path, staging);
        let lease = self.pool.lease().await.map_err(|error| self.failure(path, "connecting for", &error))?;
        let content = match self.upload(&lease, &temporary, file, progress).await? {
            Ok(content) => content,
            Err(error) => return self.give_up(&lease, file, path, &temporary, "writing", error).await,
        };
        kill_point!("sftp-written");
        if !is_sealed(&content, file) {
            self.discard(&lease, &temporary).await;
            return Ok(changed(file));
        }
        // Servers exist that overwrite all the same: the name is looked at once more after a long transfer.
        let (sent, there) = tokio::join!(lease.look(&temporary), lease.look(path));
        let (sent, there) = match (sent, there) {
            (Ok(sent), Ok(there)) => (sent, there),
            (Err(error), _) | (_, Err(error)) => {
                return self.give_up(&lease, file, path, &temporary, "measuring", error).await;
            }
        };
        let Some(sent) = sent.filter(|sent| sent.bytes == file.bytes) else {
            let held = sent.map_or("nothing".to_owned(), |sent| format!("{} bytes", sent.bytes));
            self.discard(&lease, &temporary).await;
            let url = self.target.url(&file.path);
            let message = format!("writing `{url}`: the server confirmed {} bytes and holds {held}", file.bytes);
            return Err(Error::transient(message).hint("the disk of the server may be full").into());
        };
        if there.is_some() {
            self.discard(&lease, &temporary).await;
            return Ok(Put::Taken);
        }
        kill_point!("sftp-before-rename");
        match lease.rename(&temporary, path).await {
            Ok(()) => {
                kill_point!("sftp-renamed");
                self.placed().insert(path.to_owned(), Placed { digest: file.digest.clone(), found: sent });
                Ok(Put::Stored)
            }
            Err(error) => self.give_up(&lease, file, path, &temporary, "renaming to", error).await,
        }
    }

    /// Ends a failed attempt: what was written goes, and only a lost connection leaves open what became of it.
    async fn give_up(
        &self,
        lease: &Lease<'_>,
        file: &SealedFile,
        path: &str,
        temporary: &str,
        doing: &str,
        error: outflow_sftp::Error,
    ) -> Result<Put, Stop> {
        let failure = self.failure(path, doing, &error);
        match error.kind() {
            Kind::Lost => return Ok(Put::Unknown(failure)),
            Kind::Source => {
                self.discard(lease, temporary).await;
                return Ok(unreadable(file, &error));
            }
            _ => self.discard(lease, temporary).await,
        }
        // "The name exists" and "no" are one answer in this protocol.
        match lease.look(path).await {
            Ok(Some(_)) => Ok(Put::Taken),
            _ => Err(failure.into()),
        }
    }

    /// Removes a temporary file, ours alone and useless now; what stays is swept by the next recovery.
    async fn discard(&self, lease: &Lease<'_>, temporary: &str) {
        let _ = lease.remove(temporary).await;
    }
}

/// Why nothing was published.
enum Stop {
    Failed(Error),
    Damaged(Put),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

#[async_trait]
impl Sink for Sftp {
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

    fn files_at_once(&self) -> usize {
        usize::from(self.at_once)
    }

    async fn check(&self) -> Result<()> {
        let root = if self.target.prefix.is_empty() { "." } else { &self.target.prefix };
        let found = self.pool.ask(root, |session, path| session.look(path)).await;
        match found.map_err(|error| self.failure(&self.target.prefix, "checking", &error))? {
            Some(Found { sort: Sort::File, .. }) => {
                let place = self.target.url("");
                Err(Error::external(format!("`{place}` is not a folder")).hint("check `path` of the sink"))
            }
            // The first delivery makes it.
            _ => Ok(()),
        }
    }

    async fn compare(&self, file: &SealedFile, trust: Trust) -> Result<Proof> {
        let path = self.path(&file.path)?;
        self.prove(file, &path, trust == Trust::Spool).await
    }

    async fn put(&self, file: &SealedFile, staging: &str, progress: &dyn Progress) -> Result<Put> {
        let path = self.path(&file.path)?;
        let _turn = self.files.acquire().await.map_err(|_| Error::internal("uploads were stopped"))?;
        match self.publish(file, &path, staging, progress).await {
            Ok(put) | Err(Stop::Damaged(put)) => Ok(put),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        let path = self.path(&file.path)?;
        let found = self.prove(file, &path, true).await?;
        if found == Proof::Same {
            match self.pool.ask(&path, |session, path| session.remove(path)).await {
                Err(error) if error.kind() != Kind::Missing => return Err(self.failure(&path, "removing", &error)),
                _ => self.placed().remove(&path),
            };
        }
        Ok(found)
    }

    async fn sweep(&self, file: &SealedFile, staging: &str) -> Result<()> {
        let temporary = beside(&self.path(&file.path)?, staging);
        match self.pool.ask(&temporary, |session, path| session.remove(path)).await {
            Err(error) if error.kind() != Kind::Missing => Err(self.failure(&temporary, "removing", &error)),
            _ => Ok(()),
        }
    }
}

fn server(spec: &SftpSink, base: &Path) -> Result<Server> {
    let refuse = |why: &str| Err(Error::user(format!("the SFTP sink of `{}` {why}", spec.host)));
    let mut credentials = vec![];
    if let Some(key) = &spec.private_key {
        let passphrase = spec.passphrase.as_ref().map(|passphrase| passphrase.reveal().to_owned());
        credentials.push(Credential::Key { text: key.reveal().to_owned(), passphrase });
    }
    credentials.extend(spec.agent.iter().map(|socket| Credential::Agent(base.join(socket))));
    credentials.extend(spec.password.iter().map(|password| Credential::Password(password.reveal().to_owned())));
    if credentials.is_empty() {
        return refuse("has no credentials").map_err(|error| error.hint("give `private_key`, `agent` or `password`"));
    }
    let host_keys = match (&spec.known_hosts, spec.host_keys.is_empty()) {
        (Some(file), true) => HostKeys::KnownHosts(base.join(file)),
        (None, false) => HostKeys::Pinned(spec.host_keys.clone()),
        _ => {
            return refuse("must say which key the server shows, in one place")
                .map_err(|error| error.hint("give either `known_hosts` or `host_keys`"));
        }
    };
    host_keys.check().map_err(|error| describe(&error, "`host_keys`"))?;
    Ok(Server {
        host: spec.host.clone(),
        port: spec.port,
        user: spec.user.clone(),
        credentials,
        host_keys,
        connect: Duration::from_secs(spec.connect_seconds.into()),
        patience: Duration::from_secs(spec.idle_seconds.into()),
        backend: match spec.backend {
            SftpBackend::Russh => Backend::Russh,
            SftpBackend::Ssh2 => Backend::Libssh2,
        },
    })
}

/// A name in the folder of a path.
fn beside(path: &str, name: &str) -> String {
    path.rsplit_once('/').map_or(name.to_owned(), |(folder, _)| format!("{folder}/{name}"))
}

/// The bytes of a file that were sent, or read back.
struct Content {
    bytes: u64,
    digest: Digest,
}

impl Content {
    fn of(bytes: u64, digester: &Mutex<Digester>) -> Self {
        Self { bytes, digest: digester.lock().unwrap_or_else(PoisonError::into_inner).finish() }
    }
}

/// A digester, and what feeds it with the bytes that pass.
fn digesting(algorithm: Algorithm) -> (Arc<Mutex<Digester>>, Watch) {
    let digester = Arc::new(Mutex::new(Digester::new(algorithm)));
    let fed = digester.clone();
    (digester, Box::new(move |bytes| fed.lock().unwrap_or_else(PoisonError::into_inner).update(bytes)))
}

async fn read_back(session: &dyn Session, path: &str, algorithm: Algorithm) -> outflow_sftp::Result<Content> {
    let (digester, watch) = digesting(algorithm);
    session.read_back(path, watch).await.map(|bytes| Content::of(bytes, &digester))
}

fn is_sealed(content: &Content, file: &SealedFile) -> bool {
    content.bytes == file.bytes && content.digest == file.digest
}

/// Opens the spool file, if it can still be what was sealed.
fn open_spool(file: &SealedFile) -> Result<File, Stop> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&file.spool_path);
    match opened.and_then(|spool| spool.metadata().map(|found| (spool, found))) {
        Ok((spool, found)) if found.is_file() && found.len() == file.bytes => Ok(spool),
        Ok(_) => Err(Stop::Damaged(changed(file))),
        Err(error) => Err(Stop::Damaged(unreadable(file, &error))),
    }
}

fn unreadable(file: &SealedFile, error: &dyn std::error::Error) -> Put {
    Put::Damaged(format!("spool file `{}` of `{}` cannot be read: {error}", file.spool_path.display(), file.path))
}

fn changed(file: &SealedFile) -> Put {
    let place = file.spool_path.display();
    Put::Damaged(format!("spool file `{place}` of `{}` was changed after it was sealed", file.path))
}
