//! What the app keeps about a message.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, IntoActiveModel, QueryFilter};

use crate::chat::change::{Alone, Change};
use crate::chat::custom::{Custom, Patch};
use crate::chat::{Actor, Argument, Chat, Error, Reason};
use crate::ids::MessageId;
use crate::log::{Append, Kind, NewEvent};
use crate::store::entity::message;

impl Chat {
    /// Changes what the app keeps about a message, for its own backend; its room is notified, unless nothing is new. It
    /// doesn't count as editing.
    ///
    /// # Errors
    /// [`Reason::ServerKeyNeeded`]; `NotFound` when there is no such message; `Conflict` for a deleted one; `Invalid` when
    /// it would be too large or too deep.
    pub async fn update_message(
        &self,
        actor: Actor,
        message: MessageId,
        patch: Patch,
    ) -> Result<message::Model, Error> {
        if !actor.key {
            return Err(Error::Refused(Reason::ServerKeyNeeded));
        }
        self.change(UpdateMessage { actor, message, patch }).await
    }
}

/// Change what the app keeps about a message.
pub struct UpdateMessage {
    actor: Actor,
    message: MessageId,
    patch: Patch,
}

impl Change for UpdateMessage {
    type Outcome = message::Model;
}

impl Alone for UpdateMessage {
    async fn apply(&self, append: &mut Append) -> Result<message::Model, Error> {
        let present = message::Entity::in_live_rooms().filter(message::Column::Id.eq(self.message));
        let present = present.one(append.tx()).await?.ok_or(Error::MESSAGE_NOT_FOUND)?;
        if present.deleted_at.is_some() {
            return Err(Error::Conflict { argument: Argument::MessageId, problem: "the message was deleted" });
        }
        let custom = Custom::from_text(present.custom.as_deref()).patched(&self.patch)?.into_text();
        if custom == present.custom {
            return Ok(present);
        }
        let mut row = present.into_active_model();
        row.custom = Set(custom);
        let message = row.update(append.tx()).await?;
        let event = NewEvent::message(Kind::MessageEdited, message.room_id, message.id, message.seq);
        append.record(event.by(self.actor.user));
        append.wrote(&message);
        Ok(message)
    }
}
