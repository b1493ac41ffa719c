//! Publishing into a bucket. A PUT or a completed multipart upload shows an object whole, so data goes straight to its
//! final key; small objects are written on the condition that the key is free. Every object carries its SHA-256.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{
    Attribute, Attributes, GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions,
    PutOptions, UploadPart,
};
use outflow_formats::digest::{Digest, Digester};
use outflow_layout::layout::Target;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::{check_bucket, uploads};
use super::failure::{describe, key, lacks_conditions, names_bucket};
use super::{Proof, Put, Sink, Trust, check_path};
use crate::error::{Error, Result, Retry};
use crate::kill_point;
use crate::ledger::SealedFile;
use crate::progress::{Event, Progress};

/// Size of a part, and of the largest object sent in one piece.
const PART: usize = 16 * 1024 * 1024;
/// Parts held in memory at once, over all files.
const PARTS_AT_ONCE: usize = 4;
/// What differs between services.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Scheme of URLs in its words.
    scheme: &'static str,
    /// Name of the metadata that holds an object's SHA-256.
    digest: &'static str,
    /// Whether names of metadata are identifiers.
    identifiers: bool,
}

impl Service {
    /// Amazon S3, and what speaks like it.
    pub const S3: Self = Self { scheme: "s3", digest: "outflow-sha256", identifiers: false };
    /// Google Cloud Storage.
    pub const GCS: Self = Self { scheme: "gs", digest: "outflow-sha256", identifiers: false };
    /// Azure Blob Storage.
    pub const AZURE: Self = Self { scheme: "az", digest: "outflow_sha256", identifiers: true };

    fn allows(self, name: &str) -> bool {
        let sendable = !name.contains([' ', ':']) && is_sendable(name);
        sendable && (!self.identifiers || name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    }
}

/// The place of metadata: headers that say how an object is to be read are sent as themselves.
fn attribute(name: String) -> Attribute {
    match name.as_str() {
        "content-encoding" => Attribute::ContentEncoding,
        "content-disposition" => Attribute::ContentDisposition,
        "content-language" => Attribute::ContentLanguage,
        "cache-control" => Attribute::CacheControl,
        _ => Attribute::Metadata(name.into()),
    }
}

/// A bucket, or a prefix of one.
pub struct Bucket {
    client: Arc<dyn ObjectStore>,
    /// What aborts uploads by their ids, where uploads have some.
    uploads: Option<Arc<dyn MultipartStore>>,
    service: Service,
    target: Target,
    identity: String,
    parts: Arc<Semaphore>,
    part: usize,
}

impl Bucket {
    /// A sink over a client of an S3-compatible service. The endpoint tells buckets of equal name apart.
    pub fn new(client: Arc<dyn ObjectStore>, bucket: &str, prefix: &str, endpoint: Option<&str>) -> Result<Self> {
        Self::of(Service::S3, client, ("", bucket, prefix), endpoint)
    }

    /// A sink over a client of any service. What owns the bucket, such as an account, tells buckets apart too.
    pub fn of(
        service: Service,
        client: Arc<dyn ObjectStore>,
        (owner, bucket, prefix): (&str, &str, &str),
        endpoint: Option<&str>,
    ) -> Result<Self> {
        check_bucket(bucket)?;
        if !prefix.is_empty() {
            check_path(prefix)?;
        }
        let scheme = service.scheme;
        let target = Target { scheme: scheme.to_owned(), container: bucket.to_owned(), prefix: prefix.to_owned() };
        let owner = if owner.is_empty() { String::new() } else { format!("{owner}/") };
        let mut identity = format!("{scheme}://{owner}{bucket}/{prefix}").trim_end_matches('/').to_owned();
        if let Some(endpoint) = endpoint {
            identity = format!("{identity} at {}", endpoint.trim_end_matches('/'));
        }
        let parts = Arc::new(Semaphore::new(PARTS_AT_ONCE));
        Ok(Self { client, uploads: None, service, target, identity, parts, part: PART })
    }

    /// Aborts the uploads that a killed process left, by this client.
    pub fn aborting(mut self, uploads: Arc<dyn MultipartStore>) -> Self {
        self.uploads = Some(uploads);
        self
    }

    /// Sends parts of another size than 16 MiB.
    #[cfg(test)]
    pub(crate) fn with_part(mut self, bytes: usize) -> Self {
        self.part = bytes;
        self
    }

    fn key(&self, path: &str) -> Result<Key> {
        key(&self.target.prefix, path)
    }

    fn attributes(&self, file: &SealedFile) -> Result<Attributes> {
        let mut attributes = Attributes::new();
        if let Some(content_type) = &file.content_type {
            attributes.insert(Attribute::ContentType, content_type.clone().into());
        }
        for (name, value) in &file.metadata {
            let place = attribute(name.to_ascii_lowercase());
            if !is_sendable(value) || (matches!(place, Attribute::Metadata(_)) && !self.service.allows(name)) {
                let scheme = self.service.scheme;
                return Err(Error::user(format!("metadata `{name}` of `{}` cannot be sent to {scheme}://", file.path))
                    .hint("values are printable ASCII, names too; on Azure, names are letters, digits and `_`"));
            }
            attributes.insert(place, value.clone().into());
        }
        if let Some(sha256) = file.digest.sha256() {
            attributes.insert(Attribute::Metadata(self.service.digest.into()), sha256.to_owned().into());
        }
        Ok(attributes)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.parts).acquire_owned().await;
        permit.map_err(|_| Error::internal("uploads were stopped"))
    }

    /// Sends a file in one piece, on condition that its key is free.
    async fn put_whole(&self, file: &SealedFile, key: &Key) -> Result<Put> {
        let _permit = self.permit().await?;
        let body = match tokio::fs::read(&file.spool_path).await {
            Ok(body) => Bytes::from(body),
            Err(error) => return Ok(unreadable(file, &error)),
        };
        if file.digest.algorithm().of(&body) != file.digest {
            return Ok(changed(file));
        }
        let options = |mode| -> Result<PutOptions> {
            Ok(PutOptions { mode, attributes: self.attributes(file)?, ..Default::default() })
        };
        let mut sent = self.client.put_opts(key, body.clone().into(), options(PutMode::Create)?).await;
        if let Err(error) = &sent
            && lacks_conditions(error)
        {
            // The caller found the key free and the bytes are pinned, so even a repeated write shows one version only.
            sent = self.client.put_opts(key, body.into(), options(PutMode::Overwrite)?).await;
        }
        match sent {
            Ok(_) => Ok(Put::Stored),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(Put::Taken),
            Err(error) => self.unclear(file, "writing", error),
        }
    }

    /// Sends a large file in parts; it shows up when the last call succeeds.
    async fn put_parts(&self, file: &SealedFile, key: &Key, progress: &dyn Progress) -> Result<Put> {
        let mut spool = match File::open(&file.spool_path).await {
            Ok(spool) => spool,
            Err(error) => return Ok(unreadable(file, &error)),
        };
        let options = PutMultipartOptions { attributes: self.attributes(file)?, ..Default::default() };
        let note = uploads::note(&file.spool_path);
        let begun = uploads::NOTE.scope(note.clone(), self.client.put_multipart_opts(key, options)).await;
        let mut upload = match begun {
            Ok(upload) => upload,
            Err(error) => return self.unclear(file, "beginning to write", error),
        };
        kill_point!("multipart-begun");
        let sent = self.send_parts(file, &mut spool, upload.as_mut(), progress).await;
        let stop = match sent {
            Ok(None) => {
                kill_point!("multipart-sent");
                match upload.complete().await {
                    Ok(_) => return Ok(Put::Stored),
                    // It may have landed whatever the answer, a lost first one makes the second a refusal:
                    // no abort, the read-back decides.
                    Err(error) => return Ok(Put::Unknown(self.failure(file, "completing", &error))),
                }
            }
            Ok(Some(damaged)) => Ok(damaged),
            Err(error) => self.unclear(file, "writing", error),
        };
        // Without a completion nothing can be visible, so dropping the parts is safe. If it fails the service's own
        // lifecycle rule removes them.
        let _ = upload.abort().await;
        stop
    }

    /// Sends every part and checks that they were the sealed bytes; `Some` says how they were not.
    async fn send_parts(
        &self,
        file: &SealedFile,
        spool: &mut File,
        upload: &mut dyn MultipartUpload,
        progress: &dyn Progress,
    ) -> Result<Option<Put>, object_store::Error> {
        let mut digester = Digester::new(file.digest.algorithm());
        let mut flying = FuturesUnordered::new();
        loop {
            let Ok(permit) = self.take_permit(&mut flying, progress).await? else { break };
            let mut part = Vec::with_capacity(self.part);
            let read = (&mut *spool).take(self.part as u64).read_to_end(&mut part).await;
            match read {
                Err(error) => return Ok(Some(unreadable(file, &error))),
                Ok(0) => break,
                Ok(_) => {}
            }
            digester.update(&part);
            let bytes = part.len() as u64;
            flying.push(send_part(upload.put_part(part.into()), bytes, permit));
        }
        while let Some(bytes) = flying.next().await {
            progress.event(Event::Delivered(bytes?));
        }
        Ok((digester.finish() != file.digest).then(|| changed(file)))
    }

    /// Waits for room for a part while the parts on their way go on.
    async fn take_permit(
        &self,
        flying: &mut FuturesUnordered<impl Future<Output = Result<u64, object_store::Error>>>,
        progress: &dyn Progress,
    ) -> Result<Result<OwnedSemaphorePermit, tokio::sync::AcquireError>, object_store::Error> {
        let permit = Arc::clone(&self.parts).acquire_owned();
        tokio::pin!(permit);
        loop {
            tokio::select! {
                permit = &mut permit => return Ok(permit),
                Some(bytes) = flying.next() => {
                    progress.event(Event::Delivered(bytes?));
                }
            }
        }
    }

    fn failure(&self, file: &SealedFile, doing: &str, error: &object_store::Error) -> Error {
        describe(error, &format!("{doing} `{}`", self.target.url(&file.path)))
    }

    /// A clear refusal is an error; anything else may have landed.
    fn unclear(&self, file: &SealedFile, doing: &str, error: object_store::Error) -> Result<Put> {
        let error = self.failure(file, doing, &error);
        if error.retry() == Retry::Never { Err(error) } else { Ok(Put::Unknown(error)) }
    }

    /// Reads the version of an object that has this tag, part by part: a request may not last long.
    async fn hash(&self, file: &SealedFile, key: &Key, if_match: Option<String>) -> Result<Digest> {
        let failed = |error| self.failure(file, "reading back", &error);
        let mut digester = Digester::new(file.digest.algorithm());
        let mut at = 0;
        while at < file.bytes {
            let end = file.bytes.min(at + self.part as u64);
            let options =
                GetOptions { range: Some((at..end).into()), if_match: if_match.clone(), ..Default::default() };
            let part = self.client.get_opts(key, options).await.map_err(failed)?.bytes().await.map_err(failed)?;
            if part.len() as u64 != end - at {
                return Err(Error::transient(format!("reading back `{}`: the answer was cut short", file.path)));
            }
            digester.update(&part);
            at = end;
        }
        Ok(digester.finish())
    }
}

#[async_trait]
impl Sink for Bucket {
    fn target(&self) -> &Target {
        &self.target
    }

    fn identity(&self) -> &str {
        &self.identity
    }

    async fn check(&self) -> Result<()> {
        // A GET, for the answer to a HEAD has no body to say whether the key or the bucket is missing.
        let key = self.key(".outflow-check")?;
        match self.client.get_opts(&key, GetOptions::default()).await {
            Ok(_) => Ok(()),
            Err(error @ object_store::Error::NotFound { .. }) if !names_bucket(&error) => Ok(()),
            Err(error) => Err(describe(&error, &format!("checking `{}`", self.target.url("")))),
        }
    }

    async fn compare(&self, file: &SealedFile, trust: Trust) -> Result<Proof> {
        let key = self.key(&file.path)?;
        let options = GetOptions { head: true, ..Default::default() };
        let found = match self.client.get_opts(&key, options).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(Proof::Absent),
            Err(error) => return Err(self.failure(file, "reading back", &error)),
        };
        if found.meta.size != file.bytes {
            return Ok(Proof::Different(format!("has {} bytes at the target, not {}", found.meta.size, file.bytes)));
        }
        let same = match found.attributes.get(&Attribute::Metadata(self.service.digest.into())) {
            Some(sha256) if trust != Trust::Bytes => file.digest.sha256() == Some(sha256.as_ref()),
            _ => self.hash(file, &key, found.meta.e_tag).await? == file.digest,
        };
        if same {
            Ok(Proof::Same)
        } else {
            Ok(Proof::Different("has other content at the target than was sealed".to_owned()))
        }
    }

    async fn put(&self, file: &SealedFile, _staging: &str, progress: &dyn Progress) -> Result<Put> {
        let key = self.key(&file.path)?;
        if file.bytes > self.part as u64 {
            return self.put_parts(file, &key, progress).await;
        }
        let put = self.put_whole(file, &key).await?;
        if matches!(put, Put::Stored) {
            progress.event(Event::Delivered(file.bytes));
        }
        Ok(put)
    }

    async fn sweep(&self, file: &SealedFile, _staging: &str) -> Result<()> {
        let note = uploads::note(&file.spool_path);
        let (Some(uploads), Ok(id)) = (&self.uploads, tokio::fs::read_to_string(&note).await) else { return Ok(()) };
        // Unfinished parts are shown to nobody: where they cannot be aborted the service's own rule removes them.
        if uploads.abort_multipart(&self.key(&file.path)?, &id).await.is_ok() {
            let _ = tokio::fs::remove_file(note).await;
        }
        Ok(())
    }

    async fn remove(&self, file: &SealedFile) -> Result<Proof> {
        let proof = self.compare(file, Trust::Nothing).await?;
        if proof != Proof::Same {
            return Ok(proof);
        }
        match self.client.delete(&self.key(&file.path)?).await {
            Ok(()) => Ok(Proof::Same),
            Err(object_store::Error::NotFound { .. }) => Ok(Proof::Absent),
            Err(error) => Err(self.failure(file, "removing", &error)),
        }
    }

    fn verified_by(&self) -> &'static str {
        "size and the SHA-256 kept with each object"
    }

    async fn modified(&self, file: &SealedFile) -> Result<Option<Timestamp>> {
        let options = GetOptions { head: true, ..Default::default() };
        let found = self.client.get_opts(&self.key(&file.path)?, options).await;
        let found = found.map_err(|error| self.failure(file, "reading back", &error))?;
        Ok(Timestamp::from_millisecond(found.meta.last_modified.timestamp_millis()).ok())
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let plain = self.identity.contains(" at http://");
        vec![("transport", if plain { "HTTP, in clear" } else { "HTTPS" }.to_owned())]
    }
}

fn is_sendable(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, ' '..='~'))
}

async fn send_part(part: UploadPart, bytes: u64, permit: OwnedSemaphorePermit) -> Result<u64, object_store::Error> {
    // The permit lives as long as the part's bytes.
    let _permit = permit;
    part.await?;
    kill_point!("multipart-part");
    Ok(bytes)
}

fn unreadable(file: &SealedFile, error: &std::io::Error) -> Put {
    Put::Damaged(format!("spool file `{}` of `{}` cannot be read: {error}", file.spool_path.display(), file.path))
}

fn changed(file: &SealedFile) -> Put {
    Put::Damaged(format!(
        "spool file `{}` of `{}` was changed after it was sealed",
        file.spool_path.display(),
        file.path
    ))
}
