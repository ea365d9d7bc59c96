//! Follows the log for the sockets of this node.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::notice::{Content, EventRows, Notice};
use super::render::RenderJob;
use crate::clock::Clock;
use crate::ids::{RoomId, UserId};
use crate::log::recent::Recent;
use crate::log::{Audience, Class, Committed, Effect, Event, Follower};
use crate::position::{Cursor, Position};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::turns::{Turn, Turns};

mod ahead;
mod attachment;
pub mod audience;
mod recent;
mod rooms;
mod sockets;

pub use attachment::Attachment;
pub use sockets::SocketWatch;

use ahead::Ahead;
use audience::{Audiences, Recipients};
use sockets::Sockets;

/// Subscriptions that read missed events from the database at the same time. When thousands come back together, the
/// first finish while the last wait, instead of all being late, and a request still gets a connection in between.
const CATCH_UPS: usize = 16;

/// How long a caller waits for the hub to hand out an event. A caller that goes on without it loses nothing, because
/// the event still arrives in its mailbox.
const PATIENCE: Duration = Duration::from_secs(2);

/// Of these, those of one user: whoever comes back with a hundred subscriptions waits for oneself.
const CATCH_UPS_PER_USER: usize = 2;

/// A permit to read missed events from the database, given back when dropped.
pub(super) struct CatchUpPermit {
    #[expect(dead_code, reason = "held")]
    permit: OwnedSemaphorePermit,
    #[expect(dead_code, reason = "held, until the permit is given back")]
    turn: Turn<UserId>,
}

/// Is notified of posts, and of members who leave, as they are handed out. The hub calls it under its lock, so it may only
/// queue them: it must not wait, and must call neither the hub nor anything that does.
pub trait ActivityObserver: Send + Sync + 'static {
    /// `author` has posted to `room`.
    fn posted(&self, room: RoomId, author: UserId);

    /// `user` is no longer in `room`.
    fn left(&self, room: RoomId, user: UserId);
}

/// Knows which subscriptions of this node want an event, and which sockets belong to which session.
pub struct Hub {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    observer: Arc<dyn ActivityObserver>,
    catch_ups: Arc<Semaphore>,
    catch_up_turns: Turns<UserId>,
    /// The last position that this node committed.
    committed: watch::Receiver<Position>,
    /// Notified when `applied` has moved.
    moved: Notify,
    /// Whether the rows of the last events that somebody wanted could not be read: the log tells of it once.
    is_blind: AtomicBool,
    /// While it is held, nothing else is locked but what a [`ActivityObserver`] locks to queue.
    state: Mutex<State>,
}

/// Changed only by following the log, one event after the other, and by subscriptions and sockets that begin and end.
struct State {
    /// The last event that was handed out.
    applied: Cursor,
    /// The last events up to `applied`.
    recent: Recent,
    /// Has seen what this node had committed to a log that was replaced since. None: none was.
    void: Option<watch::Receiver<Position>>,
    audiences: Audiences,
    ahead: Ahead,
    sockets: Sockets,
    last_id: u64,
}

impl Hub {
    /// A hub that has handed out everything up to `head`, on a node that has committed up to `committed`.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        head: Cursor,
        committed: watch::Receiver<Position>,
        metrics: Arc<Metrics>,
        observer: Arc<dyn ActivityObserver>,
    ) -> Self {
        let state = State {
            applied: head,
            recent: Recent::after(head),
            void: None,
            audiences: Audiences::default(),
            ahead: Ahead::default(),
            sockets: Sockets::default(),
            last_id: 0,
        };
        let catch_ups = Arc::new(Semaphore::new(CATCH_UPS));
        let catch_up_turns = Turns::new(CATCH_UPS_PER_USER);
        let (moved, is_blind, state) = (Notify::new(), AtomicBool::new(false), Mutex::new(state));
        Self { store, clock, metrics, observer, catch_ups, catch_up_turns, committed, moved, is_blind, state }
    }

    /// The last event that was handed out. A statement that reads the database now sees at least everything up to it.
    fn applied(&self) -> Cursor {
        self.lock().applied
    }

    /// Waits, for at most `PATIENCE`, until everything is handed out that this node had committed at the time of the
    /// call, and returns the cursor of the last event handed out. Every change that this node has acknowledged is at or
    /// before that cursor, unless the database was replaced by a copy without it.
    pub async fn caught_up(&self) -> Cursor {
        let is_void = self.lock().void.as_ref().is_some_and(|commits| !commits.has_changed().unwrap_or(false));
        if !is_void {
            let committed = *self.committed.borrow();
            self.reach(committed).await;
        }
        self.applied()
    }

    /// Waits until everything up to `position` is handed out, but no longer than [`PATIENCE`].
    pub(super) async fn reach(&self, position: Position) {
        let reached = async {
            loop {
                let moved = self.moved.notified();
                if self.applied().position >= position {
                    return;
                }
                moved.await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            tracing::debug!(position = position.0, "the hub has not handed out an event in time");
        }
    }

    /// The database that the hub reads.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits for a permit to catch up for this user; permits are given in the order in which they were asked for. Hold it
    /// only while reading the database.
    pub(super) fn catch_up_permit(&self, user: UserId) -> impl Future<Output = Option<CatchUpPermit>> + use<> {
        let (catch_ups, turns) = (self.catch_ups.clone(), self.catch_up_turns.clone());
        async move {
            let turn = turns.take(user).await;
            // The semaphore is never closed.
            let permit = catch_ups.acquire_owned().await.ok()?;
            Some(CatchUpPermit { permit, turn })
        }
    }

    /// Hands something that is in no log to the other members of these rooms.
    pub fn publish_ephemeral(&self, rooms: &[RoomId], user: UserId, content: Content) {
        let state = self.lock();
        let recipients = state.audiences.of_rooms_but(rooms, user);
        if !recipients.is_empty() {
            // It comes after everything that was handed out so far.
            let mut jobs = Vec::new();
            recipients.deliver(Some(&Notice::new(state.applied, self.clock.now(), content)), &mut jobs);
            jobs.into_iter().for_each(RenderJob::hand_over);
        }
    }

    /// Hands something that is in no log to this user, on all sockets.
    pub fn publish_to(&self, user: UserId, content: Content) {
        let state = self.lock();
        let recipients = state.audiences.of_user(user);
        if !recipients.is_empty() {
            let mut jobs = Vec::new();
            recipients.deliver(Some(&Notice::new(state.applied, self.clock.now(), content)), &mut jobs);
            jobs.into_iter().for_each(RenderJob::hand_over);
        }
    }

    /// Whether the user has a subscription here.
    #[must_use]
    pub fn has_subscriber(&self, user: UserId) -> bool {
        self.lock().audiences.knows(user)
    }

    /// Whether [`Self::publish_ephemeral`] would have any recipients.
    #[must_use]
    pub fn has_co_members(&self, rooms: &[RoomId], user: UserId) -> bool {
        self.lock().audiences.has_any_of_rooms_but(rooms, user)
    }

    /// Whether there are any subscriptions.
    #[must_use]
    pub fn has_subscribers(&self) -> bool {
        !self.lock().audiences.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows named by those of the events that have recipients here. `None` if the database failed.
    async fn rows(&self, committed: &mut Committed) -> Option<EventRows> {
        let wanted: Vec<&Event> = {
            let state = self.lock();
            let mut joined: HashSet<RoomId> = HashSet::new();
            let wanted = committed.events.iter().filter(|event| {
                let wanted = state.audiences.wants(event) || event.room_id.is_some_and(|room| joined.contains(&room));
                if wanted && let Effect::Joins(_, room) = event.effect() {
                    joined.insert(room);
                }
                wanted
            });
            wanted.collect()
        };
        let named: HashSet<_> = wanted.iter().filter_map(|event| event.message_id).collect();
        let known = std::mem::take(&mut committed.messages).into_iter().filter(|message| named.contains(&message.id));
        // The tail waits for this, as it waits for nothing that requests hold.
        let rows = EventRows::load(&self.store.for_followers(), &wanted, [], known).await;
        let was_blind = self.is_blind.swap(rows.is_err(), Ordering::Relaxed);
        match rows {
            Ok(rows) => Some(rows),
            Err(error) => {
                if !was_blind {
                    tracing::warn!(%error, "events can't be shown; their subscribers catch up on their own");
                }
                None
            }
        }
    }
}

impl Follower for Hub {
    async fn follow(&self, mut committed: Committed) {
        let rows = self.rows(&mut committed).await;
        let mut state = self.lock();
        // Handed over together, so that a group finds the events of one commit together in its queue.
        let mut jobs = Vec::new();
        for event in committed.events {
            state.apply(&event, rows.as_ref(), &mut jobs);
            if let Some((room, author)) = rows.as_ref().and_then(|rows| rows.posted(&event)) {
                self.observer.posted(room, author);
            }
            if let Effect::Leaves(user, room) = event.effect() {
                self.observer.left(room, user);
            }
            let lag = (self.clock.now() - event.at).as_seconds_f64();
            self.metrics.tail_lag_seconds.observe(lag.max(0.0));
            state.applied = event.cursor();
            state.ahead.reach(&event);
            state.recent.push(event);
        }
        jobs.into_iter().for_each(RenderJob::hand_over);
        drop(state);
        self.moved.notify_waiters();
    }

    fn reading(&self) {
        let mut state = self.lock();
        let last_id = state.last_id;
        state.ahead.reading(last_id);
    }

    fn read_to_the_end(&self) {
        self.lock().ahead.end();
    }

    /// Every subscription catches up again; its cursor then shows that the log is another one.
    fn reset(&self, head: Cursor) {
        let mut commits = self.committed.clone();
        commits.mark_unchanged();
        self.lock().reset(head, commits);
        self.moved.notify_waiters();
    }
}

impl State {
    fn reset(&mut self, head: Cursor, commits: watch::Receiver<Position>) {
        self.applied = head;
        self.recent = Recent::after(head);
        self.void = Some(commits);
        self.ahead = Ahead::default();
        self.audiences.disperse();
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds the jobs for one event's recipients and applies its effect on memberships: before they receive it, except
    /// that a room's closing is applied afterwards, because then nobody would be left to receive it. Without rows, the
    /// recipients catch up on their own.
    fn apply(&mut self, event: &Event, rows: Option<&EventRows>, jobs: &mut Vec<RenderJob>) {
        let (row, effect) = (event.kind.row(), event.effect());
        if row.class == Class::Hidden {
            return self.sockets.end(event);
        }
        let ended = self.audiences.ended_by(effect);
        let closes = matches!(effect, Effect::Closes(_));
        if !closes {
            self.audiences.fold(effect);
        }
        let mut deliver = |recipients: &Recipients, viewer: Option<UserId>| {
            if !recipients.is_empty() {
                recipients.deliver(rows.and_then(|rows| Notice::of(event, rows, viewer)).as_ref(), jobs);
            }
        };
        match (row.audience, event.room_id, event.user_id, event.member()) {
            (Audience::User, _, Some(user), _) => deliver(&self.audiences.of_user(user), Some(user)),
            (Audience::Room, Some(room), ..) => deliver(&self.audiences.of_room(room, row.class), None),
            (Audience::RoomButMember, Some(room), _, Some(member)) => {
                deliver(&self.audiences.of_room_but(room, member), None);
            }
            (Audience::RoomAndMember, Some(room), _, Some(member)) => {
                deliver(&self.audiences.of_room_but(room, member), None);
                deliver(&self.audiences.of_user(member), Some(member));
            }
            // An event without the columns that its kind requires has no recipients; `parlor check` reports it.
            (Audience::User | Audience::Room | Audience::RoomButMember | Audience::RoomAndMember, ..) => {}
        }
        if closes {
            self.audiences.fold(effect);
        }
        ended.end(jobs);
    }
}
