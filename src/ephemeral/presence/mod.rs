//! Who is online, on this node and on others. A state machine without a clock, sockets or a broker: its caller reports
//! what happens and takes the changes to be published.
//!
//! A user is online who has a socket on any node, or had one on this node until a moment ago: a user who reconnects in
//! time was never offline. A node publishes to the others which users come online and go offline on it and, from time
//! to time, a snapshot of all its online users, which corrects what a lost message left wrong. A node that sends
//! nothing for a while counts as dead, and nobody is online on it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::ids::UserId;

mod nodes;

pub(crate) use nodes::{NodeId, Snapshot};

use nodes::Nodes;

/// A moment by two clocks: one to measure how long something lasts, one to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Monotonic.
    pub instant: Instant,
    /// Wall-clock time.
    pub time: DateTime<Utc>,
}

/// A user has come online or gone offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PresenceChange {
    /// The user.
    pub user: UserId,
    /// Whether the user has come online; otherwise the user has gone offline.
    pub online: bool,
    /// When the last socket of an offline user closed. `None` if the latest moment is in the database already.
    pub last_seen: Option<DateTime<Utc>>,
}

/// Changes to be published to the other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Users who came online.
    pub came: Vec<UserId>,
    /// Users who went offline, and when their last socket had closed.
    pub left: Vec<(UserId, DateTime<Utc>)>,
}

/// All users who are online.
pub(crate) struct Tracker {
    linger: Duration,
    here: HashMap<UserId, Here>,
    /// Users in `here` without a socket, by the moment at which they go offline.
    lingering: BTreeSet<(Instant, UserId)>,
    nodes: Nodes,
    delta: Delta,
    /// The users who are online according to the changes taken so far for the sockets of this node.
    published: HashSet<UserId>,
    /// Users whose state may differ from `told`, and when they were last seen.
    changed: BTreeMap<UserId, Option<DateTime<Utc>>>,
    /// When users were last seen, to be written to the database.
    seen: BTreeMap<UserId, DateTime<Utc>>,
}

/// A user of this node.
#[derive(Default)]
struct Here {
    sockets: usize,
    /// For a user without a socket: when the user goes offline, and when the last socket closed.
    away: Option<(Instant, DateTime<Utc>)>,
}

impl Tracker {
    /// A tracker without anybody online. A user without a socket stays online for `linger`; a node that sends nothing
    /// for `node_timeout` counts as dead.
    #[must_use]
    pub(crate) fn new(linger: Duration, node_timeout: Duration) -> Self {
        Self {
            linger,
            here: HashMap::new(),
            lingering: BTreeSet::new(),
            nodes: Nodes::new(linger, node_timeout),
            delta: Delta::default(),
            published: HashSet::new(),
            changed: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Whether the user is online, on any node.
    #[must_use]
    pub(crate) fn is_online(&self, user: UserId) -> bool {
        self.here.contains_key(&user) || self.nodes.is_online(user)
    }

    /// When the user was last seen, if that isn't in the database yet.
    #[must_use]
    pub(crate) fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>> {
        self.seen.get(&user).copied()
    }

    /// How many users are online on this node.
    #[must_use]
    pub(crate) fn count_here(&self) -> usize {
        self.here.len()
    }

    /// A socket of the user has opened here. Whether that brings the user online here.
    pub(crate) fn connect(&mut self, user: UserId) -> bool {
        let is_new = !self.here.contains_key(&user);
        let here = self.here.entry(user).or_default();
        here.sockets += 1;
        if let Some((until, _)) = here.away.take() {
            self.lingering.remove(&(until, user));
        }
        if is_new {
            self.delta.came.push(user);
            self.changed.entry(user).or_default();
        }
        is_new
    }

    /// Whether the user has a socket on this node.
    #[must_use]
    pub(crate) fn is_connected(&self, user: UserId) -> bool {
        self.here.get(&user).is_some_and(|here| here.sockets > 0)
    }

    /// A socket of the user has closed here. Whether it was the last one, as far as this node knows of the others.
    pub(crate) fn disconnect(&mut self, user: UserId, now: Now) -> bool {
        let Some(here) = self.here.get_mut(&user) else { return false };
        here.sockets = here.sockets.saturating_sub(1);
        if here.sockets == 0 && here.away.is_none() {
            let until = now.instant + self.linger;
            here.away = Some((until, now.time));
            self.lingering.insert((until, user));
        }
        !self.is_connected(user) && !self.nodes.is_online(user)
    }

    /// Removes users who did not come back in time, and nodes that are dead. No node counts as dead while the broker is
    /// not `reachable`, or right after this node itself was suspended.
    pub(crate) fn tick(&mut self, now: Now, reachable: bool) {
        while self.lingering.first().is_some_and(|(until, _)| *until <= now.instant) {
            let Some((_, user)) = self.lingering.pop_first() else { break };
            if let Some((_, at)) = self.here.remove(&user).and_then(|here| here.away) {
                self.delta.left.push((user, at));
                self.note_seen(user, at);
                self.note_changed(user, Some(at));
            }
        }
        for (user, at) in self.nodes.expire(now, reachable) {
            if let Some(at) = at
                && !self.is_online(user)
            {
                self.note_seen(user, at);
            }
            self.note_changed(user, at);
        }
    }

    /// When [`Self::tick`] has something to do. `None` if not before something else happens.
    #[must_use]
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let lingering = self.lingering.first().map(|(until, _)| *until);
        lingering.into_iter().chain(self.nodes.next_expiry()).min()
    }

    /// Notes that this user, or else every user of this node who has a socket, is seen now.
    pub(crate) fn still_seen(&mut self, user: Option<UserId>, now: Now) {
        let users: Vec<UserId> = match user {
            Some(user) => vec![user],
            None => self.here.iter().filter(|(_, here)| here.sockets > 0).map(|(user, _)| *user).collect(),
        };
        for user in users {
            self.note_seen(user, now.time);
        }
    }

    /// This node stops: notes when each of its users was last seen.
    pub(crate) fn stop(&mut self, now: Now) {
        let users: Vec<_> =
            self.here.iter().map(|(user, here)| (*user, here.away.map_or(now.time, |(_, at)| at))).collect();
        for (user, at) in users {
            self.note_seen(user, at);
        }
    }

    /// Another node has published who came online and who went offline on it.
    pub(crate) fn on_delta(&mut self, node: NodeId, delta: Delta, now: Now) {
        for user in delta.came {
            self.nodes.on_came(node, user, now);
            self.note_changed(user, None);
        }
        for (user, at) in delta.left {
            self.nodes.on_left(node, user, now);
            self.note_changed(user, Some(at));
        }
    }

    /// Another node has published who is online on it.
    pub(crate) fn on_snapshot(&mut self, node: NodeId, snapshot: Snapshot, now: Now) {
        for user in self.nodes.on_snapshot(node, snapshot, now) {
            self.note_changed(user, None);
        }
    }

    /// Another node stops. Its users have `linger` to connect elsewhere.
    pub(crate) fn on_stop(&mut self, node: NodeId, now: Now) {
        self.nodes.on_stop(node, now);
    }

    /// Takes the changes to be published to the other nodes.
    pub(crate) fn take_delta(&mut self) -> Delta {
        std::mem::take(&mut self.delta)
    }

    /// All users who are online on this node, in parts of at most `part_size` users; one empty part if there are none.
    #[must_use]
    pub(crate) fn snapshot(&self, round: u64, part_size: usize) -> Vec<Snapshot> {
        let users: Vec<UserId> = self.here.keys().copied().collect();
        let parts = users.len().div_ceil(part_size).max(1);
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        if users.is_empty() {
            return vec![Snapshot { round, parts, users }];
        }
        users.chunks(part_size).map(|some| Snapshot { round, parts, users: some.to_vec() }).collect()
    }

    /// Takes at most `limit` changes to be published to the sockets of this node.
    pub(crate) fn take_changes(&mut self, limit: usize) -> Vec<PresenceChange> {
        let mut changes = Vec::new();
        while changes.len() < limit
            && let Some((user, last_seen)) = self.changed.pop_first()
        {
            let online = self.is_online(user);
            let is_change = if online { self.published.insert(user) } else { self.published.remove(&user) };
            if is_change {
                changes.push(PresenceChange { user, online, last_seen: last_seen.filter(|_| !online) });
            }
        }
        changes
    }

    /// Puts back changes that could not be published.
    pub(crate) fn put_back(&mut self, unpublished: &[PresenceChange]) {
        for change in unpublished {
            if change.online {
                self.published.remove(&change.user);
            } else {
                self.published.insert(change.user);
            }
            self.note_changed(change.user, change.last_seen);
        }
    }

    /// Whether there may be changes to be published or moments to be written.
    #[must_use]
    pub(crate) fn has_changes(&self) -> bool {
        !self.changed.is_empty() || !self.seen.is_empty()
    }

    /// At most `limit` users of whom it is to be written when they were last seen. They stay until [`Self::written`].
    #[must_use]
    pub(crate) fn to_write(&self, limit: usize) -> Vec<(UserId, DateTime<Utc>)> {
        self.seen.iter().take(limit).map(|(user, at)| (*user, *at)).collect()
    }

    /// These were written to the database.
    pub(crate) fn written(&mut self, seen: &[(UserId, DateTime<Utc>)]) {
        for (user, at) in seen {
            if self.seen.get(user) == Some(at) {
                self.seen.remove(user);
            }
        }
    }

    fn note_seen(&mut self, user: UserId, at: DateTime<Utc>) {
        let seen = self.seen.entry(user).or_insert(at);
        *seen = at.max(*seen);
    }

    fn note_changed(&mut self, user: UserId, at: Option<DateTime<Utc>>) {
        let last_seen = self.changed.entry(user).or_default();
        *last_seen = at.max(*last_seen);
    }
}

#[cfg(test)]
mod tests;
