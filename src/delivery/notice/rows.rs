//! The rows that a batch of events names, read together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use crate::ids::{InviteId, MessageId, ReportId, RoomId, UserId};
use crate::log::{About, Class, Event, Kind};
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::{block, invite, message, reaction, read_mark, report, room, user};
use crate::store::list::{Rows, one_of};

/// The rows that a batch of events names.
#[derive(Default)]
pub struct EventRows {
    rooms: HashMap<RoomId, Arc<room::Model>>,
    messages: HashMap<MessageId, message::Model>,
    users: HashMap<UserId, Arc<user::Model>>,
    marks: HashMap<Position, Vec<read_mark::Model>>,
    /// The reactions that each event changed.
    reactions: HashMap<Position, Vec<reaction::Model>>,
    /// Who joined by each event that tells of several.
    joined: HashMap<Position, Vec<UserId>>,
    invites: HashMap<InviteId, invite::Model>,
    /// Only for the app's own backend.
    reports: HashMap<ReportId, report::Model>,
    /// Who blocks whom, of those whom the events name.
    blocks: HashSet<(UserId, UserId)>,
}

impl EventRows {
    /// Reads the rows that are named by these events and by gaps in these rooms, except for the messages that are
    /// `known` already, with at most eight statements however many events there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load(
        store: &Store,
        events: &[&Event],
        gaps: impl IntoIterator<Item = RoomId>,
        known: impl IntoIterator<Item = message::Model>,
    ) -> Result<Self, DbErr> {
        let (db, backend) = (store.read(), store.backend());
        let mut rows =
            Self { messages: known.into_iter().map(|message| (message.id, message)).collect(), ..Self::default() };
        let made = events.iter().filter(|event| event.kind == Kind::InviteReceived);
        let made: BTreeSet<InviteId> = made.filter_map(|event| event.invite()).collect();
        if !made.is_empty() {
            let made = one_of(backend, invite::Column::Id, made);
            let made = invite::Entity::find().filter(made).all(db).await?;
            rows.invites.extend(made.into_iter().map(|invite| (invite.id, invite)));
        }
        let invited = rows.invites.values().map(|invite| invite.room_id);
        let rooms: BTreeSet<RoomId> =
            events.iter().filter_map(|event| event.room()).chain(gaps).chain(invited).collect();
        if !rooms.is_empty() {
            rows.rooms = room::Entity::by_id(store, rooms).await?;
        }
        let messages: BTreeSet<MessageId> = events
            .iter()
            .filter_map(|event| event.message_id)
            .filter(|message| !rows.messages.contains_key(message))
            .collect();
        if !messages.is_empty() {
            let messages = one_of(backend, message::Column::Id, messages);
            let messages = db.models(message::Entity::find().filter(messages)).await?;
            rows.messages.extend(messages.into_iter().map(|message| (message.id, message)));
        }
        let marked: Vec<Position> =
            events.iter().filter(|event| event.kind.row().about == About::Marks).map(|e| e.position).collect();
        if !marked.is_empty() {
            let marks = one_of(backend, read_mark::Column::Position, marked);
            for mark in db.models(read_mark::Entity::find().filter(marks)).await? {
                rows.marks.entry(mark.position).or_default().push(mark);
            }
        }
        let blocks: BTreeSet<(UserId, UserId)> = events.iter().filter_map(|event| event.block()).collect();
        if !blocks.is_empty() {
            rows.blocks = block::Entity::among(store, blocks).await?;
        }
        let reacted = events.iter().filter(|event| event.kind == Kind::ReactionsChanged);
        let reacted: Vec<Position> = reacted.map(|event| event.position).collect();
        if !reacted.is_empty() {
            let changes = reaction::Entity::find().filter(one_of(backend, reaction::Column::Position, reacted));
            for change in changes.order_by_asc(reaction::Column::At).all(db).await? {
                rows.reactions.entry(change.position).or_default().push(change);
            }
        }
        rows.joined = Self::joinings(store, events).await?;
        let users: BTreeSet<UserId> = events
            .iter()
            .flat_map(|event| [event.member(), event.actor_id])
            .flatten()
            .chain(rows.messages.values().map(|message| message.author_id))
            .chain(rows.marks.values().flatten().map(|mark| mark.user_id))
            .collect();
        if !users.is_empty() {
            rows.users = user::Entity::present_by_id(store, users).await?;
        }
        Ok(rows)
    }

    /// As [`Self::load`], with reports, and with those who joined: they know who they are, and the app's own backend doesn't.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load_for_backend(store: &Store, events: &[&Event]) -> Result<Self, DbErr> {
        let mut rows = Self::load(store, events, [], []).await?;
        let joined = events.iter().filter(|event| event.kind == Kind::RoomJoined).filter_map(|event| event.user_id);
        let joined: BTreeSet<UserId> = joined.filter(|user| !rows.users.contains_key(user)).collect();
        if !joined.is_empty() {
            rows.users.extend(user::Entity::present_by_id(store, joined).await?);
        }
        let reports: BTreeSet<ReportId> = events.iter().filter_map(|event| event.report()).collect();
        if !reports.is_empty() {
            let reports = report::Entity::find().filter(one_of(store.backend(), report::Column::Id, reports));
            let reports = reports.all(store.read()).await?;
            rows.reports.extend(reports.into_iter().map(|report| (report.id, report)));
        }
        Ok(rows)
    }

    /// Who joined by each of these events that tell of several.
    async fn joinings(store: &Store, events: &[&Event]) -> Result<HashMap<Position, Vec<UserId>>, DbErr> {
        let told = events.iter().filter(|event| event.kind.row().about == About::Joinings);
        let told: Vec<_> = told.filter_map(|event| Some([event.position.into(), event.seq?.into()])).collect();
        let mut joined: HashMap<Position, Vec<UserId>> = HashMap::new();
        if told.is_empty() {
            return Ok(joined);
        }
        let told = Rows::new(store.backend(), told);
        let sql = format!(
            "WITH told (position, joined) AS ({}) SELECT told.position AS position, event.user_id AS user_id FROM told \
             JOIN event ON event.position < told.position AND event.position >= told.position - told.joined \
             WHERE event.user_id IS NOT NULL ORDER BY event.position",
            told.sql
        );
        for row in store.read().query_all_raw(store.statement(&sql, told.values)).await? {
            joined.entry(row.try_get("", "position")?).or_default().push(row.try_get("", "user_id")?);
        }
        Ok(joined)
    }

    /// The room and author of the message that this event posted. `None` if the event is about something else, or its
    /// message wasn't loaded.
    #[must_use]
    pub fn posted(&self, event: &Event) -> Option<(RoomId, UserId)> {
        let message = self.messages.get(&event.message_id?)?;
        (event.kind.row().class == Class::Post).then_some((message.room_id, message.author_id))
    }

    pub(super) fn room(&self, id: RoomId) -> Option<&Arc<room::Model>> {
        self.rooms.get(&id)
    }

    pub(super) fn message(&self, id: MessageId) -> Option<&message::Model> {
        self.messages.get(&id)
    }

    pub(super) fn invite(&self, id: InviteId) -> Option<&invite::Model> {
        self.invites.get(&id)
    }

    pub(super) fn report(&self, id: ReportId) -> Option<&report::Model> {
        self.reports.get(&id)
    }

    /// A user whose account still exists.
    pub(super) fn user(&self, id: UserId) -> Option<&Arc<user::Model>> {
        self.users.get(&id)
    }

    /// Whether the first user blocks the second, who are those of an event.
    pub(super) fn blocks(&self, users: (UserId, UserId)) -> bool {
        self.blocks.contains(&users)
    }

    /// The reactions that the event at this position changed.
    pub(super) fn reactions(&self, position: Position) -> &[reaction::Model] {
        self.reactions.get(&position).map_or(&[], Vec::as_slice)
    }

    /// Who joined by the event at this position.
    pub(super) fn joined(&self, position: Position) -> &[UserId] {
        self.joined.get(&position).map_or(&[], Vec::as_slice)
    }

    /// The marks that the event at this position moved.
    pub(super) fn marks(&self, position: Position) -> &[read_mark::Model] {
        self.marks.get(&position).map_or(&[], Vec::as_slice)
    }
}
