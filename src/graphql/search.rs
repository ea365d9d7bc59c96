//! Finding messages.

use async_graphql::connection::PageInfo;
use async_graphql::{Context, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::message::Message;
use super::values::page::{self, GivenKey, List};
use crate::chat::Window;
use crate::chat::message::{Asked, Hit};
use crate::chat::room::RoomRef;
use crate::chat::user::UserRef;
use crate::limits::PerUser;
use crate::position::Position;
use crate::text::search::Fragment;

/// What looking for messages adds to the complexity of a request, beside what is shown of them.
const COST: usize = 500;

/// A piece of a text.
#[derive(SimpleObject, Clone)]
pub(crate) struct TextFragment {
    /// As it stands in the text.
    text: String,
    /// Whether it is what was searched for.
    is_match: bool,
}

impl From<Fragment> for TextFragment {
    fn from(Fragment { text, is_match }: Fragment) -> Self {
        Self { text, is_match }
    }
}

/// A message that was found.
#[derive(SimpleObject, Clone)]
pub(crate) struct SearchHit {
    /// The message.
    message: Message,
    /// The message's text around what was found, cut into pieces: at most about 200 characters, with an ellipsis for what is
    /// left out; with its files' names, each on a line behind it, where the text alone doesn't match. One after the other they
    /// are what to show.
    fragments: Vec<TextFragment>,
}

/// A message that was found, and its place.
#[derive(SimpleObject)]
pub(crate) struct SearchHitEdge {
    /// Its place among what is found: pages begin after it.
    cursor: String,
    /// What was found.
    node: SearchHit,
}

/// A page of messages that were found, the newest first.
#[derive(SimpleObject)]
pub(crate) struct SearchHitConnection {
    /// What was found, each with its place.
    edges: Vec<SearchHitEdge>,
    /// What was found.
    nodes: Vec<SearchHit>,
    /// Whether there may be more, and where it begins. A page that isn't full, or is empty, may have a next one all the same:
    /// after 2,000 messages that have the words' beginnings but not more of them, a page ends.
    page_info: PageInfo,
}

/// Finding messages.
#[derive(Default)]
pub(crate) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Messages in the viewer's rooms that match, the newest first: each word of `text` begins a word of theirs, or, in scripts
    /// without blanks between words, stands in theirs; symbols such as emoji are in them. What their files are called counts as
    /// part of what they say. Case doesn't matter, nor do the marks on Latin, Greek, Cyrillic, Hebrew and Arabic letters. So it
    /// can be asked while somebody types. While very much is posted, the last second of it may be missing; text that was deleted
    /// or changed is never found.
    ///
    /// Errors: `NOT_FOUND` when the viewer is in no such room; `BAD_USER_INPUT` when `text` is too long.
    #[graphql(complexity = "page::cost(first, None, child_complexity) + COST")]
    async fn search(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            secret,
            desc = "What to search for: at most 256 bytes and 8 words. Nothing is found by what has none."
        )]
        text: String,
        #[graphql(desc = "Only in this room: `room_…` or, for a server key, the app's own id after `ext:`.")]
        room_id: Option<RoomRef>,
        #[graphql(desc = "Only what this user has written: `user_…`, or the app's own id after `ext:`.")]
        author_id: Option<UserRef>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<GivenKey<i64>>,
    ) -> Result<SearchHitConnection, ApiError> {
        let window = Window::forward(first, page::after(ctx, List::Found, after)?.map(Position))?;
        let viewer = ctx.charge(PerUser::Searches).await?;
        let room = match room_id {
            Some(room) => Some(ctx.room_id(room).await?),
            None => None,
        };
        let found = ctx.chat().search(viewer, &Asked { text, room, author: author_id }, &window).await?;
        let cursor = |place: Position| page::cursor(ctx, List::Found, place.0);
        let nodes: Vec<_> = found.hits.iter().cloned().map(hit).collect();
        let places = found.hits.iter().map(|hit| hit.message.position.unwrap_or_default());
        let edges: Vec<_> = places
            .zip(&nodes)
            .map(|(place, node)| SearchHitEdge { cursor: cursor(place), node: node.clone() })
            .collect();
        let page_info = PageInfo {
            has_previous_page: window.after.is_some(),
            has_next_page: found.has_next,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: found.end.map(cursor),
        };
        Ok(SearchHitConnection { edges, nodes, page_info })
    }
}

fn hit(Hit { message, fragments }: Hit) -> SearchHit {
    SearchHit { message: message.into(), fragments: fragments.into_iter().map(Into::into).collect() }
}
