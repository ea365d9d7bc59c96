//! What is unread: counts of it, and marking messages as unread.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel,
    PaginatorTrait, QueryFilter,
};

use super::Action;
use crate::chat::change::{Alone, Change};
use crate::chat::room::MemberRows;
use crate::chat::{Argument, Chat, Error, Viewer};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::{block, member, message, room};
use crate::store::list::{ROWS_PER_STATEMENT, Rows};

/// How many messages at most lie between the newest that a member has read and the one from which on they are marked as unread: as
/// many are looked at, once.
const MAX_MARKED: i32 = 10_000;

/// What a user has not read, in all rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromQueryResult)]
pub struct UnreadSummary {
    /// Whose it is.
    pub user_id: UserId,
    /// Rooms with messages that the user has not read, without those that are muted.
    pub rooms: i64,
    /// Messages of others in these rooms that the user has not read.
    pub messages: i64,
    /// Messages in all rooms that mention the user, who has not read them.
    pub mentions: i64,
    /// What a badge shows.
    pub badge: i64,
}

/// `seq` beyond which messages count as unread, of the row `member`.
const MARK: &str = "COALESCE(member.unread_from - 1, member.read_seq)";

/// The messages of others, not deleted, beyond the mark of the row `member`, as SQL for statements that call the row of the
/// room `room`. What it reads grows with the messages deleted since the mark, and with the member's own behind it, not with
/// those posted.
pub(super) const UNREAD_COUNT: &str = "CAST(room.last_seq - COALESCE(member.unread_from - 1, member.read_seq) \
    - (SELECT count(*) FROM message WHERE message.room_id = member.room_id \
    AND message.seq > COALESCE(member.unread_from - 1, member.read_seq) \
    AND message.deleted_at IS NOT NULL) - (SELECT count(*) FROM message AS own \
    WHERE own.room_id = member.room_id AND own.author_id = member.user_id AND own.seq > member.read_seq \
    AND own.author_behind AND own.deleted_at IS NULL) \
    - CASE WHEN member.unread_from IS NULL THEN 0 ELSE member.unread_own END AS integer)";

/// The messages beyond the mark that mention the member of the row `member`, by name or with the room, but not those of authors
/// whom the member blocks. SQL, of which what is read grows with what it counts.
fn unread_mentions() -> String {
    let named = block::blocks("member.user_id", "mention.author_id");
    let called = block::blocks("member.user_id", "called.author_id");
    format!(
        "CAST((SELECT count(*) FROM mention WHERE mention.user_id = member.user_id \
           AND mention.room_id = member.room_id AND mention.seq > {MARK} AND NOT {named}) \
         + (SELECT count(*) FROM message AS called WHERE called.room_id = member.room_id AND called.mentions_room \
           AND called.seq > {MARK} AND called.author_id <> member.user_id AND NOT {called} \
           AND NOT EXISTS (SELECT 1 FROM mention AS also WHERE also.user_id = member.user_id \
             AND also.room_id = called.room_id AND also.seq = called.seq)) AS integer)"
    )
}

impl Chat {
    /// How many messages that the viewer has not read mention the viewer, in each of these rooms. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unread_mentions(&self, viewer: &Viewer, rooms: &[RoomId]) -> Result<HashMap<RoomId, i32>, Error> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut rows = Rows::new(self.store.backend(), rooms.iter().map(|room| [(*room).into()]));
        rows.values.push(viewer.user.into());
        let sql = format!(
            "WITH asked (room_id) AS ({rows}) SELECT member.room_id AS room_id, {mentions} AS mentions FROM asked \
             JOIN member ON member.room_id = asked.room_id AND member.user_id = ${viewer} AND {is_present}",
            rows = rows.sql,
            mentions = unread_mentions(),
            is_present = member::is_present("member"),
            viewer = rows.values.len(),
        );
        let found = self.store.read().query_all_raw(self.store.statement(&sql, rows.values)).await?;
        let counted = found.iter().map(|row| Ok((row.try_get("", "room_id")?, row.try_get("", "mentions")?)));
        Ok(counted.collect::<Result<_, sea_orm::DbErr>>()?)
    }

    /// What the viewer has not read, in all rooms. One statement over the viewer's rooms.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unread(&self, viewer: &Viewer) -> Result<UnreadSummary, Error> {
        let found = self.unread_of(&[viewer.user]).await?.pop();
        Ok(found.unwrap_or(UnreadSummary { user_id: viewer.user, rooms: 0, messages: 0, mentions: 0, badge: 0 }))
    }

    /// What badges of these users show; one without anything unread may have no entry.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn badges(&self, users: impl IntoIterator<Item = UserId>) -> Result<HashMap<UserId, i64>, Error> {
        let users: Vec<UserId> = users.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut badges = HashMap::with_capacity(users.len());
        for users in users.chunks(ROWS_PER_STATEMENT) {
            badges.extend(self.unread_of(users).await?.into_iter().map(|found| (found.user_id, found.badge)));
        }
        Ok(badges)
    }

    /// What these users have not read, of those who have anything unread.
    async fn unread_of(&self, users: &[UserId]) -> Result<Vec<UnreadSummary>, Error> {
        let rows = Rows::new(self.store.backend(), users.iter().map(|user| [(*user).into()]));
        let sql = format!(
            "WITH asked (user_id) AS ({rows}) \
             SELECT user_id, CAST(sum(CASE WHEN muted OR unread = 0 THEN 0 ELSE 1 END) AS bigint) AS rooms, \
             CAST(sum(CASE WHEN muted THEN 0 ELSE unread END) AS bigint) AS messages, \
             CAST(sum(mentions) AS bigint) AS mentions, \
             CAST(sum(CASE WHEN muted OR mentions_only THEN mentions ELSE unread END) AS bigint) AS badge \
             FROM (SELECT member.user_id AS user_id, member.muted AS muted, member.mentions_only AS mentions_only, \
                 {UNREAD_COUNT} AS unread, {mentions} AS mentions \
               FROM asked JOIN member ON member.user_id = asked.user_id AND {is_present} \
               JOIN room ON room.id = member.room_id AND room.last_seq > {MARK}) AS theirs \
             GROUP BY user_id",
            rows = rows.sql,
            mentions = unread_mentions(),
            is_present = member::is_present("member"),
        );
        let statement = self.store.statement(&sql, rows.values);
        Ok(UnreadSummary::find_by_statement(statement).all(self.store.read()).await?)
    }

    /// Has the viewer's count of unread messages begin at this one, which the viewer has read. Nobody else is told, and others
    /// see the viewer's mark where it was. Reading on ends it, and so does posting. One that isn't read yet ends it too.
    ///
    /// # Errors
    /// `NotFound` for a message that the viewer can't see; `Invalid` when 10,000 messages that were read come after it.
    pub async fn mark_unread(&self, viewer: &Viewer, message: MessageId) -> Result<room::Model, Error> {
        self.change(MarkUnread { user: viewer.user, message }).await
    }
}

/// Mark messages as unread, from one on.
pub struct MarkUnread {
    user: UserId,
    message: MessageId,
}

impl Change for MarkUnread {
    type Outcome = room::Model;
}

impl Alone for MarkUnread {
    async fn apply(&self, append: &mut Append) -> Result<room::Model, Error> {
        let message = message::Entity::visible_to(self.user).filter(message::Column::Id.eq(self.message));
        let message = message.one(append.tx()).await?.ok_or(Error::MESSAGE_NOT_FOUND)?;
        let (room, member) = MemberRows::one(append, message.room_id, self.user, Action::MarkRead).await?;
        let from = (message.seq <= member.read_seq).then_some(message.seq);
        if from == member.unread_from {
            return Ok(room);
        }
        if member.read_seq - message.seq >= MAX_MARKED {
            let problem = format!("must be one of the {MAX_MARKED} messages that were read last");
            return Err(Error::invalid(Argument::MessageId, problem));
        }
        let own = message::Entity::find()
            .filter(message::Column::RoomId.eq(room.id))
            .filter(message::Column::Seq.gte(message.seq))
            .filter(message::Column::Seq.lte(member.read_seq))
            .filter(message::Column::AuthorId.eq(self.user))
            .filter(message::Column::DeletedAt.is_null())
            .count(append.tx())
            .await?;
        let mut member = member.into_active_model();
        (member.unread_from, member.unread_own) = (Set(from), Set(i32::try_from(own).unwrap_or(i32::MAX)));
        member.update(append.tx()).await?;
        append.record(NewEvent::room_viewer_changed(self.user, room.id));
        Ok(room)
    }
}

/// Takes a message that is deleted out of what its author has marked as unread.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget_own(append: &Append, message: &message::Model) -> Result<(), sea_orm::DbErr> {
    let sql = "UPDATE member SET unread_own = unread_own - 1 WHERE room_id = $1 AND user_id = $2 \
               AND unread_from <= $3 AND read_seq >= $3";
    let values = vec![message.room_id.into(), message.author_id.into(), message.seq.into()];
    append.tx().execute_raw(append.store().statement(sql, values)).await?;
    Ok(())
}
