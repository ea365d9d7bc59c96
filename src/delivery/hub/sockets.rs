//! The open sockets of this node, which end with their sessions.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::ids::{SessionId, UserId};
use crate::log::{About, Event};

/// Sockets by user and id: the session, and the token that ends the socket when cancelled.
#[derive(Default)]
pub(super) struct Sockets(HashMap<UserId, HashMap<u64, (Option<SessionId>, CancellationToken)>>);

/// A socket's registration in the hub, which ends when this is dropped.
pub struct SocketWatch {
    hub: Arc<Hub>,
    user: UserId,
    id: u64,
    /// Cancelled when the socket's session has ended.
    pub ended: CancellationToken,
}

impl Hub {
    /// Registers a socket. The token is cancelled when the socket's session, or all of the user's, are ended.
    #[must_use]
    pub fn watch(self: &Arc<Self>, user: UserId, session: Option<SessionId>) -> SocketWatch {
        let mut state = self.lock();
        let ended = CancellationToken::new();
        if state.recent.iter().any(|event| ends(event, user, session)) {
            ended.cancel();
        }
        let id = state.next_id();
        state.sockets.0.entry(user).or_default().insert(id, (session, ended.clone()));
        SocketWatch { hub: self.clone(), user, id, ended }
    }

    /// The sessions that have a socket open on this node, in no particular order; one with several may come as often.
    #[must_use]
    pub fn connected_sessions(&self) -> Vec<SessionId> {
        let state = self.lock();
        state.sockets.0.values().flat_map(HashMap::values).filter_map(|(session, _)| *session).collect()
    }
}

impl Sockets {
    /// Ends the sockets whose sessions this event ends.
    pub(super) fn end(&self, event: &Event) {
        let Some(user) = event.user_id else { return };
        for (session, ended) in self.0.get(&user).into_iter().flat_map(HashMap::values) {
            if ends(event, user, *session) {
                ended.cancel();
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

/// Whether this event ends the sockets of this user and session.
fn ends(event: &Event, user: UserId, session: Option<SessionId>) -> bool {
    event.kind.row().about == About::Session
        && event.user_id == Some(user)
        && (event.session().is_none() || event.session() == session)
}

impl Drop for SocketWatch {
    fn drop(&mut self) {
        self.hub.lock().sockets.remove(self.user, self.id);
    }
}
