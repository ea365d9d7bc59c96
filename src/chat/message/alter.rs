//! Editing and deleting messages.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, IntoActiveModel, QueryFilter};

use super::text::Body;
use crate::chat::access::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::room::MemberRows;
use crate::chat::{Argument, Chat, Error, Viewer};
use crate::ids::{MessageId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::store::entity::message;

impl Chat {
    /// Changes the text of the viewer's own message. The same text again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a message in a room that the viewer isn't in; `Forbidden` for somebody else's; `Conflict` for a
    /// deleted one.
    pub async fn edit_message(&self, viewer: &Viewer, id: MessageId, body: Body) -> Result<message::Model, Error> {
        self.change(EditMessage { editor: viewer.user, id, body }).await
    }

    /// Deletes the viewer's own message: a tombstone without text is left. Deleting it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a message in a room that the viewer isn't in; `Forbidden` for somebody else's.
    pub async fn delete_message(&self, viewer: &Viewer, id: MessageId) -> Result<message::Model, Error> {
        self.change(DeleteMessage { deleter: viewer.user, id }).await
    }
}

/// Change a message's text.
pub struct EditMessage {
    editor: UserId,
    id: MessageId,
    body: Body,
}

impl Change for EditMessage {
    type Outcome = message::Model;
}

impl Alone for EditMessage {
    async fn apply(&self, append: &mut Append) -> Result<message::Model, Error> {
        let message = own_message(append, self.editor, self.id).await?;
        if message.deleted_at.is_some() {
            return Err(Error::Conflict { argument: Argument::MessageId, problem: "the message was deleted" });
        }
        if message.body == self.body.0 {
            return Ok(message);
        }
        let mut row = message.into_active_model();
        row.body = Set(self.body.0.clone());
        row.edited_at = Set(Some(append.now()));
        write(append, Kind::MessageEdited, row).await
    }
}

/// Delete a message.
pub struct DeleteMessage {
    deleter: UserId,
    id: MessageId,
}

impl Change for DeleteMessage {
    type Outcome = message::Model;
}

impl Alone for DeleteMessage {
    async fn apply(&self, append: &mut Append) -> Result<message::Model, Error> {
        let message = own_message(append, self.deleter, self.id).await?;
        if message.deleted_at.is_some() {
            return Ok(message);
        }
        let mut row = message.into_active_model();
        row.body = Set(String::new());
        row.deleted_at = Set(Some(append.now()));
        write(append, Kind::MessageDeleted, row).await
    }
}

/// A message that this user wrote, in a room that the user is still in.
async fn own_message(append: &Append, user: UserId, id: MessageId) -> Result<message::Model, Error> {
    // One statement for what is absent and for what isn't the user's to see, so that nothing tells them apart.
    let message = message::Entity::visible_to(user).filter(message::Column::Id.eq(id)).one(append.tx()).await?;
    let message = message.ok_or(Error::MESSAGE_NOT_FOUND)?;
    match MemberRows::one(append, message.room_id, user, Action::AlterMessageOf(message.author_id)).await {
        Ok(_) => Ok(message),
        Err(Error::NotFound { .. }) => Err(Error::MESSAGE_NOT_FOUND),
        Err(error) => Err(error),
    }
}

async fn write(append: &mut Append, kind: Kind, row: message::ActiveModel) -> Result<message::Model, Error> {
    let message = row.update(append.tx()).await?;
    append.record(NewEvent::message(kind, message.room_id, message.id, message.seq));
    append.wrote(&message);
    Ok(message)
}
