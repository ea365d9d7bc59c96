//! Tells the sockets of this node who comes, who goes and who is typing, and writes down who went.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DbErr, EntityTrait, QueryFilter};
use tokio_util::sync::CancellationToken;

use super::{Live, News};
use crate::delivery::hub::Hub;
use crate::delivery::notice::What;
use crate::ids::{RoomId, UserId};
use crate::store::entity::member::Membership;
use crate::store::entity::{room, user};
use crate::store::list::one_of;

/// Changes of presence that are told, or written, at a time.
const AT_ONCE: usize = 256;

/// Between two such times, so that the renderings of one are done before those of the next, when thousands come at
/// once.
const PAUSE: Duration = Duration::from_millis(20);

/// After the database has failed.
const RETRY: Duration = Duration::from_secs(1);

/// Tells and writes until cancelled; then writes when the users of this node were last seen.
pub async fn run(live: Arc<Live>, hub: Arc<Hub>, stop: CancellationToken) {
    let teller = Teller { live, hub };
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = teller.live.news.notified() => {}
        }
        while let Some(pause) = teller.go_on().await {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    teller.live.stop();
    while let Ok(1..) = teller.write().await {}
}

struct Teller {
    live: Arc<Live>,
    hub: Arc<Hub>,
}

impl Teller {
    /// Writes and tells some of what there is. None: that was all; else how long to wait before the rest.
    async fn go_on(&self) -> Option<Duration> {
        let written = self.write().await;
        let news = self.live.take_news(AT_ONCE);
        let taken = news.changes.len();
        if let Err((news, error)) = self.tell(news).await {
            tracing::warn!(%error, "who is there can't be told yet");
            self.live.put_back(news);
            return Some(RETRY);
        }
        match written {
            Ok(written) => (written.max(taken) >= AT_ONCE).then_some(PAUSE),
            Err(error) => {
                tracing::warn!(%error, "who was last seen can't be written yet");
                Some(RETRY)
            }
        }
    }

    /// Writes some of those who are gone; answers how many.
    async fn write(&self) -> Result<usize, DbErr> {
        let seen = self.live.to_write(AT_ONCE);
        user::Entity::write_last_seen(self.hub.store(), &seen).await?;
        self.live.written(&seen);
        Ok(seen.len())
    }

    /// Tells all of it, or none when what is to be shown can't be read.
    async fn tell(&self, news: News) -> Result<(), (News, DbErr)> {
        match self.facts(&news).await {
            Ok(facts) => {
                self.tell_changes(&news, &facts);
                self.tell_typed(&news, &facts);
                Ok(())
            }
            Err(error) => Err((news, error)),
        }
    }

    fn tell_changes(&self, news: &News, facts: &Facts) {
        for change in &news.changes {
            let (Some(user), Some(rooms)) = (facts.users.get(&change.user), facts.shared.get(&change.user)) else {
                continue;
            };
            // The row may have been read before another node has written to it.
            let last_seen_at = user.last_seen_at.max(change.last_seen);
            let user = Arc::new(user::Model { last_seen_at, ..(**user).clone() });
            self.hub.tell_sharers(rooms, change.user, What::PresenceChanged(user));
        }
    }

    fn tell_typed(&self, news: &News, facts: &Facts) {
        for typed in &news.typed {
            let (Some(room), Some(user)) = (facts.rooms.get(&typed.room), facts.users.get(&typed.user)) else {
                continue;
            };
            let what = What::TypingChanged { room: room.clone(), user: user.clone(), is_typing: typed.is_typing };
            self.hub.tell_sharers(&[typed.room], typed.user, what);
        }
    }

    /// The rows that the news names: at most three statements, however many there are.
    async fn facts(&self, news: &News) -> Result<Facts, DbErr> {
        let store = self.hub.store();
        let (db, backend) = (store.read(), store.backend());
        let mut facts = Facts::default();
        let mut users: BTreeSet<UserId> = BTreeSet::new();
        if !news.changes.is_empty() && self.hub.has_subscribers() {
            let changed: Vec<UserId> = news.changes.iter().map(|change| change.user).collect();
            let max_members = self.live.limits().max_members;
            for (user, room) in Membership::small_rooms(db, &changed, max_members).await? {
                facts.shared.entry(user).or_default().push(room);
            }
            let heard = facts.shared.iter().filter(|(user, rooms)| self.hub.has_sharers(rooms, **user));
            users.extend(heard.map(|(user, _)| *user));
        }
        let heard = news.typed.iter().filter(|typed| self.hub.has_sharers(&[typed.room], typed.user));
        let typed: Vec<(RoomId, UserId)> = heard.map(|typed| (typed.room, typed.user)).collect();
        users.extend(typed.iter().map(|(_, user)| *user));
        let rooms: BTreeSet<RoomId> = typed.into_iter().map(|(room, _)| room).collect();
        if !rooms.is_empty() {
            let rooms = room::Entity::find().filter(one_of(backend, room::Column::Id, rooms)).all(db).await?;
            facts.rooms = rooms.into_iter().map(|room| (room.id, Arc::new(room))).collect();
        }
        if !users.is_empty() {
            let users = user::Entity::present().filter(one_of(backend, user::Column::Id, users)).all(db).await?;
            facts.users = users.into_iter().map(|user| (user.id, Arc::new(user))).collect();
        }
        Ok(facts)
    }
}

/// Rows that news name.
#[derive(Default)]
struct Facts {
    rooms: HashMap<RoomId, Arc<room::Model>>,
    users: HashMap<UserId, Arc<user::Model>>,
    /// The rooms by which others are concerned with a user's presence.
    shared: HashMap<UserId, Vec<RoomId>>,
}
