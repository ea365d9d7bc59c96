//! Reactions to messages.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{ComplexObject, Context, Description, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::execution::loaders::RowLoader;
use super::message::Message;
use super::user::User;
use super::values::ids;
use super::values::scalars::{DateTime, ShownCursor};
use crate::chat::Error;
use crate::chat::message::Emoji;
use crate::delivery::notice::MessageNotice;
use crate::ids::{MessageId, UserId};
use crate::limits::PerUser;
use crate::store::entity::{reaction, reaction_count};

/// The most users that are told of each kind of reaction.
const MAX_REACTORS: u32 = 10;

/// Loads the kinds of reactions to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReactionsTo(pub MessageId);

impl Loader<ReactionsTo> for RowLoader {
    type Value = Vec<reaction_count::Model>;
    type Error = Error;

    async fn load(&self, keys: &[ReactionsTo]) -> Result<HashMap<ReactionsTo, Self::Value>, Error> {
        let messages: Vec<_> = keys.iter().map(|key| key.0).collect();
        let counts = self.chat.reactions(&messages).await?;
        Ok(counts.into_iter().map(|(message, counts)| (ReactionsTo(message), counts)).collect())
    }
}

/// Loads the first users who have reacted to a message in this way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReactorsOf {
    message: MessageId,
    emoji: String,
}

impl Loader<ReactorsOf> for RowLoader {
    type Value = Vec<UserId>;
    type Error = Error;

    async fn load(&self, keys: &[ReactorsOf]) -> Result<HashMap<ReactorsOf, Vec<UserId>>, Error> {
        let asked: Vec<_> = keys.iter().map(|key| (key.message, key.emoji.clone())).collect();
        let users = self.chat.reactors(&asked, MAX_REACTORS).await?;
        Ok(users.into_iter().map(|((message, emoji), users)| (ReactorsOf { message, emoji }, users)).collect())
    }
}

/// Loads how the viewer has reacted to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnReactionsTo(pub MessageId);

impl Loader<OwnReactionsTo> for RowLoader {
    type Value = Vec<String>;
    type Error = Error;

    async fn load(&self, keys: &[OwnReactionsTo]) -> Result<HashMap<OwnReactionsTo, Vec<String>>, Error> {
        let messages: Vec<_> = keys.iter().map(|key| key.0).collect();
        let own = self.chat.own_reactions(self.viewer()?, &messages).await?;
        Ok(own.into_iter().map(|(message, emoji)| (OwnReactionsTo(message), emoji)).collect())
    }
}

/// The reactions of one kind to a message.
#[derive(Clone, Description)]
pub(crate) struct ReactionGroup(pub reaction_count::Model);

#[Object(use_type_description)]
impl ReactionGroup {
    /// The emoji, or whatever the members react with.
    async fn emoji(&self) -> &str {
        &self.0.emoji
    }

    /// How many have reacted so, members or not any more.
    async fn count(&self) -> i32 {
        self.0.count
    }

    /// The first ten who have reacted so, without those whose accounts have been deleted.
    #[graphql(complexity = "MAX_REACTORS as usize * child_complexity")]
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>, ApiError> {
        let key = ReactorsOf { message: self.0.message_id, emoji: self.0.emoji.clone() };
        let ids = ctx.loader().load_one(key).await?.unwrap_or_default();
        let mut users = ctx.loader().load_many(ids.iter().copied()).await?;
        Ok(ids.iter().filter_map(|id| users.remove(id)).map(User).collect())
    }
}

/// What is specific to the viewer of a message.
#[derive(Clone, Description)]
pub(crate) struct MessageViewer {
    /// The message.
    pub message: MessageId,
    /// The viewer.
    pub user: UserId,
    /// How the viewer has reacted to it.
    pub reactions: Vec<String>,
    /// Whether it mentions the viewer.
    pub mentioned: bool,
}

#[Object(use_type_description)]
impl MessageViewer {
    /// Names it in a client's cache: there is one for each message and viewer. `node` doesn't take it.
    async fn id(&self) -> ID {
        ids::of_message_viewer(self.message, self.user)
    }

    /// How the viewer has reacted to the message, in the order in which the viewer did.
    async fn reactions(&self) -> &[String] {
        &self.reactions
    }

    /// Whether the message mentions the viewer, by name or with everybody in the room.
    async fn mentioned(&self) -> bool {
        self.mentioned
    }
}

/// One reaction that was made or taken back.
#[derive(Clone, Description)]
pub(crate) struct ReactionChange(reaction::Model);

#[Object(use_type_description)]
impl ReactionChange {
    /// The id of who did it.
    async fn user_id(&self) -> ID {
        self.0.user_id.into()
    }

    /// Who did it. Null when the account has been deleted.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>, ApiError> {
        Ok(ctx.loader().load_one(self.0.user_id).await?.map(User))
    }

    /// The emoji, or whatever the member reacts with.
    async fn emoji(&self) -> &str {
        &self.0.emoji
    }

    /// Whether the reaction stands; it was taken back otherwise.
    async fn on(&self) -> bool {
        self.0.is_on
    }
}

event! {
    /// Members reacted to a message, or took reactions back. Reactions that are made at the same time come as one event.
    #[graphql(complex)]
    ReactionsChanged {
        /// The message, with its reactions as they are now.
        message: Message,
        #[graphql(skip)]
        rows: Vec<reaction::Model>,
    }
}

#[ComplexObject]
impl ReactionsChanged {
    /// Who reacted or took a reaction back, and how, as it stands now. What has changed again since is left to the event of
    /// that, so the changes of all events together are what is so. A client needs no field of `viewer` to know its own.
    #[graphql(complexity = "10 * child_complexity")]
    async fn changes(&self) -> Vec<ReactionChange> {
        self.rows.iter().cloned().map(ReactionChange).collect()
    }
}

pub(super) fn event(stamp: Stamp, notice: &MessageNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    ReactionsChanged { cursor, at, message: notice.into(), rows: notice.reactions.clone() }.into()
}

/// The message that was reacted to.
#[derive(SimpleObject)]
pub(crate) struct SetReactionPayload {
    /// The message, with its reactions as they are now.
    message: Message,
}

/// Reacting.
#[derive(Default)]
pub(crate) struct ReactionMutation;

#[Object]
impl ReactionMutation {
    /// Reacts to a message, or takes a reaction back: it says how it is to be, so asking twice does no harm. All members
    /// receive `ReactionsChanged`, unless nothing is new. It doesn't count as unread.
    ///
    /// Errors: `NOT_FOUND` when the viewer sees no such message; `BAD_USER_INPUT` for what is no reaction; `CONFLICT` when
    /// the message was deleted, or has 20 kinds of reactions; `FORBIDDEN` with `TIMED_OUT`, with `BLOCKED`. Taking one back
    /// is refused for none of the last three.
    async fn set_reaction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id: `msg_…`.")] message_id: MessageId,
        #[graphql(
            desc = "An emoji, or any text of 1 to 64 bytes without white space, such as `:party:`. U+FE0F is dropped."
        )]
        emoji: String,
        #[graphql(desc = "Whether the reaction is to stand.", default = true)] on: bool,
    ) -> Result<SetReactionPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let message = ctx.chat().set_reaction(viewer, message_id, Emoji::parse(&emoji)?, on).await?;
        Ok(SetReactionPayload { message: message.into() })
    }
}
