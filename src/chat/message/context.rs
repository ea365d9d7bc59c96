//! What posts need to know about their rooms and authors, read under the log's lock for a whole batch.

use std::collections::{BTreeSet, HashMap};
use std::num::ParseIntError;

use sea_orm::{ConnectionTrait, DbErr};

use crate::chat::Error;
use crate::chat::access::{Action, Standing};
use crate::ids::{RoomId, UserId};
use crate::log::Append;
use crate::store::entity::member;
use crate::store::list::ValueRows;

/// What posts need to know about their rooms and authors.
#[derive(Default)]
pub(super) struct PostContext {
    /// `seq` of each room's newest message.
    last: HashMap<RoomId, i32>,
    /// `seq` up to which each author has read.
    read: HashMap<(RoomId, UserId), i32>,
}

impl PostContext {
    /// Looks up each pair: one statement, which returns one row however many pairs there are. SQLite's driver hands
    /// rows over one by one, from thread to thread, which would take a quarter of a batch's time.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn load(
        append: &Append,
        pairs: impl IntoIterator<Item = (RoomId, UserId)>,
    ) -> Result<Self, DbErr> {
        let pairs: BTreeSet<(RoomId, UserId)> = pairs.into_iter().collect();
        if pairs.is_empty() {
            return Ok(Self::default());
        }
        let numbers = 0_i32..;
        let rows = ValueRows::new(
            pairs.iter().zip(numbers).map(|((room, user), n)| [n.into(), (*room).into(), (*user).into()]),
        );
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

    /// `seq` of the room's newest message, and `seq` up to which the author, who wants to post, has read. The caller
    /// updates both as it goes through the batch.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the author is not in the room, or there is none.
    pub(super) fn get(&mut self, room: RoomId, author: UserId) -> Result<(&mut i32, &mut i32), Error> {
        match (self.last.get_mut(&room), self.read.get_mut(&(room, author))) {
            (Some(last), Some(read)) => {
                Standing::member(author).may(Action::Post)?;
                Ok((last, read))
            }
            _ => Err(Error::ROOM_NOT_FOUND),
        }
    }
}
