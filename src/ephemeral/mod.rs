//! Presence and typing: who is online, and who is typing. Neither is in the log or replayed; both hold across nodes. So it
//! is with the news that a user's name or picture has changed.
//!
//! [`Ephemeral`] holds the two state machines, [`Tracker`] and [`Typing`], and gives them the time. The edge reports
//! sockets that open and close, the rules report typing, and the hub reports posts and leavings, which end typing. [`peers`]
//! exchanges changes with the other nodes and advances the time; [`notifier`] publishes changes to the sockets of this
//! node and writes to the database when users were last seen.

use std::collections::BTreeSet;
use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::delivery::hub::ActivityObserver;
use crate::ids::{RoomId, UserId};
use crate::telemetry::Metrics;

pub(crate) mod notifier;
pub(crate) mod peers;
pub(crate) mod presence;
pub(crate) mod typing;

use presence::{Delta, NodeId, Now, PresenceChange, Snapshot, Tracker};
use typing::{Typed, Typing};

/// The most posts and leavings that wait to end typing. Typing that a dropped one should have ended ends by itself.
const MAX_STOPPED: usize = 10_000;

/// How often it is written of users who stay online when they were last seen: how far off it is after a node was killed.
const SEEN_AGAIN: Duration = Duration::from_mins(5);

/// How long presence and typing last, and in which rooms they are published. These are no settings: only tests, which
/// can't wait, use other values.
#[derive(Clone, Copy, Debug)]
pub struct EphemeralLimits {
    /// Members of the largest room whose members are notified of each other's presence and typing: 100.
    pub max_members: u32,
    /// How long a user is typing after saying so: 6 s.
    pub typing: Duration,
    /// How long a user without a socket is still online: 5 s.
    pub linger: Duration,
    /// How often a node publishes who is online on it: 5 s.
    pub heartbeat: Duration,
    /// How long a node may be silent before it counts as dead: 13 s. That is more than two heartbeats, so that one may
    /// be lost, and a dead node is noticed within 15 s.
    pub node_timeout: Duration,
}

impl Default for EphemeralLimits {
    fn default() -> Self {
        Self {
            max_members: 100,
            typing: Duration::from_secs(6),
            linger: Duration::from_secs(5),
            heartbeat: Duration::from_secs(5),
            node_timeout: Duration::from_secs(13),
        }
    }
}

/// The presence and typing of all users, as this node knows them.
pub struct Ephemeral {
    limits: EphemeralLimits,
    clock: Clock,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Who has posted to or left a room, which ends typing there, queued by [`ActivityObserver`]. The hub locks this under
    /// its own lock, for a moment, and never locks `state`, so the hub's lock is never held while `state` is waited for.
    stopped: Mutex<Vec<(RoomId, UserId)>>,
    /// Whether anybody is typing, so that posts matter. Changed under `state`.
    is_anybody_typing: AtomicBool,
    /// Notified when there is something to publish to other nodes, or the time of the next tick has changed.
    for_peers: Notify,
    /// Notified when there is something to publish to sockets, or to write to the database.
    for_sockets: Notify,
}

struct State {
    presence: Tracker,
    typing: Typing,
    /// Reports of typing on this node, first and repeated ones, to be published to other nodes.
    typed_here: Vec<(RoomId, UserId)>,
    /// Users whose rows have changed, to be published to sockets.
    changed: BTreeSet<UserId>,
    /// Users whose rows this node has changed, to be published to other nodes.
    changed_here: BTreeSet<UserId>,
    /// Users whose last socket of all has closed on this node while they were typing, to be published to other nodes.
    gone_here: Vec<UserId>,
    /// When it was last noted of all users of this node that they are still seen.
    seen_at: Instant,
}

/// Changes to be published to other nodes.
struct Outbox {
    delta: Delta,
    typed: Vec<(RoomId, UserId)>,
    gone: Vec<UserId>,
    changed: BTreeSet<UserId>,
}

/// Changes to be published to the sockets of this node.
struct Changes {
    presence: Vec<PresenceChange>,
    typed: Vec<Typed>,
    changed: BTreeSet<UserId>,
}

impl Ephemeral {
    /// A state in which nobody is online or typing.
    #[must_use]
    pub fn new(limits: EphemeralLimits, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let state = State {
            presence: Tracker::new(limits.linger, limits.node_timeout),
            typing: Typing::new(limits.typing),
            typed_here: Vec::new(),
            gone_here: Vec::new(),
            changed: BTreeSet::new(),
            changed_here: BTreeSet::new(),
            seen_at: Instant::now(),
        };
        Self {
            limits,
            clock,
            metrics,
            state: Mutex::new(state),
            stopped: Mutex::default(),
            is_anybody_typing: AtomicBool::new(false),
            for_peers: Notify::new(),
            for_sockets: Notify::new(),
        }
    }

    /// Whether the user is online, on this node or another.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.lock().presence.is_online(user)
    }

    /// When the user was last online, if that isn't in the database yet.
    #[must_use]
    pub fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>> {
        self.lock().presence.last_seen(user)
    }

    /// The user is typing in this room.
    pub fn typing(&self, room: RoomId, user: UserId) {
        self.change(|state, now| {
            state.typing.set(room, user, now.instant);
            state.typed_here.push((room, user));
            // It was published before, or need not be any more.
            state.gone_here.retain(|gone| *gone != user);
        });
    }

    /// The user's row has changed, by this node.
    pub fn user_changed(&self, user: UserId) {
        self.change(|state, _| {
            state.changed.insert(user);
            state.changed_here.insert(user);
        });
    }

    /// Counts an open socket of the user, until the returned guard is dropped.
    #[must_use]
    pub fn connect(self: &Arc<Self>, user: UserId) -> Connected {
        self.change(|state, now| {
            if state.presence.connect(user) {
                // A node that is killed can't write it at the end.
                state.presence.still_seen(Some(user), now);
            }
        });
        Connected { ephemeral: self.clone(), user }
    }

    /// How long presence and typing last, and in which rooms they are published.
    #[must_use]
    pub fn limits(&self) -> EphemeralLimits {
        self.limits
    }

    /// Advances the time, and takes the changes to be published to other nodes.
    fn tick(&self, reachable: bool) -> Outbox {
        let mut state = self.lock();
        let now = self.now();
        state.presence.tick(now, reachable);
        if state.seen_at + SEEN_AGAIN <= now.instant {
            state.seen_at = now.instant;
            state.presence.still_seen(None, now);
        }
        state.typing.tick(now.instant);
        self.announce(&state);
        let (typed, gone) = (take(&mut state.typed_here), take(&mut state.gone_here));
        Outbox { delta: state.presence.take_delta(), typed, gone, changed: take(&mut state.changed_here) }
    }

    /// When [`Self::tick`] has something to do. `None` if not before something else happens.
    fn next_tick(&self) -> Option<Instant> {
        let state = self.lock();
        let seen_again = (state.presence.count_here() > 0).then_some(state.seen_at + SEEN_AGAIN);
        [state.presence.next_tick(), state.typing.next_tick(), seen_again].into_iter().flatten().min()
    }

    /// All who are online on this node.
    fn snapshot(&self, round: u64, part_size: usize) -> Vec<Snapshot> {
        self.lock().presence.snapshot(round, part_size)
    }

    /// Another node has published who is online on it, which also shows that it is alive.
    fn on_snapshot(&self, node: NodeId, snapshot: Snapshot) {
        self.change(|state, now| state.presence.on_snapshot(node, snapshot, now));
    }

    /// Another node has published who came and went.
    fn on_delta(&self, node: NodeId, delta: Delta) {
        self.change(|state, now| state.presence.on_delta(node, delta, now));
    }

    /// Another node has published that it stops.
    fn on_stop(&self, node: NodeId) {
        self.change(|state, now| state.presence.on_stop(node, now));
    }

    /// Another node has published that somebody is typing.
    fn on_typing(&self, room: RoomId, user: UserId) {
        self.change(|state, now| state.typing.set(room, user, now.instant));
    }

    /// Another node has published that these users' rows have changed.
    fn on_changed(&self, users: impl IntoIterator<Item = UserId>) {
        self.change(|state, _| state.changed.extend(users));
    }

    /// Another node has published that this user's last socket has closed.
    fn on_gone(&self, user: UserId) {
        self.change(|state, _| {
            if !state.presence.is_connected(user) {
                state.typing.stop_all_of(user);
            }
        });
    }

    /// Takes the changes to be published to sockets, with at most `limit` changes of presence and as many changed users.
    fn take_changes(&self, limit: usize) -> Changes {
        let mut state = self.lock();
        let later = state.changed.iter().nth(limit).copied();
        let later = later.map(|first| state.changed.split_off(&first)).unwrap_or_default();
        let changed = std::mem::replace(&mut state.changed, later);
        Changes { presence: state.presence.take_changes(limit), typed: state.typing.take(), changed }
    }

    /// Puts back changes that could not be published.
    fn put_back(&self, changes: Changes) {
        let mut state = self.lock();
        state.presence.put_back(&changes.presence);
        state.typing.put_back(changes.typed);
        state.changed.extend(changes.changed);
    }

    /// At most `limit` users of whom it is to be written when they were last seen.
    fn to_write(&self, limit: usize) -> Vec<(UserId, DateTime<Utc>)> {
        self.lock().presence.to_write(limit)
    }

    /// These were written to the database.
    fn written(&self, seen: &[(UserId, DateTime<Utc>)]) {
        self.lock().presence.written(seen);
    }

    /// This node stops: notes when each of its users was last seen.
    fn stop(&self) {
        let now = self.now();
        self.lock().presence.stop(now);
    }

    fn now(&self) -> Now {
        Now { instant: Instant::now(), time: self.clock.now() }
    }

    fn change(&self, change: impl FnOnce(&mut State, Now)) {
        let mut state = self.lock();
        change(&mut state, self.now());
        self.announce(&state);
        self.for_peers.notify_one();
    }

    fn announce(&self, state: &State) {
        self.metrics.users_online.set(i64::try_from(state.presence.count_here()).unwrap_or(i64::MAX));
        self.is_anybody_typing.store(!state.typing.is_empty(), Ordering::SeqCst);
        if state.presence.has_changes() || state.typing.has_changes() || !state.changed.is_empty() {
            self.for_sockets.notify_one();
        }
    }

    /// The state, after the queued posts and leavings have ended typing.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = take(&mut *self.stopped.lock().unwrap_or_else(PoisonError::into_inner));
        for (room, user) in stopped {
            state.typing.stop(room, user);
        }
        state
    }

    /// Usually nobody is typing, and nothing is locked.
    fn stopped(&self, room: RoomId, user: UserId) {
        if !self.is_anybody_typing.load(Ordering::SeqCst) {
            return;
        }
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        if stopped.len() < MAX_STOPPED {
            stopped.push((room, user));
        }
        drop(stopped);
        self.for_sockets.notify_one();
    }
}

impl ActivityObserver for Ephemeral {
    /// Every node receives the post by its tail.
    fn posted(&self, room: RoomId, author: UserId) {
        self.stopped(room, author);
    }

    fn left(&self, room: RoomId, user: UserId) {
        self.stopped(room, user);
    }
}

/// An open socket of a user, which counts until this is dropped.
pub struct Connected {
    ephemeral: Arc<Ephemeral>,
    user: UserId,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.ephemeral.change(|state, now| {
            let is_gone = state.presence.disconnect(self.user, now);
            if is_gone && state.typing.stop_all_of(self.user) {
                state.typed_here.retain(|(_, user)| *user != self.user);
                state.gone_here.push(self.user);
            }
        });
    }
}
