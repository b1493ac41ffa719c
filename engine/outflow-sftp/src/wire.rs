//! The SFTP protocol, version 3, over one SSH channel: requests out, each reply to who asked. Names and handles are
//! bytes, whatever they hold. Of the protocol there is what a delivery needs, and nothing else.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Kind, Result};
use crate::{Found, Sort};

#[cfg(test)]
mod tests;

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RENAME: u8 = 18;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const ATTRIBUTES: u8 = 105;
const EXTENDED: u8 = 200;
const EXTENDED_REPLY: u8 = 201;

const END_OF_FILE: u32 = 1;

/// Packets that wait for the channel; each is a piece of a file at most.
const QUEUED: usize = 4;
/// Longest reply that is taken.
const LONGEST: usize = 1 << 20;

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    /// To read it.
    Read,
    /// To write a file that is not there yet.
    New,
}

/// What a server says it can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions {
    /// `fsync@openssh.com`.
    pub(crate) fsync: bool,
    /// `limits@openssh.com`.
    pub(crate) limits: bool,
}

/// A reply, taken apart no further than its kind.
#[derive(Debug)]
struct Reply {
    kind: u8,
    body: Bytes,
}

#[derive(Default)]
struct Waiting {
    replies: HashMap<u32, oneshot::Sender<Reply>>,
    /// Why nothing comes any more.
    ended: Option<String>,
}

/// One end of a channel that speaks SFTP.
pub(crate) struct Wire {
    out: mpsc::Sender<Bytes>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU32,
}

impl Wire {
    /// Greets the server on a channel whose subsystem was started.
    pub(crate) async fn open(channel: Channel<client::Msg>) -> Result<(Self, Extensions)> {
        let (mut reader, writer) = channel.split();
        let (out, queue) = mpsc::channel(QUEUED);
        tokio::spawn(send(writer, queue));
        let mut buffer = BytesMut::new();
        let hello = Bytes::from_static(&[0, 0, 0, 5, INIT, 0, 0, 0, 3]);
        out.send(hello).await.map_err(|_| lost("the channel closed"))?;
        let Some(mut body) = receive(&mut reader, &mut buffer).await? else {
            return Err(lost("the channel closed at the greeting: the server may lack SFTP"));
        };
        if take_u8(&mut body)? != VERSION {
            return Err(lost("the server does not speak SFTP"));
        }
        let extensions = extensions(body)?;
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        tokio::spawn(hand_out(reader, buffer, waiting.clone()));
        Ok((Self { out, waiting, next: AtomicU32::new(1) }, extensions))
    }

    /// Whether nothing can be asked any more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.waiting).ended.is_some()
    }

    async fn request(&self, kind: u8, room: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Result<Reply> {
        self.reply(self.submit(kind, room, fill).await?).await
    }

    /// Sends a request, after every one that was submitted before. The reply comes to who waits for it.
    async fn submit(&self, kind: u8, room: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Result<oneshot::Receiver<Reply>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut packet = Vec::with_capacity(9 + room);
        packet.extend_from_slice(&[0; 4]);
        packet.push(kind);
        packet.extend_from_slice(&id.to_be_bytes());
        fill(&mut packet);
        let length = (packet.len() - 4) as u32;
        packet[..4].copy_from_slice(&length.to_be_bytes());
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = lock(&self.waiting);
            if let Some(why) = &waiting.ended {
                return Err(lost(why));
            }
            waiting.replies.insert(id, sender);
        }
        self.out.send(packet.into()).await.map_err(|_| self.ended())?;
        Ok(receiver)
    }

    async fn reply(&self, receiver: oneshot::Receiver<Reply>) -> Result<Reply> {
        receiver.await.map_err(|_| self.ended())
    }

    fn ended(&self) -> Error {
        lost(lock(&self.waiting).ended.as_deref().unwrap_or("the connection closed"))
    }

    /// A request that is answered by a status alone.
    async fn order(&self, kind: u8, room: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        done(self.request(kind, room, fill).await?)
    }

    pub(crate) async fn open_file(&self, path: &str, opening: Opening) -> Result<Bytes> {
        let flags: u32 = match opening {
            Opening::Read => 0x01,
            // Write, create, and only if it is new: a link in its place is not followed.
            Opening::New => 0x02 | 0x08 | 0x20,
        };
        let fill = |packet: &mut Vec<u8>| {
            put(packet, path.as_bytes());
            packet.extend_from_slice(&flags.to_be_bytes());
            packet.extend_from_slice(&[0; 4]);
        };
        let mut reply = self.request(OPEN, path.len() + 12, fill).await?;
        if reply.kind == HANDLE { take(&mut reply.body) } else { Err(refusal(reply)) }
    }

    pub(crate) async fn write(&self, handle: &[u8], offset: u64, data: &[u8]) -> Result<()> {
        let fill = |packet: &mut Vec<u8>| {
            put(packet, handle);
            packet.extend_from_slice(&offset.to_be_bytes());
            put(packet, data);
        };
        self.order(WRITE, handle.len() + data.len() + 16, fill).await
    }

    /// At most so many bytes from there; fewer, or none at the end of the file.
    pub(crate) async fn read(&self, handle: &[u8], offset: u64, length: u32) -> Result<Bytes> {
        let fill = |packet: &mut Vec<u8>| {
            put(packet, handle);
            packet.extend_from_slice(&offset.to_be_bytes());
            packet.extend_from_slice(&length.to_be_bytes());
        };
        let mut reply = self.request(READ, handle.len() + 16, fill).await?;
        if reply.kind == DATA {
            return take(&mut reply.body);
        }
        match status(reply)? {
            (END_OF_FILE, _) => Ok(Bytes::new()),
            (code, text) => Err(Error::status(code, &text)),
        }
    }

    pub(crate) async fn close(&self, handle: &[u8]) -> Result<()> {
        self.order(CLOSE, handle.len() + 4, |packet| put(packet, handle)).await
    }

    /// Has the server write a file to its disk and closes it, whatever comes of the first; both requests go out
    /// together, in this order. Returns what became of each.
    pub(crate) async fn sync_and_close(&self, handle: &[u8]) -> Result<(Result<()>, Result<()>)> {
        let fill = |packet: &mut Vec<u8>| {
            put(packet, b"fsync@openssh.com");
            put(packet, handle);
        };
        let synced = self.submit(EXTENDED, handle.len() + 32, fill).await?;
        let closed = self.submit(CLOSE, handle.len() + 4, |packet| put(packet, handle)).await?;
        Ok((done(self.reply(synced).await?), done(self.reply(closed).await?)))
    }

    /// Longest reads and writes that the server takes; 0 says nothing.
    pub(crate) async fn limits(&self) -> Result<(u64, u64)> {
        let mut reply = self.request(EXTENDED, 32, |packet| put(packet, b"limits@openssh.com")).await?;
        if reply.kind != EXTENDED_REPLY {
            return Err(refusal(reply));
        }
        let _packet = take_u64(&mut reply.body)?;
        Ok((take_u64(&mut reply.body)?, take_u64(&mut reply.body)?))
    }

    pub(crate) async fn look(&self, path: &str) -> Result<Option<Found>> {
        let mut reply = self.request(LSTAT, path.len() + 4, |packet| put(packet, path.as_bytes())).await?;
        if reply.kind == ATTRIBUTES {
            return found(&mut reply.body).map(Some);
        }
        let refused = refusal(reply);
        if refused.kind() == Kind::Missing { Ok(None) } else { Err(refused) }
    }

    pub(crate) async fn remove(&self, path: &str) -> Result<()> {
        self.order(REMOVE, path.len() + 4, |packet| put(packet, path.as_bytes())).await
    }

    pub(crate) async fn make_folder(&self, path: &str) -> Result<()> {
        let fill = |packet: &mut Vec<u8>| {
            put(packet, path.as_bytes());
            packet.extend_from_slice(&[0; 4]);
        };
        self.order(MKDIR, path.len() + 8, fill).await
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let fill = |packet: &mut Vec<u8>| {
            put(packet, from.as_bytes());
            put(packet, to.as_bytes());
        };
        self.order(RENAME, from.len() + to.len() + 8, fill).await
    }
}

/// Sends packets one after the other: a request that is given up never leaves half of itself.
async fn send(writer: ChannelWriteHalf<client::Msg>, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(packet) = queue.recv().await {
        if writer.data_bytes(packet).await.is_err() {
            return;
        }
    }
    // Nobody can ask any more.
    let _ = writer.close().await;
}

async fn hand_out(mut reader: ChannelReadHalf, mut buffer: BytesMut, waiting: Arc<Mutex<Waiting>>) {
    let why = loop {
        match receive(&mut reader, &mut buffer).await {
            Ok(Some(mut body)) => {
                let (Ok(kind), Ok(id)) = (take_u8(&mut body), take_u32(&mut body)) else {
                    break "the server sent a packet that is too short".to_owned();
                };
                if let Some(sender) = lock(&waiting).replies.remove(&id) {
                    // Whoever asked may have given up.
                    let _ = sender.send(Reply { kind, body });
                }
            }
            Ok(None) => break "the connection closed".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    let mut waiting = lock(&waiting);
    waiting.ended = Some(why);
    waiting.replies.clear();
}

/// The next packet without its length; none at the end.
async fn receive(reader: &mut ChannelReadHalf, buffer: &mut BytesMut) -> Result<Option<Bytes>> {
    loop {
        if let Some(length) = buffer.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > LONGEST {
                return Err(lost("the server sent a packet that is too long"));
            }
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                return Ok(Some(buffer.split_to(length).freeze()));
            }
        }
        match reader.wait().await {
            Some(ChannelMsg::Data { data }) => buffer.extend_from_slice(&data),
            Some(ChannelMsg::Eof | ChannelMsg::Close) | None => return Ok(None),
            Some(_) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lost(why: &str) -> Error {
    Error::new(Kind::Lost, why)
}

fn put(packet: &mut Vec<u8>, bytes: &[u8]) {
    packet.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    packet.extend_from_slice(bytes);
}

fn short() -> Error {
    lost("the server sent a packet that is too short")
}

fn take_u8(body: &mut Bytes) -> Result<u8> {
    body.try_get_u8().map_err(|_| short())
}

fn take_u32(body: &mut Bytes) -> Result<u32> {
    body.try_get_u32().map_err(|_| short())
}

fn take_u64(body: &mut Bytes) -> Result<u64> {
    body.try_get_u64().map_err(|_| short())
}

fn take(body: &mut Bytes) -> Result<Bytes> {
    let length = take_u32(body)? as usize;
    if length > body.len() {
        return Err(short());
    }
    Ok(body.split_to(length))
}

/// A reply that should say yes.
fn done(reply: Reply) -> Result<()> {
    match status(reply)? {
        (0, _) => Ok(()),
        (code, text) => Err(Error::status(code, &text)),
    }
}

/// Code and text of a status.
fn status(mut reply: Reply) -> Result<(u32, String)> {
    if reply.kind != STATUS {
        return Err(lost("the server sent a reply of another kind"));
    }
    let code = take_u32(&mut reply.body)?;
    // Old servers send no text.
    let text = take(&mut reply.body).unwrap_or_default();
    Ok((code, String::from_utf8_lossy(&text).into_owned()))
}

/// The error of a reply that should have been another.
fn refusal(reply: Reply) -> Error {
    match status(reply) {
        Ok((0, _)) => lost("the server said yes where it had to say what"),
        Ok((code, text)) => Error::status(code, &text),
        Err(error) => error,
    }
}

fn found(body: &mut Bytes) -> Result<Found> {
    let flags = take_u32(body)?;
    let bytes = if flags & 1 != 0 { take_u64(body)? } else { 0 };
    if flags & 2 != 0 {
        take_u64(body)?;
    }
    let mode = if flags & 4 != 0 { Some(take_u32(body)?) } else { None };
    let modified = if flags & 8 != 0 {
        take_u32(body)?;
        Some(take_u32(body)?)
    } else {
        None
    };
    Ok(Found { sort: Sort::of_mode(mode), bytes, modified })
}

fn extensions(mut body: Bytes) -> Result<Extensions> {
    let mut extensions = Extensions::default();
    let _version = take_u32(&mut body)?;
    while !body.is_empty() {
        let (name, _value) = (take(&mut body)?, take(&mut body)?);
        extensions.fsync |= &name[..] == b"fsync@openssh.com";
        extensions.limits |= &name[..] == b"limits@openssh.com";
    }
    Ok(extensions)
}
