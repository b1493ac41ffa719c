//! What a guest sees and uses up: an empty WASI, fixed clocks and randomness, a memory limit, captured stderr, its log.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result, format_err};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::host::Limits;
use crate::layout::{LogLevel, LogLine};
use crate::transform::MemoryAccount;

/// State of one store.
pub struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    /// The limit on memory.
    pub memory: MemoryLimit,
    /// The end of what was written to stderr.
    pub stderr: Tail,
    /// What was logged.
    pub log: Vec<LogLine>,
}

impl Guest {
    /// A fresh guest whose wall clock stands at `now_ms`, on borrowed memory if there is an account.
    pub fn new(limits: &Limits, now_ms: i64, account: Option<Arc<dyn MemoryAccount>>) -> Self {
        let stderr = Tail { kept: Arc::default(), capacity: limits.stderr_bytes };
        // Any bytes would do, as long as they are the same in every run and on every machine.
        let random = || Deterministic::new((0..=255).collect());
        let now = Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        let wasi = WasiCtxBuilder::new()
            .stderr(stderr.clone())
            .wall_clock(Fixed(now))
            .monotonic_clock(Fixed(Duration::ZERO))
            .secure_random(random())
            .insecure_random(random())
            .insecure_random_seed(0)
            .max_random_size(1 << 20)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let memory = MemoryLimit { limit: limits.memory_bytes, used: 0, account, refused: None };
        Self { table: ResourceTable::new(), wasi, memory, stderr, log: Vec::new() }
    }

    /// Keeps a logged line; the 1,001st and further ones are dropped.
    pub fn log(&mut self, level: LogLevel, message: String) {
        const LINES: usize = 1000;
        if self.log.len() < LINES {
            self.log.push(LogLine { level, message });
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A limit on all linear memory of a guest that remembers what it refused.
pub struct MemoryLimit {
    limit: usize,
    /// Bytes in use.
    pub used: usize,
    account: Option<Arc<dyn MemoryAccount>>,
    /// What was asked for and refused.
    pub refused: Option<Denied>,
}

/// Memory that a guest did not get.
pub struct Denied {
    /// Bytes that it would have had.
    pub asked: usize,
    /// The word of the account, if it was not the limit.
    pub why: Option<String>,
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.shrink(self.used);
        }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        let asked = self.used.saturating_add(more);
        let granted = match &self.account {
            _ if asked > self.limit => Err(None),
            Some(account) => account.grow(more).map_err(Some),
            None => Ok(()),
        };
        match granted {
            Ok(()) => {
                self.used = asked;
                Ok(true)
            }
            Err(why) => {
                self.refused = Some(Denied { asked, why });
                Err(format_err!("memory limit"))
            }
        }
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= 100_000)
    }

    // An interpreter that was linked at build time has some forty modules inside.
    fn instances(&self) -> usize {
        128
    }

    fn tables(&self) -> usize {
        128
    }

    fn memories(&self) -> usize {
        8
    }
}

/// A clock that stands still.
struct Fixed(Duration);

impl HostWallClock for Fixed {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

impl HostMonotonicClock for Fixed {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Keeps the last bytes written: a panic message comes at the end, however much noise came before.
#[derive(Clone)]
pub struct Tail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    capacity: usize,
}

impl Tail {
    /// What is kept, as text.
    pub fn text(&self) -> String {
        let kept: Vec<u8> = self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        String::from_utf8_lossy(&kept).into_owned()
    }

    fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&bytes[bytes.len().saturating_sub(self.capacity)..]);
        let excess = kept.len().saturating_sub(self.capacity);
        kept.drain(..excess);
    }
}

impl IsTerminal for Tail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Tail {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Tail {
    async fn ready(&mut self) {}
}

impl OutputStream for Tail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(1 << 16)
    }
}

impl AsyncWrite for Tail {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
