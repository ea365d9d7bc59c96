//! Many WebSockets that cost little: each frame is counted where it arrives, and nothing is unpacked that needn't be.
//!
//! Written for this, for a general client would use more CPU than the servers that are measured. It knows what servers
//! send: whole frames, unmasked ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

/// Sockets that connect at the same time.
pub const CONNECTING_AT_ONCE: usize = 64;

/// Sockets from one loopback address: below the 28,232 ports that Linux hands out to one.
const PER_ADDRESS: usize = 10_000;

/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// How a server is spoken to after the upgrade.
#[derive(Clone, Copy, Debug)]
pub enum Dialect {
    /// `graphql-transport-ws` with this subscription document; `$room` is given.
    GraphQl(&'static str),
    /// Engine.IO 4 with Socket.IO 5; a room is joined by the event `join`.
    SocketIo,
}

/// One socket before it is left to itself.
pub struct Socket {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Socket {
    /// Connects from the loopback address of the `n`th socket, and upgrades.
    pub async fn connect(addr: SocketAddr, n: usize, path: &str, protocol: Option<&str>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        let from = u8::try_from(1 + n / PER_ADDRESS).map_err(io::Error::other)?;
        socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into())?;
        let mut stream = socket.connect(addr).await?;
        stream.set_nodelay(true)?;
        let protocol = protocol.map(|name| format!("sec-websocket-protocol: {name}\r\n")).unwrap_or_default();
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n{protocol}\
             sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await?;
        let mut read = Vec::with_capacity(1_024);
        let end = loop {
            if stream.read_buf(&mut read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        if !read.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other(String::from_utf8_lossy(&read[..end]).into_owned()));
        }
        read.drain(..end + 4);
        Ok(Self { stream, read })
    }

    /// Connects and subscribes as this user to this room, from `after` on if a cursor is given. What comes then are
    /// events.
    pub async fn subscribe(
        addr: SocketAddr,
        n: usize,
        dialect: Dialect,
        token: &str,
        variables: &Value,
    ) -> io::Result<Self> {
        match dialect {
            Dialect::GraphQl(document) => {
                let mut socket = Self::connect(addr, n, "/graphql", Some("graphql-transport-ws")).await?;
                let init = json!({ "authorization": format!("Bearer {token}") });
                socket.send(&json!({ "type": "connection_init", "payload": init }).to_string()).await?;
                socket.expect("\"connection_ack\"").await?;
                let payload = json!({ "query": document, "variables": variables });
                socket.send(&json!({ "type": "subscribe", "id": "1", "payload": payload }).to_string()).await?;
                Ok(socket)
            }
            Dialect::SocketIo => {
                let mut socket = Self::connect(addr, n, "/socket.io/?EIO=4&transport=websocket", None).await?;
                socket.expect("0{").await?;
                socket.send("40").await?;
                socket.expect("40{").await?;
                socket.send(&format!("42{}", json!(["join", variables["room"]]))).await?;
                Ok(socket)
            }
        }
    }

    /// The next text that the server sends; pings are answered.
    pub async fn next(&mut self) -> io::Result<String> {
        loop {
            let frame = Frame::first(&self.read)
                .map(|frame| (frame.opcode, frame.payload(&self.read).to_vec(), frame.header + frame.length));
            if let Some((opcode, payload, length)) = frame.filter(|(_, _, length)| *length <= self.read.len()) {
                self.read.drain(..length);
                match opcode {
                    TEXT => return String::from_utf8(payload).map_err(io::Error::other),
                    PING => self.stream.write_all(&masked(PONG, &payload)).await?,
                    CLOSE => return Err(io::Error::other(format!("closed: {}", String::from_utf8_lossy(&payload)))),
                    _ => {}
                }
                continue;
            }
            let read = tokio::time::timeout(ANSWER_TIMEOUT, self.stream.read_buf(&mut self.read)).await??;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends a text.
    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(&masked(TEXT, text.as_bytes())).await
    }

    async fn expect(&mut self, part: &str) -> io::Result<()> {
        let text = self.next().await?;
        if text.contains(part) { Ok(()) } else { Err(io::Error::other(format!("expected {part}, got {text}"))) }
    }

    /// Counts what comes until the connection or the task ends.
    pub async fn count(mut self, received: &Received) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.read);
        loop {
            let mut from = 0;
            while let Some(frame) = Frame::first(&buffer[from..]) {
                let whole = frame.header + frame.length;
                if buffer.len() - from < whole {
                    break;
                }
                let payload = frame.payload(&buffer[from..]);
                match frame.opcode {
                    // Engine.IO pings by text.
                    TEXT if payload == b"2" => self.stream.write_all(&masked(TEXT, b"3")).await?,
                    TEXT => received.add(whole),
                    PING => self.stream.write_all(&masked(PONG, payload)).await?,
                    CLOSE => return Err(io::Error::other("the server closed a socket")),
                    _ => {}
                }
                from += whole;
            }
            if from == buffer.len() {
                // An idle socket holds no buffer.
                buffer = Vec::new();
                self.stream.readable().await?;
            } else {
                buffer.drain(..from);
            }
            buffer.reserve(2_048);
            match self.stream.try_read_buf(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.readable().await?,
                Err(error) => return Err(error),
            }
        }
    }
}

struct Frame {
    opcode: u8,
    header: usize,
    length: usize,
}

impl Frame {
    /// The header of the frame that begins here, if it is whole.
    fn first(bytes: &[u8]) -> Option<Self> {
        let (&[first, short], rest) = bytes.split_first_chunk::<2>()?;
        let (header, length) = match short & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk::<2>()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk::<8>()?)).ok()?),
            length => (2, usize::from(length)),
        };
        Some(Self { opcode: first & 0x0f, header, length })
    }

    fn payload<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.header..self.header + self.length).unwrap_or_default()
    }
}

/// A whole frame as clients send it. The mask is zero, which is allowed of those who have nothing to hide.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASKED: u8 = 0x80;
    const LONG: u8 = 0x7e;
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..126 => frame.push(MASKED | u8::try_from(short).unwrap_or_default()),
        long => {
            frame.push(MASKED | LONG);
            frame.extend(u16::try_from(long).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// What all sockets have got.
#[derive(Default)]
pub struct Received {
    frames: AtomicU64,
    bytes: AtomicU64,
    /// When so many frames have come, somebody is told.
    awaited: AtomicU64,
    arrived: Notify,
}

impl Received {
    /// One more frame of so many bytes.
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let frames = self.frames.fetch_add(1, Ordering::AcqRel) + 1;
        if frames == self.awaited.load(Ordering::Acquire) {
            self.arrived.notify_one();
        }
    }

    /// Frames and bytes so far.
    pub fn so_far(&self) -> (u64, u64) {
        (self.frames.load(Ordering::Acquire), self.bytes.load(Ordering::Relaxed))
    }

    /// Waits until this many frames have come in all.
    pub async fn reach(&self, frames: u64) -> io::Result<()> {
        self.awaited.store(frames, Ordering::Release);
        let reached = async {
            while self.so_far().0 < frames {
                self.arrived.notified().await;
            }
        };
        let waited = tokio::time::timeout(ANSWER_TIMEOUT, reached).await;
        waited.map_err(|_| io::Error::other(format!("{} of {frames} frames have come", self.so_far().0)))
    }
}

/// Many subscribed sockets; closed when dropped.
pub struct Sockets {
    /// What they have got.
    pub received: Arc<Received>,
    tasks: JoinSet<io::Result<()>>,
}

impl Sockets {
    /// Connects and subscribes all: each with a token and the variables of its subscription.
    pub async fn subscribe(
        addr: SocketAddr,
        dialect: Dialect,
        subscribers: impl IntoIterator<Item = (String, Value)>,
    ) -> io::Result<Self> {
        let (received, gate) = (Arc::<Received>::default(), Arc::new(Semaphore::new(CONNECTING_AT_ONCE)));
        let mut connecting = JoinSet::new();
        for (n, (token, variables)) in subscribers.into_iter().enumerate() {
            let gate = gate.clone();
            connecting.spawn(async move {
                let _turn = gate.acquire_owned().await.map_err(io::Error::other)?;
                Socket::subscribe(addr, n, dialect, &token, &variables).await
            });
        }
        let mut tasks = JoinSet::new();
        while let Some(connected) = connecting.join_next().await {
            let (socket, received) = (connected.map_err(io::Error::other)??, received.clone());
            tasks.spawn(async move { socket.count(&received).await });
        }
        Ok(Self { received, tasks })
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Fails if any has ended, which none should.
    pub fn all_open(&mut self) -> io::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended.map_err(io::Error::other)?.and(Err(io::Error::other("a socket has ended"))),
        }
    }
}
