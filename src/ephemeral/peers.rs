//! What nodes send each other about presence and typing, and the task that keeps both up to date.
//!
//! Each node publishes a delta when users come online or go offline on it, who is typing and whose typing has ended with
//! the last socket, whose rows it has changed, and a snapshot of all its users with every heartbeat. A lost message does
//! no lasting harm, because the next heartbeat corrects it, and a changed user is shown as it is whenever it is fetched.
//! Without a broker, the task only advances the time. An intruder who can publish on the broker can falsify who appears
//! online, offline or typing and when a user was last seen, can have users shown again, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::presence::{Delta, NodeId, Snapshot};
use super::{Ephemeral, Outbox};
use crate::broker::{Broker, BrokerState};
use crate::ids::{RoomId, UserId};

/// The subject on which nodes publish.
const SUBJECT: &str = "parlor.live";

/// Messages of another version are ignored.
const VERSION: u8 = 1;

/// The most users in one message: some 400 KB, where NATS accepts 1 MiB.
const PART_SIZE: usize = 10_000;

/// How often the task checks whether a broker that is away has come back.
const RECHECK: Duration = Duration::from_millis(250);

/// One message on the broker. Nodes of several versions run side by side, so the names in its JSON stay.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
struct Message {
    v: u8,
    node: Uuid,
    #[serde(rename = "told")]
    content: PeerMessage,
}

/// What one node publishes to the others.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum PeerMessage {
    /// The node has just reached the broker: the others are to publish their snapshots.
    Hello,
    /// A part of all users who are online on the node.
    #[serde(rename = "roll")]
    Snapshot { round: u64, parts: u32, users: Vec<Uuid> },
    /// These users came online, and these went offline, each with the moment.
    #[serde(rename = "moves")]
    Delta { came: Vec<Uuid>, left: Vec<(Uuid, DateTime<Utc>)> },
    /// These users are typing.
    Typing { typed: Vec<(Uuid, Uuid)> },
    /// These users, who were typing, have no socket any more. Nodes of before don't know it, and their entries expire.
    Gone { users: Vec<Uuid> },
    /// The rows of these users have changed. Nodes of before don't know it, and publish nothing.
    Changed { users: Vec<Uuid> },
    /// The node stops.
    Stop,
}

/// A node's link to its peers.
struct Peers {
    ephemeral: Arc<Ephemeral>,
    broker: Broker,
    node: NodeId,
    messages: Option<Subscriber>,
    was_reachable: bool,
    round: u64,
    heartbeat_at: Instant,
}

/// Keeps presence and typing up to date, with other nodes through the broker, until cancelled.
pub(crate) async fn run(ephemeral: Arc<Ephemeral>, broker: Broker, stop: CancellationToken) {
    let messages = broker.subscribe(SUBJECT).await.unwrap_or_else(|error| {
        tracing::error!(%error, "presence and typing on other nodes can't be received");
        None
    });
    let node = NodeId(Uuid::now_v7());
    let heartbeat_at = Instant::now();
    let mut peers = Peers { ephemeral, broker, node, messages, was_reachable: false, round: 0, heartbeat_at };
    let ephemeral = peers.ephemeral.clone();
    loop {
        peers.advance().await;
        let due = peers.due();
        tokio::select! {
            () = stop.cancelled() => break,
            () = ephemeral.for_peers.notified() => {}
            message = peers.next() => peers.receive(&message),
            () = sleep_until(due) => {}
        }
    }
    if peers.is_reachable() {
        peers.publish(PeerMessage::Stop).await;
        // A node that doesn't receive it notices the silence.
        peers.broker.flush(SUBJECT).await;
    }
}

impl Peers {
    fn is_reachable(&self) -> bool {
        self.messages.is_some() && self.broker.state() == BrokerState::Connected
    }

    /// When there is something to do, even if nothing happens before.
    fn due(&self) -> Instant {
        let recheck = match self.messages {
            Some(_) if !self.was_reachable => Instant::now() + RECHECK,
            _ => self.heartbeat_at,
        };
        self.ephemeral.next_tick().map_or(recheck, |tick| tick.min(recheck)).min(self.heartbeat_at)
    }

    /// Advances the time, and publishes what is due.
    async fn advance(&mut self) {
        let reachable = self.is_reachable();
        let Outbox { delta, typed, gone, changed } = self.ephemeral.tick(reachable);
        let has_come = !std::mem::replace(&mut self.was_reachable, reachable) && reachable;
        if reachable {
            if delta != Delta::default() {
                self.publish(PeerMessage::delta(delta)).await;
            }
            if !typed.is_empty() {
                self.publish(PeerMessage::Typing {
                    typed: typed.into_iter().map(|(room, user)| (room.0, user.0)).collect(),
                })
                .await;
            }
            if !gone.is_empty() {
                self.publish(PeerMessage::Gone { users: gone.into_iter().map(|user| user.0).collect() }).await;
            }
            let changed: Vec<Uuid> = changed.into_iter().map(|user| user.0).collect();
            for users in changed.chunks(PART_SIZE) {
                self.publish(PeerMessage::Changed { users: users.to_vec() }).await;
            }
            if has_come {
                self.publish(PeerMessage::Hello).await;
            }
        }
        let now = Instant::now();
        if has_come || self.heartbeat_at <= now {
            self.heartbeat_at = now + self.ephemeral.limits().heartbeat;
            self.round += 1;
            let snapshot = if reachable { self.ephemeral.snapshot(self.round, PART_SIZE) } else { Vec::new() };
            for part in snapshot {
                self.publish(PeerMessage::snapshot(part)).await;
            }
        }
    }

    /// The next message on the subject; pending without a broker.
    async fn next(&mut self) -> async_nats::Message {
        if let Some(messages) = &mut self.messages
            && let Some(message) = messages.next().await
        {
            return message;
        }
        std::future::pending().await
    }

    fn receive(&mut self, message: &async_nats::Message) {
        let Ok(Message { v: VERSION, node, content }) = serde_json::from_slice(&message.payload) else {
            return tracing::debug!("a message of another node can't be parsed");
        };
        let node = NodeId(node);
        match content {
            _ if node == self.node => {}
            PeerMessage::Hello => self.heartbeat_at = Instant::now(),
            PeerMessage::Snapshot { round, parts, users } => {
                self.ephemeral
                    .on_snapshot(node, Snapshot { round, parts, users: users.into_iter().map(UserId).collect() });
            }
            PeerMessage::Delta { came, left } => {
                let came = came.into_iter().map(UserId).collect();
                let left = left.into_iter().map(|(user, at)| (UserId(user), at)).collect();
                self.ephemeral.on_delta(node, Delta { came, left });
            }
            PeerMessage::Typing { typed } => {
                for (room, user) in typed {
                    self.ephemeral.on_typing(RoomId(room), UserId(user));
                }
            }
            PeerMessage::Gone { users } => users.into_iter().for_each(|user| self.ephemeral.on_gone(UserId(user))),
            PeerMessage::Changed { users } => self.ephemeral.on_changed(users.into_iter().map(UserId)),
            PeerMessage::Stop => self.ephemeral.on_stop(node),
        }
    }

    async fn publish(&self, content: PeerMessage) {
        let message = Message { v: VERSION, node: self.node.0, content };
        let Ok(message) = serde_json::to_vec(&message) else { return };
        self.broker.publish(SUBJECT, message.into()).await;
    }
}

impl PeerMessage {
    fn delta(delta: Delta) -> Self {
        let came = delta.came.into_iter().map(|user| user.0).collect();
        let left = delta.left.into_iter().map(|(user, at)| (user.0, at)).collect();
        Self::Delta { came, left }
    }

    fn snapshot(snapshot: Snapshot) -> Self {
        let users = snapshot.users.into_iter().map(|user| user.0).collect();
        Self::Snapshot { round: snapshot.round, parts: snapshot.parts, users }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_json() {
        let user = Uuid::now_v7();
        for content in [
            PeerMessage::Hello,
            PeerMessage::Snapshot { round: 1, parts: 2, users: vec![user] },
            PeerMessage::Delta { came: vec![user], left: vec![(user, DateTime::UNIX_EPOCH)] },
            PeerMessage::Typing { typed: vec![(user, user)] },
            PeerMessage::Gone { users: vec![user] },
            PeerMessage::Changed { users: vec![user] },
            PeerMessage::Stop,
        ] {
            let message = Message { v: VERSION, node: user, content };
            let json = serde_json::to_vec(&message).expect("JSON");
            assert_eq!(serde_json::from_slice::<Message>(&json).expect("a message"), message);
        }
    }

    #[test]
    fn a_full_part_of_a_snapshot_is_a_message_that_nats_takes() {
        let content = PeerMessage::Snapshot { round: u64::MAX, parts: u32::MAX, users: vec![Uuid::max(); PART_SIZE] };
        let message = Message { v: VERSION, node: Uuid::max(), content };
        assert!(serde_json::to_vec(&message).expect("JSON").len() < 1024 * 1024 / 2);
    }
}
