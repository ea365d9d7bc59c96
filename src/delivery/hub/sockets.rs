//! The open sockets of this node, which end with their sessions.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::ids::{SessionId, UserId};
use crate::log::{About, Event};

/// Sockets by user and id.
#[derive(Default)]
pub(super) struct Sockets(HashMap<UserId, HashMap<u64, Socket>>);

struct Socket {
    session: Option<SessionId>,
    /// Everything that was taken back by then was so before this socket's token was found good.
    valid_after: DateTime<Utc>,
    /// Ends the socket when cancelled.
    ended: CancellationToken,
}

/// A socket's registration in the hub, which ends when this is dropped.
pub struct SocketWatch {
    hub: Arc<Hub>,
    user: UserId,
    id: u64,
    /// Cancelled when the socket's session has ended.
    pub ended: CancellationToken,
}

impl Hub {
    /// Registers a socket. The token is cancelled when the socket's session, or all of the user's, are ended: after
    /// `valid_after`, which is what the user's tokens had to be younger than when this socket's was found good.
    #[must_use]
    pub fn watch(
        self: &Arc<Self>,
        user: UserId,
        session: Option<SessionId>,
        valid_after: DateTime<Utc>,
    ) -> SocketWatch {
        let mut state = self.lock();
        let ended = CancellationToken::new();
        let socket = Socket { session, valid_after, ended: ended.clone() };
        if state.recent.iter().any(|event| socket.ends_by(event, user)) {
            ended.cancel();
        }
        let id = state.next_id();
        state.sockets.0.entry(user).or_default().insert(id, socket);
        SocketWatch { hub: self.clone(), user, id, ended }
    }

    /// The sessions that have a socket open on this node, in no particular order; one with several may come as often.
    #[must_use]
    pub fn connected_sessions(&self) -> Vec<SessionId> {
        let state = self.lock();
        state.sockets.0.values().flat_map(HashMap::values).filter_map(|socket| socket.session).collect()
    }
}

impl Sockets {
    /// Ends the sockets whose sessions this event ends.
    pub(super) fn end(&self, event: &Event) {
        let Some(user) = event.user_id else { return };
        for socket in self.0.get(&user).into_iter().flat_map(HashMap::values) {
            if socket.ends_by(event, user) {
                socket.ended.cancel();
            }
        }
    }

    fn remove(&mut self, user: UserId, id: u64) {
        let Some(sockets) = self.0.get_mut(&user) else { return };
        sockets.remove(&id);
        if sockets.is_empty() {
            self.0.remove(&user);
        }
    }
}

impl Socket {
    /// Whether this event ends it, as a socket of this user.
    fn ends_by(&self, event: &Event, user: UserId) -> bool {
        event.kind.row().about == About::Session
            && event.user_id == Some(user)
            && match event.session() {
                // What it has written as what tokens must be younger than is no earlier than itself.
                None => event.at > self.valid_after,
                session => session == self.session,
            }
    }
}

impl Drop for SocketWatch {
    fn drop(&mut self) {
        self.hub.lock().sockets.remove(self.user, self.id);
    }
}
