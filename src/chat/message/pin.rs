//! Pinning messages.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter};

use crate::chat::access::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::room::MemberRows;
use crate::chat::{Argument, Chat, Error, Reason, Viewer};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::store::entity::{block, message, pin, room};
use crate::store::list::one_of;

/// The most pinned messages of a room.
const MAX_PINS: u64 = 100;

impl Chat {
    /// Has a message be pinned in its room, or not. What is so already changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a message that the viewer can't see; [`Reason::ModeratorNeeded`] in a group; [`Reason::Blocked`] between two
    /// of whom one has blocked the other, to pin; `Conflict` for a deleted message, and in a room that has 100.
    pub async fn pin_message(&self, viewer: &Viewer, message: MessageId, pinned: bool) -> Result<room::Model, Error> {
        self.change(PinMessage { user: viewer.user, message, pinned }).await
    }

    /// The pins of each of these rooms, the last pinned first. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pins(&self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Vec<pin::Model>>, Error> {
        let mut found: HashMap<RoomId, Vec<pin::Model>> = HashMap::new();
        let asked = one_of(self.store.backend(), pin::Column::RoomId, rooms.iter().copied());
        for pin in pin::Entity::find().filter(asked).all(self.store.read()).await? {
            found.entry(pin.room_id).or_default().push(pin);
        }
        for pins in found.values_mut() {
            pins.sort_by_key(|pin| std::cmp::Reverse((pin.at, pin.seq)));
        }
        Ok(found)
    }
}

/// Pin a message, or no longer.
pub struct PinMessage {
    user: UserId,
    message: MessageId,
    pinned: bool,
}

impl Change for PinMessage {
    type Outcome = room::Model;
}

impl Alone for PinMessage {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let message = message::Entity::visible_to(self.user).filter(message::Column::Id.eq(self.message));
        let message = message.one(append.tx()).await?.ok_or(Error::MESSAGE_NOT_FOUND)?;
        let (room, _) = MemberRows::one(append, message.room_id, self.user, Action::Pin).await?;
        if !self.pinned {
            forget(append, &[&message], Some(self.user)).await?;
            return Ok(room);
        }
        if pin::Entity::find_by_id((room.id, message.seq)).one(append.tx()).await?.is_some() {
            return Ok(room);
        }
        if block::Entity::is_between_two(append.tx(), room.id, self.user).await? {
            return Err(Error::Refused(Reason::Blocked));
        }
        if message.deleted_at.is_some() {
            return Err(Error::Conflict { argument: Argument::MessageId, problem: "the message was deleted" });
        }
        let pins = pin::Entity::find().filter(pin::Column::RoomId.eq(room.id)).count(append.tx()).await?;
        if pins >= MAX_PINS {
            let problem = "the room has 100 pinned messages already";
            return Err(Error::Conflict { argument: Argument::MessageId, problem });
        }
        record(append, &message, Some(self.user));
        let row = pin::Model { room_id: room.id, seq: message.seq, by_id: self.user, at: append.now() };
        pin::Entity::insert(row.into_active_model()).exec_without_returning(append.tx()).await?;
        Ok(room)
    }
}

fn record(append: &mut Append, message: &message::Model, by: Option<UserId>) {
    append.record(NewEvent::message(Kind::PinsChanged, message.room_id, message.id, message.seq).by(by));
    append.wrote(message);
}

/// Has these messages not be pinned, as far as they are, and tells of it.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget(
    append: &mut Append,
    messages: &[&message::Model],
    by: Option<UserId>,
) -> Result<(), DbErr> {
    for message in messages {
        let gone = pin::Entity::delete_by_id((message.room_id, message.seq)).exec(append.tx()).await?;
        if gone.rows_affected > 0 {
            record(append, message, by);
        }
    }
    Ok(())
}
