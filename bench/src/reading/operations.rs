//! What a client that reads asks for.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use parlor::position::CursorText;
use serde_json::{Value, json};

use crate::http::Client;
use crate::seed::chat::Written;
use crate::sockets::{Dialect, Socket};

/// Rooms on a page of the list.
pub const ROOMS_AT_ONCE: usize = 20;

/// Messages on a page.
pub const MESSAGES_AT_ONCE: usize = 50;

/// How far from the start and the end of the room a page is.
pub const FROM_THE_EDGE: usize = 100;

/// The list of conversations that a client shows first.
pub const ROOMS: &str = "query ($first: Int) { rooms(first: $first) { nodes { id type lastActivityAt \
    members(first: 8) { nodes { user { id displayName } lastReadSeq } } \
    lastMessage { id seq body createdAt author { id displayName } } viewer { unreadCount lastReadSeq muted } } \
    pageInfo { hasNextPage endCursor } } }";

/// A page of a conversation.
pub const MESSAGES: &str = "query ($room: ID!, $first: Int, $last: Int, $from: Int, $to: Int) { room(id: $room) { \
    messages(first: $first, last: $last, fromSeq: $from, toSeq: $to) { \
    nodes { id seq body createdAt editedAt deletedAt author { id displayName } } \
    pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }";

/// Everything that happens.
const EVENTS: &str = "subscription ($after: Cursor) { events(after: $after) { __typename cursor at \
    ... on MessagePosted { message { id seq body createdAt author { id displayName } room { id } } } \
    ... on RoomGap { room { id } fromSeq toSeq } } }";

/// One thing that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The first rooms, each with members, the last message and the number of unread ones.
    Rooms,
    /// A page of messages near the start of the largest room.
    PageNearStart,
    /// A page of messages near its end.
    PageNearEnd,
    /// Connecting, and catching up with so many missed events.
    Resume {
        /// How many.
        missed: usize,
    },
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rooms => write!(f, "`rooms(first: {ROOMS_AT_ONCE})`"),
            Self::PageNearStart => write!(f, "page of {MESSAGES_AT_ONCE} near the start"),
            Self::PageNearEnd => write!(f, "page of {MESSAGES_AT_ONCE} near the end"),
            Self::Resume { missed } => write!(f, "resume after {missed} events"),
        }
    }
}

/// Somebody who reads.
pub struct Reader<'w> {
    addr: SocketAddr,
    token: String,
    written: &'w Written,
    client: Client,
}

impl<'w> Reader<'w> {
    /// Connects to the server that has this chat.
    pub async fn connect(addr: SocketAddr, token: String, written: &'w Written) -> io::Result<Self> {
        let client = Client::connect(addr, Some(&token)).await?;
        Ok(Self { addr, token, written, client })
    }

    /// Asks, and takes the whole answer.
    pub async fn ask(&mut self, operation: Operation) -> io::Result<()> {
        let room = self.written.largest.to_string();
        match operation {
            Operation::Rooms => {
                let data = self.client.graphql(ROOMS, json!({ "first": ROOMS_AT_ONCE })).await?;
                full(&data["rooms"]["nodes"], ROOMS_AT_ONCE)
            }
            Operation::PageNearStart => {
                let page = json!({ "room": room, "first": MESSAGES_AT_ONCE, "from": FROM_THE_EDGE });
                let data = self.client.graphql(MESSAGES, page).await?;
                full(&data["room"]["messages"]["nodes"], MESSAGES_AT_ONCE)
            }
            Operation::PageNearEnd => {
                let to = self.written.largest_seq - FROM_THE_EDGE;
                let page = json!({ "room": room, "last": MESSAGES_AT_ONCE, "to": to });
                let data = self.client.graphql(MESSAGES, page).await?;
                full(&data["room"]["messages"]["nodes"], MESSAGES_AT_ONCE)
            }
            Operation::Resume { missed } => self.resume(missed).await,
        }
    }

    async fn resume(&self, missed: usize) -> io::Result<()> {
        let cursor = self.written.cursor_before(missed);
        let cursor = cursor.ok_or_else(|| io::Error::other(format!("the chat has no {missed} late events")))?;
        // The plain form needs no secret, and counts while the log holds the very event.
        let after = json!({ "after": CursorText::Plain(cursor).to_string() });
        let mut socket = Socket::subscribe(self.addr, 0, Dialect::GraphQl(EVENTS), &self.token, &after).await?;
        let (mut posted, mut gaps) = (0, 0);
        loop {
            let event = socket.next().await?;
            if event.contains("\"Synced\"") {
                break;
            }
            posted += usize::from(event.contains("\"MessagePosted\""));
            gaps += usize::from(event.contains("\"RoomGap\""));
        }
        match gaps {
            0 if posted != missed => Err(io::Error::other(format!("{posted} of {missed} missed events came"))),
            _ => Ok(()),
        }
    }
}

/// Checks that as many items came as were asked for.
pub fn full(nodes: &Value, expected: usize) -> io::Result<()> {
    match nodes.as_array().map_or(0, Vec::len) {
        came if came == expected => Ok(()),
        came => Err(io::Error::other(format!("{came} of {expected} items came"))),
    }
}
