//! The messages that mention the viewer.

use async_graphql::connection::PageInfo;
use async_graphql::{Context, SimpleObject};

use super::message::Message;
use super::values::page::{self, List};
use crate::chat::Slice;
use crate::store::entity::message;

/// A message that mentions the viewer, and its place.
#[derive(SimpleObject)]
pub(crate) struct MentionEdge {
    /// Its place in the list: pages begin after it.
    cursor: String,
    /// The message.
    node: Message,
}

/// A page of messages that mention the viewer, the newest first.
#[derive(SimpleObject)]
pub(crate) struct MentionConnection {
    /// The messages, each with its place.
    edges: Vec<MentionEdge>,
    /// The messages.
    nodes: Vec<Message>,
    /// Whether there are more.
    page_info: PageInfo,
}

impl MentionConnection {
    pub(super) fn of(ctx: &Context<'_>, found: Slice<message::Model>) -> Self {
        let place = |row: &message::Model| page::cursor(ctx, List::Mentions, row.position.unwrap_or_default().0);
        let edges: Vec<_> =
            found.items.iter().map(|row| MentionEdge { cursor: place(row), node: row.clone().into() }).collect();
        let page_info = PageInfo {
            has_previous_page: found.has_previous,
            has_next_page: found.has_next,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Self { nodes: found.items.into_iter().map(Message::from).collect(), edges, page_info }
    }
}
