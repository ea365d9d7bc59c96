//! Connections that wait for the next request to the same place, so that not every one begins with TLS.
//!
//! What was judged when it was connected to is still the same address. A connection is kept only after an answer that was
//! read to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::{Location, MAX_HEAD_BYTES};

/// The most connections that wait for one place: as many as webhooks use at the same time.
pub(super) const PER_PLACE: usize = 16;

/// The most that wait in all.
const IN_ALL: usize = 128;

/// For how long one waits. Servers close theirs after about as long or longer.
const IDLE: Duration = Duration::from_secs(15);

/// A connection, which is closed when this is dropped.
pub(super) struct Connection {
    pub sender: SendRequest<Full<Bytes>>,
    _task: AbortOnDropHandle<()>,
}

/// The connections of one client. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Default)]
struct Shared {
    tasks: TaskTracker,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    places: HashMap<Place, Vec<(Connection, Instant)>>,
    /// Whether a task closes what has waited for too long.
    is_swept: bool,
}

/// What a connection leads to.
type Place = (bool, String, u16);

fn place(to: &Location) -> Place {
    (to.is_tls, to.host.clone(), to.port)
}

impl Pool {
    /// Speaks HTTP over this stream.
    pub(super) async fn open(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Result<Connection, hyper::Error> {
        let mut client = http1::Builder::new();
        let (sender, connection) = client.max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
        let task = self.0.tasks.spawn(async move {
            // Whoever waits for an answer is told as well.
            let _ = connection.await;
        });
        Ok(Connection { sender, _task: AbortOnDropHandle::new(task) })
    }

    /// One that waits, the last that was used first.
    pub(super) fn take(&self, to: &Location) -> Option<Connection> {
        let mut waiting = self.0.lock();
        let of_place = waiting.places.get_mut(&place(to))?;
        while let Some((connection, since)) = of_place.pop() {
            if connection.sender.is_ready() && since.elapsed() < IDLE {
                return Some(connection);
            }
        }
        None
    }

    /// Has one wait, if there is place for it.
    pub(super) fn put(&self, to: &Location, connection: Connection) {
        let mut waiting = self.0.lock();
        waiting.close_old();
        let in_all: usize = waiting.places.values().map(Vec::len).sum();
        let of_place = waiting.places.entry(place(to)).or_default();
        if connection.sender.is_closed() || of_place.len() >= PER_PLACE || in_all >= IN_ALL {
            return;
        }
        of_place.push((connection, Instant::now()));
        if !std::mem::replace(&mut waiting.is_swept, true) {
            drop(self.0.tasks.spawn(sweep(Arc::downgrade(&self.0))));
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().places.values().map(Vec::len).sum()
    }
}

/// Closes what has waited for too long, until nothing waits.
async fn sweep(shared: std::sync::Weak<Shared>) {
    loop {
        sleep(IDLE / 3).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut waiting = shared.lock();
        waiting.close_old();
        if waiting.places.is_empty() {
            waiting.is_swept = false;
            return;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn close_old(&mut self) {
        self.places.retain(|_, of_place| {
            of_place.retain(|(connection, since)| !connection.sender.is_closed() && since.elapsed() < IDLE);
            !of_place.is_empty()
        });
    }
}
