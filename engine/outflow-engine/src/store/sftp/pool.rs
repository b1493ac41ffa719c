//! The connections of one sink: made when they are needed, shared, and replaced when they are lost.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use outflow_sftp::{Error, Kind, Server, Session, connect};
use tokio::sync::Mutex;

/// Times a connection is tried before the server counts as unreachable, when it says so at once.
const TRIES: u32 = 3;

type Result<T> = outflow_sftp::Result<T>;

/// Connections to one server.
pub(super) struct Pool {
    server: Server,
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    session: Mutex<Option<Arc<dyn Session>>>,
    users: AtomicUsize,
}

/// A session in use.
pub(super) struct Lease<'p> {
    session: Arc<dyn Session>,
    _use: Use<'p>,
}

/// Counts a user of a slot as long as it lives.
struct Use<'p>(&'p Slot);

impl Drop for Use<'_> {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Deref for Lease<'_> {
    type Target = dyn Session;

    fn deref(&self) -> &Self::Target {
        self.session.as_ref()
    }
}

impl Pool {
    /// At most so many connections; none is made yet.
    pub(super) fn new(server: Server, connections: u16) -> Self {
        Self { server, slots: (0..connections.max(1)).map(|_| Slot::default()).collect() }
    }

    /// A session, of the connection that fewest use.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let idle = self.slots.iter().min_by_key(|slot| slot.users.load(Ordering::Relaxed));
        let slot = idle.expect("a pool has a slot");
        slot.users.fetch_add(1, Ordering::Relaxed);
        let in_use = Use(slot);
        let mut held = slot.session.lock().await;
        let session = match held.as_ref().filter(|session| !session.is_lost()) {
            Some(session) => session.clone(),
            None => {
                // The lost one goes first: a server may count connections.
                *held = None;
                let session: Arc<dyn Session> = Arc::from(self.connect().await?);
                *held = Some(session.clone());
                session
            }
        };
        Ok(Lease { session, _use: in_use })
    }

    /// Asks something that may be asked twice; a lost connection is replaced once.
    pub(super) async fn ask<T>(
        &self,
        path: &str,
        question: impl for<'q> Fn(&'q dyn Session, &'q str) -> BoxFuture<'q, Result<T>>,
    ) -> Result<T> {
        let first = self.lease().await?;
        match question(&*first, path).await {
            Err(error) if error.kind() == Kind::Lost => {
                drop(first);
                question(&*self.lease().await?, path).await
            }
            answer => answer,
        }
    }

    async fn connect(&self) -> Result<Box<dyn Session>> {
        let mut turn = 1;
        loop {
            let began = Instant::now();
            match connect(&self.server).await {
                // A busy server turns connections away for a moment; one that is silent has had its time.
                Err(error) if is_brief(&error, began, self.server.connect) && turn < TRIES => {
                    tokio::time::sleep(Duration::from_millis(200 << (2 * turn))).await;
                    turn += 1;
                }
                done => return done,
            }
        }
    }
}

fn is_brief(error: &Error, began: Instant, limit: Duration) -> bool {
    error.kind() == Kind::Unreachable && began.elapsed() < limit / 4
}
