//! How a subscription is registered in the hub.

use std::sync::Arc;

use sea_orm::DbErr;

use super::audience::Subscriber;
use super::recent;
use super::rooms::Rooms;
use super::{Hub, State};
use crate::delivery::allowance::Allowance;
use crate::delivery::mailbox::Mailbox;
use crate::delivery::render::RenderGroup;
use crate::ids::UserId;
use crate::log::Event;
use crate::log::replay::Filter;
use crate::position::{Cursor, Position};
use crate::store::entity::member::Membership;

/// A subscription's registration in the hub, which ends when this is dropped.
pub struct Attachment {
    hub: Arc<Hub>,
    user: UserId,
    id: u64,
    /// The subscription's cursor, if it is ahead of the hub.
    ahead: Option<Cursor>,
    /// Receives every event after `base` that the subscription wants.
    pub mailbox: Arc<Mailbox>,
    /// The last event that was handed out before the subscription was registered.
    pub base: Cursor,
    /// Whether the user is a member of the room that the filter names. True if it names none.
    pub admitted: bool,
    /// The events between the subscription's cursor and `base`. `None` if there is no cursor, or if they must be read
    /// from the log.
    pub missed: Option<Vec<Event>>,
}

impl Hub {
    /// Registers a subscription that has received everything up to `after`, if that is given. Its mailbox receives
    /// every event after the attachment's base.
    ///
    /// # Errors
    /// When the user's memberships can't be read.
    pub(in crate::delivery) async fn attach(
        self: &Arc<Self>,
        user: UserId,
        filter: Filter,
        group: Arc<RenderGroup>,
        allowance: Allowance,
        after: Option<Cursor>,
    ) -> Result<Attachment, DbErr> {
        let mut awaited = Position::default();
        loop {
            let base = {
                let mut state = self.lock();
                if state.audiences.knows(user) {
                    return Ok(self.add(&mut state, user, filter, group, allowance, after));
                }
                state.applied
            };
            let (memberships, joined) = Membership::as_of(self.store().read(), user, base.position).await?;
            // What the hub will hand out before the user came back to a room may be the user's as well. It waits once for
            // each joining, so that a log that can't be read holds nobody up for ever.
            if let Some(joined) = joined.filter(|joined| *joined > self.applied().position.max(awaited)) {
                awaited = joined;
                self.reach(joined).await;
                continue;
            }
            let mut state = self.lock();
            if state.audiences.knows(user) {
                return Ok(self.add(&mut state, user, filter, group, allowance, after));
            }
            // Otherwise so much has happened in the meantime that the memberships must be read again.
            if let Some(rooms) = state.up_to_date(user, base, memberships.into_iter().collect()) {
                state.audiences.learn(user, rooms);
                return Ok(self.add(&mut state, user, filter, group, allowance, after));
            }
        }
    }

    fn add(
        self: &Arc<Self>,
        state: &mut State,
        user: UserId,
        filter: Filter,
        group: Arc<RenderGroup>,
        allowance: Allowance,
        after: Option<Cursor>,
    ) -> Attachment {
        let id = state.next_id();
        let mailbox = Arc::new(Mailbox::of(allowance));
        let admitted = match filter {
            Filter::Posts(Some(room)) => state.audiences.is_member(user, room),
            Filter::Posts(None) | Filter::Everything => true,
        };
        state.audiences.add(user, Subscriber { id, filter, group, mailbox: mailbox.clone() });
        let missed = after.and_then(|after| state.missed(user, filter, after));
        let ahead = after.filter(|after| after.position > state.applied.position);
        if let Some(cursor) = ahead {
            state.ahead.expect(cursor, id, mailbox.clone());
        }
        Attachment { hub: self.clone(), user, id, ahead, mailbox, base: state.applied, admitted, missed }
    }
}

impl State {
    /// What a user whose rooms are known missed since `after`, if the hub remembers all of it.
    fn missed(&self, user: UserId, filter: Filter, after: Cursor) -> Option<Vec<Event>> {
        recent::missed(&self.recent, user, self.audiences.rooms_of(user)?, filter, after)
    }

    /// The user's rooms, given as they were at `base`, brought up to the last applied event. `None` if too much has
    /// happened since.
    fn up_to_date(&self, user: UserId, base: Cursor, mut rooms: Rooms) -> Option<Rooms> {
        self.recent.since(base)?.for_each(|event| rooms.fold(user, event.effect()));
        Some(rooms)
    }
}

impl Attachment {
    /// The subscription doesn't go on from its cursor, after all: the log is another one.
    pub(in crate::delivery) fn begin_at_base(&mut self) {
        if let Some(cursor) = self.ahead.take() {
            self.hub.lock().ahead.forget(cursor, self.id);
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.audiences.remove(self.user, self.id);
        if let Some(cursor) = self.ahead {
            state.ahead.forget(cursor, self.id);
        }
    }
}
