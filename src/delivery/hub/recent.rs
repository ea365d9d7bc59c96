//! What a client that was away for a moment has missed, from the last events that the hub has handed out: without a query to
//! the log.

use std::collections::HashMap;

use super::rooms::Rooms;
use crate::ids::{RoomId, UserId};
use crate::log::recent::Recent;
use crate::log::replay::{Filter, MAX_PER_ROOM, MAX_TOTAL};
use crate::log::{Class, Event};
use crate::position::Cursor;

/// The events that a replay from this cursor up to the last event would show this user, whose rooms these are.
/// `None` if this memory can't tell, or if the replay takes more than a list of events.
pub(super) fn missed(
    recent: &Recent,
    user: UserId,
    rooms: &Rooms,
    filter: Filter,
    after: Cursor,
) -> Option<Vec<Event>> {
    let since = recent.since(after)?;
    if since.len() as u64 > MAX_TOTAL {
        return None;
    }
    let mut of_room: HashMap<RoomId, u64> = HashMap::new();
    let mut missed = Vec::new();
    for event in since {
        // The user's present rooms don't say what the user could see before this event.
        if event.effect().changes_rooms_of(user) {
            return None;
        }
        let Some(room) = event.room() else {
            if event.user_id == Some(user) && filter == Filter::Everything && event.kind.row().class != Class::Hidden {
                missed.push(event.clone());
            }
            continue;
        };
        let Some(muted) = rooms.muted(room) else { continue };
        let is_own_or_shared = event.user_id.is_none_or(|of| of == user);
        if !is_own_or_shared || !filter.takes(event.kind.row().class, room, muted) {
            continue;
        }
        if let Some(room) = event.room_id {
            let count = of_room.entry(room).or_default();
            *count += 1;
            if *count > MAX_PER_ROOM {
                return None;
            }
        }
        missed.push(event.clone());
    }
    Some(missed)
}
