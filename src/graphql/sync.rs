//! Where a client's event stream is to begin.

use async_graphql::{Context, Enum, Object, SimpleObject};

use super::events::{Event, Stamp, event};
use super::execution::context::ContextExt;
use super::room::Room;
use super::values::scalars::DateTime;
use crate::delivery::notice::SyncNotice;
use crate::log::replay::Resync;
use crate::position::Cursor;

/// The head of the log as it stood before the request was executed. The edge reads it and puts it into the request's
/// data, so that whatever happens while the other fields are read comes again as an event, and nothing is missed.
#[derive(Clone, Copy, Debug)]
pub struct SyncCursor(pub Cursor);

/// The event stream, seen from a query.
#[derive(Default)]
pub(crate) struct SyncQuery;

#[Object]
impl SyncQuery {
    /// Where the viewer's event stream stands; read before the other fields of the same query. Subscribe to `events` with
    /// it as `after`, and what the query returned together with the events is all there is.
    #[expect(clippy::unused_async, reason = "every resolver is async")]
    async fn sync_cursor(&self, ctx: &Context<'_>) -> async_graphql::Result<Cursor> {
        ctx.viewer()?;
        Ok(ctx.data::<SyncCursor>()?.0)
    }
}

event! {
    /// The socket has caught up: what comes from here on has just happened.
    Synced {}
}
event! {
    /// More happened in a room than is replayed: at most 100 events of one room, and 1,000 in all. Fetch the room and, by
    /// `messages(fromSeq:, toSeq:)`, the messages that are named; nothing else of the room was missed.
    ///
    /// Gaps come before all that is replayed, so that a client that resumes from any later cursor knows of them.
    RoomGap {
        /// The room.
        room: Room,
        /// The first message that was posted, edited or deleted unseen.
        from_seq: i32,
        /// The newest message. Less than `fromSeq`: no message was, but members or read marks changed.
        to_seq: i32,
    }
}
event! {
    /// The cursor can't be replayed from. Fetch everything anew; what comes after this event continues from its `cursor`.
    ResyncRequired {
        /// Why.
        reason: ResyncReason,
    }
}

/// Why a cursor can't be replayed from.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Resync")]
pub enum ResyncReason {
    /// It is ahead of the server: the server's database was restored from an older copy.
    Ahead,
    /// The server's database was restored from an older copy, and has gone on from there.
    Foreign,
    /// It is older than what the server keeps of the past.
    Expired,
    /// More was missed than is replayed, beyond what `RoomGap` could tell.
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
