//! Keeping order in a group: who may not come back, and who may not say anything for now.
//!
//! What runs out is compared with the clock where a rule asks for it; nothing is done at the moment itself.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use super::members::{NO_MEMBER, moderated, take_out};
use super::people;
use crate::chat::change::{Alone, Change};
use crate::chat::invite::close;
use crate::chat::user::UserRef;
use crate::chat::{Actor, Argument, Chat, Directory, Error, Reason, Slice, Window};
use crate::ids::{RoomId, UserId};
use crate::log::{Append, NewEvent};
use crate::store::entity::{ban, member, room};
use crate::store::list::{Rows, columns, one_of};

/// The longest time for which a member may be silenced at once.
pub const MAX_TIMEOUT: TimeDelta = TimeDelta::days(28);

/// The longest time of a ban that isn't for good.
const MAX_BAN: TimeDelta = TimeDelta::days(3_650);

/// The most characters of the reason of a ban.
const MAX_REASON_CHARS: usize = 500;

/// How somebody is kept out of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanInput {
    /// Until when; `None`: for good.
    pub until: Option<DateTime<Utc>>,
    /// Why, for moderators to read.
    pub reason: Option<String>,
}

impl Chat {
    /// Keeps somebody out of a group, who is removed if they are in it, or no longer does: `None`. Again with another time
    /// or reason replaces them.
    ///
    /// # Errors
    /// `Invalid` for a time that is over or a reason that isn't acceptable; `NotFound` for a room that the user isn't in, and
    /// for somebody who never was in it and whom the user can't find; [`Reason::DirectRoom`]; [`Reason::ModeratorNeeded`];
    /// [`Reason::HigherRoleNeeded`] for somebody of the same role or a higher one.
    pub async fn ban_member(
        &self,
        actor: Actor,
        room: RoomId,
        user: &UserRef,
        ban: Option<BanInput>,
    ) -> Result<(room::Model, UserId, Option<ban::Model>), Error> {
        let ban = ban.map(|ban| Ok::<_, Error>(BanInput { reason: reason(ban.reason)?, ..ban })).transpose()?;
        let user = self.member_named(user).await?;
        let directory = if actor.key { Directory::All } else { self.policy.directory };
        let (room, ban) = self.change(BanMember { actor, room, user, ban, directory }).await?;
        Ok((room, user, ban))
    }

    /// Has a member of a group say nothing until this time, or lets the member speak again: `None`.
    ///
    /// # Errors
    /// `Invalid` for a time that is over or more than [`MAX_TIMEOUT`] ahead; `NotFound` for a room that the user isn't in,
    /// and for somebody who isn't in it; [`Reason::DirectRoom`]; [`Reason::ModeratorNeeded`]; [`Reason::HigherRoleNeeded`]
    /// for somebody of the same role or a higher one.
    pub async fn time_out_member(
        &self,
        actor: Actor,
        room: RoomId,
        user: &UserRef,
        until: Option<DateTime<Utc>>,
    ) -> Result<(room::Model, member::Model), Error> {
        let user = self.member_named(user).await?;
        self.change(TimeOutMember { actor, room, user, until }).await
    }

    /// One page of those who are kept out of each of these rooms, by user id. Every room has an entry. One statement.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bans(
        &self,
        rooms: &[RoomId],
        window: &Window<UserId>,
    ) -> Result<HashMap<RoomId, Slice<ban::Model>>, Error> {
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut rows = Rows::new(self.store.backend(), rooms.iter().map(|room| [(*room).into()]));
        rows.values.push(window.after.unwrap_or(UserId(uuid::Uuid::nil())).into());
        rows.values.push(self.clock.now().into());
        let sql = format!(
            "WITH asked (room_id) AS ({rows}), numbered AS (SELECT {columns}, \
               row_number() OVER (PARTITION BY ban.room_id ORDER BY ban.user_id) AS place FROM asked \
               JOIN ban ON ban.room_id = asked.room_id AND ban.user_id > ${after} \
                 AND (ban.until IS NULL OR ban.until > ${now})) \
             SELECT * FROM numbered WHERE place <= {limit} + 1 ORDER BY room_id, user_id",
            rows = rows.sql,
            columns = columns::<ban::Entity>(),
            after = rows.values.len() - 1,
            now = rows.values.len(),
            limit = window.limit,
        );
        let statement = self.store.statement(&sql, rows.values);
        let mut found: HashMap<RoomId, Vec<ban::Model>> = rooms.iter().map(|room| (*room, Vec::new())).collect();
        for ban in ban::Entity::find().from_raw_sql(statement).all(self.store.read()).await? {
            found.entry(ban.room_id).or_default().push(ban);
        }
        Ok(found.into_iter().map(|(room, bans)| (room, Slice::probed(bans, window))).collect())
    }
}

/// Checks that this time is ahead, by no more than that.
fn expect_ahead(until: Option<DateTime<Utc>>, now: DateTime<Utc>, most: TimeDelta) -> Result<(), Error> {
    match until {
        Some(until) if until <= now => Err(Error::invalid(Argument::Until, "must be in the future")),
        Some(until) if until > now + most => {
            Err(Error::invalid(Argument::Until, format!("must be at most {} days ahead", most.num_days())))
        }
        Some(_) | None => Ok(()),
    }
}

/// The reason of a ban, without the space around it.
fn reason(given: Option<String>) -> Result<Option<String>, Error> {
    let reason = given.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let Some(text) = &reason else { return Ok(None) };
    if text.chars().count() > MAX_REASON_CHARS {
        return Err(Error::invalid(Argument::Reason, format!("must have at most {MAX_REASON_CHARS} characters")));
    }
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Error::invalid(Argument::Reason, "must not hold control characters"));
    }
    Ok(reason)
}

/// Checks that none of these users is kept out of this room.
///
/// # Errors
/// [`Reason::Banned`] with those who are; or when the database fails.
pub(in crate::chat) async fn expect_not_banned(append: &Append, room: RoomId, users: &[UserId]) -> Result<(), Error> {
    let bans = ban::Entity::find()
        .filter(ban::Column::RoomId.eq(room))
        .filter(one_of(append.store().backend(), ban::Column::UserId, users.iter().copied()))
        .filter(ban::holds_at(append.now()))
        .all(append.tx())
        .await?;
    if bans.is_empty() {
        return Ok(());
    }
    Err(Error::RefusedFor(Reason::Banned, bans.into_iter().map(|ban| ban.user_id).collect()))
}

/// Keep somebody out of a group, or no longer.
pub struct BanMember {
    actor: Actor,
    room: RoomId,
    user: UserId,
    ban: Option<BanInput>,
    /// Whom the user may keep out before they have ever been in.
    directory: Directory,
}

impl Change for BanMember {
    type Outcome = (room::Model, Option<ban::Model>);
}

impl Alone for BanMember {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let (room, target) = moderated(append, self.actor, self.room, self.user).await?;
        let present = ban::Entity::find_by_id((self.room, self.user)).one(append.tx()).await?;
        let now = append.now();
        let held = present.as_ref().is_some_and(|ban| ban.until.is_none_or(|until| until > now));
        let Some(BanInput { until, reason }) = self.ban.clone() else {
            if present.is_some() {
                ban::Entity::delete_by_id((self.room, self.user)).exec(append.tx()).await?;
            }
            if held {
                append.record(NewEvent::member_changed(self.room, self.user).by(self.actor.user));
            }
            return Ok((room, None));
        };
        expect_ahead(until, now, MAX_BAN)?;
        if let Some(same) = present.filter(|ban| held && ban.until == until && ban.reason == reason) {
            return Ok((room, Some(same)));
        }
        if target.is_none() && member::Entity::find_by_id((self.room, self.user)).one(append.tx()).await?.is_none() {
            let finder = self.actor.user.map(|user| (user, self.directory));
            people::expect_visible(append, self.user, finder, Argument::UserId).await?;
        }
        let ban = ban::Model { room_id: self.room, user_id: self.user, by_id: self.actor.user, reason, until, at: now };
        let again = OnConflict::columns([ban::Column::RoomId, ban::Column::UserId])
            .update_columns([ban::Column::ById, ban::Column::Reason, ban::Column::Until, ban::Column::At])
            .to_owned();
        ban::Entity::insert(ban.clone().into_active_model()).on_conflict(again).exec(append.tx()).await?;
        let by = self.actor.user;
        close::for_users(append, self.room, &[self.user], by).await?;
        let Some(member) = target else {
            append.record(NewEvent::member_changed(self.room, self.user).by(by));
            return Ok((room, Some(ban)));
        };
        let banned = append.record(NewEvent::member_banned(self.room, self.user).by(by));
        Ok((take_out(append, room, member, banned).await?, Some(ban)))
    }
}

/// Have a member of a group say nothing for now, or no longer.
pub struct TimeOutMember {
    actor: Actor,
    room: RoomId,
    user: UserId,
    until: Option<DateTime<Utc>>,
}

impl Change for TimeOutMember {
    type Outcome = (room::Model, member::Model);
}

impl Alone for TimeOutMember {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let (room, target) = moderated(append, self.actor, self.room, self.user).await?;
        let target = target.ok_or(NO_MEMBER)?;
        let now = append.now();
        expect_ahead(self.until, now, MAX_TIMEOUT)?;
        let held = target.timeout_until.filter(|until| *until > now);
        if held == self.until {
            return Ok((room, target));
        }
        let target = member::ActiveModel { timeout_until: Set(self.until), ..target.into_active_model() };
        let target = target.update(append.tx()).await?;
        append.record(NewEvent::member_changed(self.room, self.user).by(self.actor.user));
        Ok((room, target))
    }
}
