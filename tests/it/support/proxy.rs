//! A TCP proxy that spoils connections as a test scripts it: latency, bandwidth, cuts, silence, flipped bytes, slices.
//! It knows nothing of what passes through it. Standard library only, so that any test of the project can take it in.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may be on their way in one direction, so that a slow reader slows the writer down.
const IN_FLIGHT: usize = 64 << 20;

/// What happens in one direction of a connection when so many bytes have passed.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Both directions end at once.
    Cut,
    /// From here on every byte of this direction vanishes; nobody is told.
    BlackHole,
    /// The next byte arrives changed.
    Corrupt,
    /// Nothing moves for this long, then all goes on.
    Stall(Duration),
}

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub struct Leg {
    /// Time each byte is on its way.
    pub latency: Duration,
    /// Bytes a second; unset: as fast as the machine.
    pub bandwidth: Option<u64>,
    /// Largest piece handed on at once; unset: as it comes.
    pub slice: Option<usize>,
    /// What happens, each after so many bytes of this direction, in order.
    pub faults: Vec<(u64, Fault)>,
}

/// How a connection is treated.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// From the client to the server.
    pub up: Leg,
    /// From the server to the client.
    pub down: Leg,
    /// The connection is accepted and closed at once.
    pub refuse: bool,
}

impl Script {
    /// The same latency both ways: half of the round trip each.
    pub fn round_trip(time: Duration) -> Self {
        let leg = Leg { latency: time / 2, ..Leg::default() };
        Self { up: leg.clone(), down: leg, refuse: false }
    }

    /// One fault on the way to the server.
    pub fn up(after: u64, fault: Fault) -> Self {
        Self { up: Leg { faults: vec![(after, fault)], ..Leg::default() }, ..Self::default() }
    }

    /// One fault on the way to the client.
    pub fn down(after: u64, fault: Fault) -> Self {
        Self { down: Leg { faults: vec![(after, fault)], ..Leg::default() }, ..Self::default() }
    }
}

type Scripts = dyn Fn(usize) -> Script + Send;

struct State {
    upstream: SocketAddr,
    scripts: Mutex<Box<Scripts>>,
    accepted: AtomicUsize,
    up: AtomicU64,
    down: AtomicU64,
    open: Mutex<Vec<(TcpStream, TcpStream)>>,
    over: AtomicBool,
}

/// A running proxy; dropping it ends every connection.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

impl Proxy {
    /// A faithful proxy on a port of its own.
    pub fn start(upstream: SocketAddr) -> Self {
        Self::scripted(upstream, |_| Script::default())
    }

    /// A proxy that treats its n-th connection (from 0) as told.
    pub fn scripted(upstream: SocketAddr, scripts: impl Fn(usize) -> Script + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            upstream,
            scripts: Mutex::new(Box::new(scripts)),
            accepted: AtomicUsize::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            open: Mutex::default(),
            over: AtomicBool::new(false),
        });
        thread::spawn({
            let state = state.clone();
            move || accept(&listener, &state)
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Treats connections from now on as told; the argument goes on counting from the first ever.
    pub fn treat(&self, scripts: impl Fn(usize) -> Script + Send + 'static) {
        *lock(&self.state.scripts) = Box::new(scripts);
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Bytes handed on so far, to the server and to the client.
    pub fn moved(&self) -> (u64, u64) {
        (self.state.up.load(Ordering::SeqCst), self.state.down.load(Ordering::SeqCst))
    }

    /// Ends every open connection.
    pub fn cut(&self) {
        for (client, server) in lock(&self.state.open).drain(..) {
            end(&client, &server);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for client in listener.incoming() {
        if state.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        let script = lock(&state.scripts)(state.accepted.fetch_add(1, Ordering::SeqCst));
        if script.refuse {
            continue;
        }
        // Without a server the client sees its connection close.
        let Ok(server) = TcpStream::connect(state.upstream) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        if let (Ok(one), Ok(other)) = (client.try_clone(), server.try_clone()) {
            lock(&state.open).push((one, other));
        }
        carry(&client, &server, script.up, state, |state| &state.up);
        carry(&server, &client, script.down, state, |state| &state.down);
    }
}

/// Carries one direction: one thread takes bytes in, another hands them on when their time has come.
fn carry(from: &TcpStream, to: &TcpStream, leg: Leg, state: &Arc<State>, counter: fn(&State) -> &AtomicU64) {
    let (Ok(source), Ok(back), Ok(sink)) = (from.try_clone(), from.try_clone(), to.try_clone()) else { return };
    let way = Arc::new(Way::default());
    let latency = leg.latency;
    thread::spawn({
        let way = way.clone();
        move || take_in(source, &way, latency)
    });
    let state = state.clone();
    thread::spawn(move || hand_on(&back, sink, &way, leg, counter(&state)));
}

/// Bytes between the two threads, each piece with the time it arrives.
#[derive(Default)]
struct Way {
    pieces: Mutex<Pieces>,
    changed: Condvar,
}

#[derive(Default)]
struct Pieces {
    queue: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
}

impl Way {
    fn change(&self, work: impl FnOnce(&mut Pieces)) {
        work(&mut lock(&self.pieces));
        self.changed.notify_all();
    }

    /// Waits for room, or for the other side to be gone.
    fn wait_for_room(&self) -> bool {
        let full = |pieces: &mut Pieces| pieces.bytes > IN_FLIGHT && !pieces.ended;
        let pieces = self.changed.wait_while(lock(&self.pieces), full).unwrap_or_else(PoisonError::into_inner);
        !pieces.ended
    }

    /// The next piece, none at the end.
    fn next(&self) -> Option<(Instant, Vec<u8>)> {
        let idle = |pieces: &mut Pieces| pieces.queue.is_empty() && !pieces.ended;
        let mut pieces = self.changed.wait_while(lock(&self.pieces), idle).unwrap_or_else(PoisonError::into_inner);
        let next = pieces.queue.pop_front();
        pieces.bytes -= next.as_ref().map_or(0, |(_, piece)| piece.len());
        drop(pieces);
        self.changed.notify_all();
        next
    }
}

fn take_in(mut source: TcpStream, way: &Way, latency: Duration) {
    let mut buffer = vec![0; 256 << 10];
    while let Ok(read @ 1..) = source.read(&mut buffer) {
        let piece = (Instant::now() + latency, buffer[..read].to_vec());
        if !way.wait_for_room() {
            return;
        }
        way.change(|pieces| {
            pieces.bytes += read;
            pieces.queue.push_back(piece);
        });
    }
    way.change(|pieces| pieces.ended = true);
}

fn hand_on(source: &TcpStream, mut sink: TcpStream, way: &Way, leg: Leg, counter: &AtomicU64) {
    let mut faults = leg.faults.into_iter().peekable();
    let mut passed = 0;
    let mut deaf = false;
    // When the line is free again, at the bandwidth it has.
    let mut free = Instant::now();
    while let Some((due, mut piece)) = way.next() {
        sleep_until(due);
        while !piece.is_empty() {
            let until = faults.peek().map_or(u64::MAX, |(after, _)| after.saturating_sub(passed));
            let take = piece.len().min(leg.slice.unwrap_or(usize::MAX).max(1));
            let take = take.min(usize::try_from(until).unwrap_or(usize::MAX));
            if take == 0 {
                match faults.next() {
                    Some((_, Fault::Cut)) => {
                        way.change(|pieces| pieces.ended = true);
                        end(source, &sink);
                        return;
                    }
                    Some((_, Fault::BlackHole)) => deaf = true,
                    Some((_, Fault::Corrupt)) => piece[0] ^= 0x20,
                    Some((_, Fault::Stall(time))) => thread::sleep(time),
                    None => {}
                }
                continue;
            }
            if let Some(bandwidth) = leg.bandwidth {
                free = free.max(Instant::now()) + Duration::from_secs_f64(take as f64 / bandwidth as f64);
                sleep_until(free);
            }
            let rest = piece.split_off(take);
            passed += take as u64;
            counter.fetch_add(take as u64, Ordering::SeqCst);
            if !deaf && sink.write_all(&piece).is_err() {
                way.change(|pieces| pieces.ended = true);
                return;
            }
            piece = rest;
        }
    }
    if !deaf {
        let _ = sink.shutdown(Shutdown::Write);
    }
}

fn sleep_until(instant: Instant) {
    if let Some(time) = instant.checked_duration_since(Instant::now()) {
        thread::sleep(time);
    }
}

fn end(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
