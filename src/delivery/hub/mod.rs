//! Follows the log on behalf of the sockets of this node.

pub mod audience;
mod recent;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::delivery::mailbox::Mailbox;
use crate::delivery::notice::{Facts, Notice, What};
use crate::delivery::render::{Delivery, Group};
use crate::ephemeral::{Connected, Live};
use crate::ids::{RoomId, SessionId, UserId};
use crate::log::replay::Wanted;
use crate::log::{About, Audience, Class, Committed, Effect, Event, Follower};
use crate::position::{Cursor, Position};
use crate::store::Store;
use crate::store::entity::member::{Membership, When};
use crate::telemetry::Metrics;
use audience::{Audiences, Rooms, Subscriber};
use recent::Recent;

/// Subscriptions that read from the database at once what they missed. When thousands come back at the same time, the
/// first are done while the last wait, instead of all being late; and a request finds a connection in between.
const CATCH_UPS: usize = 16;

/// How long anybody waits for the hub to get on. Later it goes on from where the hub is, which loses nothing: what is
/// still to come arrives as events.
const PATIENCE: Duration = Duration::from_secs(2);

/// A turn to read from the database, until dropped.
pub(crate) struct Turn(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

/// Knows which subscriptions of this node want an event, and which sockets belong to which session.
pub struct Hub {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    live: Arc<Live>,
    catch_ups: Arc<Semaphore>,
    /// The last position that this node committed.
    committed: watch::Receiver<Position>,
    /// Rung when `applied` has moved.
    moved: Notify,
    /// Locked before what `live` locks, never after.
    state: Mutex<State>,
}

/// Changed only by the follower of the log, one event after the other, and by subscriptions coming and going.
struct State {
    /// The last event that was handed out.
    applied: Cursor,
    /// The last events up to `applied`.
    recent: Recent,
    audiences: Audiences,
    /// Sockets by user: their session, and what ends them.
    sockets: HashMap<UserId, HashMap<u64, (Option<SessionId>, CancellationToken)>>,
    last_id: u64,
}

impl Hub {
    /// A hub that has seen everything up to `head`, on a node that commits up to `committed`.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        head: Cursor,
        committed: watch::Receiver<Position>,
        metrics: Arc<Metrics>,
        live: Arc<Live>,
    ) -> Self {
        let state = State {
            applied: head,
            recent: Recent::default(),
            audiences: Audiences::default(),
            sockets: HashMap::new(),
            last_id: 0,
        };
        let catch_ups = Arc::new(Semaphore::new(CATCH_UPS));
        Self { store, clock, metrics, live, catch_ups, committed, moved: Notify::new(), state: Mutex::new(state) }
    }

    /// The last event that was handed out: whoever reads the database now sees at least everything up to it.
    fn applied(&self) -> Cursor {
        self.lock().applied
    }

    /// Waits until everything is handed out that this node had committed when it was asked: whoever was answered by this
    /// node finds that behind the cursor that is returned. Where the log was replaced by an older one, that is not to be
    /// had until the node commits anew.
    pub async fn caught_up(&self) -> Cursor {
        let committed = *self.committed.borrow();
        self.reach(committed).await;
        self.applied()
    }

    /// Waits until everything up to `position` is handed out, but no longer than [`PATIENCE`].
    pub(crate) async fn reach(&self, position: Position) {
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
            tracing::debug!(position = position.0, "the hub is late");
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Waits for one's turn to catch up; whoever asked first is first. To be held no longer than the database is read.
    pub(crate) fn turn(&self) -> impl Future<Output = Option<Turn>> + use<> {
        let catch_ups = self.catch_ups.clone();
        // It is never closed.
        async move { catch_ups.acquire_owned().await.ok().map(Turn) }
    }

    /// Attaches a subscription that has seen everything up to `after`, if that is given: its mailbox gets every event
    /// after the attachment's base.
    ///
    /// # Errors
    /// When the user's memberships can't be read.
    pub async fn attach(
        self: &Arc<Self>,
        user: UserId,
        wanted: Wanted,
        group: Arc<Group>,
        after: Option<Cursor>,
    ) -> Result<Attachment, DbErr> {
        loop {
            let base = {
                let mut state = self.lock();
                if state.audiences.knows(user) {
                    return Ok(self.add(&mut state, user, wanted, group, after));
                }
                state.applied
            };
            let memberships = Membership::of(self.store.read(), user, When::AsOf(base.position)).await?;
            let mut state = self.lock();
            if state.audiences.knows(user) {
                return Ok(self.add(&mut state, user, wanted, group, after));
            }
            // Otherwise the log has run on so far meanwhile that the memberships must be read again.
            if let Some(rooms) = state.up_to_date(user, base, memberships.into_iter().collect()) {
                state.audiences.learn(user, rooms);
                return Ok(self.add(&mut state, user, wanted, group, after));
            }
        }
    }

    fn add(
        self: &Arc<Self>,
        state: &mut State,
        user: UserId,
        wanted: Wanted,
        group: Arc<Group>,
        after: Option<Cursor>,
    ) -> Attachment {
        let id = state.next_id();
        let mailbox = Arc::new(Mailbox::default());
        let admitted = match wanted {
            Wanted::Posts(Some(room)) => state.audiences.is_member(user, room),
            _ => true,
        };
        state.audiences.add(user, Subscriber { id, wanted, group, mailbox: mailbox.clone() });
        let missed = after.and_then(|after| state.missed(user, wanted, after));
        Attachment { hub: self.clone(), user, id, mailbox, base: state.applied, admitted, missed }
    }

    /// Registers a socket: its user is online. The token is cancelled when the socket's session, or all of the user's,
    /// are ended.
    #[must_use]
    pub fn watch(self: &Arc<Self>, user: UserId, session: Option<SessionId>) -> SocketWatch {
        let mut state = self.lock();
        let ended = CancellationToken::new();
        if state.recent.iter().any(|event| ends(event, user, session)) {
            ended.cancel();
        }
        let id = state.next_id();
        state.sockets.entry(user).or_default().insert(id, (session, ended.clone()));
        let connected = (!ended.is_cancelled()).then(|| self.live.connect(user));
        SocketWatch { hub: self.clone(), user, id, ended, _connected: connected }
    }

    /// Tells those who share one of these rooms with the user of something that stands in no log.
    pub(crate) fn tell_sharers(&self, rooms: &[RoomId], user: UserId, what: What) {
        let state = self.lock();
        let audience = state.audiences.of_rooms_but(rooms, user);
        if !audience.is_empty() {
            // Its place in the order is after everything that was handed out.
            let mut deliveries = Vec::new();
            audience.deliver(Some(&Notice::new(state.applied, self.clock.now(), what)), &mut deliveries);
            deliveries.into_iter().for_each(Delivery::hand_over);
        }
    }

    /// Whether [`Self::tell_sharers`] would tell anybody.
    pub(crate) fn has_sharers(&self, rooms: &[RoomId], user: UserId) -> bool {
        self.lock().audiences.has_any_of_rooms_but(rooms, user)
    }

    /// Whether there are any subscriptions.
    pub(crate) fn has_subscribers(&self) -> bool {
        !self.lock().audiences.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that the wanted ones among these events name. None: the database failed.
    async fn facts(&self, committed: &mut Committed) -> Option<Facts> {
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
        match Facts::load(&self.store, &wanted, [], known).await {
            Ok(facts) => Some(facts),
            Err(error) => {
                tracing::warn!(%error, "events can't be shown; their subscribers catch up on their own");
                None
            }
        }
    }
}

impl Follower for Hub {
    async fn follow(&self, mut committed: Committed) {
        let facts = self.facts(&mut committed).await;
        let mut state = self.lock();
        // Handed over all at once, so that a group finds together what was committed together.
        let mut deliveries = Vec::new();
        for event in committed.events {
            state.apply(&event, facts.as_ref(), &mut deliveries);
            if let Some((room, author)) = facts.as_ref().and_then(|facts| facts.posted(&event)) {
                self.live.posted(room, author);
            }
            let lag = (self.clock.now() - event.at).as_seconds_f64();
            self.metrics.tail_lag_seconds.observe(lag.max(0.0));
            state.applied = event.cursor();
            state.recent.push(event);
        }
        deliveries.into_iter().for_each(Delivery::hand_over);
        drop(state);
        self.moved.notify_waiters();
    }

    /// All catch up anew; their cursors tell them that the log is another.
    fn reset(&self, head: Cursor) {
        self.lock().reset(head);
        self.moved.notify_waiters();
    }
}

impl State {
    fn reset(&mut self, head: Cursor) {
        self.applied = head;
        self.recent.clear();
        self.audiences.disperse();
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// What somebody whose rooms are known missed since, if it is remembered.
    fn missed(&self, user: UserId, wanted: Wanted, after: Cursor) -> Option<Vec<Event>> {
        if after == self.applied {
            return Some(Vec::new());
        }
        self.recent.missed(user, self.audiences.rooms_of(user)?, wanted, after)
    }

    /// The user's rooms as they were at `base`, brought up to the last applied event. None: too much has happened since.
    fn up_to_date(&self, user: UserId, base: Cursor, mut rooms: Rooms) -> Option<Rooms> {
        match self.recent.since(base.position) {
            Some(since) => since.for_each(|event| rooms.fold(user, event.effect())),
            None if base.position != self.applied.position => return None,
            None => {}
        }
        Some(rooms)
    }

    /// Adds what those who are told of one event are to be handed, and changes who is where by it: before they are told,
    /// but after it where the room is gone, for then there is nobody left to be told. Without facts, they catch up on
    /// their own.
    fn apply(&mut self, event: &Event, facts: Option<&Facts>, deliveries: &mut Vec<Delivery>) {
        let (row, effect) = (event.kind.row(), event.effect());
        if row.class == Class::Hidden {
            return self.end_sockets(event);
        }
        let is_last = matches!(effect, Effect::Closes(_));
        if !is_last {
            self.audiences.fold(effect);
        }
        let mut deliver = |audience: &audience::Audience, viewer: Option<UserId>| {
            if !audience.is_empty() {
                audience.deliver(facts.and_then(|facts| facts.notice(event, viewer)).as_ref(), deliveries);
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
            // An event that is not of its kind's shape, which `parlor check` finds, is for nobody.
            (Audience::User | Audience::Room | Audience::RoomButMember | Audience::RoomAndMember, ..) => {}
        }
        if is_last {
            self.audiences.fold(effect);
        }
    }

    fn end_sockets(&mut self, event: &Event) {
        let Some(user) = event.user_id else { return };
        for (session, ended) in self.sockets.get(&user).into_iter().flat_map(HashMap::values) {
            if ends(event, user, *session) {
                ended.cancel();
            }
        }
    }
}

/// Whether this event ends the sockets of this user and session.
fn ends(event: &Event, user: UserId, session: Option<SessionId>) -> bool {
    event.kind.row().about == About::Session
        && event.user_id == Some(user)
        && (event.session().is_none() || event.session() == session)
}

/// A subscription's place in the hub, until dropped.
pub struct Attachment {
    hub: Arc<Hub>,
    user: UserId,
    id: u64,
    /// Gets every event after `base` that the subscription wants.
    pub mailbox: Arc<Mailbox>,
    /// The last event that was handed out before the subscription was there.
    pub base: Cursor,
    /// Whether the user is in the one room that is wanted, if one is.
    pub admitted: bool,
    /// What happened up to `base` since the subscription's cursor. None: there is no cursor, or it must be looked up.
    pub missed: Option<Vec<Event>>,
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.hub.lock().audiences.remove(self.user, self.id);
    }
}

/// A socket's place in the hub, until dropped.
pub struct SocketWatch {
    hub: Arc<Hub>,
    user: UserId,
    id: u64,
    /// Cancelled when the socket's session has ended.
    pub ended: CancellationToken,
    _connected: Option<Connected>,
}

impl Drop for SocketWatch {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        let Some(sockets) = state.sockets.get_mut(&self.user) else { return };
        sockets.remove(&self.id);
        if sockets.is_empty() {
            state.sockets.remove(&self.user);
        }
    }
}
