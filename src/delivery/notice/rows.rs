//! The rows that a batch of events names, read together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sea_orm::{DbErr, EntityTrait, QueryFilter};

use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{About, Class, Event};
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::{block, message, read_mark, room, user};
use crate::store::list::one_of;

/// The rows that a batch of events names.
#[derive(Default)]
pub struct EventRows {
    rooms: HashMap<RoomId, Arc<room::Model>>,
    messages: HashMap<MessageId, message::Model>,
    users: HashMap<UserId, Arc<user::Model>>,
    marks: HashMap<Position, Vec<read_mark::Model>>,
    /// Who blocks whom, of those whom the events name.
    blocks: HashSet<(UserId, UserId)>,
}

impl EventRows {
    /// Reads the rows that are named by these events and by gaps in these rooms, except for the messages that are
    /// `known` already, with at most five statements however many events there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(
        store: &Store,
        events: &[&Event],
        gaps: impl IntoIterator<Item = RoomId>,
        known: impl IntoIterator<Item = message::Model>,
    ) -> Result<Self, DbErr> {
        let (db, backend) = (store.read(), store.backend());
        let mut rows =
            Self { messages: known.into_iter().map(|message| (message.id, message)).collect(), ..Self::default() };
        let rooms: BTreeSet<RoomId> = events.iter().filter_map(|event| event.room()).chain(gaps).collect();
        if !rooms.is_empty() {
            rows.rooms = room::Entity::by_id(store, rooms).await?;
        }
        let messages: BTreeSet<MessageId> = events
            .iter()
            .filter_map(|event| event.message_id)
            .filter(|message| !rows.messages.contains_key(message))
            .collect();
        if !messages.is_empty() {
            let messages = one_of(backend, message::Column::Id, messages);
            let messages = message::Entity::find().filter(messages).all(db).await?;
            rows.messages.extend(messages.into_iter().map(|message| (message.id, message)));
        }
        let marked: Vec<Position> =
            events.iter().filter(|event| event.kind.row().about == About::Marks).map(|e| e.position).collect();
        if !marked.is_empty() {
            let marks = one_of(backend, read_mark::Column::Position, marked);
            for mark in read_mark::Entity::find().filter(marks).all(db).await? {
                rows.marks.entry(mark.position).or_default().push(mark);
            }
        }
        let blocks: BTreeSet<(UserId, UserId)> = events.iter().filter_map(|event| event.block()).collect();
        if !blocks.is_empty() {
            rows.blocks = block::Entity::among(store, blocks).await?;
        }
        let users: BTreeSet<UserId> = events
            .iter()
            .flat_map(|event| [event.member(), event.actor_id])
            .flatten()
            .chain(rows.messages.values().map(|message| message.author_id))
            .chain(rows.marks.values().flatten().map(|mark| mark.user_id))
            .collect();
        if !users.is_empty() {
            rows.users = user::Entity::present_by_id(store, users).await?;
        }
        Ok(rows)
    }

    /// The room and author of the message that this event posted. `None` if the event is about something else, or its
    /// message wasn't loaded.
    #[must_use]
    pub fn posted(&self, event: &Event) -> Option<(RoomId, UserId)> {
        let message = self.messages.get(&event.message_id?)?;
        (event.kind.row().class == Class::Post).then_some((message.room_id, message.author_id))
    }

    pub(super) fn room(&self, id: RoomId) -> Option<&Arc<room::Model>> {
        self.rooms.get(&id)
    }

    pub(super) fn message(&self, id: MessageId) -> Option<&message::Model> {
        self.messages.get(&id)
    }

    /// A user whose account still exists.
    pub(super) fn user(&self, id: UserId) -> Option<&Arc<user::Model>> {
        self.users.get(&id)
    }

    /// Whether the first user blocks the second, who are those of an event.
    pub(super) fn blocks(&self, users: (UserId, UserId)) -> bool {
        self.blocks.contains(&users)
    }

    /// The marks that the event at this position moved.
    pub(super) fn marks(&self, position: Position) -> &[read_mark::Model] {
        self.marks.get(&position).map_or(&[], Vec::as_slice)
    }
}
