//! Publishes changes of presence and typing to the sockets of this node, and writes when users were last seen.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use super::{Changes, Ephemeral};
use crate::delivery::Hub;
use crate::delivery::notice::{Content, PresenceNotice};
use crate::ids::{RoomId, UserId};
use crate::store::entity::member::Membership;
use crate::store::entity::{room, user};

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
            () = notifier.ephemeral.for_sockets.notified() => {}
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
        let changes = self.ephemeral.take_changes(BATCH);
        let taken = changes.presence.len().max(changes.changed.len());
        if let Err((changes, error)) = self.publish(changes).await {
            tracing::warn!(%error, "presence and typing can't be published yet");
            self.ephemeral.put_back(changes);
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
    async fn publish(&self, changes: Changes) -> Result<(), (Changes, DbErr)> {
        match self.rows(&changes).await {
            Ok(rows) => {
                self.publish_presence(&changes, &rows);
                self.publish_typing(&changes, &rows);
                self.publish_changed(&changes, &rows);
                Ok(())
            }
            Err(error) => Err((changes, error)),
        }
    }

    fn publish_presence(&self, changes: &Changes, rows: &ChangeRows) {
        for change in &changes.presence {
            let (Some(user), Some(rooms)) = (rows.users.get(&change.user), rows.open.get(&change.user)) else {
                continue;
            };
            // The row may have been read before another node wrote to it.
            let last_seen_at = user.last_seen_at.max(change.last_seen);
            let user = Arc::new(user::Model { last_seen_at, ..(**user).clone() });
            let content = Content::Presence(PresenceNotice::Presence(user));
            self.hub.publish_ephemeral(rooms, change.user, content);
        }
    }

    fn publish_typing(&self, changes: &Changes, rows: &ChangeRows) {
        for typed in &changes.typed {
            let (Some(room), Some(user)) = (rows.rooms.get(&typed.room), rows.users.get(&typed.user)) else {
                continue;
            };
            let (room, user, is_typing) = (room.clone(), user.clone(), typed.is_typing);
            let content = Content::Presence(PresenceNotice::Typing { room, user, is_typing });
            self.hub.publish_ephemeral(&[typed.room], typed.user, content);
        }
    }

    fn publish_changed(&self, changes: &Changes, rows: &ChangeRows) {
        for user in &changes.changed {
            let Some(row) = rows.users.get(user) else { continue };
            let rooms = rows.shared.get(user).map_or(&[][..], Vec::as_slice);
            let content = Content::Presence(PresenceNotice::Changed(row.clone()));
            self.hub.publish_ephemeral(rooms, *user, content.clone());
            self.hub.publish_to(*user, content);
        }
    }

    /// Reads the rows that the changes name and somebody here is to receive, with at most three statements however many
    /// changes there are.
    async fn rows(&self, changes: &Changes) -> Result<ChangeRows, DbErr> {
        let store = self.hub.store();
        let mut rows = ChangeRows::default();
        let mut users: BTreeSet<UserId> = BTreeSet::new();
        let movers = changes.presence.iter().map(|change| change.user).chain(changes.changed.iter().copied());
        let movers: Vec<UserId> = movers.collect::<BTreeSet<_>>().into_iter().collect();
        if !movers.is_empty() && self.hub.has_subscribers() {
            let max_members = self.ephemeral.limits().max_members;
            for (user, room, blocked) in Membership::small_rooms(store.read(), &movers, max_members).await? {
                rows.shared.entry(user).or_default().push(room);
                if !blocked {
                    rows.open.entry(user).or_default().push(room);
                }
            }
            let received = rows.shared.iter().filter(|(user, rooms)| self.hub.has_co_members(rooms, **user));
            users.extend(received.map(|(user, _)| *user));
            users.extend(changes.changed.iter().filter(|user| self.hub.has_subscriber(**user)));
        }
        let received = changes.typed.iter().filter(|typed| self.hub.has_co_members(&[typed.room], typed.user));
        let typed: Vec<(RoomId, UserId)> = received.map(|typed| (typed.room, typed.user)).collect();
        users.extend(typed.iter().map(|(_, user)| *user));
        let rooms: BTreeSet<RoomId> = typed.into_iter().map(|(room, _)| room).collect();
        if !rooms.is_empty() {
            rows.rooms = room::Entity::by_id(store, rooms).await?;
        }
        if !users.is_empty() {
            rows.users = user::Entity::present_by_id(store, users).await?;
        }
        Ok(rows)
    }
}

/// The rows that changes name.
#[derive(Default)]
struct ChangeRows {
    rooms: HashMap<RoomId, Arc<room::Model>>,
    users: HashMap<UserId, Arc<user::Model>>,
    /// By user, the rooms whose members are told of the user's name and picture.
    shared: HashMap<UserId, Vec<RoomId>>,
    /// Of these, the rooms whose members receive the user's presence: all but those of two of whom one blocks the other.
    open: HashMap<UserId, Vec<RoomId>>,
}
