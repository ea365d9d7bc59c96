//! Counts what a client sends beneath the WebSocket library, which hides it: the library answers pings by itself, skips
//! empty fragments, and waits for the rest of a message as long as it takes.
//!
//! Only the headers of frames are read here ([RFC 6455, section 5.2](https://www.rfc-editor.org/rfc/rfc6455#section-5.2));
//! whether frames are valid is the library's business.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::limits::{FRAMES, SMALL_FRAGMENT_BYTES, TokenBucket};

/// When a message is due, this server reads within this time unless it doesn't read at all.
const AWAY: Duration = Duration::from_secs(1);

/// A stream of WebSocket frames from a client, whose reads fail with an [`Offence`] when it sends too many frames that
/// carry nothing, or a message too slowly.
pub(super) struct CountedFrames<S> {
    stream: S,
    scan: Scan,
    bucket: TokenBucket,
    message_time: Duration,
    /// When the message that has begun must be whole. `None` while none has begun.
    due: Option<Pin<Box<Sleep>>>,
}

/// What a client may not do with frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Offence {
    /// Too many pings, pongs or small fragments.
    #[error("too many frames that carry nothing")]
    TooManyFrames,
    /// A message was not whole in time.
    #[error("a message came too slowly")]
    TooSlow,
}

impl<S> CountedFrames<S> {
    /// The frames of this stream, which begins with one. A message that has begun must be whole after `message_time`.
    pub(super) fn new(stream: S, message_time: Duration) -> Self {
        let bucket = TokenBucket::new(FRAMES, Instant::now());
        Self { stream, scan: Scan::default(), bucket, message_time, due: None }
    }

    fn count(&mut self, bytes: &[u8]) -> Result<(), Offence> {
        let light = self.scan.pass(bytes);
        if light > 0 {
            let now = Instant::now();
            if (0..light).any(|_| !self.bucket.admit(now)) {
                return Err(Offence::TooManyFrames);
            }
        }
        if !self.scan.is_amid_message() {
            self.due = None;
        } else if self.due.as_ref().is_none_or(|due| due.deadline() + AWAY < Instant::now()) {
            // It has begun; or nobody has read for a while, because too many operations waited, and it was this server
            // that was slow.
            self.due = Some(Box::pin(sleep(self.message_time)));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedFrames<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) => this.count(&buf.filled()[before..]).map_err(io::Error::other)?,
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                // Only when nothing is there to be read: otherwise it is this server that is slow.
                if this.due.as_mut().is_some_and(|due| due.as_mut().poll(cx).is_ready()) {
                    return Poll::Ready(Err(io::Error::other(Offence::TooSlow)));
                }
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedFrames<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The longest header: two bytes, eight of length, four of the mask.
const MAX_HEADER_BYTES: usize = 14;

/// Where in its frames a stream is.
#[derive(Debug, Default)]
struct Scan {
    header: [u8; MAX_HEADER_BYTES],
    /// How many bytes of `header` are there.
    header_bytes: usize,
    /// Bytes of the payload that are still to come.
    payload_left: u64,
    /// Whether the frame whose payload comes is the last of a message.
    ends_message: bool,
    /// Whether a message has begun whose last frame is not over.
    amid_message: bool,
}

impl Scan {
    /// Passes over these bytes. Returns how many frames began in them that carry nothing or little: control frames and
    /// small fragments.
    fn pass(&mut self, mut bytes: &[u8]) -> usize {
        let mut light = 0;
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let here = usize::try_from(self.payload_left).unwrap_or(usize::MAX).min(bytes.len());
                self.payload_left -= here as u64;
                bytes = &bytes[here..];
                self.end_frame();
                continue;
            }
            self.header[self.header_bytes] = bytes[0];
            self.header_bytes += 1;
            bytes = &bytes[1..];
            if self.header_bytes >= 2 && self.header_bytes == self.header_length() {
                light += usize::from(self.begin_frame());
                self.header_bytes = 0;
                self.end_frame();
            }
        }
        light
    }

    fn header_length(&self) -> usize {
        let [_, second, ..] = self.header;
        let length = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if second & 0x80 == 0 { 0 } else { 4 }
    }

    /// Returns whether the frame carries nothing or little.
    fn begin_frame(&mut self) -> bool {
        let [first, second, b2, b3, b4, b5, b6, b7, b8, b9, ..] = self.header;
        self.payload_left = match second & 0x7f {
            126 => u16::from_be_bytes([b2, b3]).into(),
            127 => u64::from_be_bytes([b2, b3, b4, b5, b6, b7, b8, b9]),
            short => short.into(),
        };
        let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
        if opcode >= 8 {
            // A control frame may come amid a message, and neither begins nor ends one.
            self.ends_message = false;
            return true;
        }
        self.amid_message = true;
        self.ends_message = is_last;
        let is_fragment = opcode == 0 || !is_last;
        is_fragment && self.payload_left < SMALL_FRAGMENT_BYTES
    }

    fn end_frame(&mut self) {
        if self.payload_left == 0 && self.ends_message {
            self.ends_message = false;
            self.amid_message = false;
        }
    }

    /// Whether a frame or a message has begun and is not over.
    fn is_amid_message(&self) -> bool {
        self.amid_message || self.header_bytes > 0 || self.payload_left > 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
    use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

    use super::*;

    fn frame(opcode: OpCode, is_last: bool, payload: usize) -> Vec<u8> {
        let header = FrameHeader { is_final: is_last, opcode, mask: Some([1, 2, 3, 4]), ..FrameHeader::default() };
        let frame = Frame::from_payload(header, vec![b'x'; payload].into());
        let mut bytes = Vec::new();
        frame.format(&mut bytes).expect("a frame");
        bytes
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        let text = OpCode::Data(Data::Text);
        let more = OpCode::Data(Data::Continue);
        let ping = OpCode::Control(Control::Ping);
        let frames = [
            (frame(text, true, 10), 0, false),
            (frame(text, true, 70_000), 0, false),
            (frame(ping, true, 0), 1, false),
            (frame(text, false, 300), 1, true),
            (frame(ping, true, 125), 1, true),
            (frame(more, false, 2_000), 0, true),
            (frame(more, false, 0), 1, true),
            (frame(more, true, 0), 1, false),
            (frame(text, true, 0), 0, false),
        ];
        for cut in [1, 2, 3, 7, 1_000, 100_000] {
            let mut scan = Scan::default();
            for (n, (bytes, light, amid)) in frames.iter().enumerate() {
                let counted: usize = bytes.chunks(cut).map(|part| scan.pass(part)).sum();
                assert_eq!((counted, scan.is_amid_message()), (*light, *amid), "frame {n} in parts of {cut}");
            }
        }
        let mut scan = Scan::default();
        scan.pass(&frames[0].0[..3]);
        assert!(scan.is_amid_message());
    }

    const MESSAGE_TIME: Duration = Duration::from_millis(200);

    fn counted() -> (DuplexStream, CountedFrames<DuplexStream>) {
        let (client, server) = duplex(1024 * 1024);
        (client, CountedFrames::new(server, MESSAGE_TIME))
    }

    async fn offence(frames: &mut CountedFrames<DuplexStream>) -> Offence {
        let mut buf = vec![0; 4_096];
        loop {
            if let Err(error) = frames.read(&mut buf).await {
                return *error.get_ref().and_then(|cause| cause.downcast_ref()).expect("an offence");
            }
        }
    }

    #[tokio::test]
    async fn half_a_message_is_not_waited_for_though_pongs_come_in_between() {
        let (mut client, mut frames) = counted();
        let sending = async {
            client.write_all(&frame(OpCode::Data(Data::Text), false, 5_000)).await.expect("room");
            let mut turns = tokio::time::interval(MESSAGE_TIME / 10);
            loop {
                turns.tick().await;
                client.write_all(&frame(OpCode::Control(Control::Pong), true, 0)).await.expect("room");
            }
        };
        let offence = tokio::select! { offence = offence(&mut frames) => offence, () = sending => unreachable!() };
        assert_eq!(offence, Offence::TooSlow);
    }

    #[tokio::test]
    async fn a_client_that_is_silent_between_messages_is_not_slow() {
        let (mut client, mut frames) = counted();
        let mut buf = vec![0; 4_096];
        client.write_all(&frame(OpCode::Data(Data::Text), true, 100)).await.expect("room");
        while let Ok(read) = tokio::time::timeout(3 * MESSAGE_TIME, frames.read(&mut buf)).await {
            assert!(read.is_ok_and(|bytes| bytes > 0));
        }
        client.write_all(&frame(OpCode::Data(Data::Text), true, 1)).await.expect("room");
        assert!(frames.read(&mut buf).await.is_ok_and(|bytes| bytes > 0));
    }

    #[tokio::test]
    async fn frames_that_carry_nothing_are_limited_of_each_kind() {
        for light in [
            frame(OpCode::Control(Control::Ping), true, 125),
            frame(OpCode::Control(Control::Pong), true, 0),
            frame(OpCode::Data(Data::Continue), false, 0),
            frame(OpCode::Data(Data::Continue), false, 1),
        ] {
            let (mut client, mut frames) = counted();
            client.write_all(&light.repeat(1_000)).await.expect("room");
            assert_eq!(offence(&mut frames).await, Offence::TooManyFrames);
        }
    }
}
