//! A connection that stays open for a viewer: a socket, or a stream of events over HTTP.
//!
//! It is one of the connections that the viewer may have, and keeps the viewer online. It ends with its session or token,
//! and when the server stops.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::AppState;
use crate::chat::Viewer;
use crate::delivery::hub::SocketWatch;
use crate::ephemeral::Connected;
use crate::ids::KeyId;
use crate::limits::count::Place;

/// The share by which times vary up and down, so that many connections that were opened together drift apart.
const JITTER: f64 = 0.2;

/// About how often it is asked whether the server key is still good that has issued the token of a connection.
const KEY_CHECKS: Duration = Duration::from_secs(10);

/// A connection that stays open for a viewer.
pub(super) struct Live {
    /// The viewer.
    pub viewer: Viewer,
    /// Keeps the viewer online until it is dropped, before `watch`. `None` if the session had just ended.
    #[expect(dead_code, reason = "held")]
    connected: Option<Connected>,
    /// One of the connections that the viewer may have.
    #[expect(dead_code, reason = "held")]
    place: Place<Uuid>,
    /// Is cancelled when the session has ended.
    watch: SocketWatch,
}

/// Why a connection must end whose client is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The session has ended: the user signed out, or was deleted.
    SessionEnded,
    /// The token has expired, or the server key that issued it was revoked, and it belongs to no session that could go on.
    SessionExpired,
    /// The server stops.
    Drained,
}

impl Live {
    /// A connection for this viewer. `None` if the viewer has as many as may be.
    #[must_use]
    pub(super) fn open(state: &AppState, viewer: Viewer) -> Option<Self> {
        let place = state.limits.socket(viewer.user.0)?;
        // From here on, the end of the session ends the connection. The watch also notices one that has just ended.
        let watch = state.delivery.hub().watch(viewer.user, viewer.session, viewer.valid_after);
        let connected = (!watch.ended.is_cancelled()).then(|| state.ephemeral.connect(viewer.user));
        Some(Self { viewer, connected, place, watch })
    }

    /// What ends the connection; whatever comes first.
    pub(super) fn ends(&self, state: &AppState) -> [BoxFuture<'static, End>; 4] {
        let lasts = (self.viewer.until - state.chat.clock().now()).to_std().unwrap_or_default();
        // A year is as good as forever, and within the timer's range.
        let expires = Instant::now() + lasts.min(Duration::from_hours(24 * 365));
        [
            sleep_until(expires).map(|()| End::SessionExpired).boxed(),
            self.watch.ended.clone().cancelled_owned().map(|()| End::SessionEnded).boxed(),
            drained(state.clone()).map(|()| End::Drained).boxed(),
            key_revoked(state.clone(), self.viewer.issued_by).map(|()| End::SessionExpired).boxed(),
        ]
    }
}

/// When the server stops, each connection is closed at a random moment within the drain time, so that the clients don't
/// all connect elsewhere at the same time.
async fn drained(state: AppState) {
    state.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(state.drain_time.mul_f64(random_share())) => {}
        () = state.end.cancelled() => {}
    }
}

/// Until the server key is revoked that has issued the token of this connection: it is asked for now and then.
async fn key_revoked(state: AppState, key: Option<KeyId>) {
    let Some(key) = key else { return std::future::pending().await };
    loop {
        tokio::time::sleep(jittered(KEY_CHECKS)).await;
        // While the database is away, nobody knows.
        if matches!(state.chat.is_key_good(key).await, Ok(false)) {
            return;
        }
    }
}

/// About this long.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(1.0 - JITTER + 2.0 * JITTER * random_share())
}

/// A random number from 0 to 1.
fn random_share() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}
