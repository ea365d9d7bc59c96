//! The log, for the app's own backend: what webhooks are told, pulled instead of pushed.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::error::ApiError;
use super::events::Event;
use super::execution::context::ContextExt;
use super::values::page;
use super::values::scalars::ShownCursor;
use crate::chat::Window;
use crate::delivery::notice::{EventRows, Notice};
use crate::log;
use crate::position::CursorText;

/// Whose event it is: who receives it on sockets.
#[derive(SimpleObject)]
pub(crate) struct LogAudience {
    /// The room in which it happened. Null: in none.
    room_id: Option<ID>,
    /// The user who alone receives it. Null: all members of the room do.
    user_id: Option<ID>,
}

/// An event in the log.
#[derive(SimpleObject)]
pub(crate) struct LogEntry {
    /// Whose event it is.
    audience: LogAudience,
    /// What happened.
    event: Event,
}

/// A part of the log.
#[derive(SimpleObject)]
pub(crate) struct LogPage {
    /// What happened, in the order in which it did.
    entries: Vec<LogEntry>,
    /// Where the part ends: go on from there, even if it has no entries.
    #[graphql(owned)]
    end_cursor: ShownCursor,
    /// Whether there is more.
    has_next_page: bool,
}

/// Reading the log.
#[derive(Default)]
pub(crate) struct LogQuery;

#[Object]
impl LogQuery {
    /// Server key: what has happened in all rooms, as webhooks are told it, for backends that can't be reached. Everybody
    /// who joins or leaves is `MemberJoined` or `MemberLeft`; what users keep to themselves, such as blocks, read marks and
    /// muted rooms, isn't in it.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `CONFLICT` and the field `after` when what came
    /// after the cursor is not kept any more.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn log(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The `endCursor` of the part before, or any event's cursor; without one, from the oldest event \
                          that is kept."
        )]
        after: Option<CursorText>,
        #[graphql(desc = "How many events at most: 0 to 100; 20 if not given.")] first: Option<i32>,
    ) -> Result<LogPage, ApiError> {
        let (key, window) = (ctx.server()?, Window::<()>::forward(first, None)?);
        let after = after.map(|after| ctx.cursors().open(after));
        let wants = |event: &log::Event| Notice::is_for_backend(event.kind);
        let part = ctx.chat().log_after(key, after, window.limit, wants).await?;
        let events: Vec<&log::Event> = part.events.iter().collect();
        let rows = EventRows::load_for_backend(ctx.chat().store(), &events).await.map_err(crate::chat::Error::from)?;
        let entries = part.events.iter().filter_map(|event| {
            let notice = Notice::for_backend(event, &rows)?;
            let audience =
                LogAudience { room_id: event.room().map(Into::into), user_id: event.user_id.map(Into::into) };
            Some(LogEntry { audience, event: Event::from(&*notice) })
        });
        let entries = entries.collect();
        Ok(LogPage { entries, end_cursor: ShownCursor::Event(part.end), has_next_page: part.has_next })
    }
}
