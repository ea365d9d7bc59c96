//! Tells webhooks of notifications, so that the app's own backend may send them by its own means.
//!
//! They are not in the log, and nothing keeps them. A receiver that answers with an error is tried three times; one that is
//! down, or slow, is left alone for a minute, so that it doesn't hold up the notifications of others.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt, stream};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use tokio::time::{sleep, timeout};

use super::attempt::{Outcome, attempt};
use super::body::{Audience, Body};
use super::standing::{self, End};
use super::worker::{RENDERINGS, rendered};
use super::{Parts, Rules};
use crate::delivery::notice::NotificationNotice;
use crate::delivery::{Content, Notice, Rendering};
use crate::ids::WebhookId;
use crate::notify::{Backend, Told};
use crate::outgoing::Location;
use crate::store::entity::webhook::{self, WebhookState};
use crate::store::entity::{message, room, user};
use crate::store::list::one_of;

/// The pauses between attempts, each of which takes 15 s at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// Notifications that are on their way to one receiver at the same time.
const TOGETHER: usize = 16;

/// The most time that a receiver takes for what it is told together, and what is added for each of many.
pub(super) const AT_MOST: Duration = Duration::from_secs(20);
const FOR_EACH: Duration = Duration::from_millis(10);

/// So many in a row are refused by a receiver that is down.
const DOWN_AFTER: u32 = 5;

/// For how long one that is down is left alone.
const LEFT_ALONE: TimeDelta = TimeDelta::minutes(1);

/// Tells webhooks of notifications.
pub struct Notifier {
    parts: Arc<Parts>,
    rules: Arc<Rules>,
    /// By webhook, whether it is told or not.
    receivers: Mutex<HashMap<WebhookId, Arc<Receiver>>>,
    /// [`AT_MOST`], in tests less.
    at_most: Duration,
}

/// The receiver of a webhook.
struct Receiver {
    webhook: webhook::Model,
    /// Where and how it is told, if its document asks for it.
    told: Option<(Location, tokio::sync::Mutex<Rendering>)>,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    /// How many it has refused in a row.
    refused: u32,
    /// Until when it is left alone.
    until: Option<DateTime<Utc>>,
}

/// A notification, and how it is shown.
#[derive(Clone)]
struct Shown {
    notice: Arc<Notice>,
    told: Arc<Told>,
}

impl Notifier {
    pub(super) fn new(parts: Arc<Parts>, rules: Arc<Rules>, at_most: Duration) -> Self {
        Self { parts, rules, receivers: Mutex::default(), at_most }
    }

    /// Those webhooks that are told of notifications.
    async fn receivers(&self) -> Result<Vec<Arc<Receiver>>, DbErr> {
        let enabled = webhook::Entity::find().filter(webhook::Column::State.ne(WebhookState::Disabled));
        let enabled = enabled.all(self.parts.store.read()).await?;
        let mut known = self.receivers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = HashMap::new();
        for webhook in enabled {
            let receiver = match known.remove(&webhook.id) {
                Some(receiver) if receiver.webhook.version == webhook.version => receiver,
                _ => Arc::new(Receiver::new(&self.parts, webhook)),
            };
            current.insert(receiver.webhook.id, receiver);
        }
        *known = current;
        Ok(known.values().filter(|receiver| receiver.told.is_some()).cloned().collect())
    }

    /// What is shown of these. What is nothing any more is left out.
    async fn shown(&self, told: Vec<Told>) -> Result<Vec<Shown>, DbErr> {
        let store = &self.parts.store;
        let messages: BTreeSet<_> = told.iter().filter_map(|told| told.message).collect();
        let mut found = HashMap::new();
        if !messages.is_empty() {
            let messages = one_of(store.backend(), message::Column::Id, messages);
            let messages = message::Entity::find().filter(messages).all(store.read()).await?;
            found.extend(messages.into_iter().map(|message| (message.id, Arc::new(message))));
        }
        let rooms: BTreeSet<_> = told.iter().map(|told| told.room).collect();
        let rooms = room::Entity::by_id(store, rooms).await?;
        let authors = found.values().map(|message| message.author_id);
        let users: BTreeSet<_> = told.iter().map(|told| told.user).chain(authors).collect();
        let users = user::Entity::present_by_id(store, users).await?;
        let shown = told.into_iter().filter_map(|told| {
            let message = match told.message {
                Some(id) => {
                    let message = found.get(&id).filter(|message| message.deleted_at.is_none())?.clone();
                    let author = users.get(&message.author_id).cloned();
                    Some((message, author))
                }
                None => None,
            };
            let notice = NotificationNotice {
                // Who was switched off meanwhile is shown nothing more, but may have something taken away.
                user: users.get(&told.user).filter(|user| message.is_none() || user.may_enter())?.clone(),
                room: rooms.get(&told.room)?.clone(),
                message,
                badge: told.badge,
                collapse_key: told.collapse_key.clone(),
                devices: told.devices.clone(),
            };
            let notice = Notice::new(told.cursor, told.at, Content::Notification(Box::new(notice)));
            Some(Shown { notice, told: Arc::new(told) })
        });
        Ok(shown.collect())
    }

    /// Tells one receiver of one notification.
    async fn tell_one(&self, receiver: Arc<Receiver>, shown: Shown) -> Result<(), DbErr> {
        let Shown { notice, told } = shown;
        let Some((to, rendering)) = &receiver.told else { return Ok(()) };
        let now = || self.parts.chat.clock().now();
        let mut pauses = PAUSES.into_iter();
        if receiver.is_left_alone(now()) {
            return Ok(());
        }
        let Some(shown) = rendered(rendering, &notice, RENDERINGS).await else { return Ok(()) };
        let audience = Audience { room_id: Some(told.room), user_id: Some(told.user) };
        let body = Body::of_notification(told.id.clone(), (&notice, &self.parts.cursors), audience, &shown);
        while !receiver.is_left_alone(now()) {
            let outcome = attempt(&self.parts, &self.rules, (&receiver.webhook, to), &body).await;
            let asked = match &outcome {
                Outcome::Delivered | Outcome::Nothing => {
                    *receiver.standing() = Standing::default();
                    return Ok(());
                }
                Outcome::Gone(failed) => {
                    let (id, version) = (receiver.webhook.id, receiver.webhook.version);
                    standing::end(&self.parts.store, id, version, End::Gone(failed.clone()), now()).await?;
                    self.rules.changed().notify_one();
                    return Ok(());
                }
                Outcome::Wait(wait, _) => wait.to_std().unwrap_or_default(),
                Outcome::Refused(_) | Outcome::Unreachable(_) | Outcome::Unmade(_) => Duration::ZERO,
            };
            let pause = pauses.next().filter(|_| !is_away(&outcome));
            let Some(pause) = pause else {
                tracing::warn!(webhook = %receiver.webhook.id, ?outcome, "a receiver doesn't take a notification");
                receiver.refused(&outcome, now());
                break;
            };
            sleep(asked.clamp(pause, PAUSES[1])).await;
        }
        Ok(())
    }

    async fn tell_all(&self, told: Vec<Told>) -> Result<(), DbErr> {
        let receivers = self.receivers().await?;
        if receivers.is_empty() || told.is_empty() {
            return Ok(());
        }
        let shown = self.shown(told).await?;
        let each = receivers.into_iter().map(|receiver| self.tell_in_time(receiver, shown.clone()));
        join_all(each).await.into_iter().collect()
    }

    /// Tells one receiver of these, as many as it takes in the time that it has.
    async fn tell_in_time(&self, receiver: Arc<Receiver>, shown: Vec<Shown>) -> Result<(), DbErr> {
        let at_most = self.at_most + FOR_EACH * u32::try_from(shown.len()).unwrap_or(u32::MAX);
        let telling = stream::iter(shown).map(|shown| self.tell_one(receiver.clone(), shown));
        if let Ok(told) = timeout(at_most, telling.buffer_unordered(TOGETHER).collect::<Vec<_>>()).await {
            return told.into_iter().collect();
        }
        tracing::warn!(webhook = %receiver.webhook.id, "a receiver takes too long; it is told none for a minute");
        receiver.standing().until = Some(self.parts.chat.clock().now() + LEFT_ALONE);
        Ok(())
    }
}

impl Backend for Notifier {
    fn listens(&self) -> BoxFuture<'_, Result<bool, DbErr>> {
        async { Ok(!self.receivers().await?.is_empty()) }.boxed()
    }

    fn tell(&self, told: Vec<Told>) -> BoxFuture<'_, Result<(), DbErr>> {
        self.tell_all(told).boxed()
    }
}

impl Receiver {
    fn new(parts: &Parts, webhook: webhook::Model) -> Self {
        // What is wrong with it is said by whoever tells it of the log.
        let document = parts.documents.read(&webhook.query).ok().filter(|document| document.tells_notifications);
        let told = document.and_then(|document| {
            let to = parts.outgoing.locate(&webhook.url).ok()?;
            Some((to, Rendering::new(parts.execute.clone(), document.request).into()))
        });
        Self { webhook, told, standing: Mutex::default() }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_left_alone(&self, now: DateTime<Utc>) -> bool {
        self.standing().until.is_some_and(|until| now < until && until - now <= LEFT_ALONE)
    }

    /// Notes that it hasn't taken a notification, however often it was tried.
    fn refused(&self, outcome: &Outcome, now: DateTime<Utc>) {
        let mut standing = self.standing();
        standing.refused += 1;
        if is_away(outcome) || matches!(outcome, Outcome::Wait(..)) || standing.refused >= DOWN_AFTER {
            standing.until = Some(now + LEFT_ALONE);
        }
    }
}

/// Whether nobody has answered. One attempt at that may take 15 s, so there is no second.
fn is_away(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Unreachable(_) => true,
        Outcome::Refused(failed) => failed.status.is_none(),
        Outcome::Delivered | Outcome::Nothing | Outcome::Gone(_) | Outcome::Wait(..) | Outcome::Unmade(_) => false,
    }
}
