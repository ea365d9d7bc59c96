//! Editing and deleting messages.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, IntoActiveModel, QueryFilter};

use super::mention::MentionsChange;
use super::text::Body;
use super::{gone, index, mention, pin};
use crate::chat::access::{Action, Standing};
use crate::chat::change::{Alone, Change};
use crate::chat::reading::forget_own;
use crate::chat::report::report_by_words;
use crate::chat::room::MemberRows;
use crate::chat::words::Verdict;
use crate::chat::{Argument, Chat, Error, Reason, Viewer};
use crate::ids::{MessageId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::position::Position;
use crate::store::entity::{block, message};

impl Chat {
    /// Changes the text of the viewer's own message, and whom it mentions, also after leaving its room. What is so already
    /// changes nothing. Who has left mentions nobody anew.
    ///
    /// # Errors
    /// `NotFound` for another's message in a room that the viewer isn't in, and for one in a deleted room; `Forbidden` for
    /// somebody else's; `Conflict` for a deleted one; `Invalid` for no text where there are no files; [`Reason::Blocked`] between two of whom one has blocked the other;
    /// [`Reason::RefusedWord`] of the list of words; `Invalid` and [`Reason::ModeratorNeeded`] of mentions, as for a new
    /// message.
    pub async fn edit_message(
        &self,
        viewer: &Viewer,
        id: MessageId,
        body: Body,
        mentions: MentionsChange,
    ) -> Result<Altered, Error> {
        let verdict = self.judge(&body);
        self.change(EditMessage { editor: viewer.user, id, body, verdict, mentions }).await
    }

    /// Deletes the viewer's own message, also after leaving its room, or, by the support side of a room with it and by
    /// moderators of a group, any message: a
    /// tombstone without text is left. Deleting it again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for another's message in a room that the viewer isn't in, and for one in a deleted room; `Forbidden` for
    /// somebody else's.
    pub async fn delete_message(&self, viewer: &Viewer, id: MessageId) -> Result<Altered, Error> {
        self.change(DeleteMessage { deleter: viewer.user, id }).await
    }
}

/// A message that its author has changed or deleted.
#[derive(Clone, Debug)]
pub struct Altered {
    /// The message as it is now.
    pub message: message::Model,
    /// Whether the author has left the room, and may see nothing else of it.
    pub has_left: bool,
}

/// Change a message's text.
pub struct EditMessage {
    editor: UserId,
    id: MessageId,
    body: Body,
    /// What the list of words says of the text.
    verdict: Verdict,
    mentions: MentionsChange,
}

impl Change for EditMessage {
    type Outcome = Altered;
}

impl Alone for EditMessage {
    async fn apply(&self, append: &mut Append) -> Result<Altered, Error> {
        let own = message_to_alter(append, self.editor, self.id, Action::EditMessageOf).await?;
        if own.message.deleted_at.is_some() {
            return Err(Error::Conflict { argument: Argument::MessageId, problem: "the message was deleted" });
        }
        if self.body.0.is_empty() && own.message.attachment_count == 0 {
            return Err(Error::invalid(Argument::Body, "must not be empty"));
        }
        let body = self.verdict.masked.as_ref().unwrap_or(&self.body.0);
        let mentions = self.mentions.applied_to(&own.message);
        let stored = mentions.stored(self.editor);
        let says_other = own.message.body != *body;
        if !says_other && (&own.message.mentions, own.message.mentions_room) == (&stored, mentions.room) {
            return Ok(own);
        }
        // What may not be said anew isn't said by the words of before either.
        if block::Entity::is_between_two(append.tx(), own.message.room_id, self.editor).await? {
            return Err(Error::Refused(Reason::Blocked));
        }
        self.verdict.expect_not_refused()?;
        mention::expect_new(append, &own, &mentions).await?;
        let before = own.message.clone();
        let mut row = own.message.into_active_model();
        row.body = Set(body.clone());
        (row.mentions, row.mentions_room) = (Set(stored), Set(mentions.room));
        if says_other {
            row.edited_at = Set(Some(append.now()));
        }
        let (message, position) = write(append, Kind::MessageEdited, self.editor, row).await?;
        mention::replace(append, &before, &message, position).await?;
        index::replace(append, &before, &message).await?;
        if self.verdict.reported {
            report_by_words(append, &[(&message, &self.body.0)]).await?;
        }
        Ok(Altered { message, has_left: own.has_left })
    }
}

/// Delete a message.
pub struct DeleteMessage {
    deleter: UserId,
    id: MessageId,
}

impl Change for DeleteMessage {
    type Outcome = Altered;
}

impl Alone for DeleteMessage {
    async fn apply(&self, append: &mut Append) -> Result<Altered, Error> {
        let own = message_to_alter(append, self.deleter, self.id, Action::DeleteMessageOf).await?;
        if own.message.deleted_at.is_some() {
            return Ok(own);
        }
        let before = own.message.clone();
        let mut row = own.message.into_active_model();
        row.body = Set(String::new());
        row.reply_to_seq = Set(None);
        row.custom = Set(None);
        row.attachment_count = Set(0);
        (row.mentions, row.mentions_room) = (Set(None), Set(false));
        row.deleted_at = Set(Some(append.now()));
        gone::forget(append, &[&before]).await?;
        forget_own(append, &before).await?;
        let (message, _) = write(append, Kind::MessageDeleted, self.deleter, row).await?;
        pin::forget(append, &[&message], Some(self.deleter)).await?;
        Ok(Altered { message, has_left: own.has_left })
    }
}

/// A message that this user may change so, in a room that still exists. Whoever is in the room may do what its rules say; who has
/// left it keeps the say over the own words.
async fn message_to_alter(
    append: &Append,
    user: UserId,
    id: MessageId,
    action: fn(UserId) -> Action,
) -> Result<Altered, Error> {
    // One statement for what is absent and for what isn't the user's to see, so that nothing tells them apart.
    let message = message::Entity::within_reach_of(user).filter(message::Column::Id.eq(id)).one(append.tx()).await?;
    let message = message.ok_or(Error::MESSAGE_NOT_FOUND)?;
    let action = action(message.author_id);
    match MemberRows::one(append, message.room_id, user, action).await {
        Ok(_) => Ok(Altered { message, has_left: false }),
        Err(Error::NotFound { .. }) => {
            Standing::former(user).may(action).map_err(|_| Error::MESSAGE_NOT_FOUND)?;
            Ok(Altered { message, has_left: true })
        }
        Err(error) => Err(error),
    }
}

async fn write(
    append: &mut Append,
    kind: Kind,
    by: UserId,
    row: message::ActiveModel,
) -> Result<(message::Model, Position), Error> {
    let message = row.update(append.tx()).await?;
    let position = append.record(NewEvent::message(kind, message.room_id, message.id, message.seq).by(Some(by)));
    append.wrote(&message);
    Ok((message, position))
}
