//! What posts need to know about their rooms and authors, read under the log's lock for a whole batch.

use std::collections::{BTreeSet, HashMap};
use std::num::ParseIntError;

use sea_orm::{ConnectionTrait, DbErr};

use crate::chat::Error;
use crate::chat::access::{Action, Standing};
use crate::ids::{RoomId, UserId};
use crate::log::Append;
use crate::store::entity::member;
use crate::store::list::Rows;

/// Whether one of the places has a message under its client id.
const REPEATED: &str = "EXISTS (SELECT 1 FROM asked JOIN message ON message.room_id = asked.room_id \
    AND message.author_id = asked.user_id AND message.client_id = asked.client_id)";

/// Where one post is to be written, and under which client id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place<'p> {
    pub room: RoomId,
    pub author: UserId,
    pub client_id: Option<&'p str>,
}

/// What posts need to know about their rooms and authors.
#[derive(Default)]
pub(super) struct PostContext {
    /// `seq` of each room's newest message.
    last: HashMap<RoomId, i32>,
    /// `seq` up to which each author has read.
    read: HashMap<(RoomId, UserId), i32>,
    /// Whether one of them has posted under one of the client ids before.
    pub(super) has_repeated: bool,
}

impl PostContext {
    /// Looks up each place: one statement, which returns one row however many there are. SQLite's driver hands rows
    /// over one by one, from thread to thread, which would take a quarter of a batch's time.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn load<'p>(append: &Append, places: impl IntoIterator<Item = Place<'p>>) -> Result<Self, DbErr> {
        let places: BTreeSet<Place<'p>> = places.into_iter().collect();
        if places.is_empty() {
            return Ok(Self::default());
        }
        let numbers = 0_i32..;
        let asked = places.iter().zip(numbers).map(|(Place { room, author, client_id }, n)| {
            [n.into(), (*room).into(), (*author).into(), client_id.map(str::to_owned).into()]
        });
        let rows = Rows::new(append.store().backend(), asked);
        let repeated = if places.iter().any(|place| place.client_id.is_some()) { REPEATED } else { "FALSE" };
        let sql = format!(
            "WITH asked (n, room_id, user_id, client_id) AS ({rows}) \
             SELECT (SELECT string_agg(asked.n || ' ' || room.last_seq || ' ' || member.read_seq, ' ') FROM asked \
               JOIN member ON member.room_id = asked.room_id AND member.user_id = asked.user_id \
                 AND {is_present} \
               JOIN room ON room.id = asked.room_id) AS found, {repeated} AS has_repeated",
            rows = rows.sql,
            is_present = member::is_present("member"),
        );
        let row = append.tx().query_one_raw(append.store().statement(&sql, rows.values)).await?;
        let Some(row) = row else { return Ok(Self::default()) };
        let found: Option<String> = row.try_get("", "found")?;
        let numbers = found.iter().flat_map(|found| found.split(' ')).map(str::parse);
        let numbers: Result<Vec<i32>, ParseIntError> = numbers.collect();
        let numbers = numbers.map_err(|error| DbErr::Type(error.to_string()))?;

        let places: Vec<_> = places.into_iter().collect();
        let mut context = Self { has_repeated: row.try_get("", "has_repeated")?, ..Self::default() };
        for place in numbers.chunks_exact(3) {
            let Some(Place { room, author, .. }) = usize::try_from(place[0]).ok().and_then(|n| places.get(n)) else {
                continue;
            };
            context.last.insert(*room, place[1]);
            context.read.insert((*room, *author), place[2]);
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
