//! Publishes changes of presence and typing to the sockets of this node, and writes when users were last seen.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbErr, EntityTrait, QueryFilter};
use tokio_util::sync::CancellationToken;

use super::{Ephemeral, News};
use crate::delivery::Hub;
use crate::delivery::notice::{Content, PresenceNotice};
use crate::ids::{RoomId, UserId};
use crate::store::entity::member::Membership;
use crate::store::entity::{room, user};
use crate::store::list::one_of;

/// Changes of presence that are published, or written to the database, at a time.
const BATCH: usize = 256;

/// How long to wait between two batches, so that when thousands connect together, the renderings of one batch are done
/// before those of the next.
const PAUSE: Duration = Duration::from_millis(20);

/// How long to wait after the database has failed.
const RETRY: Duration = Duration::from_secs(1);

/// Publishes and writes until cancelled, and then writes when the users of this node were last seen.
pub(crate) async fn run(ephemeral: Arc<Ephemeral>, hub: Arc<Hub>, stop: CancellationToken) {
    let notifier = Notifier { ephemeral, hub };
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = notifier.ephemeral.news.notified() => {}
        }
        while let Some(pause) = notifier.advance().await {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    notifier.ephemeral.stop();
    while let Ok(1..) = notifier.write().await {}
}

struct Notifier {
    ephemeral: Arc<Ephemeral>,
    hub: Arc<Hub>,
}

impl Notifier {
    /// Writes and publishes a batch of the changes. Returns how long to wait before the next batch, or `None` if that
    /// was all.
    async fn advance(&self) -> Option<Duration> {
        let written = self.write().await;
        let news = self.ephemeral.take_news(BATCH);
        let taken = news.changes.len();
        if let Err((news, error)) = self.publish(news).await {
            tracing::warn!(%error, "presence and typing can't be published yet");
            self.ephemeral.put_back(news);
            return Some(RETRY);
        }
        match written {
            Ok(written) => (written.max(taken) >= BATCH).then_some(PAUSE),
            Err(error) => {
                tracing::warn!(%error, "the times at which users were last seen can't be written yet");
                Some(RETRY)
            }
        }
    }

    /// Writes when some of the users who went offline were last seen. Returns how many.
    async fn write(&self) -> Result<usize, DbErr> {
        let seen = self.ephemeral.to_write(BATCH);
        user::Entity::write_last_seen(self.hub.store(), &seen).await?;
        self.ephemeral.written(&seen);
        Ok(seen.len())
    }

    /// Publishes all changes, or none and returns them when the rows to be shown can't be read.
    async fn publish(&self, news: News) -> Result<(), (News, DbErr)> {
        match self.rows(&news).await {
            Ok(rows) => {
                self.publish_presence(&news, &rows);
                self.publish_typing(&news, &rows);
                Ok(())
            }
            Err(error) => Err((news, error)),
        }
    }

    fn publish_presence(&self, news: &News, rows: &NewsRows) {
        for change in &news.changes {
            let (Some(user), Some(rooms)) = (rows.users.get(&change.user), rows.shared.get(&change.user)) else {
                continue;
            };
            // The row may have been read before another node wrote to it.
            let last_seen_at = user.last_seen_at.max(change.last_seen);
            let user = Arc::new(user::Model { last_seen_at, ..(**user).clone() });
            let content = Content::Presence(PresenceNotice::Presence(user));
            self.hub.publish_ephemeral(rooms, change.user, content);
        }
    }

    fn publish_typing(&self, news: &News, rows: &NewsRows) {
        for typed in &news.typed {
            let (Some(room), Some(user)) = (rows.rooms.get(&typed.room), rows.users.get(&typed.user)) else {
                continue;
            };
            let (room, user, is_typing) = (room.clone(), user.clone(), typed.is_typing);
            let content = Content::Presence(PresenceNotice::Typing { room, user, is_typing });
            self.hub.publish_ephemeral(&[typed.room], typed.user, content);
        }
    }

    /// Reads the rows that the changes name and somebody here is to receive, with at most three statements however many
    /// changes there are.
    async fn rows(&self, news: &News) -> Result<NewsRows, DbErr> {
        let store = self.hub.store();
        let (db, backend) = (store.read(), store.backend());
        let mut rows = NewsRows::default();
        let mut users: BTreeSet<UserId> = BTreeSet::new();
        if !news.changes.is_empty() && self.hub.has_subscribers() {
            let changed: Vec<UserId> = news.changes.iter().map(|change| change.user).collect();
            let max_members = self.ephemeral.limits().max_members;
            for (user, room) in Membership::small_rooms(db, &changed, max_members).await? {
                rows.shared.entry(user).or_default().push(room);
            }
            let heard = rows.shared.iter().filter(|(user, rooms)| self.hub.has_co_members(rooms, **user));
            users.extend(heard.map(|(user, _)| *user));
        }
        let heard = news.typed.iter().filter(|typed| self.hub.has_co_members(&[typed.room], typed.user));
        let typed: Vec<(RoomId, UserId)> = heard.map(|typed| (typed.room, typed.user)).collect();
        users.extend(typed.iter().map(|(_, user)| *user));
        let rooms: BTreeSet<RoomId> = typed.into_iter().map(|(room, _)| room).collect();
        if !rooms.is_empty() {
            let rooms = room::Entity::find().filter(one_of(backend, room::Column::Id, rooms)).all(db).await?;
            rows.rooms = rooms.into_iter().map(|room| (room.id, Arc::new(room))).collect();
        }
        if !users.is_empty() {
            let users = user::Entity::present().filter(one_of(backend, user::Column::Id, users)).all(db).await?;
            rows.users = users.into_iter().map(|user| (user.id, Arc::new(user))).collect();
        }
        Ok(rows)
    }
}

/// The rows that changes name.
#[derive(Default)]
struct NewsRows {
    rooms: HashMap<RoomId, Arc<room::Model>>,
    users: HashMap<UserId, Arc<user::Model>>,
    /// By user, the rooms whose members receive the user's presence.
    shared: HashMap<UserId, Vec<RoomId>>,
}
