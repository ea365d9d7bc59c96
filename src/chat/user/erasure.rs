//! Deleting the messages of users who were deleted and wanted that.
//!
//! It takes as long as it takes, in steps that keep nobody from writing. That it is to be done stands in the user's row
//! from the deletion on, and until nothing is left: whatever ends the process, the next one begins anew, and finds less.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect, RelationTrait, Set};

use crate::chat::change::{Alone, Change};
use crate::chat::message::{gone, pin};
use crate::chat::{Chat, Error};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::store::entity::{member, message, room, user};
use crate::store::list::one_of;

/// The most messages that one step deletes: about ten milliseconds of the scribe's time.
const STEP: usize = 100;

/// The most messages of a room that are looked through together.
const LOOKED_THROUGH: i32 = 2_000;

impl Chat {
    /// Resolves when messages of a deleted user are to be deleted, on this node and since the last time.
    pub async fn erasure_asked(&self) {
        self.erasure.notified().await;
    }

    /// Deletes the messages of all users of whom that is still to be done, in every room that they are or were in. What
    /// was deleted is told by `MessageDeleted` as always. It may run on several nodes at the same time. Returns how many
    /// messages were deleted.
    ///
    /// # Errors
    /// When the database fails, or the server is stopping. The rest is found the next time.
    pub async fn erase_messages(&self) -> Result<u64, Error> {
        let mut erased = 0;
        while let Some(user) = self.next_to_erase().await? {
            erased += self.erase_messages_of(user).await?;
        }
        Ok(erased)
    }

    async fn next_to_erase(&self) -> Result<Option<UserId>, Error> {
        // Word for word the predicate of the partial index `user_to_erase`.
        let users = user::Entity::find().select_only().column(user::Column::Id).filter(Expr::cust("erases_messages"));
        Ok(users.into_tuple().one(self.store.read()).await?)
    }

    async fn erase_messages_of(&self, user: UserId) -> Result<u64, Error> {
        // Messages of deleted rooms are deleted with the rooms.
        let rooms: Vec<(RoomId, i32)> = member::Entity::find()
            .join(JoinType::InnerJoin, member::Relation::Room.def())
            .filter(member::Column::UserId.eq(user))
            .filter(room::Column::DeletedAt.is_null())
            .select_only()
            .columns([room::Column::Id, room::Column::LastSeq])
            .into_tuple()
            .all(self.store.read())
            .await?;
        let mut erased = 0;
        for (room, last_seq) in rooms {
            let mut seq = 0;
            while seq < last_seq {
                let messages = self.own_messages(user, room, seq).await?;
                for messages in messages.chunks(STEP) {
                    erased += self.change(EraseMessages { user, messages: messages.to_vec() }).await?;
                }
                seq = seq.saturating_add(LOOKED_THROUGH);
            }
        }
        let tx = self.store.begin_write().await?;
        user::Entity::update_many()
            .set(user::ActiveModel { erases_messages: Set(false), ..Default::default() })
            .filter(user::Column::Id.eq(user))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(erased)
    }

    /// The user's messages that aren't deleted, among the [`LOOKED_THROUGH`] after `seq`.
    async fn own_messages(&self, user: UserId, room: RoomId, seq: i32) -> Result<Vec<MessageId>, Error> {
        Ok(message::Entity::find()
            .select_only()
            .column(message::Column::Id)
            .filter(message::Column::RoomId.eq(room))
            .filter(message::Column::Seq.gt(seq))
            .filter(message::Column::Seq.lte(seq.saturating_add(LOOKED_THROUGH)))
            .filter(message::Column::AuthorId.eq(user))
            .filter(message::Column::DeletedAt.is_null())
            .order_by_asc(message::Column::Seq)
            .into_tuple()
            .all(self.store.read())
            .await?)
    }
}

/// Deletes these messages of a user who was deleted, as far as they aren't. The outcome is how many were.
pub struct EraseMessages {
    user: UserId,
    messages: Vec<MessageId>,
}

impl Change for EraseMessages {
    type Outcome = u64;
}

impl Alone for EraseMessages {
    async fn apply(&self, append: &mut Append) -> Result<u64, Error> {
        let (backend, now) = (append.store().backend(), append.now());
        let in_room =
            message::Entity::belongs_to(room::Entity).from(message::Column::RoomId).to(room::Column::Id).into();
        let mut messages = message::Entity::find()
            .join(JoinType::InnerJoin, in_room)
            .filter(one_of(backend, message::Column::Id, self.messages.iter().copied()))
            .filter(message::Column::AuthorId.eq(self.user))
            .filter(message::Column::DeletedAt.is_null())
            .filter(room::Column::DeletedAt.is_null())
            .order_by_asc(message::Column::RoomId)
            .order_by_asc(message::Column::Seq)
            .all(append.tx())
            .await?;
        if messages.is_empty() {
            return Ok(0);
        }
        gone::forget(append, &messages.iter().collect::<Vec<_>>()).await?;
        // Nobody will post them again, so nothing is kept by which that would be noticed.
        message::Entity::update_many()
            .set(message::ActiveModel {
                body: Set(String::new()),
                reply_to_seq: Set(None),
                custom: Set(None),
                attachment_count: Set(0),
                mentions: Set(None),
                mentions_room: Set(false),
                client_id: Set(None),
                client_digest: Set(None),
                deleted_at: Set(Some(now)),
                ..Default::default()
            })
            .filter(one_of(backend, message::Column::Id, messages.iter().map(|message| message.id)))
            .exec(append.tx())
            .await?;
        for message in &mut messages {
            message.body.clear();
            (message.reply_to_seq, message.custom, message.attachment_count) = (None, None, 0);
            (message.mentions, message.mentions_room) = (None, false);
            (message.client_id, message.client_digest) = (None, None);
            message.deleted_at = Some(now);
            append.record(NewEvent::message(Kind::MessageDeleted, message.room_id, message.id, message.seq));
            append.wrote(message);
        }
        pin::forget(append, &messages.iter().collect::<Vec<_>>(), None).await?;
        Ok(messages.len() as u64)
    }
}
