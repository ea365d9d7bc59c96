//! The cursor at which a client's event stream is to begin, and the events about the stream itself.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::room::Room;
use super::values::scalars::{DateTime, ShownCursor};
use crate::delivery::notice::SyncNotice;
use crate::log::replay::Resync;
use crate::position::Cursor;

/// The last event that was handed out before the request was executed. The edge puts it into the request's data, so
/// that everything that happens while the other fields are read comes as an event, too, and nothing is missed.
#[derive(Clone, Copy, Debug)]
pub struct SyncCursor(pub Cursor);

/// The event stream, seen from a query.
#[derive(Default)]
pub(crate) struct SyncQuery;

#[Object]
impl SyncQuery {
    /// Where the viewer's event stream stands, read before the other fields of the same query. Subscribe to `events`
    /// with it as `after`: the result of the query and the events together are then complete.
    #[expect(clippy::unused_async, reason = "every resolver is async")]
    async fn sync_cursor(&self, ctx: &Context<'_>) -> async_graphql::Result<ShownCursor> {
        ctx.viewer()?;
        Ok(ShownCursor::Moment(ctx.data::<SyncCursor>()?.0))
    }
}

event! {
    /// The socket has caught up: from here on, it receives events as they happen.
    Synced {}
}
event! {
    /// More happened in a room than is replayed, which is at most 100 events of one room and 1,000 in all. Fetch the
    /// room and, by `messages(fromSeq:, toSeq:)`, the messages from `fromSeq` to `toSeq`; nothing else of the room was
    /// missed.
    ///
    /// Gaps come before everything that is replayed, so that a client that resumes from any later cursor has received
    /// them.
    RoomGap {
        /// The room.
        room: Room,
        /// `seq` of the first message whose posting, editing or deletion was missed.
        from_seq: i32,
        /// `seq` of the newest message. Less than `fromSeq` when no message was missed, but only changes of members or
        /// read marks.
        to_seq: i32,
    }
}
event! {
    /// The stream can't be replayed from the client's cursor. Fetch everything anew; the events after this one continue
    /// from its `cursor`.
    ResyncRequired {
        /// Why it can't be replayed.
        reason: ResyncReason,
    }
}

/// Why the stream can't be replayed from a cursor.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Resync")]
pub enum ResyncReason {
    /// The cursor is ahead of the server: the server's database was restored from an older copy.
    Ahead,
    /// The cursor belongs to another history: the server's database was restored from an older copy, and has changed
    /// since. Or the server can't read it: its secret was another when it gave the cursor out.
    Foreign,
    /// The cursor is older than the events that the server keeps.
    Expired,
    /// More was missed than is replayed, and `RoomGap` can't announce it.
    TooMuch,
}

pub(super) fn event(stamp: Stamp, notice: &SyncNotice) -> Event {
    let Stamp { cursor, at } = stamp;
    match notice {
        SyncNotice::Synced => Synced { cursor, at }.into(),
        SyncNotice::Gap(room, gap) => {
            RoomGap { cursor, at, room: room.into(), from_seq: gap.from_seq, to_seq: gap.to_seq }.into()
        }
        SyncNotice::Resync(reason) => ResyncRequired { cursor, at, reason: (*reason).into() }.into(),
    }
}
