//! Who is online on the other nodes, as far as they have told.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::Now;
use crate::ids::UserId;

/// Names a node for as long as its process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub Uuid);

/// A part of all who are online on a node. All parts of one round make the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Counts up.
    pub round: u64,
    /// How many parts this round has.
    pub parts: u32,
    /// Who is there.
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
    /// It has said that it stops: it writes itself when its users were last seen.
    is_stopping: bool,
    /// Users by the round in which they were last named.
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

    /// A user came to a node.
    pub(super) fn on_came(&mut self, node: NodeId, user: UserId, now: Now) {
        let node = self.received(node, now);
        node.users.insert(user, node.round);
    }

    /// A user went from a node.
    pub(super) fn on_left(&mut self, node: NodeId, user: UserId, now: Now) {
        self.received(node, now).users.remove(&user);
    }

    /// A node has told who is there; answers who came and went by it.
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

    /// Lets go of nodes that were not heard of for too long; answers who was there and, unless their node writes it
    /// itself, when last. All are given time anew while the broker is not `reachable`, and when nobody has looked for
    /// long: then this node was asleep itself.
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

    /// When the first of them is dead if it isn't heard of.
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
