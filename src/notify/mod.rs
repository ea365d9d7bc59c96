//! Notifications: out of the log to the devices of those who haven't read.
//!
//! Two consumers of the log decide. Whoever is nowhere connected is notified [at once](Notifications::at_once); whoever is, somewhere,
//! is [after a while](Notifications::later), if the message is still unread then: a desktop that is open neither keeps a phone silent
//! for ever nor has it buzz for what is being read. What was notified of is written down, so that it isn't told twice, and
//! is taken away when it was read. If a node dies in between, the next one does the same again, with the same topic, by
//! which a device shows it once.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream;
use sha2::{Digest, Sha256};

use crate::chat::Chat;
use crate::clock::Clock;
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Event, HandlerError, Kind};
use crate::position::Cursor;
use crate::store::Store;
use crate::store::entity::device::{self, DevicePlatform};
use crate::telemetry::Metrics;

mod backend;
mod consumers;
mod due;
pub mod notice;
mod over;
pub mod push;

pub use backend::{Backend, Told};
pub use consumers::{AtOnce, Later};
use due::{Due, Edit, Newest};
use notice::{Message, Notice, PushText};
use over::Over;
use push::{Push, Sent, service};

/// How long after a message those are notified of it who are connected: 15 s.
pub const LATER: Duration = Duration::from_secs(15);

/// What is older than this is no news: nobody is notified of it after an outage.
const TOO_OLD: TimeDelta = TimeDelta::minutes(10);

/// The most notifications that are on their way together.
const TOGETHER: usize = 64;

/// What notifies.
pub struct Notifications {
    chat: Chat,
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    push: Push,
    backend: OnceLock<Arc<dyn Backend>>,
    text: PushText,
    later: Duration,
}

/// What one user is told of one room.
struct Telling {
    /// Names it, however often it is told.
    id: String,
    user: UserId,
    notice: Arc<Notice>,
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
        for platform in [DevicePlatform::WebPush, DevicePlatform::Fcm] {
            for outcome in [Sent::Taken, Sent::Gone, Sent::Failed] {
                metrics.notifications.with_label_values(&[service(platform), outcome.name()]).reset();
            }
        }
        Arc::new(Self { chat, store, clock, metrics, push, backend: OnceLock::new(), text, later })
    }

    /// The public key, as browsers take it.
    #[must_use]
    pub fn push_key(&self) -> Arc<str> {
        self.push.public_key()
    }

    /// Has the app's own backend be told as well, from now on. Only the first is.
    pub fn tell_backend(&self, backend: Arc<dyn Backend>) {
        let _ = self.backend.set(backend);
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

    /// The messages among these events that are news, and the edits, which may mention users anew.
    async fn news(&self, events: &[Event]) -> Result<(Vec<MessageId>, Vec<Edit>), HandlerError> {
        let oldest = self.store.now(&self.clock).await? - TOO_OLD;
        let (mut posts, mut edits) = (Vec::new(), Vec::new());
        for event in events.iter().filter(|event| event.at > oldest) {
            match (event.kind, event.message_id) {
                (Kind::MessagePosted, Some(message)) => posts.push(message),
                (Kind::MessageEdited, Some(message)) => {
                    edits.push(Edit { message, position: event.position, at: event.at });
                }
                _ => {}
            }
        }
        Ok((posts, edits))
    }

    /// Of which of the messages among these events users are to be notified.
    async fn due(&self, events: &[Event]) -> Result<Vec<Due>, HandlerError> {
        let (posts, edits) = self.news(events).await?;
        if posts.is_empty() && edits.is_empty() {
            return Ok(Vec::new());
        }
        let all = match self.backend.get() {
            Some(backend) => backend.listens().await?,
            None => false,
        };
        let mut newest = Newest::default();
        due::of_messages(&self.store, &posts, all, &mut newest).await?;
        due::of_edits(&self.store, &edits, all, &mut newest).await?;
        Ok(newest.into_vec())
    }

    /// What is shown of these messages, once for all who are notified of them.
    async fn shown(
        &self,
        messages: impl Iterator<Item = MessageId>,
    ) -> Result<HashMap<MessageId, Arc<Message>>, HandlerError> {
        let texts = due::texts(&self.store, messages).await?;
        Ok(texts.into_iter().map(|(id, message)| (id, Arc::new(message.shown(self.text)))).collect())
    }

    /// Notifies of what was read up to this place of the log, and writes it down.
    async fn notify(&self, mut due: Vec<Due>, cursor: Cursor) -> Result<(), HandlerError> {
        let shown = self.shown(due.iter().map(|due| due.message_id)).await?;
        due.retain(|due| shown.contains_key(&due.message_id));
        if due.is_empty() {
            return Ok(());
        }
        let badges = self.chat.badges(due.iter().map(|due| due.user_id)).await?;
        let notified: Vec<_> = due.iter().map(|due| (due.user_id, due.room_id, due.seq)).collect();
        let tellings = due.into_iter().map(|due| {
            let badge = badges.get(&due.user_id).copied().unwrap_or_default();
            let id = match due.added_at {
                None => name(&format!("MESSAGE {} {}", due.user_id, due.message_id)),
                Some(edit) => name(&format!("MENTION {} {} {edit}", due.user_id, due.message_id)),
            };
            let notice = Notice { room: due.room_id, badge, message: shown.get(&due.message_id).cloned() };
            Telling { id, user: due.user_id, notice: notice.into() }
        });
        self.send(tellings.collect(), cursor).await?;
        let rooms = notified.iter().map(|(_, room, _)| *room).collect();
        due::note(&self.store, notified, self.store.now(&self.clock).await?).await?;
        // What was read while it was on its way.
        self.clear(&rooms, cursor).await
    }

    /// Takes notifications away that have no reason any more, or has them be of an older message that is still unread.
    async fn clear(&self, rooms: &BTreeSet<RoomId>, cursor: Cursor) -> Result<(), HandlerError> {
        let over = over::over(&self.store, rooms).await?;
        if over.is_empty() {
            return Ok(());
        }
        let badges = self.chat.badges(over.iter().map(|over| over.user_id)).await?;
        let shown = self.shown(over.iter().filter_map(|over| over.older)).await?;
        let (mut tellings, mut back, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for over in over {
            let badge = badges.get(&over.user_id).copied().unwrap_or_default();
            let Over { user_id: user, room_id: room, seq, at, older } = over;
            let message = older.and_then(|older| shown.get(&older)).cloned();
            let id = if let Some(message) = &message {
                back.push((over, message.seq));
                name(&format!("AGAIN {user} {} {seq}", message.id))
            } else {
                gone.push(over);
                name(&format!("CLEAR {user} {room} {seq} {}", at.timestamp_micros()))
            };
            tellings.push(Telling { id, user, notice: Notice { room, badge, message }.into() });
        }
        self.send(tellings, cursor).await?;
        over::go_back(&self.store, &back).await?;
        Ok(over::forget(&self.store, &gone).await?)
    }

    /// Sends each notice to all devices of its user, and to the app's own backend.
    async fn send(&self, tellings: Vec<Telling>, cursor: Cursor) -> Result<(), HandlerError> {
        let now = self.store.now(&self.clock).await?;
        let devices = due::devices(&self.store, tellings.iter().map(|telling| telling.user), now).await?;
        let (sent, told) =
            futures_util::join!(self.push_all(&tellings, &devices), self.tell(&tellings, &devices, (cursor, now)));
        sent.and(told)
    }

    async fn tell(
        &self,
        tellings: &[Telling],
        devices: &HashMap<UserId, Vec<Arc<device::Model>>>,
        (cursor, at): (Cursor, DateTime<Utc>),
    ) -> Result<(), HandlerError> {
        let Some(backend) = self.backend.get() else { return Ok(()) };
        let told = tellings.iter().map(|Telling { id, user, notice }| Told {
            id: id.clone(),
            cursor,
            at,
            user: *user,
            room: notice.room,
            message: notice.message.as_ref().map(|message| message.id),
            badge: notice.badge,
            collapse_key: name(&format!("{user} {}", notice.room)),
            devices: devices.get(user).cloned().unwrap_or_default(),
        });
        Ok(backend.tell(told.collect()).await?)
    }

    async fn push_all(
        &self,
        tellings: &[Telling],
        devices: &HashMap<UserId, Vec<Arc<device::Model>>>,
    ) -> Result<(), HandlerError> {
        let mut sends: Vec<(Arc<device::Model>, Arc<Notice>)> = Vec::new();
        for Telling { user, notice, .. } in tellings {
            sends.extend(devices.get(user).into_iter().flatten().map(|device| (device.clone(), notice.clone())));
        }
        let push = &self.push;
        let sent = stream::iter(sends).map(|(device, notice)| async move {
            let outcome = push.send(&device, &notice).await;
            (device, outcome)
        });
        let mut sent = pin!(sent.buffer_unordered(TOGETHER));
        let mut gone: HashMap<_, Arc<device::Model>> = HashMap::new();
        while let Some((device, outcome)) = sent.next().await {
            self.metrics.notifications.with_label_values(&[service(device.platform), outcome.name()]).inc();
            if outcome == Sent::Gone {
                gone.insert(device.id, device);
            }
        }
        Ok(due::forget_devices(&self.store, gone.into_values().collect()).await?)
    }
}

/// A name of 36 characters that says nothing but which of all it is.
fn name(of: &str) -> String {
    format!("ntf_{}", URL_SAFE_NO_PAD.encode(&Sha256::digest(of.as_bytes())[..24]))
}
