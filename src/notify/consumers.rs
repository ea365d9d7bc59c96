//! The two readers of the log that notify.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::EntityTrait;
use tokio::time::sleep;

use super::{Notifications, over};
use crate::ids::{RoomId, UserId};
use crate::log::{Begin, Event, Handler, HandlerError, Kind};
use crate::position::Position;
use crate::store::entity::consumer;

/// A user is notified of one room again after this at the earliest, at once; what comes sooner is told later.
const AGAIN: TimeDelta = TimeDelta::seconds(5);

/// The name of the consumer that notifies at once.
const AT_ONCE: &str = "notify";

/// How soon the other one looks again whether that has passed an event.
const AGAIN_SOON: Duration = Duration::from_millis(500);

/// Notifies those who are nowhere connected, and takes away what was read.
pub struct AtOnce(pub(super) Arc<Notifications>);

impl Handler for AtOnce {
    fn name(&self) -> &'static str {
        AT_ONCE
    }

    fn begin(&self) -> Begin {
        Begin::Head
    }

    fn wants(&self, event: &Event) -> bool {
        may_clear(event.kind)
    }

    async fn handle(&self, events: &[Event]) -> Result<(), HandlerError> {
        let it = &self.0;
        let Some(cursor) = events.last().map(Event::cursor) else { return Ok(()) };
        let mut rooms: BTreeSet<RoomId> = events.iter().filter_map(Event::room).collect();
        let ended = events.iter().filter(|event| event.kind == Kind::SessionRevoked);
        let ended: BTreeSet<UserId> = ended.filter_map(|event| event.user_id).collect();
        rooms.extend(over::of_switched_off(&it.store, &ended).await?);
        it.clear(&rooms, cursor).await?;
        let now = it.store.now(&it.clock).await?;
        let mut due = it.due(events).await?;
        due.retain(|due| !it.chat.is_online(due.user_id) && due.pushed_at.is_none_or(|at| now - at > AGAIN));
        it.notify(due, cursor).await
    }

    /// What was missed is too old to tell.
    async fn missed(&self) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// Whether a notification may be over by an event of this kind, or due.
fn may_clear(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::MessagePosted
            | Kind::MessageEdited
            | Kind::MessageDeleted
            | Kind::ReadMarksMoved
            | Kind::OwnReadMarkMoved
            | Kind::RoomMuted
            | Kind::RoomHidden
            | Kind::RoomDeleted
            | Kind::MemberLeft
            | Kind::MemberRemoved
            | Kind::MemberBanned
            | Kind::SessionRevoked
    )
}

/// Notifies those who are connected and haven't read all the same.
pub struct Later(pub(super) Arc<Notifications>);

impl Handler for Later {
    fn name(&self) -> &'static str {
        "notify-later"
    }

    fn begin(&self) -> Begin {
        Begin::Head
    }

    fn wants(&self, event: &Event) -> bool {
        matches!(event.kind, Kind::MessagePosted | Kind::MessageEdited)
    }

    /// Waits for the time of each, and until the other consumer has passed it: what that one has told, perhaps after some
    /// tries, isn't told again.
    async fn handle(&self, mut events: &[Event]) -> Result<(), HandlerError> {
        let it = &self.0;
        let later = TimeDelta::from_std(it.later)?;
        while let Some(first) = events.first() {
            let now = it.store.now(&it.clock).await?;
            if let Ok(left) = (first.at + later - now).to_std()
                && !left.is_zero()
            {
                sleep(left.min(it.later)).await;
                continue;
            }
            let passed = consumer::Entity::find_by_id(AT_ONCE).one(it.store.read()).await?;
            let passed = passed.map_or_else(Position::default, |at_once| at_once.position);
            let is_ripe = |event: &&Event| event.at + later <= now && event.position <= passed;
            let (ripe, rest) = events.split_at(events.iter().take_while(is_ripe).count());
            let Some(cursor) = ripe.last().map(Event::cursor) else {
                sleep(AGAIN_SOON).await;
                continue;
            };
            it.notify(it.due(ripe).await?, cursor).await?;
            events = rest;
        }
        Ok(())
    }

    async fn missed(&self) -> Result<(), HandlerError> {
        Ok(())
    }
}
