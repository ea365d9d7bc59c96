//! Who is online on the other nodes, according to what they have published.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::Now;
use crate::ids::UserId;

/// Identifies a node for as long as its process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub Uuid);

/// A part of the users who are online on a node. All parts of one round together name all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Rises with every snapshot of the node.
    pub round: u64,
    /// How many parts the snapshot of this round has.
    pub parts: u32,
    /// The users in this part.
    pub users: Vec<UserId>,
}

/// The other nodes.
pub(super) struct Nodes {
    linger: Duration,
    timeout: Duration,
    others: HashMap<NodeId, Node>,
    looked_at: Option<Instant>,
}

struct Node {
    last_message_at: DateTime<Utc>,
    expires_at: Instant,
    /// The node has published that it stops: it writes by itself when its users were last seen.
    is_stopping: bool,
    /// Online users, with the round in which they were last named.
    users: HashMap<UserId, u64>,
    round: u64,
    parts_received: u32,
}

impl Nodes {
    pub(super) fn new(linger: Duration, timeout: Duration) -> Self {
        Self { linger, timeout, others: HashMap::new(), looked_at: None }
    }

    /// Whether the user is online on one of them.
    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.others.values().any(|node| node.users.contains_key(&user))
    }

    /// A user came online on a node.
    pub(super) fn on_came(&mut self, node: NodeId, user: UserId, now: Now) {
        let node = self.received(node, now);
        node.users.insert(user, node.round);
    }

    /// A user went offline on a node.
    pub(super) fn on_left(&mut self, node: NodeId, user: UserId, now: Now) {
        self.received(node, now).users.remove(&user);
    }

    /// A node has published who is online on it. Returns the users who came online or went offline by that.
    pub(super) fn on_snapshot(&mut self, node: NodeId, snapshot: Snapshot, now: Now) -> Vec<UserId> {
        let node = self.received(node, now);
        if snapshot.round < node.round {
            return Vec::new();
        }
        if snapshot.round > node.round {
            (node.round, node.parts_received) = (snapshot.round, 0);
        }
        node.parts_received += 1;
        let mut changed = Vec::new();
        for user in snapshot.users {
            if node.users.insert(user, snapshot.round).is_none() {
                changed.push(user);
            }
        }
        if node.parts_received == snapshot.parts {
            changed.extend(node.users.extract_if(|_, round| *round < snapshot.round).map(|(user, _)| user));
        }
        changed
    }

    /// A node stops.
    pub(super) fn on_stop(&mut self, node: NodeId, now: Now) {
        let linger = self.linger;
        let node = self.received(node, now);
        node.is_stopping = true;
        node.expires_at = node.expires_at.min(now.instant + linger);
    }

    /// Removes nodes that have sent nothing for too long. Returns who was online on them and, unless the node writes it
    /// by itself, when they were last seen. The time of every node starts anew while the broker is not `reachable`, and
    /// when this was not called for long, because then this node itself was suspended.
    pub(super) fn expire(&mut self, now: Now, reachable: bool) -> Vec<(UserId, Option<DateTime<Utc>>)> {
        let last = self.looked_at.replace(now.instant);
        let was_asleep = last.is_some_and(|last| now.instant - last > self.timeout / 2);
        if was_asleep || !reachable {
            for node in self.others.values_mut().filter(|node| !node.is_stopping) {
                node.expires_at = now.instant + self.timeout;
            }
        }
        let gone = self.others.extract_if(|_, node| node.expires_at <= now.instant);
        gone.flat_map(|(_, node)| {
            let at = (!node.is_stopping).then_some(node.last_message_at);
            node.users.into_keys().map(move |user| (user, at))
        })
        .collect()
    }

    /// When the first of them counts as dead, if it sends nothing until then.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.others.values().map(|node| node.expires_at).min()
    }

    fn received(&mut self, node: NodeId, now: Now) -> &mut Node {
        let expires_at = now.instant + self.timeout;
        let node = self.others.entry(node).or_insert_with(|| Node {
            last_message_at: now.time,
            expires_at,
            is_stopping: false,
            users: HashMap::new(),
            round: 0,
            parts_received: 0,
        });
        node.last_message_at = now.time;
        if !node.is_stopping {
            node.expires_at = expires_at;
        }
        node
    }
}
