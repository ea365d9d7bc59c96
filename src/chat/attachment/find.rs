//! Who fetches files, and what messages have.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::chat::{Chat, Error, Viewer};
use crate::ids::{AttachmentId, MessageId};
use crate::store::entity::attachment::{self, AttachmentState};
use crate::store::entity::message;
use crate::store::list::{Rows, columns, one_of};

impl Chat {
    /// The files of these messages, each in its order: one statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn attachments(
        &self,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<attachment::Model>>, Error> {
        let asked = one_of(self.store.backend(), attachment::Column::MessageId, messages.iter().copied());
        let rows = attachment::Entity::find().filter(asked).filter(attachment::Column::DeletedAt.is_null());
        let mut found: HashMap<_, Vec<_>> = HashMap::new();
        for row in rows.order_by_asc(attachment::Column::Place).all(self.store.read()).await? {
            if let Some(message) = row.message_id {
                found.entry(message).or_default().push(row);
            }
        }
        Ok(found)
    }

    /// A file that can be fetched: it is there, and so are its owner, its message and its room.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn living_attachment(&self, id: AttachmentId) -> Result<Option<attachment::Model>, Error> {
        let asked = Rows::new(self.store.backend(), [[id.into()]]);
        let sql = format!(
            "WITH asked (id) AS ({rows}) SELECT {columns} FROM asked JOIN attachment ON attachment.id = asked.id \
             JOIN \"user\" AS owner ON owner.id = attachment.owner_id AND owner.deleted_at IS NULL \
             LEFT JOIN message ON message.id = attachment.message_id AND message.deleted_at IS NULL \
             LEFT JOIN room ON room.id = message.room_id AND room.deleted_at IS NULL \
             WHERE attachment.deleted_at IS NULL AND (attachment.message_id IS NULL OR room.id IS NOT NULL)",
            rows = asked.sql,
            columns = columns::<attachment::Entity>(),
        );
        let statement = self.store.statement(&sql, asked.values);
        let found = attachment::Entity::find().from_raw_sql(statement).one(self.store.read()).await?;
        Ok(found.filter(|row| row.state == AttachmentState::Ready))
    }

    /// Whether this user sees the message of a file, or has uploaded it and not posted it yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sees_attachment(&self, viewer: &Viewer, row: &attachment::Model) -> Result<bool, Error> {
        let Some(message) = row.message_id else { return Ok(row.owner_id == viewer.user) };
        let seen = message::Entity::visible_to(viewer.user).filter(message::Column::Id.eq(message));
        Ok(seen.one(self.store.read()).await?.is_some())
    }
}
