//! A store that answers wrongly, or dies, at chosen operations, and remembers every version it showed.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    None,
    /// The first write of each name lands, but its answer is lost.
    ReplyLostOnce,
    /// The first write of each name fails with 503.
    RefusedOnce,
    /// The first write of each name answers 409 although nothing is there.
    ConflictOnce,
    /// Conditional writes are answered with 501.
    NoConditions,
    /// From operation `at` on every one fails, before or after it took effect.
    DeadFrom {
        at: usize,
        after: bool,
    },
}

#[derive(Debug)]
pub(super) struct Faulty {
    inner: Arc<InMemory>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fault: Fault,
    operations: AtomicUsize,
    seen: Mutex<HashSet<String>>,
    written: Mutex<Vec<String>>,
    versions: Mutex<HashMap<String, usize>>,
}

enum Way {
    Through,
    Fail(Error),
    DoThenFail(Error),
}

fn status(status: &str) -> Error {
    let source = format!("Server returned non-2xx status code: {status}: ");
    Error::Generic { store: "S3", source: source.into() }
}

impl Shared {
    fn way(&self, key: &str, write: bool) -> Way {
        let operation = self.operations.fetch_add(1, Ordering::SeqCst);
        let first = || self.seen.lock().unwrap().insert(key.to_owned());
        match self.fault {
            Fault::DeadFrom { at, after } if operation >= at => {
                // After the first casualty nothing takes effect any more.
                if after && operation == at { Way::DoThenFail(status("400")) } else { Way::Fail(status("400")) }
            }
            Fault::ReplyLostOnce if write && first() => Way::DoThenFail(status("500 Internal Server Error")),
            Fault::RefusedOnce if write && first() => Way::Fail(status("503 Service Unavailable")),
            Fault::ConflictOnce if write && first() => {
                Way::Fail(Error::AlreadyExists { path: key.to_owned(), source: "409 Conflict".into() })
            }
            _ => Way::Through,
        }
    }

    fn wrote(&self, key: &Path) {
        self.written.lock().unwrap().push(key.to_string());
        *self.versions.lock().unwrap().entry(key.to_string()).or_default() += 1;
    }
}

impl Faulty {
    pub(super) fn new(inner: Arc<InMemory>, fault: Fault) -> Self {
        let shared = Shared {
            fault,
            operations: AtomicUsize::new(0),
            seen: Mutex::default(),
            written: Mutex::default(),
            versions: Mutex::default(),
        };
        Self { inner, shared: Arc::new(shared) }
    }

    /// Names in the order they became visible.
    pub(super) fn written(&self) -> Vec<String> {
        self.shared.written.lock().unwrap().clone()
    }

    /// Versions shown, over all names.
    pub(super) fn versions(&self) -> usize {
        self.shared.versions.lock().unwrap().values().sum()
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    key: Path,
    shared: Arc<Shared>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.shared.way("part", false) {
            Way::Through => self.inner.put_part(data),
            Way::Fail(error) => Box::pin(async { Err(error) }),
            Way::DoThenFail(error) => {
                let part = self.inner.put_part(data);
                Box::pin(async { part.await.and(Err(error)) })
            }
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let way = self.shared.way(self.key.as_ref(), true);
        if let Way::Fail(error) = way {
            return Err(error);
        }
        let done = self.inner.complete().await?;
        self.shared.wrote(&self.key);
        if let Way::DoThenFail(error) = way { Err(error) } else { Ok(done) }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if matches!((self.shared.fault, &opts.mode), (Fault::NoConditions, PutMode::Create)) {
            return Err(status("501 Not Implemented"));
        }
        let way = self.shared.way(location.as_ref(), true);
        if let Way::Fail(error) = way {
            return Err(error);
        }
        let done = self.inner.put_opts(location, payload, opts).await?;
        self.shared.wrote(location);
        if let Way::DoThenFail(error) = way { Err(error) } else { Ok(done) }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        if let Way::Fail(error) | Way::DoThenFail(error) = self.shared.way("begin", false) {
            return Err(error);
        }
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(FaultyUpload { inner, key: location.clone(), shared: Arc::clone(&self.shared) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match self.shared.way("read", false) {
            Way::Through => self.inner.get_opts(location, options).await,
            Way::Fail(error) | Way::DoThenFail(error) => Err(error),
        }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        // I8: a sink deletes nothing.
        drop(locations);
        panic!("a delivery deleted something at the target")
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
