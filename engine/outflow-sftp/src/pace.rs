//! Patience: a request may last as long as bytes move, and is given up when next to none have for a while.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{Error, Kind, Result};

/// Fewer bytes than this are silence: a server that only answers to keep the connection alive does no work.
const LEAST: u64 = 1024;

/// How many bytes have moved, and how long to wait for more.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    moved: Arc<AtomicU64>,
    patience: Duration,
}

impl Pace {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { moved: Arc::default(), patience }
    }

    /// Counts bytes that moved.
    pub(crate) fn moved(&self, bytes: u64) {
        self.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Waits for `work`, and gives up after between one and two times the patience in silence.
    pub(crate) async fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        let mut seen = self.moved.load(Ordering::Relaxed);
        loop {
            if let Ok(done) = tokio::time::timeout(self.patience, &mut work).await {
                return done;
            }
            let now = self.moved.load(Ordering::Relaxed);
            if now.wrapping_sub(seen) < LEAST {
                let time = self.patience.as_secs_f64();
                return Err(Error::new(Kind::Lost, format!("the server was silent for {time} s")));
            }
            seen = now;
        }
    }
}

/// A stream whose bytes are counted.
pub(crate) struct Watched<S> {
    stream: S,
    pace: Pace,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.pace.moved((buffer.filled().len() - before) as u64);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.pace.moved(*bytes as u64);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
