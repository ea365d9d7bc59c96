//! Notifications: out of the log to the devices of those who haven't read.
//!
//! Two consumers of the log decide. Whoever is nowhere connected is notified [at once](Notifications::at_once); whoever is, somewhere,
//! is [after a while](Notifications::later), if the message is still unread then: a desktop that is open neither keeps a phone silent
//! for ever nor has it buzz for what is being read. What was notified of is written down, so that it isn't told twice, and
//! is taken away when it was read. If a node dies in between, the next one does the same again, with the same topic, by
//! which a device shows it once.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream;
use sea_orm::EntityTrait;
use tokio::time::sleep;

use crate::chat::Chat;
use crate::clock::Clock;
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Begin, Event, Handler, HandlerError, Kind};
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::consumer;
use crate::store::entity::device::{self, DevicePlatform};
use crate::telemetry::Metrics;

mod due;
pub mod notice;
pub mod push;

use due::{Due, Over};
use notice::{Message, Notice, PushText};
use push::{Push, Sent, service};

/// How long after a message those are notified of it who are connected: 15 s.
pub const LATER: Duration = Duration::from_secs(15);

/// What is older than this is no news: nobody is notified of it after an outage.
const TOO_OLD: TimeDelta = TimeDelta::minutes(10);

/// A user is notified of one room again after this at the earliest, at once; what comes sooner is told later.
const AGAIN: TimeDelta = TimeDelta::seconds(5);

/// The name of the consumer that notifies at once.
const AT_ONCE: &str = "notify";

/// How soon the other one looks again whether that has passed an event.
const AGAIN_SOON: Duration = Duration::from_millis(500);

/// The most notifications that are on their way together.
const TOGETHER: usize = 64;

/// What notifies.
pub struct Notifications {
    chat: Chat,
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    push: Push,
    text: PushText,
    later: Duration,
}

impl Notifications {
    /// Notifies users of what this log holds, of those who are connected after `later`, by these services.
    #[must_use]
    pub fn new(
        chat: Chat,
        store: Store,
        metrics: Arc<Metrics>,
        push: Push,
        text: PushText,
        later: Duration,
    ) -> Arc<Self> {
        let clock = chat.clock().clone();
        for outcome in [Sent::Taken, Sent::Gone, Sent::Failed] {
            metrics.notifications.with_label_values(&[service(DevicePlatform::WebPush), outcome.name()]).reset();
        }
        Arc::new(Self { chat, store, clock, metrics, push, text, later })
    }

    /// The public key, as browsers take it.
    #[must_use]
    pub fn push_key(&self) -> Arc<str> {
        self.push.public_key()
    }

    /// The consumer that notifies those who are nowhere connected, and takes away what was read.
    #[must_use]
    pub fn at_once(self: &Arc<Self>) -> AtOnce {
        AtOnce(self.clone())
    }

    /// The consumer that notifies the others.
    #[must_use]
    pub fn later(self: &Arc<Self>) -> Later {
        Later(self.clone())
    }

    /// The messages among these events that are news.
    async fn news(&self, events: &[Event]) -> Result<Vec<MessageId>, HandlerError> {
        let oldest = self.store.now(&self.clock).await? - TOO_OLD;
        let posts = events.iter().filter(|event| event.kind == Kind::MessagePosted && event.at > oldest);
        Ok(posts.filter_map(|event| event.message_id).collect())
    }

    /// Notifies, and writes it down.
    async fn notify(&self, due: Vec<Due>) -> Result<(), HandlerError> {
        if due.is_empty() {
            return Ok(());
        }
        let badges = self.chat.badges(due.iter().map(|due| due.user_id)).await?;
        let notified: Vec<_> = due.iter().map(|due| (due.user_id, due.room_id, due.seq)).collect();
        let notices = due.into_iter().map(|due| {
            let message = Message {
                id: due.message_id,
                seq: due.seq,
                room: due.room,
                author: Some(due.author),
                // A message may have files and no text.
                body: Some(due.body).filter(|body| !body.is_empty()),
            };
            let badge = badges.get(&due.user_id).copied().unwrap_or_default();
            (due.user_id, Notice { room: due.room_id, badge, message: Some(message.shown(self.text)) })
        });
        self.send(notices.collect()).await?;
        let rooms = notified.iter().map(|(_, room, _)| *room).collect();
        due::note(&self.store, notified, self.clock.now()).await?;
        // What was read while it was on its way.
        self.clear(&rooms).await
    }

    /// Takes notifications away that have no reason any more.
    async fn clear(&self, rooms: &BTreeSet<RoomId>) -> Result<(), HandlerError> {
        let over = due::over(&self.store, rooms).await?;
        if over.is_empty() {
            return Ok(());
        }
        let badges = self.chat.badges(over.iter().map(|over| over.user_id)).await?;
        let notice = |over: &Over| {
            let badge = badges.get(&over.user_id).copied().unwrap_or_default();
            (over.user_id, Notice { room: over.room_id, badge, message: None })
        };
        self.send(over.iter().map(notice).collect()).await?;
        Ok(due::forget(&self.store, &over).await?)
    }

    /// Sends each notice to all devices of its user.
    async fn send(&self, notices: Vec<(UserId, Notice)>) -> Result<(), HandlerError> {
        let now = self.store.now(&self.clock).await?;
        let mut devices = due::devices(&self.store, notices.iter().map(|(user, _)| *user), now).await?;
        let mut sends: Vec<(device::Model, Notice)> = Vec::new();
        for (user, notice) in notices {
            sends.extend(devices.get(&user).into_iter().flatten().map(|device| (device.clone(), notice.clone())));
        }
        devices.clear();
        let push = &self.push;
        let sent = stream::iter(sends).map(|(device, notice)| async move {
            let outcome = push.send(&device, &notice).await;
            (device, outcome)
        });
        let mut sent = pin!(sent.buffer_unordered(TOGETHER));
        let mut gone: HashMap<_, device::Model> = HashMap::new();
        while let Some((device, outcome)) = sent.next().await {
            self.metrics.notifications.with_label_values(&[service(device.platform), outcome.name()]).inc();
            if outcome == Sent::Gone {
                gone.insert(device.id, device);
            }
        }
        Ok(due::forget_devices(&self.store, gone.into_values().collect()).await?)
    }
}

/// Notifies those who are nowhere connected, and takes away what was read.
pub struct AtOnce(Arc<Notifications>);

impl Handler for AtOnce {
    fn name(&self) -> &'static str {
        AT_ONCE
    }

    fn begin(&self) -> Begin {
        Begin::Head
    }

    fn wants(&self, event: &Event) -> bool {
        may_clear(event.kind)
    }

    async fn handle(&self, events: &[Event]) -> Result<(), HandlerError> {
        let it = &self.0;
        let rooms: BTreeSet<RoomId> = events.iter().filter_map(Event::room).collect();
        it.clear(&rooms).await?;
        let now = it.clock.now();
        let mut due = due::of_messages(&it.store, &it.news(events).await?).await?;
        due.retain(|due| !it.chat.is_online(due.user_id) && due.pushed_at.is_none_or(|at| now - at > AGAIN));
        it.notify(due).await
    }

    /// What was missed is too old to tell.
    async fn missed(&self) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// Whether a notification may be over by an event of this kind, or due.
fn may_clear(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::MessagePosted
            | Kind::MessageDeleted
            | Kind::ReadMarksMoved
            | Kind::OwnReadMarkMoved
            | Kind::RoomMuted
            | Kind::RoomHidden
            | Kind::RoomDeleted
            | Kind::MemberLeft
            | Kind::MemberRemoved
            | Kind::MemberBanned
    )
}

/// Notifies those who are connected and haven't read all the same.
pub struct Later(Arc<Notifications>);

impl Handler for Later {
    fn name(&self) -> &'static str {
        "notify-later"
    }

    fn begin(&self) -> Begin {
        Begin::Head
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == Kind::MessagePosted
    }

    /// Waits for the time of each, and until the other consumer has passed it: what that one has told, perhaps after some
    /// tries, isn't told again.
    async fn handle(&self, mut events: &[Event]) -> Result<(), HandlerError> {
        let it = &self.0;
        let later = TimeDelta::from_std(it.later)?;
        while let Some(first) = events.first() {
            let now = it.store.now(&it.clock).await?;
            if let Ok(left) = (first.at + later - now).to_std()
                && !left.is_zero()
            {
                sleep(left.min(it.later)).await;
                continue;
            }
            let passed = consumer::Entity::find_by_id(AT_ONCE).one(it.store.read()).await?;
            let passed = passed.map_or_else(Position::default, |at_once| at_once.position);
            let is_ripe = |event: &&Event| event.at + later <= now && event.position <= passed;
            let (ripe, rest) = events.split_at(events.iter().take_while(is_ripe).count());
            if ripe.is_empty() {
                sleep(AGAIN_SOON).await;
                continue;
            }
            it.notify(due::of_messages(&it.store, &it.news(ripe).await?).await?).await?;
            events = rest;
        }
        Ok(())
    }

    async fn missed(&self) -> Result<(), HandlerError> {
        Ok(())
    }
}
