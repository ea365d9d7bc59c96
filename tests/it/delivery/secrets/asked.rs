//! What is asked for: documents that share a rendering and documents that must not.

use serde_json::{Value, json};

/// The same for all: as much as there is without asking who asks.
pub const SHARED: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
      ... on MessagePosted { message { ...text } } ... on MessageEdited { message { ...text } }
      ... on MessageDeleted { message { ...text } } ... on RoomJoined { room { ...room } } ... on ReactionsChanged { message { ...text reactions { emoji count users { username } } } changes { emoji userId } }
      ... on RoomLeft { roomId }
      ... on MemberJoined { room { ...room } } ... on MemberLeft { room { ...room } }
      ... on MembersJoined { room { ...room } } ... on MemberChanged { room { ...room } }
      ... on ReadMarksMoved { room { ...room } marks { seq user { username } } } ... on RoomMuted { room { ...room } } ... on RoomUpdated { room { ...room } by { username } }
      ... on PinsChanged { by { username } message { ...text } room { ...room pinnedMessages { message { body } pinnedBy { username } } } }
      ... on RoomViewerChanged { room { ...room } } } }
    fragment room on Room { id name members(first: 9) { nodes { lastReadSeq user { username } } }
      lastMessage { body } messages(last: 4) { nodes { body } } }
    fragment text on Message { seq body author { username } mentions { username } mentionsRoom
      attachments { id name contentType size width thumbhash url thumbnailUrl }
      replyTo { seq body author { username } } room { ...room } }";

/// Under other names, and with more variables than the cursor.
const ALIASED: &str = "subscription($after: Cursor, $full: Boolean!, $last: Int = 1) { it: events(after: $after) {
      __typename at: cursor
      ... on MessagePosted { message { seq body @include(if: $full) with: attachments { called: name at: url looks: thumbhash } to: replyTo { text: body } for: mentions { id } room { ...room } } }
      ... on MessageEdited { message { text: body @skip(if: $full) with: attachments { at: url } room { ...room } } }
      ... on MessageDeleted { message { with: attachments { at: url } room { ...room } } } ... on RoomJoined { room { ...room } }
      ... on ReactionsChanged { message { how: reactions { with: emoji } room { ...room } } by: changes { with: emoji } }
      ... on RoomLeft { roomId } ... on MemberJoined { room { ...room } } ... on MemberLeft { room { ...room } }
      ... on MembersJoined { room { ...room } } ... on MemberChanged { room { ...room } }
      ... on ReadMarksMoved { room { ...room } } ... on RoomMuted { room { ...room } }
      ... on RoomUpdated { room { ...room } } ... on RoomViewerChanged { room { ...room } }
      ... on PinsChanged { what: message { text: body to: replyTo { text: body } } room { ...room } } } }
    fragment room on Room { id latest: messages(last: $last) { edges { node { text: body } } } }";

/// With the viewer's own view, plainly.
const VIEWED: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
      ... on MessagePosted { message { body replyTo { body attachments { name } } viewer { mentioned } attachments { url } room { ...room } } }
      ... on MessageEdited { message { viewer { mentioned } room { ...room } } } ... on RoomViewerChanged { room { ...room } }
      ... on PinsChanged { message { viewer { reactions mentioned } } room { ...room } }
      ... on MessageDeleted { message { room { ...room } } } ... on RoomJoined { room { ...room } }
      ... on ReactionsChanged { message { viewer { reactions } room { ...room } } }
      ... on RoomLeft { roomId } ... on MemberJoined { room { ...room } } ... on MemberLeft { room { ...room } }
      ... on MembersJoined { room { ...room } } ... on MemberChanged { room { ...room } }
      ... on ReadMarksMoved { room { ...room } } ... on RoomMuted { room { ...room } }
      ... on RoomUpdated { room { ...room } } } }
    fragment room on Room { id viewer { __typename unreadCount lastReadSeq muted } }";

/// With the viewer's own view as deep down as it goes, and under other names; deeper for some than for others.
const HIDDEN: &str = "subscription($after: Cursor, $deep: Boolean!) { events(after: $after) { __typename
      ... on MessagePosted { message { ...deep } } ... on MessageEdited { message { ...deep } }
      ... on MessageDeleted { message { ...deep } } ... on RoomJoined { room { ...room } } ... on ReactionsChanged { message { ...deep } changes { emoji } }
      ... on RoomLeft { roomId }
      ... on MemberJoined { room { ...room } } ... on MemberLeft { room { ...room } }
      ... on MembersJoined { room { ...room } } ... on MemberChanged { room { ...room } }
      ... on ReadMarksMoved { room { ...room } } ... on RoomMuted { room { ...room } }
      ... on RoomUpdated { room { ...room } } ... on RoomViewerChanged { room { ...room } }
      ... on PinsChanged { room { id pinnedMessages { message { body replyTo { body } } } ...mine } } } }
    fragment deep on Message { replyTo { body } room { ...room messages(last: 2) @include(if: $deep) { nodes { body room { ... on Room { ...room } } } } } }
    fragment room on Room { id lastMessage { body room { ...mine } } ...mine }
    fragment mine on Room { id mine: viewer { ...view } }
    fragment view on RoomViewer { __typename left: unreadCount seen: lastReadSeq quiet: muted }";

/// With the viewer's own view of posts, mutings and what is marked as unread alone: everything else is the same for all.
const PARTLY: &str =
    "subscription($after: Cursor) { events(after: $after) { __typename ...told ...on Event { ...own } } }
    fragment own on Event { ... on MessagePosted { message { body room { ...mine } } }
      ... on RoomMuted { ... on Event { ... on RoomMuted { room { ...mine } } } }
      ... on RoomViewerChanged { room { ...mine } } }
    fragment told on Event { cursor ... on MessageEdited { message { body room { id } } }
      ... on MessageDeleted { message { room { id } } } ... on RoomJoined { room { id } }
      ... on ReactionsChanged { message { room { id } reactions { emoji count } } } ... on RoomLeft { roomId }
      ... on MemberJoined { room { id } } ... on MemberLeft { room { id } }
      ... on MembersJoined { room { id } } ... on MemberChanged { room { id } } ... on ReadMarksMoved { room { id } }
      ... on PinsChanged { room { id pinnedMessages { message { body } } } } ... on RoomUpdated { room { id } } }
    fragment mine on Room { id viewer { __typename unreadCount lastReadSeq muted } }";

/// Of two operations, the one that is not asked for is about the viewer: it keeps the other from nothing.
const BESIDE_ME: &str = "query Own { me { id username } }
    subscription Told($after: Cursor) { events(after: $after) { __typename
      ... on MessagePosted { message { body room { id } } } ... on MessageEdited { message { body room { id } } }
      ... on MessageDeleted { message { room { id } } } ... on RoomJoined { room { id } } ... on ReactionsChanged { message { room { id } } }
      ... on RoomLeft { roomId }
      ... on MemberJoined { room { id } } ... on MemberLeft { room { id } }
      ... on MembersJoined { room { id } } ... on MemberChanged { room { id } } ... on ReadMarksMoved { room { id } }
      ... on RoomMuted { room { id } } ... on RoomUpdated { room { id } } ... on PinsChanged { room { id } }
      ... on RoomViewerChanged { room { id } } } }";

/// New messages, of all rooms or one.
const POSTS: &str = "subscription($room: ID, $after: Cursor) { messagePosted(roomId: $room, after: $after) {
      __typename body room { id messages(last: 2) { nodes { body } } } } }";

/// New messages, of all rooms or one, with the viewer's own view.
const POSTS_VIEWED: &str = "subscription($after: Cursor, $room: ID) { messagePosted(after: $after, roomId: $room) {
      __typename body room { id viewer { __typename unreadCount lastReadSeq muted } } } }";

/// What a subscription is told of.
#[derive(Clone, Copy, PartialEq)]
pub enum Wants {
    /// Whatever happens in the user's rooms.
    Everything,
    /// Posts in those of them that are not muted.
    Posts,
    /// Posts in this one.
    PostsOf(usize),
}

/// Of which events each user has a rendering of one's own.
#[derive(Clone, Copy, PartialEq)]
pub enum Apart {
    /// Of none.
    None,
    /// Of those of these types.
    Of(&'static [&'static str]),
    /// Of all but those of these types.
    AllBut(&'static [&'static str]),
    /// Of all.
    All,
}

/// What somebody asks for.
#[derive(Clone)]
pub struct Asked {
    /// The document, with a variable for the cursor.
    pub document: &'static str,
    /// Which of its operations.
    pub operation: Option<&'static str>,
    /// All but the cursor.
    pub variables: Value,
    /// Of which events each user has a rendering of one's own.
    pub apart: Apart,
    /// What it is told of.
    pub wants: Wants,
}

impl Asked {
    fn shared(document: &'static str, variables: Value, wants: Wants) -> Self {
        Self { document, operation: None, variables, apart: Apart::None, wants }
    }

    fn apart(document: &'static str, variables: Value, wants: Wants) -> Self {
        Self { apart: Apart::All, ..Self::shared(document, variables, wants) }
    }

    fn partly(document: &'static str, variables: Value, apart: Apart) -> Self {
        Self { apart, ..Self::shared(document, variables, Wants::Everything) }
    }

    /// All that this user asks for, who is in these rooms: their numbers and ids.
    pub fn by<'r>(user: usize, rooms: impl Iterator<Item = (usize, &'r str)>) -> Vec<Self> {
        let is_even = user.is_multiple_of(2);
        let mut asked = vec![
            Self::shared(SHARED, json!({}), Wants::Everything),
            Self::shared(ALIASED, json!({ "full": is_even }), Wants::Everything),
            Self::shared(ALIASED, json!({ "full": true, "last": 3 }), Wants::Everything),
            Self::partly(VIEWED, json!({}), Apart::AllBut(&["RoomLeft"])),
            Self::partly(HIDDEN, json!({ "deep": true }), Apart::AllBut(&["RoomLeft"])),
            Self::partly(HIDDEN, json!({ "deep": is_even }), Apart::AllBut(&["RoomLeft"])),
            Self::partly(PARTLY, json!({}), Apart::Of(&["MessagePosted", "RoomMuted", "RoomViewerChanged"])),
            Self { operation: Some("Told"), ..Self::shared(BESIDE_ME, json!({}), Wants::Everything) },
            Self::shared(POSTS, json!({}), Wants::Posts),
            Self::apart(POSTS_VIEWED, json!({}), Wants::Posts),
        ];
        asked.extend(rooms.map(|(n, room)| {
            let (variables, wants) = (json!({ "room": room }), Wants::PostsOf(n));
            if n.is_multiple_of(2) {
                Self::shared(POSTS, variables, wants)
            } else {
                Self::apart(POSTS_VIEWED, variables, wants)
            }
        }));
        asked
    }
}
