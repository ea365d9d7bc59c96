//! Reacting to messages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

use super::emoji::Emoji;
use crate::chat::access::Action;
use crate::chat::change::{Bulk, Change};
use crate::chat::room::MemberRows;
use crate::chat::{Argument, Chat, Error, Reason, Viewer};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::position::Position;
use crate::store::entity::{block, member, message, reaction, reaction_count};
use crate::store::list::{ROWS_PER_STATEMENT, Rows, columns, one_of};

/// The most kinds of reactions to one message. Discord's limit, too.
const MAX_KINDS: usize = 20;

impl Chat {
    /// Has the viewer's reaction of this kind stand, or not. What is so already changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a message that the viewer can't see; `Conflict` for a deleted one, and for one that has 20 kinds of
    /// reactions; [`Reason::TimedOut`]; [`Reason::Blocked`] between two of whom one has blocked the other. Taking a reaction
    /// back is refused for none of these but the first.
    pub async fn set_reaction(
        &self,
        viewer: &Viewer,
        message: MessageId,
        emoji: Emoji,
        on: bool,
    ) -> Result<message::Model, Error> {
        self.change(SetReaction { user: viewer.user, message, emoji, on }).await
    }

    /// The kinds of reactions to each of these messages, in the order in which each was first used. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reactions(
        &self,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<reaction_count::Model>>, Error> {
        let mut found: HashMap<MessageId, Vec<reaction_count::Model>> = HashMap::new();
        if messages.is_empty() {
            return Ok(found);
        }
        let asked = one_of(self.store.backend(), reaction_count::Column::MessageId, messages.iter().copied());
        for count in reaction_count::Entity::find().filter(asked).all(self.store.read()).await? {
            found.entry(count.message_id).or_default().push(count);
        }
        for counts in found.values_mut() {
            counts.sort_by(|a, b| (a.first_at, &a.emoji).cmp(&(b.first_at, &b.emoji)));
        }
        Ok(found)
    }

    /// The first users who have reacted to each of these messages in this way: at most so many. One statement, which reads
    /// no others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reactors(
        &self,
        asked: &[(MessageId, String)],
        limit: u32,
    ) -> Result<HashMap<(MessageId, String), Vec<UserId>>, Error> {
        let mut found: HashMap<(MessageId, String), Vec<UserId>> = HashMap::new();
        if asked.is_empty() || limit == 0 {
            return Ok(found);
        }
        let rows = asked.iter().map(|(message, emoji)| [(*message).into(), emoji.clone().into()]);
        let mut rows = Rows::new(self.store.backend(), rows);
        rows.values.push(far_ahead().into());
        let sql = format!(
            "WITH asked (message_id, emoji) AS ({rows}) SELECT {columns} FROM asked JOIN reaction \
             ON reaction.message_id = asked.message_id AND reaction.emoji = asked.emoji AND reaction.is_on \
             AND reaction.at <= COALESCE((SELECT next.at FROM reaction AS next WHERE next.message_id = asked.message_id \
               AND next.emoji = asked.emoji AND next.is_on ORDER BY next.at LIMIT 1 OFFSET {last}), ${far}) \
             ORDER BY reaction.at",
            rows = rows.sql,
            columns = columns::<reaction::Entity>(),
            last = limit - 1,
            far = rows.values.len(),
        );
        let statement = self.store.statement(&sql, rows.values);
        for row in reaction::Entity::find().from_raw_sql(statement).all(self.store.read()).await? {
            found.entry((row.message_id, row.emoji)).or_default().push(row.user_id);
        }
        Ok(found)
    }

    /// How the viewer has reacted to each of these messages, in the order in which the viewer did. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn own_reactions(
        &self,
        viewer: &Viewer,
        messages: &[MessageId],
    ) -> Result<HashMap<MessageId, Vec<String>>, Error> {
        let mut found: HashMap<MessageId, Vec<reaction::Model>> = HashMap::new();
        let own = reaction::Entity::find()
            .filter(reaction::Column::UserId.eq(viewer.user))
            .filter(one_of(self.store.backend(), reaction::Column::MessageId, messages.iter().copied()))
            .filter(reaction::Column::IsOn.eq(true));
        for row in own.all(self.store.read()).await? {
            found.entry(row.message_id).or_default().push(row);
        }
        let in_order = |mut rows: Vec<reaction::Model>| {
            rows.sort_by_key(|row| row.at);
            rows.into_iter().map(|row| row.emoji).collect()
        };
        Ok(found.into_iter().map(|(message, rows)| (message, in_order(rows))).collect())
    }
}

/// Later than anything that happens: as text as well, which is how SQLite compares.
fn far_ahead() -> DateTime<Utc> {
    DateTime::from_timestamp(253_370_764_800, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Takes back all reactions to these messages, which were deleted. It is told by the events of that.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget(append: &Append, messages: &[MessageId]) -> Result<(), DbErr> {
    let backend = append.store().backend();
    for messages in messages.chunks(ROWS_PER_STATEMENT) {
        let rows = one_of(backend, reaction::Column::MessageId, messages.iter().copied());
        reaction::Entity::delete_many().filter(rows).exec(append.tx()).await?;
        let counts = one_of(backend, reaction_count::Column::MessageId, messages.iter().copied());
        reaction_count::Entity::delete_many().filter(counts).exec(append.tx()).await?;
    }
    Ok(())
}

/// Have a reaction stand, or not.
#[derive(Clone)]
pub struct SetReaction {
    user: UserId,
    message: MessageId,
    emoji: Emoji,
    on: bool,
}

impl Change for SetReaction {
    type Outcome = message::Model;
}

impl Bulk for SetReaction {
    /// All reactions to one message become one event, so a message that everybody reacts to has few of these events.
    async fn apply_many(changes: &[&Self], append: &mut Append) -> Result<Vec<Result<message::Model, Error>>, DbErr> {
        let messages = visible(changes, append).await?;
        let places = changes.iter().filter_map(|change| Some((messages.get(&change.place())?.room_id, change.user)));
        let places: BTreeSet<(RoomId, UserId)> = places.collect();
        let mut members = MemberRows::load(append, places.iter().copied()).await?;
        let blocked = block::Entity::between_two_of(append.tx(), append.store(), places).await?;
        let mut standing = Standing::load(changes, &messages, append).await?;
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            outcomes.push(change.apply(&messages, &mut members, &blocked, &mut standing, append));
        }
        standing.write(append).await?;
        Ok(outcomes)
    }
}

impl SetReaction {
    fn place(&self) -> (MessageId, UserId) {
        (self.message, self.user)
    }

    fn apply(
        &self,
        messages: &HashMap<(MessageId, UserId), message::Model>,
        members: &mut MemberRows,
        blocked: &HashSet<(RoomId, UserId)>,
        standing: &mut Standing,
        append: &mut Append,
    ) -> Result<message::Model, Error> {
        let message = messages.get(&self.place()).ok_or(Error::MESSAGE_NOT_FOUND)?;
        let in_room = |error| match error {
            Error::NotFound { .. } => Error::MESSAGE_NOT_FOUND,
            error => error,
        };
        members.get(message.room_id, self.user, append.now(), Action::MarkRead).map_err(in_room)?;
        if standing.is_on(self) == self.on {
            return Ok(message.clone());
        }
        if self.on {
            members.get(message.room_id, self.user, append.now(), Action::React).map_err(in_room)?;
            if blocked.contains(&(message.room_id, self.user)) {
                return Err(Error::Refused(Reason::Blocked));
            }
            if message.deleted_at.is_some() {
                return Err(Error::Conflict { argument: Argument::MessageId, problem: "the message was deleted" });
            }
            if standing.is_full(self) {
                let problem = "the message has 20 kinds of reactions already";
                return Err(Error::Conflict { argument: Argument::Emoji, problem });
            }
        }
        standing.set(self, message, append);
        Ok(message.clone())
    }
}

/// The messages that are reacted to, for each who may see it. One statement, which is the same for what is absent and for
/// what isn't the user's to see.
async fn visible(
    changes: &[&SetReaction],
    append: &Append,
) -> Result<HashMap<(MessageId, UserId), message::Model>, DbErr> {
    let asked: BTreeSet<(MessageId, UserId)> = changes.iter().map(|change| change.place()).collect();
    let rows = asked.iter().map(|(message, user)| [(*message).into(), (*user).into()]);
    let rows = Rows::new(append.store().backend(), rows);
    let sql = format!(
        "WITH asked (message_id, user_id) AS ({rows}) SELECT DISTINCT {columns} FROM asked \
         JOIN message ON message.id = asked.message_id \
         JOIN member ON member.room_id = message.room_id AND member.user_id = asked.user_id AND {is_present}",
        rows = rows.sql,
        columns = columns::<message::Entity>(),
        is_present = member::is_present("member"),
    );
    let statement = append.store().statement(&sql, rows.values);
    let found = message::Entity::find().from_raw_sql(statement).all(append.tx()).await?;
    let found: HashMap<MessageId, message::Model> = found.into_iter().map(|message| (message.id, message)).collect();
    // Of several who ask for one message some may not be in its room; `MemberRows` knows them.
    Ok(asked.into_iter().filter_map(|place| Some((place, found.get(&place.0)?.clone()))).collect())
}

/// The reactions that a batch changes, as it goes.
#[derive(Default)]
struct Standing {
    is_on: HashMap<(MessageId, UserId, Emoji), bool>,
    /// How many stand of each kind, and since when there is one.
    counts: HashMap<MessageId, BTreeMap<String, (i32, DateTime<Utc>)>>,
    /// The event that tells of a message.
    told: BTreeMap<MessageId, Position>,
    changed: BTreeMap<(MessageId, Emoji, UserId), reaction::Model>,
}

impl Standing {
    async fn load(
        changes: &[&SetReaction],
        messages: &HashMap<(MessageId, UserId), message::Model>,
        append: &Append,
    ) -> Result<Self, DbErr> {
        let (backend, mut standing) = (append.store().backend(), Self::default());
        let asked = changes.iter().filter(|change| messages.contains_key(&change.place()));
        let asked: BTreeSet<(MessageId, String, UserId)> =
            asked.map(|change| (change.message, change.emoji.as_str().to_owned(), change.user)).collect();
        if asked.is_empty() {
            return Ok(standing);
        }
        let ids: BTreeSet<MessageId> = asked.iter().map(|(message, ..)| *message).collect();
        let rows = asked.into_iter().map(|(message, emoji, user)| [message.into(), emoji.into(), user.into()]);
        let rows = Rows::new(backend, rows);
        let sql = format!(
            "WITH asked (message_id, emoji, user_id) AS ({rows}) SELECT {columns} FROM asked JOIN reaction \
             ON reaction.message_id = asked.message_id AND reaction.emoji = asked.emoji \
             AND reaction.user_id = asked.user_id",
            rows = rows.sql,
            columns = columns::<reaction::Entity>(),
        );
        let statement = append.store().statement(&sql, rows.values);
        for row in reaction::Entity::find().from_raw_sql(statement).all(append.tx()).await? {
            standing.is_on.insert((row.message_id, row.user_id, Emoji::stored(row.emoji)), row.is_on);
        }
        let counts = one_of(backend, reaction_count::Column::MessageId, ids);
        for row in reaction_count::Entity::find().filter(counts).all(append.tx()).await? {
            standing.counts.entry(row.message_id).or_default().insert(row.emoji, (row.count, row.first_at));
        }
        Ok(standing)
    }

    fn is_on(&self, change: &SetReaction) -> bool {
        self.is_on.get(&(change.message, change.user, change.emoji.clone())).copied().unwrap_or_default()
    }

    /// Whether one more kind is one too many.
    fn is_full(&self, change: &SetReaction) -> bool {
        let Some(counts) = self.counts.get(&change.message) else { return false };
        let stands = |emoji: &str| counts.get(emoji).is_some_and(|(count, _)| *count > 0);
        !stands(change.emoji.as_str()) && counts.values().filter(|(count, _)| *count > 0).count() >= MAX_KINDS
    }

    fn set(&mut self, change: &SetReaction, message: &message::Model, append: &mut Append) {
        let event = NewEvent::message(Kind::ReactionsChanged, message.room_id, message.id, message.seq);
        let position = *self.told.entry(message.id).or_insert_with(|| {
            append.wrote(message);
            append.record(event)
        });
        let at = append.tick();
        self.is_on.insert((change.message, change.user, change.emoji.clone()), change.on);
        let count =
            self.counts.entry(change.message).or_default().entry(change.emoji.as_str().to_owned()).or_insert((0, at));
        if count.0 == 0 {
            count.1 = at;
        }
        count.0 += if change.on { 1 } else { -1 };
        let row = reaction::Model {
            message_id: change.message,
            emoji: change.emoji.as_str().to_owned(),
            user_id: change.user,
            is_on: change.on,
            at,
            position,
        };
        self.changed.insert((change.message, change.emoji.clone(), change.user), row);
    }

    /// Writes what has changed: at most three statements for each thousand reactions.
    async fn write(self, append: &Append) -> Result<(), DbErr> {
        let mut counted: BTreeSet<(MessageId, &str)> = BTreeSet::new();
        for (message, emoji, _) in self.changed.keys() {
            counted.insert((*message, emoji.as_str()));
        }
        let counts: Vec<reaction_count::Model> = counted
            .iter()
            .filter_map(|(message_id, emoji)| {
                let (count, first_at) = *self.counts.get(message_id)?.get(*emoji)?;
                let emoji = (*emoji).to_owned();
                Some(reaction_count::Model { message_id: *message_id, emoji, count, first_at })
            })
            .collect();
        let rows: Vec<reaction::Model> = self.changed.values().cloned().collect();
        let again =
            OnConflict::columns([reaction::Column::MessageId, reaction::Column::Emoji, reaction::Column::UserId])
                .update_columns([reaction::Column::IsOn, reaction::Column::At, reaction::Column::Position])
                .to_owned();
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            let rows = rows.iter().map(|row| row.clone().into_active_model());
            reaction::Entity::insert_many(rows).on_conflict(again.clone()).exec_without_returning(append.tx()).await?;
        }
        let again = OnConflict::columns([reaction_count::Column::MessageId, reaction_count::Column::Emoji])
            .update_columns([reaction_count::Column::Count, reaction_count::Column::FirstAt])
            .to_owned();
        for counts in counts.chunks(ROWS_PER_STATEMENT) {
            let rows = counts.iter().map(|row| row.clone().into_active_model());
            let counting = reaction_count::Entity::insert_many(rows).on_conflict(again.clone());
            counting.exec_without_returning(append.tx()).await?;
        }
        let gone: BTreeSet<MessageId> = counts.iter().filter(|row| row.count == 0).map(|row| row.message_id).collect();
        if !gone.is_empty() {
            reaction_count::Entity::delete_many()
                .filter(one_of(append.store().backend(), reaction_count::Column::MessageId, gone))
                .filter(reaction_count::Column::Count.eq(0))
                .exec(append.tx())
                .await?;
        }
        Ok(())
    }
}
