//! Where authors and readers stand in their rooms, read under the log's lock for a whole batch at once.

use std::collections::{BTreeSet, HashMap};
use std::num::ParseIntError;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::Error;
use super::access::{Action, Standing};
use crate::ids::{RoomId, UserId};
use crate::log::Append;
use crate::store::entity::{member, room};
use crate::store::list::{Rows, columns, one_of};

/// Current members with their rooms.
#[derive(Default)]
pub struct MemberRows {
    rooms: HashMap<RoomId, room::Model>,
    members: HashMap<(RoomId, UserId), member::Model>,
}

/// One current member and the room.
pub struct MemberRow<'s> {
    /// The room; to be kept up as the batch goes on.
    pub room: &'s mut room::Model,
    /// The member; to be kept up as the batch goes on.
    pub member: &'s mut member::Model,
}

impl MemberRows {
    /// Looks up each pair: two statements, however many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(append: &Append, pairs: impl IntoIterator<Item = (RoomId, UserId)>) -> Result<Self, DbErr> {
        let pairs: BTreeSet<(RoomId, UserId)> = pairs.into_iter().collect();
        if pairs.is_empty() {
            return Ok(Self::default());
        }
        let (tx, store) = (append.tx(), append.store());
        let ids: BTreeSet<RoomId> = pairs.iter().map(|(room, _)| *room).collect();
        let rooms = room::Entity::find().filter(one_of(store.backend(), room::Column::Id, ids)).all(tx).await?;

        let rows = Rows::new(pairs.into_iter().map(|(room, user)| [room.into(), user.into()]));
        let sql = format!(
            "WITH asked (room_id, user_id) AS (VALUES {rows}) SELECT {columns} FROM asked JOIN member \
             ON member.room_id = asked.room_id AND member.user_id = asked.user_id WHERE {is_present}",
            rows = rows.sql,
            columns = columns::<member::Entity>(),
            is_present = member::is_present("member"),
        );
        let members = member::Entity::find().from_raw_sql(store.statement(&sql, rows.values)).all(tx).await?;
        Ok(Self {
            rooms: rooms.into_iter().map(|room| (room.id, room)).collect(),
            members: members.into_iter().map(|member| ((member.room_id, member.user_id), member)).collect(),
        })
    }

    /// Looks up one pair, for somebody who wants to do that.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user is not in the room, or there is none; [`Error::Forbidden`] when the user may not
    /// do that; or when the database fails.
    pub async fn one(
        append: &Append,
        room: RoomId,
        user: UserId,
        action: Action,
    ) -> Result<(room::Model, member::Model), Error> {
        let mut rows = Self::load(append, [(room, user)]).await?;
        rows.get(room, user, action)?;
        match (rows.rooms.remove(&room), rows.members.remove(&(room, user))) {
            (Some(room), Some(member)) => Ok((room, member)),
            _ => Err(Error::ROOM_NOT_FOUND),
        }
    }

    /// One of the pairs, for somebody who wants to do that.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the user is not in the room, or there is none; [`Error::Forbidden`] when the user may not
    /// do that.
    pub fn get(&mut self, room: RoomId, user: UserId, action: Action) -> Result<MemberRow<'_>, Error> {
        match (self.rooms.get_mut(&room), self.members.get_mut(&(room, user))) {
            (Some(room), Some(member)) => {
                Standing::of(room, member).may(action)?;
                Ok(MemberRow { room, member })
            }
            _ => Err(Error::ROOM_NOT_FOUND),
        }
    }
}

/// What a post needs to know of its room and its author.
#[derive(Default)]
pub struct PostContext {
    /// `seq` of each room's newest message.
    last: HashMap<RoomId, i32>,
    /// Up to where each author has read.
    read: HashMap<(RoomId, UserId), i32>,
}

impl PostContext {
    /// Looks up each pair: one statement, which answers one row however many there are. SQLite's driver hands rows over
    /// one by one, from thread to thread, which would be a quarter of a batch's time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(append: &Append, pairs: impl IntoIterator<Item = (RoomId, UserId)>) -> Result<Self, DbErr> {
        let pairs: BTreeSet<(RoomId, UserId)> = pairs.into_iter().collect();
        if pairs.is_empty() {
            return Ok(Self::default());
        }
        let numbers = 0_i32..;
        let rows =
            Rows::new(pairs.iter().zip(numbers).map(|((room, user), n)| [n.into(), (*room).into(), (*user).into()]));
        let sql = format!(
            "WITH asked (n, room_id, user_id) AS (VALUES {rows}) \
             SELECT string_agg(asked.n || ' ' || room.last_seq || ' ' || member.read_seq, ' ') AS found FROM asked \
             JOIN member ON member.room_id = asked.room_id AND member.user_id = asked.user_id \
               AND {is_present} \
             JOIN room ON room.id = asked.room_id",
            rows = rows.sql,
            is_present = member::is_present("member"),
        );
        let row = append.tx().query_one_raw(append.store().statement(&sql, rows.values)).await?;
        let found: Option<String> = row.map(|row| row.try_get("", "found")).transpose()?.flatten();
        let numbers = found.iter().flat_map(|found| found.split(' ')).map(str::parse);
        let numbers: Result<Vec<i32>, ParseIntError> = numbers.collect();
        let numbers = numbers.map_err(|error| DbErr::Type(error.to_string()))?;

        let pairs: Vec<_> = pairs.into_iter().collect();
        let mut context = Self::default();
        for place in numbers.chunks_exact(3) {
            let Some(&(room, user)) = usize::try_from(place[0]).ok().and_then(|n| pairs.get(n)) else { continue };
            context.last.insert(room, place[1]);
            context.read.insert((room, user), place[2]);
        }
        Ok(context)
    }

    /// The newest message of the room, and up to where the author, who wants to post, has read; both to be kept up as the
    /// batch goes on.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the author is not in the room, or there is none.
    pub fn get(&mut self, room: RoomId, author: UserId) -> Result<(&mut i32, &mut i32), Error> {
        match (self.last.get_mut(&room), self.read.get_mut(&(room, author))) {
            (Some(last), Some(read)) => {
                Standing::member(author).may(Action::Post)?;
                Ok((last, read))
            }
            _ => Err(Error::ROOM_NOT_FOUND),
        }
    }
}

/// Writes how far each of these members has read.
///
/// # Errors
/// When the database fails.
pub async fn write_read_seqs(
    append: &Append,
    read: impl IntoIterator<Item = ((RoomId, UserId), i32)>,
) -> Result<(), DbErr> {
    let rows = Rows::new(read.into_iter().map(|((room, user), seq)| [room.into(), user.into(), seq.into()]));
    if rows.values.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "WITH moved (room_id, user_id, seq) AS (VALUES {}) UPDATE member SET read_seq = moved.seq FROM moved \
         WHERE member.room_id = moved.room_id AND member.user_id = moved.user_id",
        rows.sql
    );
    append.tx().execute_raw(append.store().statement(&sql, rows.values)).await?;
    Ok(())
}
