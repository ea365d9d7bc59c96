//! Mentioning users, and everybody in a room.

use std::collections::{BTreeSet, HashSet};

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};
use uuid::Uuid;

use super::alter::Altered;
use super::post::Post;
use crate::chat::access::Action;
use crate::chat::room::MemberRows;
use crate::chat::{Argument, Error};
use crate::ids::{RoomId, UserId};
use crate::log::Append;
use crate::position::Position;
use crate::store::entity::mention_added::{self, EVERYBODY};
use crate::store::entity::{member, mention, message};
use crate::store::list::{ROWS_PER_STATEMENT, Rows};

/// The most users that one message mentions.
const MAX_MENTIONS: usize = 50;

/// Whom a message mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    pub(super) users: BTreeSet<UserId>,
    pub(super) room: bool,
}

/// What is to change of whom a message mentions. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct MentionsChange {
    users: Option<BTreeSet<UserId>>,
    room: Option<bool>,
}

/// Each user once. Who isn't there is somebody who is in no room.
fn users(given: Vec<Option<UserId>>) -> Result<BTreeSet<UserId>, Error> {
    if given.len() > MAX_MENTIONS {
        let problem = format!("a message mentions at most {MAX_MENTIONS} users");
        return Err(Error::invalid(Argument::Mentions, problem));
    }
    Ok(given.into_iter().map(|user| user.unwrap_or(UserId(Uuid::nil()))).collect())
}

/// The same for all who aren't in the room, whoever they are.
fn no_member() -> Error {
    Error::invalid(Argument::Mentions, "only members of the room are mentioned")
}

impl Mentions {
    /// These users, and everybody.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are more than 50.
    pub fn new(given: Vec<Option<UserId>>, room: bool) -> Result<Self, Error> {
        Ok(Self { users: users(given)?, room })
    }

    fn of(message: &message::Model) -> Self {
        Self { users: message.mentioned().collect(), room: message.mentions_room }
    }

    /// As they are kept of a message of this author, who is none of them.
    pub(super) fn stored(&self, author: UserId) -> Option<String> {
        let ids = self.users.iter().filter(|user| **user != author).map(|user| user.0.simple().to_string());
        Some(ids.collect::<Vec<_>>().join(" ")).filter(|ids| !ids.is_empty())
    }

    /// What tells them from others, in the digest of a post.
    pub(super) fn digested(&self) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        let users: Vec<u8> = self.users.iter().flat_map(|user| *user.0.as_bytes()).collect();
        let users = (!users.is_empty()).then_some(("mentions", users));
        users.into_iter().chain(self.room.then(|| ("mentionsRoom", Vec::new())))
    }
}

impl MentionsChange {
    /// These users instead of those that there are, and everybody or not; `None` leaves it as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there are more than 50.
    pub fn new(given: Option<Vec<Option<UserId>>>, room: Option<bool>) -> Result<Self, Error> {
        Ok(Self { users: given.map(users).transpose()?, room })
    }

    /// What a message mentions with this change.
    pub(super) fn applied_to(&self, message: &message::Model) -> Mentions {
        let before = Mentions::of(message);
        let mut users = self.users.clone().unwrap_or(before.users);
        users.remove(&message.author_id);
        Mentions { users, room: self.room.unwrap_or(before.room) }
    }
}

/// Those who are to be mentioned and may be: members of the rooms, as the others there see them.
#[derive(Default)]
pub(super) struct Mentionable(HashSet<(RoomId, UserId)>);

impl Mentionable {
    /// Those whom these posts mention.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn of_posts(posts: &[&Post], append: &Append) -> Result<Self, DbErr> {
        let mut asked = BTreeSet::new();
        for post in posts {
            asked.extend(post.mentioned());
        }
        Self::load(append, asked).await
    }

    /// Looks them up: one statement for each thousand, and none where nobody is mentioned.
    ///
    /// # Errors
    /// When the database fails.
    async fn load(append: &Append, asked: BTreeSet<(RoomId, UserId)>) -> Result<Self, DbErr> {
        let asked: Vec<_> = asked.into_iter().collect();
        let mut found = HashSet::new();
        for asked in asked.chunks(ROWS_PER_STATEMENT) {
            let rows = asked.iter().map(|(room, user)| [(*room).into(), (*user).into()]);
            let rows = Rows::new(append.store().backend(), rows);
            let sql = format!(
                "WITH asked (room_id, user_id) AS ({rows}) SELECT member.room_id AS room_id, member.user_id AS user_id \
                 FROM asked JOIN member ON member.room_id = asked.room_id AND member.user_id = asked.user_id \
                 AND {is_counted}",
                rows = rows.sql,
                is_counted = member::is_counted("member"),
            );
            for row in append.tx().query_all_raw(append.store().statement(&sql, rows.values)).await? {
                found.insert((row.try_get("", "room_id")?, row.try_get("", "user_id")?));
            }
        }
        Ok(Self(found))
    }

    /// Refuses a message of this author that mentions others than members.
    ///
    /// # Errors
    /// [`Error::Invalid`], the same for all who aren't.
    pub(super) fn expect(&self, mentions: &Mentions, room: RoomId, author: UserId) -> Result<(), Error> {
        let are = mentions.users.iter().all(|user| *user == author || self.0.contains(&(room, *user)));
        are.then_some(()).ok_or_else(no_member)
    }
}

/// The rows by which whom this message mentions is found.
fn rows(message: &message::Model) -> impl Iterator<Item = mention::Model> {
    message.mentioned().map(|user_id| mention::Model {
        user_id,
        room_id: message.room_id,
        seq: message.seq,
        author_id: message.author_id,
        position: message.position.unwrap_or_default(),
    })
}

/// Keeps whom a new message mentions.
pub(super) fn record(append: &mut Append, message: &message::Model) {
    for row in rows(message) {
        append.mention(row);
    }
}

/// Checks that these may be mentioned by a message that is changed, as far as they weren't before.
///
/// # Errors
/// [`Error::Invalid`] for those who aren't members, and all of them for an author who has left; [`Error::Refused`] when the
/// author may not mention the room.
pub(super) async fn expect_new(append: &Append, own: &Altered, mentions: &Mentions) -> Result<(), Error> {
    let (room, author, before) = (own.message.room_id, own.message.author_id, Mentions::of(&own.message));
    let new = Mentions { users: &mentions.users - &before.users, room: mentions.room && !before.room };
    if own.has_left && new != Mentions::default() {
        return Err(no_member());
    }
    if new.room {
        MemberRows::one(append, room, author, Action::MentionRoom).await?;
    }
    let mentionable = Mentionable::load(append, new.users.iter().map(|user| (room, *user)).collect()).await?;
    mentionable.expect(&new, room, author)
}

/// Keeps whom a message mentions that was changed by the event at this position, and who of them is new.
///
/// # Errors
/// When the database fails.
pub(super) async fn replace(
    append: &Append,
    before: &message::Model,
    message: &message::Model,
    position: Position,
) -> Result<(), DbErr> {
    let (now, then) = (Mentions::of(message), Mentions::of(before));
    let everybody = (now.room && !then.room).then_some(EVERYBODY);
    let added = now.users.difference(&then.users).copied().chain(everybody);
    let added: Vec<_> = added.map(|user_id| mention_added::Model { position, user_id }.into_active_model()).collect();
    if !added.is_empty() {
        mention_added::Entity::insert_many(added).exec_without_returning(append.tx()).await?;
    }
    if before.mentions == message.mentions {
        return Ok(());
    }
    forget(append, &[before]).await?;
    let rows: Vec<_> = rows(message).map(IntoActiveModel::into_active_model).collect();
    if !rows.is_empty() {
        mention::Entity::insert_many(rows).exec_without_returning(append.tx()).await?;
    }
    Ok(())
}

/// Forgets whom these messages mention, which were deleted or changed.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget(append: &Append, messages: &[&message::Model]) -> Result<(), DbErr> {
    for message in messages.iter().filter(|message| message.mentions.is_some()) {
        mention::Entity::delete_many()
            .filter(mention::Column::RoomId.eq(message.room_id))
            .filter(mention::Column::Seq.eq(message.seq))
            .exec(append.tx())
            .await?;
    }
    Ok(())
}
