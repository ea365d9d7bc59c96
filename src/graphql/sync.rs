//! Where a client's event stream is to begin.

use async_graphql::{Context, Object};

use super::execution::context::ContextExt;
use crate::position::Cursor;

/// The head of the log as it stood before the request was executed. The edge reads it and puts it into the request's
/// data, so that whatever happens while the other fields are read comes again as an event, and nothing is missed.
#[derive(Clone, Copy, Debug)]
pub struct SyncCursor(pub Cursor);

/// The event stream, seen from a query.
#[derive(Default)]
pub struct SyncQuery;

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
