//! Who is online, on this node and on others. Knows no clock, no socket and no broker: it is told, and is asked what is
//! to be told.
//!
//! A user is online who has a socket on any node, or had one on this node until a moment ago: somebody who reconnects
//! in time was never away. A node tells the others who comes and who goes and, now and then, all who are there, so that
//! a lost message is made up for. A node that is not heard of for a while is dead, and nobody is online there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::ids::UserId;

mod nodes;

pub(crate) use nodes::{NodeId, Snapshot};

use nodes::Nodes;

/// A moment, by both clocks: one for how long something lasts, one to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Never goes back and never jumps.
    pub instant: Instant,
    /// What people call the time.
    pub time: DateTime<Utc>,
}

/// A user has come or gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PresenceChange {
    /// Who.
    pub user: UserId,
    /// Has come; else has gone.
    pub online: bool,
    /// When the last socket of one who has gone closed; none: what is written of it is the latest.
    pub last_seen: Option<DateTime<Utc>>,
}

/// What the other nodes are to hear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Who came.
    pub came: Vec<UserId>,
    /// Who went, and when the last socket had closed.
    pub left: Vec<(UserId, DateTime<Utc>)>,
}

/// All who are online.
pub(crate) struct Tracker {
    linger: Duration,
    here: HashMap<UserId, Here>,
    /// Those of `here` without a socket, by when they are gone for good.
    lingering: BTreeSet<(Instant, UserId)>,
    nodes: Nodes,
    delta: Delta,
    /// Who is online as far as the sockets of this node have been told.
    told: HashSet<UserId>,
    /// Those who may be otherwise than was told, and when they were last seen.
    changed: BTreeMap<UserId, Option<DateTime<Utc>>>,
    /// What is to be written.
    seen: BTreeMap<UserId, DateTime<Utc>>,
}

/// A user of this node.
#[derive(Default)]
struct Here {
    sockets: usize,
    /// Without a socket: until when the user may come back unnoticed, and when the last socket closed.
    away: Option<(Instant, DateTime<Utc>)>,
}

impl Tracker {
    /// Nobody is online. Without a socket one is online for `linger` more; a node is dead that is not heard of for
    /// `node_timeout`.
    #[must_use]
    pub(crate) fn new(linger: Duration, node_timeout: Duration) -> Self {
        Self {
            linger,
            here: HashMap::new(),
            lingering: BTreeSet::new(),
            nodes: Nodes::new(linger, node_timeout),
            delta: Delta::default(),
            told: HashSet::new(),
            changed: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Whether the user is online, on whatever node.
    #[must_use]
    pub(crate) fn is_online(&self, user: UserId) -> bool {
        self.here.contains_key(&user) || self.nodes.is_online(user)
    }

    /// When the user was last seen, if that is still to be written.
    #[must_use]
    pub(crate) fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>> {
        self.seen.get(&user).copied()
    }

    /// How many users are online on this node.
    #[must_use]
    pub(crate) fn count_here(&self) -> usize {
        self.here.len()
    }

    /// A socket of the user has opened here.
    pub(crate) fn connect(&mut self, user: UserId) {
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
    }

    /// A socket of the user has closed here.
    pub(crate) fn disconnect(&mut self, user: UserId, now: Now) {
        let Some(here) = self.here.get_mut(&user) else { return };
        here.sockets = here.sockets.saturating_sub(1);
        if here.sockets == 0 && here.away.is_none() {
            let until = now.instant + self.linger;
            here.away = Some((until, now.time));
            self.lingering.insert((until, user));
        }
    }

    /// Lets go of those who did not come back in time, and of nodes that are dead. Nobody can be told dead while the
    /// broker is not `reachable`, nor right after this node itself was asleep.
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

    /// When [`Self::tick`] has something to do. None: not before something else happens.
    #[must_use]
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let lingering = self.lingering.first().map(|(until, _)| *until);
        lingering.into_iter().chain(self.nodes.next_expiry()).min()
    }

    /// This node stops: notes when each of its users was last seen.
    pub(crate) fn stop(&mut self, now: Now) {
        let users: Vec<_> =
            self.here.iter().map(|(user, here)| (*user, here.away.map_or(now.time, |(_, at)| at))).collect();
        for (user, at) in users {
            self.note_seen(user, at);
        }
    }

    /// Another node has told who came and who went.
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

    /// Another node has told who is there.
    pub(crate) fn on_snapshot(&mut self, node: NodeId, snapshot: Snapshot, now: Now) {
        for user in self.nodes.on_snapshot(node, snapshot, now) {
            self.note_changed(user, None);
        }
    }

    /// Another node stops. Its users have some time to connect elsewhere.
    pub(crate) fn on_stop(&mut self, node: NodeId, now: Now) {
        self.nodes.on_stop(node, now);
    }

    /// Takes what the other nodes are to hear.
    pub(crate) fn take_delta(&mut self) -> Delta {
        std::mem::take(&mut self.delta)
    }

    /// All who are online on this node, in parts of at most `part_size`, at least one.
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

    /// Takes at most `limit` changes that the sockets of this node are to be told.
    pub(crate) fn take_changes(&mut self, limit: usize) -> Vec<PresenceChange> {
        let mut changes = Vec::new();
        while changes.len() < limit
            && let Some((user, last_seen)) = self.changed.pop_first()
        {
            let online = self.is_online(user);
            let is_news = if online { self.told.insert(user) } else { self.told.remove(&user) };
            if is_news {
                changes.push(PresenceChange { user, online, last_seen: last_seen.filter(|_| !online) });
            }
        }
        changes
    }

    /// Puts back what could not be told.
    pub(crate) fn put_back(&mut self, untold: &[PresenceChange]) {
        for change in untold {
            if change.online {
                self.told.remove(&change.user);
            } else {
                self.told.insert(change.user);
            }
            self.note_changed(change.user, change.last_seen);
        }
    }

    /// Whether something is to be told or written.
    #[must_use]
    pub(crate) fn has_news(&self) -> bool {
        !self.changed.is_empty() || !self.seen.is_empty()
    }

    /// At most `limit` of those who are to be written as last seen. They stay until [`Self::written`].
    #[must_use]
    pub(crate) fn to_write(&self, limit: usize) -> Vec<(UserId, DateTime<Utc>)> {
        self.seen.iter().take(limit).map(|(user, at)| (*user, *at)).collect()
    }

    /// These were written.
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
