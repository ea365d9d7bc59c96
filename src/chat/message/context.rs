//! What posts need to know about their rooms and authors, read under the log's lock for a whole batch.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::num::ParseIntError;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, FromQueryResult};

use crate::chat::access::{self, Action, Rules, Standing};
use crate::chat::{Error, Reason};
use crate::ids::{RoomId, UserId};
use crate::log::Append;
use crate::store::entity::block;
use crate::store::entity::member::{self, RoomRole};
use crate::store::entity::room::{PostingPolicy, RoomKind};
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
    rooms: HashMap<RoomId, PostedRoom>,
    /// `seq` up to which each author has read.
    read: HashMap<(RoomId, UserId), i32>,
    /// Members of the rooms who have hidden them.
    hidden: HashMap<RoomId, Vec<Hidden>>,
    /// The rooms of two in which the author may not post, because one of the two has blocked the other.
    blocked: HashSet<(RoomId, UserId)>,
    /// Authors who may have to wait, or to say nothing.
    paces: HashMap<(RoomId, UserId), Pace>,
    /// What each author may do.
    standings: HashMap<(RoomId, UserId), Standing>,
    /// Whether one of them has posted under one of the client ids before.
    pub(super) has_repeated: bool,
}

/// What posts need to know about a room.
#[derive(Clone, Copy)]
struct PostedRoom {
    /// `seq` of its newest message.
    last_seq: i32,
    /// How many members it has, with those who have hidden it.
    members: i32,
    /// It stands for a set of users, which nobody else ever joins.
    stands_for_set: bool,
}

/// A member who has hidden a room.
#[derive(Clone, Copy, FromQueryResult)]
pub(super) struct Hidden {
    room_id: RoomId,
    pub(super) user_id: UserId,
    read_seq: i32,
    pub(super) muted: bool,
}

/// How an author may post who is not as free as others.
#[derive(Clone, Copy, FromQueryResult)]
struct Pace {
    room_id: RoomId,
    user_id: UserId,
    timeout_until: Option<DateTime<Utc>>,
    last_post_at: Option<DateTime<Utc>>,
    /// 0 for those who never wait.
    slow_mode_secs: i32,
}

/// A member who doesn't wait in a slow room, or does. SQL.
const WAITS: &str = "room.slow_mode_secs > 0 AND member.role = 3";

impl PostContext {
    /// Looks up each place: one statement, which returns one row however many there are. SQLite's driver hands rows
    /// over one by one, from thread to thread, which would take a quarter of a batch's time. Another one where rooms are
    /// hidden, and one where authors are timed out or rooms are slow, both of which is rare.
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
             SELECT (SELECT string_agg(asked.n || ' ' || room.last_seq || ' ' || member.read_seq \
                 || ' ' || room.member_count || ' ' || CASE WHEN room.member_key IS NULL THEN 0 ELSE 1 END \
                 || ' ' || CASE WHEN {blocked} THEN 1 ELSE 0 END \
                 || ' ' || (SELECT count(*) FROM member AS hider WHERE hider.room_id = asked.room_id AND hider.hidden) \
                 || ' ' || member.role || ' ' || room.kind || ' ' || room.posting_policy \
                 || ' ' || CASE WHEN member.timeout_until IS NOT NULL OR ({WAITS}) THEN 1 ELSE 0 END, ' ') FROM asked \
               JOIN member ON member.room_id = asked.room_id AND member.user_id = asked.user_id \
                 AND {is_present} \
               JOIN room ON room.id = asked.room_id) AS found, {repeated} AS has_repeated",
            rows = rows.sql,
            is_present = member::is_present("member"),
            blocked = block::between_two("room", "asked.user_id"),
        );
        let row = append.tx().query_one_raw(append.store().statement(&sql, rows.values)).await?;
        let Some(row) = row else { return Ok(Self::default()) };
        let found: Option<String> = row.try_get("", "found")?;
        let numbers = found.iter().flat_map(|found| found.split(' ')).map(str::parse);
        let numbers: Result<Vec<i32>, ParseIntError> = numbers.collect();
        let numbers = numbers.map_err(|error| DbErr::Type(error.to_string()))?;

        let places: Vec<_> = places.into_iter().collect();
        let mut context = Self { has_repeated: row.try_get("", "has_repeated")?, ..Self::default() };
        let (mut hidden, mut paced) = (BTreeSet::new(), BTreeSet::new());
        for place in numbers.chunks_exact(11) {
            let Some(Place { room, author, .. }) = usize::try_from(place[0]).ok().and_then(|n| places.get(n)) else {
                continue;
            };
            let posted = PostedRoom { last_seq: place[1], members: place[3], stands_for_set: place[4] == 1 };
            context.rooms.insert(*room, posted);
            context.read.insert((*room, *author), place[2]);
            if place[5] != 0 {
                context.blocked.insert((*room, *author));
            }
            if place[6] > 0 {
                hidden.insert(*room);
            }
            if place[10] != 0 {
                paced.insert((*room, *author));
            }
            let rules = Rules::new(number::<RoomKind>(place[8])?, number::<PostingPolicy>(place[9])?, place[3]);
            let standing = Standing::author(*author, number::<RoomRole>(place[7])?, rules);
            context.standings.insert((*room, *author), standing);
        }
        context.load_hidden(append, hidden).await?;
        context.load_paces(append, paced).await?;
        Ok(context)
    }

    async fn load_paces(&mut self, append: &Append, authors: BTreeSet<(RoomId, UserId)>) -> Result<(), DbErr> {
        if authors.is_empty() {
            return Ok(());
        }
        let rows = authors.into_iter().map(|(room, author)| [room.into(), author.into()]);
        let rows = Rows::new(append.store().backend(), rows);
        let sql = format!(
            "WITH asked (room_id, user_id) AS ({rows}) SELECT member.room_id AS room_id, member.user_id AS user_id, \
             member.timeout_until AS timeout_until, member.last_post_at AS last_post_at, \
             CASE WHEN {WAITS} THEN room.slow_mode_secs ELSE 0 END AS slow_mode_secs \
             FROM asked JOIN member ON member.room_id = asked.room_id AND member.user_id = asked.user_id \
             JOIN room ON room.id = asked.room_id",
            rows = rows.sql,
        );
        let statement = append.store().statement(&sql, rows.values);
        for pace in Pace::find_by_statement(statement).all(append.tx()).await? {
            let place = (pace.room_id, pace.user_id);
            self.standings.entry(place).and_modify(|it| *it = it.timed_out(pace.timeout_until, append.now()));
            self.paces.insert(place, pace);
        }
        Ok(())
    }

    /// Refuses a post that comes too soon after the author's last one in a slow room.
    ///
    /// # Errors
    /// [`Error::SlowMode`].
    pub(super) fn expect_paced(&self, room: RoomId, author: UserId, now: DateTime<Utc>) -> Result<(), Error> {
        let Some(pace) = self.paces.get(&(room, author)) else { return Ok(()) };
        let Some(last) = pace.last_post_at else { return Ok(()) };
        let waits = last + TimeDelta::seconds(i64::from(pace.slow_mode_secs)) - now;
        match waits.to_std() {
            Ok(retry_after) if !retry_after.is_zero() => Err(Error::SlowMode { retry_after }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Notes that an author has posted. Whether that is to be kept, because the room is slow.
    pub(super) fn posted(&mut self, room: RoomId, author: UserId, at: DateTime<Utc>) -> bool {
        let Some(pace) = self.paces.get_mut(&(room, author)).filter(|pace| pace.slow_mode_secs > 0) else {
            return false;
        };
        pace.last_post_at = Some(at);
        true
    }

    async fn load_hidden(&mut self, append: &Append, rooms: BTreeSet<RoomId>) -> Result<(), DbErr> {
        if rooms.is_empty() {
            return Ok(());
        }
        let rows = Rows::new(append.store().backend(), rooms.into_iter().map(|room| [room.into()]));
        let sql = format!(
            "WITH asked (room_id) AS ({rows}) SELECT member.room_id AS room_id, member.user_id AS user_id, \
             member.read_seq AS read_seq, member.muted AS muted \
             FROM asked JOIN member ON member.room_id = asked.room_id AND member.hidden",
            rows = rows.sql,
        );
        let statement = append.store().statement(&sql, rows.values);
        for hidden in Hidden::find_by_statement(statement).all(append.tx()).await? {
            self.hidden.entry(hidden.room_id).or_default().push(hidden);
        }
        Ok(())
    }

    /// Whether anybody receives what is posted to this room.
    ///
    /// # Errors
    /// [`Reason::NobodyThere`] when all others have left it.
    pub(super) fn reaches_anybody(&self, room: RoomId) -> Result<(), Error> {
        let room = self.rooms.get(&room).ok_or(Error::ROOM_NOT_FOUND)?;
        access::reaches_anybody(room.stands_for_set, room.members)
    }

    /// The members who had hidden this room and have it back from here on, so that later posts of the batch may be theirs.
    pub(super) fn bring_back(&mut self, room: RoomId) -> Vec<Hidden> {
        let hidden = self.hidden.remove(&room).unwrap_or_default();
        self.read.extend(hidden.iter().map(|hidden| ((room, hidden.user_id), hidden.read_seq)));
        // Only a direct room can be hidden, and there everybody is a member.
        let rules = Rules::new(RoomKind::Direct, PostingPolicy::Everyone, 2);
        let standing = |user| ((room, user), Standing::author(user, RoomRole::Member, rules));
        self.standings.extend(hidden.iter().map(|hidden| standing(hidden.user_id)));
        hidden
    }

    /// Checks that the author may say something new in the room.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the author is not in the room, or there is none; [`Error::Refused`].
    pub(super) fn expect_may_post(&self, room: RoomId, author: UserId) -> Result<(), Error> {
        self.standings.get(&(room, author)).ok_or(Error::ROOM_NOT_FOUND)?.may(Action::Post)
    }

    /// Checks that the author may mention everybody in the room.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the author is not in the room, or there is none; [`Error::Refused`].
    pub(super) fn expect_may_mention_room(&self, room: RoomId, author: UserId) -> Result<(), Error> {
        self.standings.get(&(room, author)).ok_or(Error::ROOM_NOT_FOUND)?.may(Action::MentionRoom)
    }

    /// `seq` of the room's newest message, and `seq` up to which the author, who wants to post, has read. The caller
    /// updates both as it goes through the batch.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the author is not in the room, or there is none.
    pub(super) fn get(&mut self, room: RoomId, author: UserId) -> Result<(&mut i32, &mut i32), Error> {
        let place = (room, author);
        match (self.rooms.get_mut(&room), self.read.get_mut(&place)) {
            (Some(room), Some(read)) => Ok((&mut room.last_seq, read)),
            _ => Err(Error::ROOM_NOT_FOUND),
        }
    }

    /// Refuses a new message between two of whom one has blocked the other. What was posted before is answered all the
    /// same when it is posted again.
    ///
    /// # Errors
    /// [`Reason::Blocked`].
    pub(super) fn expect_not_blocked(&self, room: RoomId, author: UserId) -> Result<(), Error> {
        if self.blocked.contains(&(room, author)) { Err(Error::Refused(Reason::Blocked)) } else { Ok(()) }
    }
}

/// What this number stands for in the database.
fn number<E: ActiveEnum<Value = i16>>(number: i32) -> Result<E, DbErr> {
    E::try_from_value(&i16::try_from(number).map_err(|error| DbErr::Type(error.to_string()))?)
}
