//! What lasts only for the moment: who is online, and who is typing. In no log, never replayed, true across nodes.
//!
//! [`Live`] holds both state machines, [`Tracker`] and [`Typing`], and gives them the time. Sockets and rules tell it
//! what happens on this node; [`peers`] what happens on others, and has it go on with the time;
//! [`notifier`] takes from it what sockets are to be told.

pub mod notifier;
pub mod peers;
pub mod presence;
pub mod typing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::ids::{RoomId, UserId};
use crate::telemetry::Metrics;
use presence::{Change, Moves, NodeId, Now, Roll, Tracker};
use typing::{Typed, Typing};

/// How long things last, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct LiveLimits {
    /// Members of the largest room whose members are told of each other's presence. Typing is bounded by the rule.
    pub max_members: u32,
    /// How long somebody is typing who doesn't say so again.
    pub typing: Duration,
    /// How long somebody without a socket is still online.
    pub linger: Duration,
    /// How often a node tells the others who is there.
    pub heartbeat: Duration,
    /// How long a node may be silent before it is dead: more than two heartbeats, so that one may be lost.
    pub node_timeout: Duration,
}

/// What lasts only for the moment.
pub struct Live {
    limits: LiveLimits,
    clock: Clock,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Something is to be told to other nodes, or the time of the next tick is another.
    pub(crate) stirred: Notify,
    /// Something is to be told to sockets, or written.
    pub(crate) news: Notify,
}

struct State {
    presence: Tracker,
    typing: Typing,
    /// What the users of this node have begun to type, or go on typing; to be told to other nodes.
    typed_here: Vec<(RoomId, UserId)>,
}

/// What the other nodes are to hear.
pub(crate) struct Outbox {
    pub(crate) moves: Moves,
    pub(crate) typed: Vec<(RoomId, UserId)>,
}

/// What the sockets of this node are to be told.
pub(crate) struct News {
    pub(crate) changes: Vec<Change>,
    pub(crate) typed: Vec<Typed>,
}

impl Live {
    /// Nobody is there.
    #[must_use]
    pub fn new(limits: LiveLimits, clock: Clock, metrics: Arc<Metrics>) -> Self {
        let state = State {
            presence: Tracker::new(limits.linger, limits.node_timeout),
            typing: Typing::new(limits.typing),
            typed_here: Vec::new(),
        };
        Self { limits, clock, metrics, state: Mutex::new(state), stirred: Notify::new(), news: Notify::new() }
    }

    /// Whether the user is online, on this node or another.
    #[must_use]
    pub fn is_online(&self, user: UserId) -> bool {
        self.lock().presence.is_online(user)
    }

    /// When the user was last online, if that isn't written yet.
    #[must_use]
    pub fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>> {
        self.lock().presence.last_seen(user)
    }

    /// The user is typing in this room.
    pub fn typing(&self, room: RoomId, user: UserId) {
        self.change(|state, now| {
            state.typing.set(room, user, now.instant);
            state.typed_here.push((room, user));
        });
    }

    /// The user has posted to this room. Every node hears of that by the log.
    pub(crate) fn posted(&self, room: RoomId, user: UserId) {
        let mut state = self.lock();
        state.typing.stop(room, user);
        self.announce(&state);
    }

    /// A socket of the user is open until the answer is dropped.
    #[must_use]
    pub(crate) fn connect(self: &Arc<Self>, user: UserId) -> Connected {
        self.change(|state, _| state.presence.connect(user));
        Connected { live: self.clone(), user }
    }

    pub(crate) fn limits(&self) -> LiveLimits {
        self.limits
    }

    /// Goes on with the time, and takes what the other nodes are to hear.
    pub(crate) fn tick(&self, reachable: bool) -> Outbox {
        let mut state = self.lock();
        let now = self.now();
        state.presence.tick(now, reachable);
        state.typing.tick(now.instant);
        self.announce(&state);
        Outbox { moves: state.presence.take_moves(), typed: std::mem::take(&mut state.typed_here) }
    }

    /// When [`Self::tick`] has something to do. None: not before something else happens.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        let state = self.lock();
        [state.presence.next_tick(), state.typing.next_tick()].into_iter().flatten().min()
    }

    /// All who are online on this node.
    pub(crate) fn roll(&self, round: u64, part_size: usize) -> Vec<Roll> {
        self.lock().presence.roll(round, part_size)
    }

    /// Another node has told who is there, and so that it lives.
    pub(crate) fn hear_roll(&self, node: NodeId, roll: Roll) {
        self.change(|state, now| state.presence.hear_roll(node, roll, now));
    }

    /// Another node has told who came and went.
    pub(crate) fn hear_moves(&self, node: NodeId, moves: Moves) {
        self.change(|state, now| state.presence.hear_moves(node, moves, now));
    }

    /// Another node has told that it stops.
    pub(crate) fn hear_stop(&self, node: NodeId) {
        self.change(|state, now| state.presence.hear_stop(node, now));
    }

    /// Another node has told that somebody is typing.
    pub(crate) fn hear_typing(&self, room: RoomId, user: UserId) {
        self.change(|state, now| state.typing.set(room, user, now.instant));
    }

    /// Takes what sockets are to be told, at most `limit` changes of presence.
    pub(crate) fn take_news(&self, limit: usize) -> News {
        let mut state = self.lock();
        News { changes: state.presence.take_changes(limit), typed: state.typing.take() }
    }

    /// Puts back what could not be told.
    pub(crate) fn put_back(&self, news: News) {
        let mut state = self.lock();
        state.presence.put_back(&news.changes);
        state.typing.put_back(news.typed);
    }

    /// At most `limit` of those who are to be written as last seen.
    pub(crate) fn to_write(&self, limit: usize) -> Vec<(UserId, DateTime<Utc>)> {
        self.lock().presence.to_write(limit)
    }

    /// These were written.
    pub(crate) fn written(&self, seen: &[(UserId, DateTime<Utc>)]) {
        self.lock().presence.written(seen);
    }

    /// This node stops.
    pub(crate) fn stop(&self) {
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
        self.stirred.notify_one();
    }

    fn announce(&self, state: &State) {
        self.metrics.users_online.set(i64::try_from(state.presence.count_here()).unwrap_or(i64::MAX));
        if state.presence.has_news() || state.typing.has_news() {
            self.news.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open socket of a user, until dropped.
pub(crate) struct Connected {
    live: Arc<Live>,
    user: UserId,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.live.change(|state, now| state.presence.disconnect(self.user, now));
    }
}
