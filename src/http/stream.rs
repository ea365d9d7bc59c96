//! The byte stream beneath every connection: what is written must be taken.
//!
//! Whoever sends a request and doesn't read the answer would hold its bytes for ever. So writing ends that makes no
//! progress, or nearly none, whatever is written: answers, WebSocket messages, event streams.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// After how long it is looked at how much the client has taken of what waits for it.
pub(crate) const PERIOD: Duration = Duration::from_secs(15);

/// The fewest bytes that a client takes in a [`PERIOD`] while more wait: 4 KiB a second, as much as GPRS gives.
pub(crate) const LEAST_BYTES: usize = 60 * 1024;

/// A stream whose writes fail with [`io::ErrorKind::TimedOut`] when the other side takes too little of what waits.
pub(crate) struct Drained<S> {
    stream: S,
    period_length: Duration,
    /// Bytes taken in this period.
    taken: usize,
    /// Ends the period. `None` while nothing waits, as on nearly all connections.
    period: Option<Pin<Box<Sleep>>>,
}

impl<S> Drained<S> {
    /// This stream, watched: of what waits, the other side must take [`LEAST_BYTES`] in each such period.
    pub(crate) fn new(stream: S, period_length: Duration) -> Self {
        Self { stream, period_length, taken: 0, period: None }
    }

    /// What becomes of an attempt to write so many bytes.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(taken)) if *taken == offered => self.period = None,
            Poll::Ready(Ok(taken)) => self.taken += taken,
            Poll::Pending if self.is_too_slow(cx) => {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes too little")));
            }
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        written
    }

    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let period = self.period.get_or_insert_with(|| {
            self.taken = 0;
            Box::pin(sleep(self.period_length))
        });
        while period.as_mut().poll(cx).is_ready() {
            if self.taken < LEAST_BYTES {
                return true;
            }
            self.taken = 0;
            period.as_mut().reset(Instant::now() + self.period_length);
        }
        false
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Drained<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Drained<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, buf.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, offered, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What becomes of writing 1 MiB to a client that takes so many bytes at a time, a hundred times in a period.
    async fn write(bytes: usize) -> io::Result<()> {
        let period = Duration::from_millis(500);
        let (ours, mut theirs) = duplex(1024);
        let mut stream = Drained::new(ours, period);
        let reading = async {
            let mut turns = tokio::time::interval(period / 100);
            let mut buf = vec![0; bytes];
            loop {
                turns.tick().await;
                theirs.read_exact(&mut buf).await.expect("there is more");
            }
        };
        let payload = vec![0; 1024 * 1024];
        tokio::select! {
            written = stream.write_all(&payload) => written,
            () = reading => unreachable!("it reads for ever"),
        }
    }

    #[tokio::test]
    async fn who_takes_nothing_or_next_to_nothing_is_not_waited_for() {
        for bytes in [0, 1, LEAST_BYTES / 200] {
            assert_eq!(write(bytes).await.expect_err("too slow").kind(), io::ErrorKind::TimedOut, "{bytes}");
        }
    }

    #[tokio::test]
    async fn who_is_slow_is_waited_for_as_long_as_it_takes() {
        assert!(write(LEAST_BYTES / 20).await.is_ok());
    }
}
