//! The events that a user missed: connecting, reconnecting and catching up after a mailbox overflow all read them from
//! here.
//!
//! The work is bounded whatever the length of the absence: at most [`MAX_PER_ROOM`] events of a room and [`MAX_TOTAL`]
//! in all are replayed. A room with more is named in a [`Step::Gap`] instead, before everything else that is replayed,
//! or, if the user joined it during the absence, right after that. So a client that resumes from a later cursor has
//! received the gap. Nothing is left out silently.

use std::cmp::Reverse;
use std::collections::HashMap;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};

use super::event::{Audience, Class, Effect, Event, Kind};
use crate::ids::{RoomId, UserId};
use crate::position::{Cursor, Position, Tag};
use crate::store::Store;
use crate::store::direct::row;
use crate::store::entity::member::When;
use crate::store::entity::{event, member, room};
use crate::store::list::{Rows, columns, one_of};

mod gaps;

use gaps::OpenGap;

/// The most events of one room that are replayed; a room with more is announced as a gap.
pub const MAX_PER_ROOM: u64 = 100;

/// The most events that are replayed in all.
pub const MAX_TOTAL: u64 = 1_000;

/// Rooms whose events one statement reads. It reads up to [`MAX_PER_ROOM`] of each, although the first rooms may
/// already reach [`MAX_TOTAL`].
const ROOMS_AT_ONCE: usize = 32;

/// A user's absence, and which events of it the user wants.
#[derive(Clone, Copy, Debug)]
pub struct Replay {
    /// The user who was away.
    pub user: UserId,
    /// All events, or only new messages.
    pub filter: Filter,
}

/// Which events a subscriber wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Everything in the user's rooms.
    Everything,
    /// New messages of all rooms that are not muted, or of one room.
    Posts(Option<RoomId>),
}

impl Filter {
    /// Whether the subscriber wants an event of this class in this room, of which the subscriber is a member. `muted`:
    /// the subscriber has muted the room.
    #[must_use]
    pub fn takes(self, class: Class, room: RoomId, muted: bool) -> bool {
        match (self, class) {
            (Self::Everything, Class::Post | Class::Alteration | Class::State) => true,
            (Self::Posts(None), Class::Post) => !muted,
            (Self::Posts(Some(one)), Class::Post) => one == room,
            (Self::Posts(_), Class::Alteration | Class::State) | (_, Class::Hidden) => false,
        }
    }
}

/// The result of a replay.
#[derive(Debug, PartialEq, Eq)]
pub enum Missed {
    /// These steps, in order, bring the client up to the base.
    Steps(Vec<Step>),
    /// What was missed can't be replayed; the client must fetch its state anew.
    Resync(Resync),
}

/// One step of a replay.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// An event to be shown.
    Event(Event),
    /// More happened in this room than is replayed.
    Gap(Gap),
}

/// A room in which more happened than is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// A client that resumes from here receives the gap again.
    pub cursor: Cursor,
    /// Which room.
    pub room: RoomId,
    /// The first message that was posted, edited or deleted unseen.
    pub from_seq: i32,
    /// The room's newest message. If it is less than `from_seq`, no message changed, only members or read marks did.
    pub to_seq: i32,
}

/// Why a cursor can't be replayed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resync {
    /// The cursor is ahead of the log: the database was restored from an older copy.
    Ahead,
    /// Another event stands at the cursor's position: the database was restored and has gone on from there.
    Foreign,
    /// The cursor is older than what is kept of the log.
    Expired,
    /// More of the user's own events were missed than are replayed.
    TooMuch,
}

row! {
    /// A membership as replay needs it.
    #[derive(Debug)]
    struct Joined {
        room_id: RoomId,
        since: Position,
        left_position: Option<Position>,
        muted: bool,
        last_seq: i32,
        last_position: Position,
    }
}

impl Replay {
    /// What this user missed in `(after, base]`. `base` must be a position that the caller's hub has reached.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn missed(&self, store: &Store, after: Cursor, base: Position) -> Result<Missed, DbErr> {
        let steps = if after.position < base { self.steps(store, after, base).await? } else { Some(Vec::new()) };
        // The cursor is checked last, because pruning while the steps were read would make them incomplete.
        Ok(match (Standing::of(store, after).await?.judge(after), steps) {
            (Some(resync), _) => Missed::Resync(resync),
            (None, None) => Missed::Resync(Resync::TooMuch),
            (None, Some(steps)) => Missed::Steps(steps),
        })
    }

    /// The steps from `after` to `base`. `None`: too many of the user's own events were missed.
    async fn steps(&self, store: &Store, after: Cursor, base: Position) -> Result<Option<Vec<Step>>, DbErr> {
        let (rooms, ended) = self.rooms(store, after.position, base).await?;
        let mut replay = Progress { after, base, left: MAX_TOTAL, gaps: Vec::new(), events: Vec::new() };
        if self.filter == Filter::Everything && !self.own_events(store, &rooms, ended, &mut replay).await? {
            return Ok(None);
        }
        let mut changed: Vec<&Joined> = rooms.values().filter(|room| room.last_position > after.position).collect();
        changed.sort_unstable_by_key(|room| Reverse(room.last_position));
        // The rooms that changed last come first, so that those that changed long ago become gaps when `MAX_TOTAL` is
        // reached.
        let mut rest = &changed[..];
        while !rest.is_empty() {
            // When nothing more may be replayed, only one event of each room is read, so many rooms fit into a
            // statement.
            let at_once = if replay.left == 0 { gaps::AT_ONCE } else { ROOMS_AT_ONCE };
            let (some, later) = rest.split_at(at_once.min(rest.len()));
            self.room_events(store, some, &mut replay).await?;
            rest = later;
        }
        gaps::measure(&mut replay.gaps, replay.base, store).await?;
        Ok(Some(replay.in_order()))
    }

    /// The rooms that the user belonged to at `base`, and the positions in `(after, base]` at which memberships ended.
    async fn rooms(
        &self,
        store: &Store,
        after: Position,
        base: Position,
    ) -> Result<(HashMap<RoomId, Joined>, Vec<Position>), DbErr> {
        let mut memberships = member::Entity::of(self.user, When::During { after, base }).inner_join(room::Entity);
        if let Filter::Posts(Some(room)) = self.filter {
            memberships = memberships.filter(member::Column::RoomId.eq(room));
        }
        let memberships = memberships
            .select_only()
            .column(member::Column::RoomId)
            .column_as(member::Column::JoinedPosition, "since")
            .columns([member::Column::LeftPosition, member::Column::Muted])
            .columns([room::Column::LastSeq, room::Column::LastPosition])
            .build(store.backend());
        let memberships: Vec<Joined> = store.read().rows_by(memberships).await?;
        let (mut rooms, mut ended) = (HashMap::with_capacity(memberships.len()), Vec::new());
        for membership in memberships {
            match membership.left_position {
                Some(left) if left <= base => ended.push(left),
                _ if self.filter == Filter::Posts(None) && membership.muted => {}
                _ => drop(rooms.insert(membership.room_id, membership)),
            }
        }
        Ok((rooms, ended))
    }

    /// Events that only this user sees, and the ends of memberships. `false`: there are too many.
    async fn own_events(
        &self,
        store: &Store,
        rooms: &HashMap<RoomId, Joined>,
        ended: Vec<Position>,
        replay: &mut Progress,
    ) -> Result<bool, DbErr> {
        let own = replay
            .range(replay.after.position)
            .filter(event::Column::UserId.eq(self.user))
            .filter(event::Column::Kind.is_not_in(Kind::those(|row| row.class == Class::Hidden)))
            .limit(replay.left + 1);
        let own = store.read().models(own).await?;
        if (own.len() + ended.len()) as u64 > replay.left {
            return Ok(false);
        }
        replay.left -= (own.len() + ended.len()) as u64;
        // Only own events of memberships that last until `base` are replayed.
        replay.events.extend(own.into_iter().filter(|event| {
            let Some(room) = event.room() else { return true };
            let Some(room) = rooms.get(&room) else { return false };
            match event.effect() {
                Effect::Joins(..) => room.since == event.position,
                Effect::Nothing | Effect::Leaves(..) | Effect::Closes(_) | Effect::Mutes(..) => {
                    event.position > room.since
                }
            }
        }));
        if !ended.is_empty() {
            let positions = one_of(store.backend(), event::Column::Position, ended);
            replay.events.extend(store.read().models(event::Entity::find().filter(positions)).await?);
        }
        Ok(true)
    }

    /// What happened in these rooms, which the user belongs to: for each room its events, or one gap. One statement,
    /// which reads of each room at most the events that may be replayed, and one more that reveals a gap.
    async fn room_events(&self, store: &Store, rooms: &[&Joined], replay: &mut Progress) -> Result<(), DbErr> {
        let mut rows =
            Rows::new(store.backend(), rooms.iter().map(|room| [room.room_id.into(), replay.from(room).into()]));
        let limit = i64::try_from(replay.left.min(MAX_PER_ROOM)).unwrap_or(i64::MAX);
        rows.values.extend([replay.base.into(), limit.into()]);
        // `next` is the first event beyond the limit: reading up to it shows that there are too many.
        let sql = format!(
            "WITH asked (room_id, after) AS ({rows}) SELECT {columns} FROM asked \
             JOIN event ON event.room_id = asked.room_id AND event.position > asked.after{kind} \
               AND event.position <= COALESCE((SELECT next.position FROM event AS next \
                 WHERE next.room_id = asked.room_id AND next.position > asked.after AND next.position <= ${base}\
                 {next_kind} ORDER BY next.position LIMIT 1 OFFSET ${limit}), ${base}) \
             ORDER BY event.position",
            rows = rows.sql,
            columns = columns::<event::Entity>(),
            kind = self.only_wanted("event"),
            next_kind = self.only_wanted("next"),
            base = rows.values.len() - 1,
            limit = rows.values.len(),
        );
        let statement = store.statement(&sql, rows.values);
        let mut found: HashMap<RoomId, Vec<Event>> = HashMap::new();
        for event in store.read().models_by::<event::Entity>(statement).await? {
            if let Some(room) = event.room_id {
                found.entry(room).or_default().push(event);
            }
        }
        for room in rooms {
            let events = found.remove(&room.room_id).unwrap_or_default();
            if events.len() as u64 <= replay.left.min(MAX_PER_ROOM) {
                replay.left -= events.len() as u64;
                // The user learns of their own return from `RoomJoined`.
                replay.events.extend(
                    events.into_iter().filter(|event| {
                        event.kind.row().audience == Audience::Room || event.member() != Some(self.user)
                    }),
                );
            } else {
                let posted =
                    events.iter().find(|event| event.kind.row().class == Class::Post).and_then(|event| event.seq);
                let (room_id, to_seq, cursor) = (room.room_id, room.last_seq, replay.cursor_at(room.since));
                // `gaps::measure` finds the beginnings of all gaps together.
                let gap = Gap { cursor, room: room_id, from_seq: to_seq + 1, to_seq };
                replay.gaps.push(OpenGap { gap, after: replay.from(room), posted });
            }
        }
        Ok(())
    }

    /// A condition on this table of events. The kinds are literals, which makes few different statements, because there
    /// are few filters.
    fn only_wanted(&self, table: &str) -> String {
        match self.filter {
            Filter::Everything => String::new(),
            Filter::Posts(_) => format!(" AND {table}.kind IN ({})", Kind::sql_list(|row| row.class == Class::Post)),
        }
    }
}

/// What is wrong with a cursor, if the log doesn't hold what came after it.
///
/// # Errors
/// When the database fails.
pub async fn standing(store: &Store, cursor: Cursor) -> Result<Option<Resync>, DbErr> {
    Ok(Standing::of(store, cursor).await?.judge(cursor))
}

row! {
    /// What the log says of a cursor, read by one statement: between two, the log could be replaced, or pruned.
    #[derive(Debug)]
    struct Standing {
        /// The tag of the event at the cursor's position, if there is one.
        tag: Option<Tag>,
        first: Option<Position>,
        last: Option<Position>,
    }
}

impl Standing {
    async fn of(store: &Store, cursor: Cursor) -> Result<Self, DbErr> {
        let sql = "SELECT (SELECT tag FROM event WHERE position = $1) AS tag, \
                   (SELECT min(position) FROM event) AS first, (SELECT max(position) FROM event) AS last";
        let statement = store.statement(sql, [cursor.position.into()]);
        let standing = store.read().rows_by::<Self>(statement).await?.pop();
        Ok(standing.unwrap_or(Self { tag: None, first: None, last: None }))
    }

    /// Whether the log still holds the very event that the cursor names.
    fn judge(&self, cursor: Cursor) -> Option<Resync> {
        if cursor.position == Position::default() {
            return (self.first.unwrap_or(Position(1)) > Position(1)).then_some(Resync::Expired);
        }
        match self.tag {
            Some(tag) if tag == cursor.tag => None,
            Some(_) => Some(Resync::Foreign),
            None if self.last > Some(cursor.position) => Some(Resync::Expired),
            None => Some(Resync::Ahead),
        }
    }
}

/// A replay while it is being put together.
struct Progress {
    after: Cursor,
    base: Position,
    /// How many events may still be replayed.
    left: u64,
    gaps: Vec<OpenGap>,
    events: Vec<Event>,
}

impl Progress {
    fn range(&self, after: Position) -> Select<event::Entity> {
        event::Entity::range(after, self.base)
    }

    /// The position after which this room is replayed.
    fn from(&self, room: &Joined) -> Position {
        self.after.position.max(room.since)
    }

    /// The cursor that a gap of a room carries: the client's own, or, if the user joined the room after it, that of the
    /// `RoomJoined` event, so that the gap comes right after that event.
    fn cursor_at(&self, joined: Position) -> Cursor {
        let joining =
            self.events.iter().find(|event| event.position == joined && matches!(event.effect(), Effect::Joins(..)));
        joining.map_or(self.after, Event::cursor)
    }

    /// Events and gaps by position; a gap comes after the event whose cursor it carries and before the next.
    fn in_order(self) -> Vec<Step> {
        let gaps = self.gaps.into_iter().map(|OpenGap { gap, .. }| (gap.cursor.position, 1, Step::Gap(gap)));
        let events = self.events.into_iter().map(|event| (event.position, 0, Step::Event(event)));
        let mut steps: Vec<_> = gaps.chain(events).collect();
        steps.sort_by_key(|(position, rank, _)| (*position, *rank));
        steps.into_iter().map(|(_, _, step)| step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_the_log_does_not_hold_is_foreign_expired_or_ahead() {
        let at = |position, tag: u32| Cursor { position: Position(position), tag: tag.into() };
        // The log holds the events from 3 to 5, of which the cursor's has tag 7.
        let judge = |cursor: Cursor, tag: Option<u32>| {
            let (first, last) = (Some(Position(3)), Some(Position(5)));
            Standing { tag: tag.map(Tag::from), first, last }.judge(cursor)
        };
        assert_eq!(judge(at(4, 7), Some(7)), None);
        assert_eq!(judge(at(4, 8), Some(7)), Some(Resync::Foreign));
        assert_eq!(judge(at(2, 7), None), Some(Resync::Expired));
        assert_eq!(judge(at(6, 7), None), Some(Resync::Ahead));
        assert_eq!(judge(Cursor::default(), None), Some(Resync::Expired));
        let empty = Standing { tag: None, first: None, last: None };
        assert_eq!(empty.judge(at(1, 7)), Some(Resync::Ahead));
        assert_eq!(empty.judge(Cursor::default()), None);
    }
}
