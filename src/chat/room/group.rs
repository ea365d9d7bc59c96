//! What a group has that a direct room hasn't, and changing it.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel};

use super::open;
use super::rows::room_for;
use crate::chat::access::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::custom::{Custom, Patch};
use crate::chat::user::avatar_url;
use crate::chat::{Actor, Argument, Chat, Error, Reason};
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::position::Position;
use crate::store::entity::member::{self, RoomRole};
use crate::store::entity::room::{self, JoinPolicy, PostingPolicy};
use crate::text::visible;

/// The longest time between two posts of a member: six hours.
const MAX_SLOW_MODE_SECS: i32 = 21_600;

/// Texts that a group shows of itself.
pub(super) struct GroupText;

impl GroupText {
    /// The most characters of a name.
    const MAX_NAME_CHARS: usize = 100;
    /// The most characters of a topic.
    const MAX_TOPIC_CHARS: usize = 500;

    /// A name, without the space around it.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `name`.
    pub(super) fn name(text: &str) -> Result<String, Error> {
        Self::line(text, Self::MAX_NAME_CHARS, Argument::Name)
    }

    /// A topic, without the space around it.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `topic`.
    pub(super) fn topic(text: &str) -> Result<String, Error> {
        Self::line(text, Self::MAX_TOPIC_CHARS, Argument::Topic)
    }

    fn line(text: &str, max: usize, argument: Argument) -> Result<String, Error> {
        let text = text.trim();
        if !(1..=max).contains(&text.chars().count()) {
            return Err(Error::invalid(argument, format!("must have 1 to {max} characters")));
        }
        match visible::problem_of_name(text) {
            Some(problem) => Err(Error::invalid(argument, problem)),
            None => Ok(text.to_owned()),
        }
    }
}

/// A member who joins by the event at this position.
pub(super) fn member(
    append: &Append,
    room_id: RoomId,
    user_id: UserId,
    role: RoomRole,
    joined_position: Position,
) -> member::Model {
    member::Model {
        room_id,
        user_id,
        joined_position,
        left_position: None,
        read_seq: 0,
        muted: false,
        unread_from: None,
        unread_own: 0,
        joined_at: append.now(),
        hidden: false,
        role,
        timeout_until: None,
        last_post_at: None,
        mentions_only: false,
    }
}

/// What is to change of a group. What is `None` stays as it is, and `Some(None)` removes it.
#[derive(Clone, Debug, Default)]
pub struct GroupPatch {
    /// What it is called.
    pub name: Option<Option<String>>,
    /// What it is about.
    pub topic: Option<Option<String>>,
    /// Where a picture of it is.
    pub avatar_url: Option<Option<String>>,
    /// What the app keeps about it.
    pub custom: Option<Patch>,
    /// Who may join it.
    pub join_policy: Option<JoinPolicy>,
    /// Who may post in it.
    pub posting_policy: Option<PostingPolicy>,
    /// How many seconds a member waits between two posts; 0 is not at all.
    pub slow_mode_secs: Option<i32>,
}

impl Chat {
    /// Changes a group; its members are notified, unless nothing of it is new.
    ///
    /// # Errors
    /// `Invalid` of what is not acceptable; `NotFound` for a room that the user isn't in; [`Reason::ServerKeyNeeded`] for
    /// the app's data by anybody else; [`Reason::DirectRoom`]; [`Reason::ModeratorNeeded`].
    pub async fn update_room(&self, actor: Actor, room: RoomId, patch: GroupPatch) -> Result<room::Model, Error> {
        if patch.custom.is_some() && !actor.key {
            return Err(Error::Refused(Reason::ServerKeyNeeded));
        }
        if patch.slow_mode_secs.is_some_and(|secs| !(0..=MAX_SLOW_MODE_SECS).contains(&secs)) {
            return Err(Error::invalid(Argument::SlowModeSecs, format!("must be 0 to {MAX_SLOW_MODE_SECS}")));
        }
        let patch = GroupPatch {
            name: patch.name.map(|name| name.as_deref().map(GroupText::name).transpose()).transpose()?,
            topic: patch.topic.map(|topic| topic.as_deref().map(GroupText::topic).transpose()).transpose()?,
            avatar_url: patch.avatar_url.map(|url| url.map(avatar_url).transpose()).transpose()?,
            ..patch
        };
        self.change(UpdateRoom { actor, room, patch }).await
    }
}

/// Change a group.
pub struct UpdateRoom {
    actor: Actor,
    room: RoomId,
    patch: GroupPatch,
}

impl Change for UpdateRoom {
    type Outcome = room::Model;
}

impl Alone for UpdateRoom {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let present = room_for(append, self.actor, self.room, Action::UpdateRoom).await?;
        let mut room = present.clone();
        let GroupPatch { name, topic, avatar_url, custom, join_policy, posting_policy, slow_mode_secs } = &self.patch;
        for (column, given) in [(&mut room.name, name), (&mut room.topic, topic), (&mut room.avatar_url, avatar_url)] {
            if let Some(given) = given {
                column.clone_from(given);
            }
        }
        if let Some(patch) = custom {
            room.custom = Custom::from_text(present.custom.as_deref()).patched(patch)?.into_text();
        }
        room.join_policy = join_policy.unwrap_or(room.join_policy);
        room.posting_policy = posting_policy.unwrap_or(room.posting_policy);
        room.slow_mode_secs = slow_mode_secs.unwrap_or(room.slow_mode_secs);
        if room == present {
            return Ok(room);
        }
        let found_anew = (&room.name, room.join_policy) != (&present.name, present.join_policy);
        let changed = room::ActiveModel {
            name: Set(room.name),
            topic: Set(room.topic),
            avatar_url: Set(room.avatar_url),
            custom: Set(room.custom),
            join_policy: Set(room.join_policy),
            posting_policy: Set(room.posting_policy),
            slow_mode_secs: Set(room.slow_mode_secs),
            ..present.into_active_model()
        };
        let room = changed.update(append.tx()).await?;
        if found_anew {
            open::keep_words(append, &room).await?;
        }
        append.record(NewEvent::room_updated(self.room).by(self.actor.user));
        Ok(room)
    }
}
