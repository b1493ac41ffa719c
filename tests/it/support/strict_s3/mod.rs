//! An S3 server for tests, on the `s3s` trait: it checks signatures and checksums, decides conditions under
//! one lock, keeps bytes in memory, logs every exchange and fails on command. It listens on loopback only and
//! does not try to be complete: what outflow and boto3 do not send answers `NotImplemented`.

mod gcs;
mod service;
mod store;
mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

pub use store::Store;
#[allow(unused_imports, reason = "for the tests that script faults")]
pub use wire::{Action, Exchange, Fault};

use wire::Wire;

/// Access key that the server accepts.
pub const ACCESS_KEY: &str = "AKIAOUTFLOWTESTS0001";
/// Secret key that the server accepts.
pub const SECRET_KEY: &str = "strict-s3/secret+key/for-tests-only";
/// No exchange may last longer, scripted delays included.
const LONGEST_EXCHANGE: Duration = Duration::from_secs(240);

/// A running server; it stops when dropped.
pub struct StrictS3 {
    address: SocketAddr,
    store: Arc<Store>,
    wire: Arc<Wire>,
    runtime: Option<Runtime>,
}

impl StrictS3 {
    /// Starts a server with these empty buckets on a free port of 127.0.0.1.
    pub fn start(buckets: &[&str]) -> Self {
        Self::with_face(buckets, false)
    }

    /// The same with the face of Google Cloud Storage.
    pub fn start_as_gcs(buckets: &[&str]) -> Self {
        Self::with_face(buckets, true)
    }

    fn with_face(buckets: &[&str], google: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("strict-s3")
            .enable_all()
            .build()
            .expect("a runtime starts");
        let store = Arc::new(Store::with_buckets(buckets));
        let wire = Arc::new(Wire::default());
        let mut builder = S3ServiceBuilder::new(service::StrictService::new(store.clone()));
        if !google {
            builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        }
        let service = builder.build();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        runtime.spawn(accept(listener, service, wire.clone(), google));
        Self { address, store, wire, runtime: Some(runtime) }
    }

    /// URL of the server, for `endpoint:`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the server holds.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What went over the wire so far, in the order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.wire.exchanges()
    }

    /// Exchanges of one operation, such as `PutObject`.
    pub fn exchanges_of(&self, operation: &str) -> Vec<Exchange> {
        self.exchanges().into_iter().filter(|exchange| exchange.operation == operation).collect()
    }

    /// Forgets the exchanges logged so far.
    pub fn clear_exchanges(&self) {
        self.wire.clear_exchanges();
    }

    /// Scripts a fault; faults are tried in the order they were added and the first that fires wins.
    pub fn fail(&self, fault: Fault) {
        self.wire.add_fault(fault);
    }

    /// Puts the server's clock ahead of the machine's, or back. Like S3 it refuses what was signed by one that differs
    /// by more than 15 minutes.
    pub fn set_ahead(&self, seconds: i64) {
        self.wire.set_ahead(seconds);
    }

    /// Removes every scripted fault.
    pub fn heal(&self) {
        self.wire.clear_faults();
    }
}

impl Drop for StrictS3 {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, service: S3Service, wire: Arc<Wire>, google: bool) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        let wire = wire.clone();
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            let handler = hyper::service::service_fn(move |request| {
                let (wire, service) = (wire.clone(), service.clone());
                async move {
                    let mut request: hyper::Request<hyper::body::Incoming> = request;
                    if google && !gcs::inward(request.headers_mut()) {
                        return Ok(wire::error_response(401, "AuthenticationRequired"));
                    }
                    let exchange = wire::exchange(wire, service, request);
                    let mut answer = match tokio::time::timeout(LONGEST_EXCHANGE, exchange).await {
                        Ok(answer) => answer,
                        Err(_) => Err(wire::dropped("the exchange lasted too long")),
                    };
                    if let (true, Ok(answer)) = (google, &mut answer) {
                        gcs::outward(answer.headers_mut());
                    }
                    answer
                }
            });
            // An error here is a connection that the peer or a scripted fault closed.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, handler).await;
        });
    }
}
